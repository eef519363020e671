"""Who may take part: whoever may not is refused, and both sides say so in one clear line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.integration.frames import Frames
from support.integration.hostility import make_keys
from support.integration.processes import Cluster, Coordinator, Process, joined

from ftdist.cluster.keys import ALLOWED, make_coordinator, make_peer, read_public


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A cluster's folder of keys: of workers ann and bob, of client, and of eve."""
    return make_keys(tmp_path)


@pytest.fixture
def coordinator(cluster: Cluster, keys: Path) -> Coordinator:
    return cluster.coordinator(keys=keys)


@pytest.fixture
def frames(cluster: Cluster, tmp_path: Path) -> Frames:
    return Frames(cluster.model, tmp_path / "frames", 3)


@pytest.fixture(autouse=True)
def no_secrets_are_told(cluster: Cluster, tmp_path: Path) -> Iterator[None]:
    """Whatever happens, no process prints a secret."""
    yield
    log = cluster.log()
    for path in tmp_path.rglob("*.key_secret"):
        secret = path.read_text().partition('secret-key = "')[2].partition('"')[0]
        assert len(secret) == 40 and secret not in log


def submitted(cluster: Cluster, coordinator: Coordinator, frames: Frames, *more: object) -> Process:
    output = cluster.folder / "results"
    return cluster.submit(frames.paths, coordinator.endpoint, output, *more)


def test_whoever_has_keys_takes_part(
    cluster: Cluster, coordinator: Coordinator, keys: Path, frames: Frames
) -> None:
    assert "encrypted" in coordinator.says("^listens ").text
    joined(cluster.worker("ann", coordinator.endpoint, "--keys", keys / "ann"))
    client = submitted(cluster, coordinator, frames, "--keys", keys / "client")
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "results")
    status = cluster.status(coordinator.endpoint, "--keys", keys)
    assert [each["name"] for each in status["workers"]] == ["ann"]


def test_a_key_that_is_not_allowed(
    cluster: Cluster, coordinator: Coordinator, keys: Path, frames: Frames
) -> None:
    for name in ("ann", "client"):
        key = read_public(keys / ALLOWED / f"{name}.key")
        (keys / ALLOWED / f"{name}.key").unlink()
        after = coordinator.mark()
        if name == "ann":
            worker = cluster.worker(name, coordinator.endpoint, "--keys", keys / name)
            said = worker.says("does not accept this worker's key").text
            assert key in said and "have it added to the allowed ones" in said
        else:
            client = submitted(cluster, coordinator, frames, "--keys", keys / name)
            assert client.status() == 2
            assert "key is not in the coordinator's folder 'allowed'" in client.lines[-1].text
        told = coordinator.says("refused a connection: its key", after).text
        assert key in told and f"is not in {keys / ALLOWED}" in told


def test_a_key_is_good_for_its_role_only(cluster: Cluster, tmp_path: Path, frames: Frames) -> None:
    """Who is what its key is not for is refused for good, and both sides say so."""
    keys = tmp_path / "keys"
    make_coordinator(keys)
    make_peer(keys, "attic", "worker")
    make_peer(keys, "laptop", "client")
    coordinator = cluster.coordinator(keys=keys)
    astray = cluster.worker("astray", coordinator.endpoint, "--keys", keys / "laptop")
    words = "the key 'laptop' is a client's, not a worker's; make one with 'ftdist keygen DIR"
    coordinator.says(f"worker astray from 127.0.0.1 with key laptop: refused: {words}")
    assert astray.status() == 2
    assert words in astray.lines[-1].text
    client = submitted(cluster, coordinator, frames, "--keys", keys / "attic", "--job", "night")
    words = "the key 'attic' is a worker's, not a client's"
    assert client.status() == 2
    assert words in client.lines[-1].text
    coordinator.says(f"job night from 127.0.0.1 with key attic: refused: {words}")

    client = submitted(cluster, coordinator, frames, "--keys", keys / "laptop", "--job", "day")
    client.says("waiting for workers")
    found = cluster.status(coordinator.endpoint, "--keys", keys / "attic")
    assert [(job["job"], job["key"], job["address"]) for job in found["jobs"]] == [
        ("day", "laptop", "127.0.0.1")
    ]
    joined(cluster.worker("pi", coordinator.endpoint, "--keys", keys / "attic"))
    assert client.status() == 0, client.log()
    assert not frames.wrong(cluster.folder / "results")
    (worker,) = cluster.status(coordinator.endpoint, "--keys", keys / "laptop")["workers"]
    assert (worker["name"], worker["key"], worker["address"]) == ("pi", "attic", "127.0.0.1")


