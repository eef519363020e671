"""The loop around the state machine, on real sockets: strangers, keys, ends of connections."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import zmq
from support.cluster.channels import ChannelEnd
from support.command import GUARD_S
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster.endpoints import listening
from ftdist.cluster.keys import ALLOWED, make_coordinator, make_peer, peer_keys
from ftdist.cluster.process import StopRequest
from ftdist.cluster.server.model_reader import header_bytes
from ftdist.cluster.server.server import Server
from ftdist.cluster.transport import (
    Context,
    CurveKeys,
    Link,
    Socket,
    close,
    connect,
    link_events,
    make_context,
    send,
)
from ftdist.coordinator.events import AskPlan, Planned
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.workers.roster import PROBES
from ftdist.network.modelfile import Model, load
from ftdist.protocol.client_messages import Accepted, Status, StatusRequest, Submit
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import FROM_COORDINATOR, Message
from ftdist.protocol.shared_messages import (
    HEADER,
    Beat,
    Bye,
    Drain,
    ModelChunk,
    ModelRequest,
    Refusal,
)
from ftdist.protocol.worker_messages import Heartbeat, Hello, Probe, ProbeReply, Welcome
from ftdist.runtime.budget.memory import peak_resident_bytes, resident_bytes

HELLO = Hello(PROTOCOL, "pi", "0", 1 << 30, 1 << 25, 1 << 25, 1, "avx2", True, 1e10)
PATIENCE_S = GUARD_S
LOST_AFTER_BEATS = 6000
"""However slow this machine is: who is silent here is not lost."""


Kind = TypeVar("Kind", bound=Message)


class NoPlanner:
    """Never answers."""

    def __init__(self) -> None:
        self.asked: list[AskPlan] = []
        self._ends = os.pipe()

    def fileno(self) -> int:
        return self._ends[0]

    def ask(self, question: AskPlan) -> None:
        self.asked.append(question)

    def answers(self) -> list[Planned]:
        return []

    def close(self) -> None:
        for each in self._ends:
            os.close(each)


class Running:
    """A server in a thread, and peers that talk to it."""

    def __init__(self, model: Model, keys: Path | None = None, heartbeat_s: float = 0.1) -> None:
        self.said: list[str] = []
        self.stop = StopRequest()
        self.planner = NoPlanner()
        settings = Settings(heartbeat_s=heartbeat_s, lost_after_beats=LOST_AFTER_BEATS)
        self.server = Server(
            listening("tcp://127.0.0.1:0"),
            settings,
            model,
            self.planner,  # type: ignore[arg-type]
            self.stop,
            keys,
            None,
            None,
            None,
            lambda text, /, event="", **_: self.said.append(text),
        )
        self.endpoint = f"tcp://127.0.0.1:{self.server.port}"
        self.context: Context = make_context()
        self.sockets: list[Socket] = []
        self.failures: list[BaseException] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        try:
            self.server.serve()
        except BaseException as error:
            self.failures.append(error)
        finally:
            self.server.close()
            self.planner.close()

    def peer(self, keys: CurveKeys | None = None) -> Socket:
        socket = connect(self.context, self.endpoint, keys, monitored=True)
        self.sockets.append(socket)
        return socket

    def end(self) -> None:
        self.stop.request()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive() and self.failures == []

    def close(self) -> None:
        self.stop.request()
        self.stop.request()
        self.thread.join(PATIENCE_S)
        for socket in self.sockets:
            close(socket, 0)
        self.context.term()
        assert self.failures == []

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.005)


ENDS: WeakKeyDictionary[Socket, ChannelEnd] = WeakKeyDictionary()


def end_of(socket: Socket) -> ChannelEnd:
    return ENDS.setdefault(socket, ChannelEnd(socket, FROM_COORDINATOR))


def next_of(socket: Socket, kind: type[Kind]) -> Kind:
    """The next message of a kind; others are passed over."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if socket.poll(100):
            received = end_of(socket).receive()
            if received is not None and isinstance(received.message, kind):
                return received.message
    raise AssertionError(f"no {kind.__name__} came")


def answer(socket: Socket, message: Message, kind: type[Kind]) -> Kind:
    assert send(socket, message)
    return next_of(socket, kind)


