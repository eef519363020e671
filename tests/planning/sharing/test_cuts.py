"""The stages found cost no more than any others: compared with all there are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from support.planning.workers import (
    FAST_ETHERNET,
    boards,
    first16,
    local,
    small_network,
    stage_table,
    worker,
)

from ftdist.network.graph import is_alias
from ftdist.planning.fused_pools import fused_pools
from ftdist.planning.sharing.cuts import StageCosts, cheapest, cut_points
from ftdist.planning.sharing.halo_exchange import moved_bytes, tasks_of
from ftdist.planning.sharing.partitioning import Partitioning, Stage
from ftdist.planning.sharing.worker_regions import worker_regions


def cost(costs: StageCosts, stages: tuple[Stage, ...]) -> float:
    befores = (None, *stages)
    return sum(costs.seconds(*pair) for pair in zip(stages, befores, strict=False))


def every_way(costs: StageCosts):
    """All sequences of stages that cover the network."""
    points = cut_points(costs.table.network)
    offered: dict[tuple[int, int], list[Any]] = {}
    for stage in costs.stages:
        offered.setdefault((stage.first, stage.stop), []).append(stage)
    for count in range(len(points) - 1):
        for inner in itertools.combinations(points[1:-1], count):
            pairs = itertools.pairwise((0, *inner, points[-1]))
            yield from itertools.product(*(offered[pair] for pair in pairs))


TEAMS = {
    "slow links": boards(3, relative_time=200.0, link=2e5),
    "fast links": boards(3, relative_time=200.0, link=1e9),
    "unequal": (worker("a", 50.0), worker("b", 400.0, link=FAST_ETHERNET / 10)),
    "with the coordinator": (local(300.0), *boards(2, relative_time=300.0, link=1e6)),
    "coordinator far faster": (local(3.0), *boards(2, relative_time=300.0, link=1e6)),
}


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("visible", [1.0, 0.3])
@pytest.mark.parametrize("name", TEAMS)
def test_no_other_stages_cost_less(name, visible, pieces) -> None:
    workers = TEAMS[name]
    speeds = [1 / each.relative_time for each in workers]
    places = worker_regions([(number,) for number in range(len(workers))], speeds)
    alone = 0 if workers[0].name == "here" else None
    costs = StageCosts(
        stage_table(small_network(), workers), Partitioning(places, ()), pieces, visible, alone
    )
    ways = list(every_way(costs))
    assert len(ways) > 60
    found = cheapest(costs)
    assert found in ways
    assert cost(costs, found) == pytest.approx(min(cost(costs, way) for way in ways))


def test_the_slower_the_links_the_less_moves(monkeypatch) -> None:
    monkeypatch.setattr("ftdist.planning.sharing.cuts.TASK_S", 1e-4)  # a cut costs little else
    moved = []
    for link in (1e9, 1e8, 1e7, 1e6, 1e5):
        places = worker_regions([(0, 1, 2), (3, 4, 5)], (1.0,) * 6)
        mine = stage_table(first16(), boards(6, relative_time=20.0, link=link))
        stages = cheapest(StageCosts(mine, Partitioning(places, ())))
        moved.append(sum(moved_bytes(mine, tasks_of(mine, Partitioning(places, stages)))))
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > moved[-1]


def test_what_is_not_worth_sending_stays_with_the_coordinator() -> None:
    workers = (local(1.0), *boards(2, relative_time=1.0, link=1e5))
    places = worker_regions([(0,), (1, 2)], (1.0,) * 3)
    costs = StageCosts(stage_table(first16(), workers), Partitioning(places, ()), alone=0)
    assert all(stage.alone == 0 for stage in cheapest(costs))


def test_no_stage_begins_with_a_pool_that_rides_on_its_convolution_or_with_an_alias() -> None:
    for network in (first16(), small_network()):
        points = cut_points(network)[1:-1]
        assert not set(points) & set(fused_pools(network).values())
        assert not any(is_alias(network.layers[point]) for point in points)
    assert cut_points(first16()) == (0, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 16)


def test_large_networks_are_cut_where_little_is_alive() -> None:
    few = cut_points(first16(), most=4)
    assert set(few) < set(cut_points(first16()))
    assert 3 <= len(few) <= 6