def test_an_allowed_key_is_let_in_without_a_restart(
    cluster: Cluster, coordinator: Coordinator, keys: Path
) -> None:
    kept = keys / "set-aside"
    (keys / ALLOWED / "ann.key").rename(kept)
    worker = cluster.worker("ann", coordinator.endpoint, "--keys", keys / "ann")
    worker.says("does not accept this worker's key")
    kept.rename(keys / ALLOWED / "ann.key")
    joined(worker)


def test_no_keys_and_keys_of_another_cluster(
    cluster: Cluster, coordinator: Coordinator, keys: Path, frames: Frames, tmp_path: Path
) -> None:
    others = tmp_path / "others"
    make_coordinator(others)
    make_peer(others, "ann")
    without = cluster.worker("without", coordinator.endpoint)
    astray = cluster.worker("astray", coordinator.endpoint, "--keys", others / "ann")
    clients = [
        submitted(cluster, coordinator, frames),
        submitted(cluster, coordinator, frames, "--keys", others / "ann"),
    ]
    without.says("it requires keys: pass a folder of keys with --keys")
    astray.says("its key is not the one in this worker's coordinator.key, or it uses no keys")
    coordinator.says(
        "refused a connection that failed its handshake: this coordinator requires keys"
    )
    for client, words in zip(clients, ("requires keys", "does not take these keys"), strict=True):
        assert client.status() == 2, client.log()
        assert words in client.lines[-1].text
    assert not coordinator.said("joins")


def test_keys_where_there_are_none(cluster: Cluster, keys: Path, frames: Frames) -> None:
    coordinator = cluster.coordinator()
    assert "not encrypted" in coordinator.says("^listens ").text
    worker = cluster.worker("ann", coordinator.endpoint, "--keys", keys / "ann")
    worker.says("its key is not the one in this worker's coordinator.key, or it uses no keys")
    coordinator.says("refused a connection that failed its handshake: this coordinator has no keys")
    client = submitted(cluster, coordinator, frames, "--keys", keys / "client")
    assert client.status() == 2
    assert "does not take these keys" in client.lines[-1].text


def test_a_key_that_is_taken_away(
    cluster: Cluster, coordinator: Coordinator, keys: Path, frames: Frames
) -> None:
    """Worker and client are sent away at once; whoever stays goes on."""
    ann, bob = (
        cluster.worker(name, coordinator.endpoint, "--keys", keys / name) for name in ("ann", "bob")
    )
    for worker in (ann, bob):
        joined(worker)
    (keys / ALLOWED / "ann.key").rename(keys / "set-aside")
    coordinator.says("worker ann: its key is no longer allowed")
    ann.says("its key is no longer allowed; tries again")
    refused = ann.says("does not accept this worker's key")
    (keys / "set-aside").rename(keys / ALLOWED / "ann.key")
    joined(ann, refused.number)  # and nobody had to go to the board
    ann.close()
    coordinator.says("worker ann: lost")

    client = submitted(cluster, coordinator, frames, "--keys", keys / "client")
    assert client.status() == 0, client.log()
    bob.close()
    coordinator.says("worker bob: lost")
    waiting = submitted(cluster, coordinator, frames, "--keys", keys / "client", "--job", "last")
    waiting.says("waiting for workers")
    (keys / ALLOWED / "client.key").unlink()
    coordinator.says("job last: its key is no longer allowed")
    assert waiting.status() == 2
    assert "its key is no longer allowed" in waiting.lines[-1].text
    shutil.rmtree(keys / ALLOWED)
    eve = cluster.worker("eve", coordinator.endpoint, "--keys", keys / "eve")
    eve.says("does not accept this worker's key")
