"""Thousands of messages that nobody should send, to a coordinator and to a worker: both live on.

`benchmarks/hostile.py` is the same with a hundred thousand.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.integration.frames import Frames, first_layers
from support.integration.hostility import Town, flooded_worker, lied_to
from support.integration.processes import Cluster, joined
from support.integration.zmtp import Babbler, greeting, ready
from support.smallmodels import write_small_model

MESSAGES = 2000
GROWTH_BYTES = 8 << 20

ANSWERS = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    greeting() + ready(b"ROUTER") + b"\x02\x40" + bytes(7) + b"a frame of so many bytes",
]
"""What a worker is answered by whoever is there instead of a coordinator."""

both_ways = pytest.mark.parametrize("secured", [False, True], ids=["open", "secured"])


@pytest.fixture
def frames(cluster: Cluster, tmp_path: Path) -> Frames:
    cluster.model = write_small_model(tmp_path / "layers.ftd", first_layers(96))
    return Frames(cluster.model, tmp_path / "frames", 6)


@both_ways
def test_a_coordinator_serves_on_whatever_it_is_sent(
    cluster: Cluster, frames: Frames, secured: bool
) -> None:
    with Town(cluster, frames, 1, secured=secured) as town:
        result = town.attacked(MESSAGES)
    assert result.sent >= MESSAGES and result.jobs > 1
    assert not result.failed and not result.wrong
    assert result.growth_bytes < GROWTH_BYTES


def test_workers_that_cheat_are_sent_away(cluster: Cluster, frames: Frames) -> None:
    with Town(cluster, frames, 2, secured=False) as town:
        result = town.cheated(["never whole", "another type"])
        late = cluster.status(town.coordinator.endpoint)["late"]
    caught = [words for words in result.refused if "sent a wrong result" in words]
    assert len(caught) == 2 or late  # others may have done its tasks before it was found out
    assert not result.failed and not result.wrong
    assert result.growth_bytes < GROWTH_BYTES


@both_ways
def test_a_worker_survives_a_coordinator_that_lies(
    cluster: Cluster, frames: Frames, secured: bool
) -> None:
    result = lied_to(cluster, frames, MESSAGES, 3, endings=4, secured=secured)
    assert result.jobs == 2 and not result.wrong
    assert result.growth_bytes < GROWTH_BYTES


@both_ways
def test_messages_without_an_end_are_cut_off(
    cluster: Cluster, frames: Frames, secured: bool
) -> None:
    with Town(cluster, frames, 4, secured=secured) as town:
        result = town.flooded(2)
    assert not result.failed and not result.wrong
    assert result.growth_bytes < 32 << 20


@both_ways
def test_a_worker_cuts_off_messages_without_an_end(
    cluster: Cluster, frames: Frames, secured: bool
) -> None:
    result = flooded_worker(cluster, frames, 2, secured=secured)
    assert not result.wrong and result.growth_bytes < 32 << 20


def test_a_worker_outlives_whatever_else_listens_there(cluster: Cluster, frames: Frames) -> None:
    """First no coordinator, then one whose messages never end; at last a real one."""
    with Babbler(ANSWERS) as other:
        worker = cluster.worker("ann", f"tcp://127.0.0.1:{other.port}", mem="96M")
        other.wait()
    worker.says("tries again")
    cluster.coordinator(port=other.port)
    joined(worker)
    assert worker.peak_bytes() < 48 << 20
