"""Keys as files, the gatekeeper on a real socket, and which endpoints are open to whom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
import zmq.auth
from support.command import GUARD_S

from ftdist.cluster.endpoints import Endpoint, connecting, listening, refuse_open
from ftdist.cluster.keys import (
    ALLOWED,
    CLIENT,
    coordinator_keys,
    make_coordinator,
    make_peer,
    peer_keys,
    read_allowed,
    read_public,
)
from ftdist.cluster.server.authentication import AllowListAuthenticator
from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Link,
    Socket,
    bind,
    close,
    connect,
    link_events,
    make_context,
    receive,
    send,
)
from ftdist.coordinator.events import Role
from ftdist.errors import InputError
from ftdist.protocol.client_messages import StatusRequest
from ftdist.protocol.limits import PROTOCOL

# ---- files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cluster's folder with the coordinator's keys, and one worker, pi."""
    made = tmp_path / "keys"
    make_coordinator(made)
    make_peer(made, "pi")
    return made


def test_what_was_made_is_read_again_and_fits_together(folder: Path) -> None:
    own, worker = coordinator_keys(folder), peer_keys(folder / "pi")
    assert own.server is None and worker.server == own.public
    assert zmq.curve_public(own.secret) == own.public != worker.public
    assert zmq.curve_public(worker.secret) == worker.public
    assert read_public(folder / ALLOWED / "pi.key").encode() == worker.public


def test_certificates_are_those_of_zmq_auth(folder: Path) -> None:
    worker = peer_keys(folder / "pi")
    assert zmq.auth.load_certificate(folder / "pi" / "pi.key_secret") == (
        worker.public,
        worker.secret,
    )
    assert zmq.auth.load_certificates(folder / ALLOWED) == {worker.public: True}
    public, _ = zmq.auth.create_certificates(folder / ALLOWED, "theirs")
    assert read_public(Path(public)).encode() == zmq.auth.load_certificate(public)[0]


def test_secrets_are_nobody_elses(folder: Path) -> None:
    secrets = [*folder.rglob("*_secret")]
    assert len(secrets) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)
    assert folder.stat().st_mode & 0o077 == 0
    secrets[0].chmod(0o640)
    with pytest.raises(InputError, match="others may read this secret; type 'chmod 600 "):
        (coordinator_keys if secrets[0].parent == folder else peer_keys)(secrets[0].parent)


def test_nothing_is_written_over(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.key*")}
    with pytest.raises(InputError, match="holds a coordinator's keys already"):
        make_coordinator(folder)
    with pytest.raises(InputError, match="holds keys of pi already"):
        make_peer(folder, "pi")
    assert {path: path.read_bytes() for path in folder.rglob("*.key*")} == before


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "allowed", "coordinator", "x" * 64, "ä"])
def test_a_name_is_no_path(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a worker"):
        make_peer(folder, name)


def test_clients_on_the_coordinators_machine_may_name_its_folder(folder: Path) -> None:
    make_peer(folder, CLIENT)
    assert peer_keys(folder) == peer_keys(folder / CLIENT)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda secret: None, "not a folder of keys"),
        (lambda secret: b"", "is not a key file"),
        (lambda secret: b"\xff" * 9999999, "is not a key file"),
        (
            lambda secret: secret.replace(b'public-key = "', b'public-key = "#####'),
            "not a key file",
        ),
        (lambda secret: secret[: secret.index(b"secret-key")], "do not match"),
        (lambda secret: b'public-key = "' + b"#" * 40 + b'"\n', "is not a key file"),
    ],
)
def test_damaged_keys_are_refused(folder: Path, damage: object, words: str) -> None:
    path = folder / "pi" / "pi.key_secret"
    content = damage(path.read_bytes())  # type: ignore[operator]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(InputError, match=words):
        peer_keys(folder / "pi")


@pytest.mark.parametrize("role", ["worker", "client", "both"])
def test_a_key_has_a_role(folder: Path, role: Role) -> None:
    own = make_peer(folder, "other", role)
    found = read_allowed(folder / ALLOWED / "other.key")
    assert found.key.encode() == peer_keys(own).public and found.role == role
    assert zmq.auth.load_certificate(folder / ALLOWED / "other.key") == (found.key.encode(), None)


def test_a_key_file_without_a_role_is_good_for_both(folder: Path) -> None:
    path = folder / ALLOWED / "pi.key"
    path.write_text(path.read_text().replace('    role = "both"\n', ""))
    assert "role" not in path.read_text()
    assert read_allowed(path).role == "both"
    public, _ = zmq.auth.create_certificates(folder / ALLOWED, "theirs")
    assert read_allowed(Path(public)).role == "both"


