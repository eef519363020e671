"""`ftdist keygen`: what it makes and says, and what it will not do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import Outcome, ftdist_command

from ftdist.cluster.keys import coordinator_keys, peer_keys, read_allowed


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


OWN = ["allowed/client.key", "client/client.key_secret", "client/coordinator.key"]


def test_first_the_cluster_then_its_workers(tmp_path: Path) -> None:
    outcome = ftdist_command("keygen", "keys", folder=tmp_path)
    assert outcome.status == 0 and outcome.err == ""
    assert "ftdist keygen keys --worker NAME" in outcome.out
    assert names(tmp_path / "keys") == [*OWN, "coordinator.key", "coordinator.key_secret"]
    outcome = ftdist_command("keygen", "keys", "--worker", "pi1", "pi2", folder=tmp_path)
    assert outcome.status == 0 and outcome.err == ""
    for name in ("pi1", "pi2"):
        assert f"--keys {name}\n" in outcome.out
        own = peer_keys(tmp_path / "keys" / name)
        assert own.server == coordinator_keys(tmp_path / "keys").public


def test_everything_at_once(tmp_path: Path) -> None:
    words = ("keygen", "a/b", "--worker", "pi1", "pi2", "--worker", "pi3")
    outcome = ftdist_command(*words, folder=tmp_path)
    assert outcome.status == 0
    for name in ("pi1", "pi2", "pi3"):
        assert f"allowed/{name}.key" in names(tmp_path / "a/b")
    assert len(outcome.out.splitlines()) == 8


def test_keys_of_clients_and_of_those_that_are_both(tmp_path: Path) -> None:
    words = ("keygen", "keys", "--worker", "pi1", "hub", "--client", "laptop", "hub")
    outcome = ftdist_command(*words, folder=tmp_path)
    assert outcome.status == 0
    roles = {"pi1": "worker", "hub": "both", "laptop": "client", "client": "both"}
    for name, role in roles.items():
        assert read_allowed(tmp_path / f"keys/allowed/{name}.key").role == role
    assert "keys of client laptop" in outcome.out and "keys of worker and client hub" in outcome.out
    assert (
        "ftdist submit PICTURE... --to tcp://THIS-HOST:5555 -o RESULTS --keys laptop\n"
        in outcome.out
    )
    assert "--mem 128M --keys pi1\n" in outcome.out


def test_no_secret_is_ever_printed(tmp_path: Path) -> None:
    outcome = ftdist_command("keygen", "keys", "--worker", "pi1", folder=tmp_path)
    for folder in (tmp_path / "keys" / "pi1",):
        assert peer_keys(folder).secret.decode() not in outcome.out
    assert coordinator_keys(tmp_path / "keys").secret.decode() not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys",), ("holds a coordinator's keys already",)),
        (("keys", "--worker", "pi1"), ("holds keys of pi1 already",)),
        (("keys", "--worker", "pi2", "../x"), ("'../x' cannot be the name",)),
        (("keys", "--worker", "client"), ("holds keys of client already",)),
        (("file/keys",), ("cannot make file/keys", "Not a directory")),
        (("keys", "--client", "pi1"), ("holds keys of pi1 already",)),
        ((), ("required: DIR",)),
    ],
)
def test_what_would_overwrite_or_escape_is_refused(
    tmp_path: Path,
    refused: Callable[..., Outcome],
    arguments: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    assert ftdist_command("keygen", "keys", "--worker", "pi1", folder=tmp_path).status == 0
    (tmp_path / "file").write_text("")
    refused("keygen", *arguments, words=words)
