"""Thousands of messages that nobody should send, to a coordinator and to a worker: both live on.

`benchmarks/hostile.py` is the same with a hundred thousand.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from frames import Frames, first_layers
from hostility import Town, lied_to
from processes import Cluster
from smallmodels import write_small_model

MESSAGES = 2000
GROWTH_BYTES = 8 << 20

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
        result = town.cheated(4)
        refused = town.coordinator.said("worker false-.*sent a wrong result")
    assert result.cheated >= 4 and refused
    assert not result.failed and not result.wrong
    assert result.growth_bytes < GROWTH_BYTES


@both_ways
def test_a_worker_survives_a_coordinator_that_lies(
    cluster: Cluster, frames: Frames, secured: bool
) -> None:
    result = lied_to(cluster, frames, MESSAGES, 3, endings=4, secured=secured)
    assert result.jobs == 2 and not result.wrong
    assert result.growth_bytes < GROWTH_BYTES