def test_a_role_that_there_is_not(folder: Path) -> None:
    path = folder / ALLOWED / "pi.key"
    path.write_text(path.read_text().replace('"both"', '"king"'))
    with pytest.raises(InputError, match="the role 'king'; it must be worker, client, both"):
        read_allowed(path)


def test_a_swapped_pair_is_noticed(folder: Path) -> None:
    path, other = folder / "pi" / "pi.key_secret", zmq.curve_keypair()[0]
    own = peer_keys(folder / "pi").public
    path.write_bytes(path.read_bytes().replace(own, other))
    with pytest.raises(InputError, match="do not match"):
        peer_keys(folder / "pi")


def test_folders_of_others_are_not_mistaken(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="make keys with"):
        coordinator_keys(folder / "pi")
    with pytest.raises(InputError, match="is not a folder of keys"):
        peer_keys(tmp_path / "absent")
    shutil.copy(folder / "pi" / "pi.key_secret", folder / "pi" / "second.key_secret")
    with pytest.raises(InputError, match="and one "):
        peer_keys(folder / "pi")


# ---- the gatekeeper


class Gate:
    """A guarded socket, and what the gatekeeper says."""

    def __init__(self, folder: Path) -> None:
        self.context: Context = make_context()
        self.said: list[str] = []
        self.keeper = AllowListAuthenticator(self.context, folder / ALLOWED, self.said.append)
        self.socket = bind(self.context, "tcp://127.0.0.1:*", coordinator_keys(folder))
        self.endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)
        self.outside: Context = make_context()
        self.probed: list[Socket] = []

    def ping(self, keys: CurveKeys | None) -> list[Link]:
        """Somebody's connection that says one thing, and what became of it."""
        socket = connect(self.outside, self.endpoint, keys, reconnect=False, monitored=True)
        self.probed.append(socket)
        send(socket, StatusRequest(PROTOCOL))
        events: list[Link] = []
        monitor = socket.get_monitor_socket()
        poller = zmq.Poller()
        for each in (monitor, self.keeper.socket):
            poller.register(each, zmq.POLLIN)
        while not events:
            assert poller.poll(int(GUARD_S * 1e3)), "nothing happens"
            self.keeper.answer()
            events = link_events(socket)
        return events

    def key_of_next_message(self) -> str:
        assert self.socket.poll(int(GUARD_S * 1e3))
        received = receive(self.socket, frozenset({StatusRequest}))
        assert received is not None and received.message == StatusRequest(PROTOCOL)
        return received.key

    def close(self) -> None:
        self.keeper.stop()
        for socket in self.probed:
            close(socket, 0)
        close(self.socket, 0)
        self.context.term()
        self.outside.term()


@pytest.fixture
def gate(folder: Path) -> Iterator[Gate]:
    made = Gate(folder)
    yield made
    made.close()


def test_an_allowed_key_gets_in_and_is_named(gate: Gate, folder: Path) -> None:
    keys = peer_keys(folder / "pi")
    events = gate.ping(keys)
    assert events == [Link.UP]
    assert gate.key_of_next_message() == keys.public.decode()
    assert gate.keeper.admits(keys.public.decode()) and gate.said == []
    assert gate.keeper.name(keys.public.decode()) == "pi"


def test_an_unknown_key_is_refused_and_both_sides_say_so(gate: Gate, folder: Path) -> None:
    public, secret = zmq.curve_keypair()
    for _ in range(2):
        events = gate.ping(CurveKeys(public, secret, coordinator_keys(folder).public))
        assert events[0] is Link.REFUSED
    assert len(gate.said) == 1 and public.decode() in gate.said[0]
    assert not gate.socket.poll(50)


@pytest.mark.parametrize("wrong", ["no keys", "another's coordinator.key"])
def test_without_the_coordinators_key_there_is_no_way_in(
    gate: Gate, folder: Path, wrong: str
) -> None:
    keys = peer_keys(folder / "pi")
    other = CurveKeys(keys.public, keys.secret, zmq.curve_keypair()[0])
    events = gate.ping(None if wrong == "no keys" else other)
    assert events[0] in (Link.MISMATCH, Link.DOWN)
    assert not gate.socket.poll(50)


