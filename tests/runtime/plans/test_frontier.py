"""What surrounds a plan, with a process whose memory does not move."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.smallmodels import write_small_model

from ftdist.cli.reports.published_plans import published_plans
from ftdist.errors import BudgetError
from ftdist.network import architectures
from ftdist.network.implementations import Arithmetic
from ftdist.network.modelfile import Model, load
from ftdist.planning.cost.backward_pass import STRIPS
from ftdist.planning.cost.latency import group_seconds, plan_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import GroupPlan, Plan, check, parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.planning.search.cutgraph import grids
from ftdist.planning.search.search import Search
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.plans.choice import Choice, PlanProblem
from ftdist.runtime.plans.frontier import Outlook, undominated
from ftdist.runtime.plans.plan_search import PlanSearch

PROCESS = ProcessMemory(30 * MIB, 30 * MIB)
PLENTY = Budget(1 << 40, "--mem")


@pytest.fixture(scope="module")
def first16(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """YOLOv2's first sixteen layers for an input of 160x160."""
    folder = Path(architectures.__file__).parent
    text = (folder / "yolov2-first16.cfg").read_text().replace("608", "160")
    return load(write_small_model(tmp_path_factory.mktemp("frontier") / "first16.ftd", text))


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Six layers with a skip, the last map 4x4."""
    convolution = "[convolutional]\nfilters={}\nsize=3\nstride={}\npad=1\nactivation=leaky\n"
    text = (
        "[net]\nwidth=32\nheight=32\nchannels=3\n"
        + convolution.format(40, 2)
        + convolution.format(48, 2)
        + convolution.format(48, 1)
        + "[shortcut]\nfrom=-2\nactivation=linear\n"
        + convolution.format(16, 2)
        + convolution.format(9, 1)
    )
    return load(write_small_model(tmp_path_factory.mktemp("frontier") / "branched.ftd", text))


def outlook_of(model: Model, limit: Budget = PLENTY, threads: int = 1) -> Outlook:
    return Outlook(PlanProblem(model, limit, threads=threads, process=PROCESS))


def re_examined(model: Model, notation: str, threads: int) -> Choice:
    plan = parse_notation(notation, model.network, threads)
    return PlanProblem(model, PLENTY, process=PROCESS).examine(plan)


@pytest.fixture(params=["first16", "branched"])
def model(request: pytest.FixtureRequest) -> Model:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_frontier_falls_from_the_smallest_plan_to_the_fastest(
    model: Model, threads: int
) -> None:
    outlook = outlook_of(model, threads=threads)
    points = outlook.frontier(outlook.fastest())
    assert len(points) >= 2
    for before, after in itertools.pairwise(points):
        assert before.peak_bytes < after.peak_bytes
        assert before.latency_s > after.latency_s
    assert points[0].peak_bytes <= outlook.smallest().peak_bytes
    assert points[-1].latency_s == outlook.fastest().latency_s
    for point in points:
        again = re_examined(model, point.notation, threads)
        assert again.peak_bytes == point.peak_bytes
        assert again.latency_s == pytest.approx(point.latency_s, rel=1e-5)


def test_peaks_of_the_frontier_are_budgets(first16: Model) -> None:
    """Given as a budget each yields a plan that is about as good.

    Which groups keep their weights is a knapsack, not solved exactly.
    """
    outlook = outlook_of(first16)
    for point in outlook.frontier(outlook.fastest()):
        limit = Budget(point.peak_bytes, "--mem")
        found = PlanSearch(PlanProblem(first16, limit, process=PROCESS)).fastest()
        assert found.peak_bytes <= point.peak_bytes
        assert found.latency_s <= point.latency_s * 1.05


def test_no_budget_does_better_than_the_frontier(first16: Model) -> None:
    """But for plans that need little less than a point: those are the same to any process.

    Around a budget plans are sought more closely. That is not exact.
    """
    outlook = outlook_of(first16)
    points = outlook.frontier(outlook.fastest())
    for size in np.linspace(points[0].peak_bytes, points[-1].peak_bytes, 9, dtype=int):
        found = outlook.within(int(size))
        assert found is not None and found.peak_bytes <= size
        nearby = [each.latency_s for each in points if each.peak_bytes <= size + MIB // 2]
        assert found.latency_s >= min(nearby) * 0.95
    assert outlook.within(points[0].peak_bytes - MIB) is None


def test_the_chosen_plan_is_on_the_frontier_and_a_named_one_only_if_it_is_good(
    first16: Model,
) -> None:
    least = outlook_of(first16).smallest().peak_bytes
    outlook = outlook_of(first16, Budget(least + 3 * MIB, "--mem"))
    chosen = outlook.fastest()
    assert chosen.plan.notation in [each.notation for each in outlook.frontier(chosen)]
    named = outlook.problem.examine(parse_notation("4x4/8/4x4", first16.network))
    assert named.peak_bytes == re_examined(first16, "4x4/8/4x4", 1).peak_bytes
    assert "4x4/8/4x4" not in [each.notation for each in outlook.frontier(named)]


def test_undominated_pairs() -> None:
    pairs = [(3, 1.0), (1, 4.0), (2, 4.0), (1, 5.0), (2, 2.0), (4, 1.0), (5, 0.5), (6, 0.9)]
    assert undominated(pairs) == [(1, 4.0), (2, 2.0), (3, 1.0), (5, 0.5)]
    assert undominated([]) == []


def test_more_memory_is_never_slower_and_too_little_is_nothing(first16: Model) -> None:
    outlook = outlook_of(first16)
    least = outlook.smallest()
    found = [outlook.within(least.peak_bytes + extra * MIB) for extra in range(8)]
    assert found[0] is not None and least.plan == found[0].plan
    latencies = [each.latency_s for each in found if each is not None]
    assert len(latencies) == 8
    assert latencies == sorted(latencies, reverse=True)
    with pytest.raises(BudgetError):
        outlook_of(first16, Budget(least.peak_bytes - MIB, "--mem")).fastest()


def test_where_more_than_the_plan_sets_the_peak_the_smallest_is_the_fastest(
    first16: Model,
) -> None:
    process = ProcessMemory(30 * MIB, 200 * MIB)
    outlook = Outlook(PlanProblem(first16, PLENTY, process=process))
    assert outlook.smallest().plan == outlook.fastest().plan
    points = outlook.frontier(outlook.fastest())
    assert [each.peak_bytes for each in points] == [200 * MIB]


def cuts_and_grids(plan: Plan) -> list[tuple[int, int, int]]:
    return [(group.first, group.rows, group.columns) for group in plan.groups]


def every_cut_and_grid(
    model: Model, threads: int, arithmetic: Arithmetic
) -> dict[tuple[tuple[int, int, int], ...], float]:
    """For all cuts and grids the seconds with the best strips, weights resident; by enumeration."""
    network = model.network.computed_by(arithmetic)
    layers = len(network.layers)

    @cache
    def best(first: int, stop: int, rows: int, columns: int) -> float:
        height = network.shape(FusedGroup(network, first, stop).outputs[-1]).height
        strips = [s for s in STRIPS if s is None or s < -(-height // rows)]
        plans = [GroupPlan(first, stop, rows, columns, strip) for strip in strips]
        return min(group_seconds(network, plan, threads, DEFAULT) for plan in plans)

    found = {}
    for count in range(layers):
        for inner in itertools.combinations(range(1, layers), count):
            pairs = list(itertools.pairwise((0, *inner, layers)))
            for chosen in itertools.product(grids(network, threads), repeat=len(pairs)):
                key = tuple((first, *grid) for (first, _), grid in zip(pairs, chosen, strict=True))
                steps = zip(pairs, chosen, strict=True)
                found[key] = sum(best(*pair, *grid) for pair, grid in steps)
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_the_runner_up_is_the_best_of_all_other_cuts_and_grids(
    branched: Model, threads: int
) -> None:
    outlook = outlook_of(branched, threads=threads)
    chosen = outlook.fastest()
    runner_up = outlook.runner_up(chosen)
    assert runner_up is not None
    tried = arithmetics(branched.network, DEFAULT)
    least = {each: min(every_cut_and_grid(branched, threads, each).values()) for each in tried}
    assert least[chosen.plan.arithmetic] == min(least.values())
    every = every_cut_and_grid(branched, threads, chosen.plan.arithmetic)
    assert min(every.values()) == pytest.approx(chosen.latency_s, rel=1e-5)
    del every[tuple(cuts_and_grids(chosen.plan))]
    assert tuple(cuts_and_grids(runner_up.plan)) in every
    assert runner_up.latency_s == pytest.approx(min(every.values()), rel=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_runner_up_within_a_budget_fits_differs_and_is_no_faster(
    first16: Model, threads: int
) -> None:
    least = outlook_of(first16, threads=threads).smallest().peak_bytes
    for extra in (1, 2, 4, 8, 16):
        outlook = outlook_of(first16, Budget(least + extra * MIB, "--mem"), threads)
        chosen = outlook.fastest()
        runner_up = outlook.runner_up(chosen)
        assert runner_up is not None
        check(runner_up.plan, first16.network)
        assert runner_up.peak_bytes <= least + extra * MIB
        assert cuts_and_grids(runner_up.plan) != cuts_and_grids(chosen.plan)
        assert runner_up.latency_s >= chosen.latency_s * 0.999999


def test_there_is_no_runner_up_where_only_one_plan_can_be(first16: Model) -> None:
    network = first16.network.until(0)
    search = Search(network, 1)
    fastest = search.fastest()
    assert fastest is not None and search.runner_up(fastest.plan) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_no_plan_within_the_budget_is_faster_than_the_bound(branched: Model, threads: int) -> None:
    network = branched.network
    least = outlook_of(branched, threads=threads).smallest().peak_bytes
    generator = np.random.default_rng(5)
    groups = [GroupPlan(0, 3, threads, 1, strip, w) for strip in (None, 2) for w in (False, True)]
    others = [GroupPlan(3, 6, threads, 1, strip, w) for strip in (None, 1) for w in (False, True)]
    for extra in generator.integers(0, 300_000, 6):
        limit = Budget(least + int(extra), "--mem")
        outlook = outlook_of(branched, limit, threads)
        chosen = outlook.fastest()
        bound = outlook.bound_s(chosen)
        assert 0 < bound <= chosen.latency_s * 1.000001
        for first, second in itertools.product(groups, others):
            plan = Plan((first, second), threads)
            if outlook.problem.examine(plan).peak_bytes <= limit.bytes:
                assert plan_seconds(network, plan, DEFAULT) >= bound * 0.999999
    free = outlook_of(branched, threads=threads)
    assert free.bound_s(free.fastest()) == pytest.approx(free.fastest().latency_s)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_published_plans_are_predicted_as_any_plan(first16: Model, threads: int) -> None:
    found = published_plans(outlook_of(first16, threads=threads).fastest())
    notations = [each.plan.notation for each in found]
    assert notations[:5] == ["1x1", "2x2", "3x3", "4x4", "5x5"]
    assert len(set(notations)) == len(notations) == 5 + 15 * 25
    assert {"5x5/8/2x2", "1x1/1/5x5", "3x3/15/1x1"} <= set(notations)
    for each in found[::29]:
        again = re_examined(first16, each.plan.notation, threads)
        assert again.plan == each.plan
        assert again.peak_bytes == each.peak_bytes
        assert again.latency_s == pytest.approx(each.latency_s)


def test_published_grids_that_do_not_fit_a_map_are_left_out(branched: Model) -> None:
    found = published_plans(outlook_of(branched).fastest())
    assert [each.plan.notation for each in found[:5]] == ["1x1", "2x2", "3x3", "4x4", "1x1/1/1x1"]
    assert not any(each.plan.groups[-1].rows == 5 for each in found)


def test_many_cuts_are_thinned_out(first16: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftdist.cli.reports.published_plans._MOST_WORK", 48)
    found = published_plans(outlook_of(first16).fastest())
    assert {each.plan.groups[1].first for each in found[5:]} == {1, 8, 15}
