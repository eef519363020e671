"""The native inner loops of walks over cuts do what is written here slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from support.networks import networks

from ftdist.network import architectures
from ftdist.network.graph import Network
from ftdist.planning import _groups  # type: ignore[attr-defined]
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import AnySearch, arithmetics, least_seconds
from ftdist.planning.search.candidates import TIE_S_PER_BYTE, Candidates
from ftdist.planning.search.cutgraph import CutGraph
from ftdist.planning.search.paths import EdgeCosts, PathQuery
from ftdist.planning.search.search import Search

MIB = 1 << 20


@pytest.fixture(scope="module")
def network() -> Network:
    return architectures.load("yolov2-first16").network


@pytest.fixture(scope="module")
def candidates(network: Network) -> Candidates:
    return Candidates.of(CutGraph.of(network, 2, DEFAULT))


@pytest.mark.parametrize("streamed", [False, True])
def test_the_least_seconds_of_each_group_within_each_cap(
    candidates: Candidates, streamed: bool
) -> None:
    caps = np.array([-1.0, 1.0 * MIB, 2.5 * MIB, 8.0 * MIB, np.inf])
    for table in candidates.tables:
        found = table.least_seconds(caps, streamed=streamed)
        own = table.streamed_s if streamed else table.seconds
        for cap, row in zip(caps, found, strict=True):
            sizes = table.bytes(streamed=streamed)
            for group in range(len(table.starts) - 1):
                which = range(int(table.starts[group]), int(table.starts[group + 1]))
                within = [
                    (float(own[n]) + sizes[n] * TIE_S_PER_BYTE, n) for n in which if sizes[n] <= cap
                ]
                expected = min(within, default=(np.inf, which.start))
                assert row[group] == expected[0]
                assert table.cheapest(table.low + group, cap, streamed=streamed) == expected


def test_a_cut_is_reached_by_the_cheapest_group(candidates: Candidates) -> None:
    queries = [PathQuery(cap, price) for cap in (2.5 * MIB, np.inf) for price in (0.0, 1e-10, 1e-8)]
    queries.append(PathQuery(1.0))  # reaches nothing
    costs = EdgeCosts(candidates, queries)
    best, came = costs.begin(0.0)
    for later in range(1, len(candidates.graph.cuts)):
        costs.reach(best, came, later)
        low, edges = costs.at_cut(later)
        reached = best[:, low:later] + edges
        assert np.array_equal(best[:, later], reached.min(axis=1))
        assert np.array_equal(came[:, later], low + reached.argmin(axis=1))
    assert np.isinf(best[-1, 1:]).all() and np.isfinite(best[3:6]).all()


def test_room_is_filled_by_the_group_that_takes_least_time() -> None:
    generator = np.random.default_rng(3)
    groups, units = 7, 12
    for _ in range(20):
        seconds = generator.integers(1, 9, groups).astype(np.float64)
        seconds[generator.random(groups) < 0.2] = np.inf
        taken = generator.integers(0, 2 * units, groups)
        before = generator.integers(0, 9, (groups, units)).astype(np.float64)
        cost, group = generator.integers(5, 20, units).astype(np.float64), np.full(units, -1)
        wanted = cost.copy()
        for unit in range(units):
            for number in range(groups):
                if taken[number] <= unit:
                    reached = before[number, unit - taken[number]] + seconds[number]
                    wanted[unit] = min(wanted[unit], reached)
        given = cost.copy()
        _groups.fill(seconds, taken, before, cost, group)
        assert np.array_equal(cost, wanted)
        for unit in range(units):
            chosen = group[unit]
            if chosen < 0:
                assert cost[unit] == given[unit]
            else:
                reached = before[chosen, unit - taken[chosen]] + seconds[chosen]
                assert cost[unit] == reached < given[unit]


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    one, cost = np.zeros(1), np.zeros(3)
    with pytest.raises(ValueError, match="do not belong together"):
        _groups.fill(one, np.zeros(2, np.int64), np.zeros((1, 3)), cost, np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="do not belong together"):
        _groups.fill(one, np.full(1, -1), np.zeros((1, 3)), cost, np.zeros(3, np.int64))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_left_out_is_not_faster(network: Network, threads: int) -> None:
    tried = arithmetics(network, DEFAULT)
    apart = [Search(network.computed_by(each), threads, DEFAULT) for each in tried]
    together = AnySearch(network, threads, DEFAULT, tried)
    for available in (None, 40 * MIB, 16 * MIB, 6 * MIB):
        found = [search.fastest(available) for search in apart]
        best = together.fastest(available)
        assert best is not None
        assert best.seconds == min(each.seconds for each in found if each is not None)


@settings(max_examples=25)
@given(networks())
def test_no_plan_takes_less_than_its_layers(network: Network) -> None:
    for threads in (1, 2):
        fastest = Search(network, threads, DEFAULT).fastest()
        assert fastest is not None
        assert least_seconds(network, threads, DEFAULT) <= fastest.seconds