def join(socket: Socket) -> None:
    """As a worker does it."""
    answer(socket, HELLO, Welcome)
    for _ in range(PROBES):
        probe = next_of(socket, Probe)
        send(socket, ProbeReply(probe.number, time.monotonic()))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("model") / "chain.ftd", CHAIN))


@pytest.fixture
def running(model: Model) -> Iterator[Running]:
    made = Running(model)
    yield made
    made.close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    make_coordinator(folder)
    for name in ("pi", "laptop"):
        make_peer(folder, name)
    return folder


@pytest.fixture
def guarded(model: Model, keys: Path) -> Iterator[Running]:
    made = Running(model, keys)
    yield made
    made.close()


def test_the_last_word_of_who_is_gone_is_heard(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat cannot be sent, for the worker has left; why, it has said, but nobody read it yet."""
    socket = running.peer()
    join(socket)
    server, channels, sending = running.server, running.server._channels, threading.Event()
    send_truly, roster = channels.send, server._machine._roster
    running.wait_for(lambda: all(each.measured for each in roster.by_number.values()))

    def send_in_vain(peer: bytes, message: Message) -> None:
        if not isinstance(message, Beat) or sending.is_set():
            send_truly(peer, message)
            return
        sending.set()
        assert server._socket.poll(int(PATIENCE_S * 1000))
        channels._lose(peer)

    monkeypatch.setattr(channels, "send", send_in_vain)
    assert sending.wait(PATIENCE_S)
    send(socket, Bye("weary"))
    running.wait_for(lambda: any("leaves (weary)" in line for line in running.said))
    assert not any("lost" in line for line in running.said)


def test_anybody_may_ask_how_it_is(running: Running) -> None:
    status = answer(running.peer(), StatusRequest(PROTOCOL), Status)
    assert status.model == "chain" and (status.workers, status.jobs) == ((), ())


def test_a_worker_joins_and_is_measured_and_a_plan_is_asked_for(running: Running) -> None:
    worker, client = running.peer(), running.peer()
    join(worker)
    accepted = answer(client, Submit(PROTOCOL, "job", 3, False, ()), Accepted)
    running.wait_for(lambda: bool(running.planner.asked))
    assert running.planner.asked[0].workers[0].name == "pi"
    assert running.planner.asked[0].frames == 3 and accepted.job == "job"
    (row,) = answer(client, StatusRequest(PROTOCOL), Status).workers
    assert row.name == "pi" and row.link_bytes_per_s > 0
    assert isinstance(next_of(worker, Beat), Beat)


def test_the_model_is_given_to_clients_and_workers_piece_by_piece(
    running: Running, model: Model
) -> None:
    client = running.peer()
    accepted = answer(client, Submit(PROTOCOL, "job", 1, False, ()), Accepted)
    assert accepted.model_header_bytes == header_bytes(model)
    header = ModelRequest(model.digest, HEADER, 0, accepted.model_header_bytes)
    chunk = answer(client, header, ModelChunk)
    assert np.array_equal(chunk.data, model.weights[: header_bytes(model)])
    worker = running.peer()
    join(worker)
    blob = model.blobs[2]
    for offset in range(0, blob.bytes, 5000):
        size = min(5000, blob.bytes - offset)
        chunk = answer(worker, ModelRequest(blob.digest, 2, offset, size), ModelChunk)
        at = blob.start + offset
        assert np.array_equal(chunk.data, model.weights[at : at + size])


def test_who_asks_for_what_is_not_there_is_sent_away(running: Running, model: Model) -> None:
    worker = running.peer()
    join(worker)
    refusal = answer(worker, ModelRequest(model.digest, 1, 0, 1), Refusal)
    assert "which has none" in refusal.reason


@pytest.mark.parametrize(
    "frames", [[b""], [b"", b""], [b"\xc1" * 50], [b"x" * 200_000], [b"\x90"] * 300]
)
def test_what_is_no_message_is_refused_and_hurts_nobody(
    running: Running, frames: list[bytes]
) -> None:
    worker = running.peer()
    join(worker)
    stranger = running.peer()
    stranger.send_multipart(frames)
    assert next_of(stranger, Refusal).final
    assert len(answer(worker, StatusRequest(PROTOCOL), Status).workers) == 1


def test_frames_that_are_too_large_end_only_their_own_connection(running: Running) -> None:
    worker = running.peer()
    join(worker)
    before = resident_bytes()
    stranger = running.peer()
    stranger.send(bytes(17 << 20), copy=False)
    running.wait_for(lambda: Link.DOWN in link_events(stranger))
    assert len(answer(worker, StatusRequest(PROTOCOL), Status).workers) == 1
    assert resident_bytes() < before + (40 << 20)


def test_a_connection_that_ends_is_noticed_long_before_the_next_beat(model: Model) -> None:
    running = Running(model, heartbeat_s=2 * PATIENCE_S)
    try:
        worker, client = running.peer(), running.peer()
        join(worker)
        close(worker, 0)
        running.sockets.remove(worker)
        running.wait_for(lambda: any("connection ended" in line for line in running.said))
        assert answer(client, StatusRequest(PROTOCOL), Status).workers == ()
    finally:
        running.close()


def test_a_request_to_stop_drains(running: Running) -> None:
    worker = running.peer()
    join(worker)
    running.end()
    assert next_of(worker, Drain).reason == "the coordinator ends"


def test_a_second_request_ends_it_at_once(running: Running) -> None:
    running.stop.request()
    running.stop.request()
    running.thread.join(PATIENCE_S)
    assert not running.thread.is_alive()


# ---- keys


def test_allowed_keys_work_and_unknown_ones_do_not(guarded: Running, keys: Path) -> None:
    worker = guarded.peer(peer_keys(keys / "pi"))
    join(worker)
    public, secret = zmq.curve_keypair()
    stranger = guarded.peer(CurveKeys(public, secret, peer_keys(keys / "pi").server))
    send(stranger, StatusRequest(PROTOCOL))
    events: list[Link] = []

    def heard() -> bool:
        events.extend(link_events(stranger))
        return bool(events)

    guarded.wait_for(heard)
    assert events[0] is Link.REFUSED
    assert any(public.decode() in line for line in guarded.said)
    assert len(answer(worker, StatusRequest(PROTOCOL), Status).workers) == 1


def test_without_keys_nobody_gets_in_and_both_sides_say_so(guarded: Running) -> None:
    stranger = guarded.peer()
    send(stranger, HELLO)
    events: list[Link] = []

    def heard() -> bool:
        events.extend(link_events(stranger))
        return bool(events)

    guarded.wait_for(heard)
    assert events[0] is Link.MISMATCH

    def said() -> bool:  # one who goes away too soon is taken for one who only looked: then another
        send(guarded.peer(), HELLO)
        return any("this coordinator requires keys" in line for line in guarded.said)

    guarded.wait_for(said)


def test_a_key_added_while_it_runs_is_allowed_at_once(guarded: Running, keys: Path) -> None:
    added = peer_keys(make_peer(keys, "late"))
    assert answer(guarded.peer(added), StatusRequest(PROTOCOL), Status).model == "chain"


def test_a_key_removed_while_connected_is_shut_out(guarded: Running, keys: Path) -> None:
    worker = guarded.peer(peer_keys(keys / "pi"))
    join(worker)
    (keys / ALLOWED / "pi.key").unlink()
    refusal = next_of(worker, Refusal)
    assert not refusal.final and "no longer allowed" in refusal.reason
    guarded.wait_for(lambda: any("no longer allowed" in line for line in guarded.said))
    beat = Heartbeat(1, 0, 1, 1)
    assert not answer(worker, beat, Refusal).final  # whatever it says from now on; it may ask again
    assert not answer(worker, HELLO, Refusal).final
    assert answer(worker, StatusRequest(PROTOCOL), Refusal).final  # as to any client
    client = guarded.peer(peer_keys(keys / "laptop"))
    assert answer(client, StatusRequest(PROTOCOL), Status).workers == ()


def test_many_bad_messages_take_no_memory(running: Running) -> None:
    """A taste; the long run is elsewhere."""
    generator = np.random.default_rng(5)
    worker = running.peer()
    join(worker)
    for number in range(2000):
        if number == 200:
            before = peak_resident_bytes()
        if number % 50 == 0:
            stranger = running.peer()
        size = int(generator.integers(0, 3000))
        stranger.send_multipart([generator.bytes(size), generator.bytes(size // 7)])
        if number % 50 == 49:
            close(stranger, 0)
            running.sockets.remove(stranger)
    assert len(answer(worker, StatusRequest(PROTOCOL), Status).workers) == 1
    assert peak_resident_bytes() < before + (8 << 20)