def test_the_handler_itself_admits_nobody_without_encryption(gate: Gate) -> None:
    """Should a socket without CURVE ever ask it: the base class would say yes."""
    asking = gate.context.socket(zmq.REQ)
    asking.connect("inproc://zeromq.zap.01")
    asking.send_multipart([b"1.0", b"7", b"", b"127.0.0.1", b"", b"NULL"])
    gate.keeper.socket.poll(int(GUARD_S * 1e3))
    gate.keeper.answer()
    assert asking.recv_multipart()[2] == b"400"
    asking.close(0)


def test_the_folder_is_read_again_when_it_changes(gate: Gate, folder: Path) -> None:
    key = peer_keys(folder / "pi").public.decode()
    assert gate.keeper.reread() == frozenset()
    own = make_peer(folder, "second")
    second = peer_keys(own).public.decode()
    assert not gate.keeper.admits(second)
    assert gate.keeper.reread() == frozenset() and gate.keeper.admits(second)
    (folder / ALLOWED / "pi.key").unlink()
    assert gate.keeper.reread() == {key} and not gate.keeper.admits(key)
    os.rename(folder / ALLOWED, folder / "elsewhere")
    assert gate.keeper.reread() == {second} and not gate.keeper.admits(second)


def test_a_key_written_over_with_another_is_noticed(gate: Gate, folder: Path) -> None:
    key, other = peer_keys(folder / "pi").public.decode(), zmq.curve_keypair()[0].decode()
    path = folder / ALLOWED / "pi.key"
    path.write_text(path.read_text().replace(key, other))
    os.utime(path, ns=(0, 0))
    assert gate.keeper.reread() == {key} and gate.keeper.admits(other)


def test_a_key_in_another_role_counts_as_revoked_once(gate: Gate, folder: Path) -> None:
    key = peer_keys(folder / "pi").public.decode()
    assert gate.keeper.role(key) == "both"
    path = folder / ALLOWED / "pi.key"
    path.write_text(path.read_text().replace('"both"', '"client"'))
    assert gate.keeper.reread() == {key}
    assert gate.keeper.admits(key) and gate.keeper.role(key) == "client"
    assert gate.keeper.reread() == frozenset()


def test_what_is_no_key_is_passed_over_with_a_word(gate: Gate, folder: Path) -> None:
    (folder / ALLOWED / "odd.key").write_text("hello")
    (folder / ALLOWED / "folder.key").mkdir()
    assert gate.keeper.reread() == frozenset()
    assert sorted("odd.key" in line for line in gate.said) == [False, True]
    assert gate.keeper.admits(peer_keys(folder / "pi").public.decode())


# ---- endpoints


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("tcp://127.0.0.1:5555", True),
        ("tcp://127.9.9.9:5555", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://*:5555", False),
        ("tcp://192.168.1.10:5555", False),
        ("tcp://localhost.example:5555", False),
        ("tcp://127.0.0.1.example:5555", False),
        ("tcp://[::]:5555", False),
        ("tcp://eth0:5555", False),
    ],
)
def test_without_keys_only_this_machine(text: str, loopback: bool) -> None:
    endpoint = listening(text)
    assert endpoint.is_loopback == loopback
    assert refuse_open(endpoint, keys=True, insecure=False) is None
    if loopback:
        assert refuse_open(endpoint, keys=False, insecure=False) is None
        return
    with pytest.raises(InputError, match="ftdist keygen"):
        refuse_open(endpoint, keys=False, insecure=False)
    warning = refuse_open(endpoint, keys=False, insecure=True)
    assert warning is not None and warning.startswith("warning: ")


@pytest.mark.parametrize(
    "text",
    ["", "tcp://", "5555", "tcp://x", "tcp://x:", "tcp://x:y", "tcp://x:99999", "ipc:///tmp/x",
     "tcp://a b:1", "tcp://x:5555/", "tcp://x:5555\n", "tcp://::1:5555", "inproc://x"],
)  # fmt: skip
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(InputError, match="tcp://"):
        listening(text)
    with pytest.raises(InputError, match="tcp://"):
        connecting(text)


@pytest.mark.parametrize("text", ["tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://x:0", "tcp://x:*"])
def test_one_listens_anywhere_but_connects_somewhere(text: str) -> None:
    listening(text)
    with pytest.raises(InputError, match="is not the address of a coordinator"):
        connecting(text)


def test_how_zeromq_is_told() -> None:
    assert listening("tcp://localhost:0").to_bind == "tcp://127.0.0.1:*"
    assert Endpoint("0.0.0.0", 5555).to_reach == "tcp://127.0.0.1:5555"
    assert Endpoint("10.0.0.1", 5555).to_reach == "tcp://10.0.0.1:5555"
