"""Shared plans, held to what they promise: who makes what, within which budget, how fast."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import networks
from support.oracles.counting import counted_calls
from support.planning.workers import (
    alone_s,
    boards,
    first16,
    local,
    small_network,
    stage_table,
    worker,
)
from support.randomplans import random_shared_plan

from ftdist.coordinator.plans.task_graph import TaskGraph
from ftdist.errors import BudgetError, InputError
from ftdist.network.darknet.importer import read_cfg
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.plan import Plan, check
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.planning.sharing.halo_exchange import tasks_of
from ftdist.planning.sharing.partitioning import Partitioning, Stage
from ftdist.planning.sharing.plan import SharedPlan, WorkerSpec
from ftdist.planning.sharing.search import _search_for, share
from ftdist.planning.sharing.tile_assignment import TileAssignment
from ftdist.planning.sharing.tile_regions import outputs
from ftdist.planning.sharing.worker_memory import MemoryDemand, WorkerPlans
from ftdist.planning.sharing.worker_regions import worker_regions
from ftdist.planning.weights import resident_layers, unplaced

BOARD = 0.76
"""Seconds that a board with 15% of a core takes for a frame of yolov2-first16."""


@cache
def relative_time() -> float:
    return BOARD / alone_s(first16())


def six_boards(**what: float) -> tuple[WorkerSpec, ...]:
    return boards(6, relative_time=relative_time(), budget_mib=128, **what)


@cache
def plan_of(workers: tuple[WorkerSpec, ...], frames: int = 1) -> SharedPlan:
    """The plan by direct kernels, whose times the specs of the workers are made for."""
    return share(first16(), workers, frames, picture=True, arithmetic=())


def is_whole(plan: SharedPlan) -> bool:
    """Whether any worker may take whole frames."""
    return [tile.worker for stage in plan.stages for tile in stage] == [None]


def job_s(plan: SharedPlan, frames: int) -> float:
    return plan.seconds + (frames - 1) * plan.period_s


MIXED = (
    worker("large", 1 / 0.3, budget_mib=256),
    worker("middle", 10.0, budget_mib=96),
    worker("small", 10.0, budget_mib=64),
)

CASES = {
    "six boards": (six_boards(), 1),
    "six boards, frames": (six_boards(), 40),
    "mixed": (MIXED, 1),
    "mixed, frames": (MIXED, 20),
    "tiny": ((*boards(2, relative_time=7.0, budget_mib=46), worker("large", 7.0)), 1),
    "threads": ((worker("one", 7.0), worker("four", 7.0, threads=4, budget_mib=64)), 1),
    "with the coordinator": ((local(7.0), *boards(2, relative_time=7.0)), 1),
    "two fast ones": (boards(2, link=1e9, latency_s=1e-4), 1),
}

cases = pytest.mark.parametrize("case", CASES)


@cases
def test_tiles_of_each_stage_partition_what_it_makes(case) -> None:
    plan, network = plan_of(*CASES[case]), first16()
    stops = [0]
    for stage in plan.stages:
        parts = [next(part for part in tile.parts if part is not None) for tile in stage]
        assert {(part.first, part.stop) for part in parts} == {(stops[-1], parts[0].stop)}
        stops.append(parts[0].stop)
        covered = np.zeros(network.shape(outputs(network, *stops[-2:])[-1])[:2], int)
        for part in parts:
            assert part.region is not None
            top, bottom, left, right = part.region
            covered[top:bottom, left:right] += 1
        assert (covered == 1).all()
    assert stops[-1] == len(network.layers)


@cases
def test_parts_of_a_tile_agree_and_can_be_lowered(case) -> None:
    workers, _ = CASES[case]
    plan, network = plan_of(*CASES[case]), first16()
    assert plan.workers == tuple(each.name for each in workers)
    for tile in itertools.chain(*plan.stages):
        assert len(tile.parts) == len(tile.seconds) == len(workers)
        assert tile.worker is None or tile.parts[tile.worker] is not None
        for part, seconds, spec in zip(tile.parts, tile.seconds, workers, strict=True):
            assert (part is None) == math.isinf(seconds)
            if part is not None:
                check(part, network)
                assert part.threads == spec.threads
        assert len({p.region for p in tile.parts if p is not None}) == 1


def held_bytes(plan: SharedPlan, number: int) -> int:
    """What a worker's tasks take of it, all lowered, with the maps of a frame that it keeps."""
    network = first16()
    blobs = unplaced(network)
    may = [tile.parts[number] for s in plan.stages for tile in s if tile.worker in (number, None)]
    own = [part for part in may if part is not None]
    if not own:
        return 0
    groups = tuple(group for part in own for group in part.groups)
    weights = sum(resident_layers(network, Plan(groups)).values())
    largest = kept = 0
    last = max(part.first for part in own)
    for part in own:
        taken = footprint(lower(network, part, blobs, picture=True), network)
        largest = max(largest, taken.block_bytes + taken.input + taken.output)
        kept += taken.output if part.first < last else 0
    return weights + largest + kept


@cases
def test_no_budget_is_exceeded(case) -> None:
    plan = plan_of(*CASES[case])
    for number, spec in enumerate(CASES[case][0]):
        needed = spec.baseline_bytes + held_bytes(plan, number) + spec.credit_bytes
        assert needed <= spec.budget_bytes, spec.name


@pytest.mark.parametrize("case", ["six boards", "with the coordinator"])
def test_the_same_question_has_the_same_answer(case) -> None:
    workers, frames = CASES[case]
    again = share(first16(), workers, frames, picture=True, arithmetic=())
    assert again == plan_of(workers, frames)


def test_six_boards_are_three_times_as_fast_as_one() -> None:
    """At what a task costs beside its arithmetic; with half of that it would be four times."""
    plan = plan_of(six_boards())
    assert plan.seconds <= BOARD / 3
    assert plan.sent_bytes + plan.received_bytes <= 9_000_000
    assert plan.note == ""


def test_equal_workers_have_about_equal_shares() -> None:
    shares = plan_of(six_boards()).shares
    assert sum(shares) == pytest.approx(1)
    assert max(shares) < 1.1 * min(shares)


def test_a_faster_worker_gets_more() -> None:
    plan = plan_of(MIXED)
    large, middle, small = plan.shares
    assert 2.2 < large / middle < 3.6
    assert 2.2 < large / small < 3.6


def test_many_frames_are_shared_whole() -> None:
    plan = plan_of(MIXED, 20)
    assert is_whole(plan)
    assert plan.shares == pytest.approx((0.6, 0.2, 0.2), abs=0.02)
    perfect_s = alone_s(first16()) / (0.3 + 0.1 + 0.1)
    assert plan.period_s < 1.15 * perfect_s
    assert all(part is not None for part in plan.stages[0][0].parts)


def test_all_parts_of_a_frame_have_one_arithmetic_and_it_is_the_faster_one() -> None:
    for frames in (1, 20):
        plan = share(first16(), MIXED, frames, picture=True)
        parts = [part for stage in plan.stages for tile in stage for part in tile.parts if part]
        assert {part.arithmetic for part in parts} == {plan.arithmetic}
        assert plan.arithmetic in ((), arithmetics(first16(), DEFAULT)[0])
        assert job_s(plan, frames) <= job_s(plan_of(MIXED, frames), frames)
    assert share(first16(), six_boards(), 20, picture=True).arithmetic != ()
    again = share(first16(), MIXED, 20, picture=True, arithmetic=())
    assert again == plan_of(MIXED, 20) and again.arithmetic == ()


def test_two_workers_do_many_frames_nearly_twice_as_fast() -> None:
    workers = boards(2, link=1e9, latency_s=1e-4)
    assert plan_of(workers, 30).period_s < plan_of(workers[:1], 30).period_s / 1.9


def test_a_single_frame_is_shared_when_that_is_faster() -> None:
    assert not is_whole(plan_of(six_boards()))
    assert is_whole(plan_of(six_boards(), 1000))


ALONE = re.compile("([a-z0-9]+) alone is faster than sharing: ([0-9]+) ms against ([0-9]+) ms")


@pytest.mark.parametrize("quick", [local(), worker("here", 1.0, link=1e9)])
def test_over_a_slow_link_one_worker_alone_is_faster_and_the_plan_says_so(quick) -> None:
    plan = plan_of((*boards(2, relative_time=3.0, link=2e5), quick))
    assert is_whole(plan)
    assert plan.shares == (0.0, 0.0, 1.0)
    said = ALONE.fullmatch(plan.note)
    assert said is not None
    name, alone_ms, shared_ms = said.groups()
    assert name == "here"
    assert int(alone_ms) == round(1e3 * plan.seconds) < int(shared_ms)
    if math.isinf(quick.link_bytes_per_s):
        assert plan.sent_bytes == plan.received_bytes == 0


def test_one_worker_alone_may_take_tiles_to_hide_its_transfers() -> None:
    plan = plan_of((worker("quick", 1.0, link=5e7), worker("slow", 30.0, link=2e5)))
    assert plan.shares == (1.0, 0.0)
    assert ALONE.fullmatch(plan.note)
    assert len(plan.stages[0]) > 1
    assert plan.seconds < plan_of((worker("quick", 1.0, link=5e7),)).seconds


def test_who_is_no_help_is_left_out_and_named() -> None:
    slow = replace(worker("snail", 500.0), link_bytes_per_s=1e5)
    plan = plan_of((*boards(3, relative_time=7.0), slow))
    assert plan.shares[3] == 0
    assert plan.note == "without snail, no help here"


def test_who_can_hold_nothing_is_left_out_and_named() -> None:
    tiny = worker("tiny", 7.0, budget_mib=39)
    plan = plan_of((*boards(3, relative_time=7.0), tiny))
    assert plan.shares[3] == 0
    assert plan.note == "without tiny, too small"
    assert all(tile.parts[3] is None for stage in plan.stages for tile in stage)


def test_a_small_budget_gets_lower_strips_or_streamed_weights() -> None:
    plan = plan_of(*CASES["tiny"])
    roomy, cramped = (
        [
            group
            for stage in plan.stages
            for tile in stage
            if tile.worker == n and (part := tile.parts[n]) is not None
            for group in part.groups
        ]
        for n in (2, 0)
    )
    assert roomy and cramped
    assert any(group.streamed for group in cramped)
    assert not any(group.streamed for group in roomy)


def test_when_nobody_can_hold_anything_the_smallest_budget_is_named() -> None:
    workers = (worker("first", budget_mib=39), worker("second", budget_mib=38))
    with pytest.raises(BudgetError) as caught:
        plan_of(workers)
    smallest = caught.value.smallest_bytes
    assert str(caught.value).startswith("no worker can hold yolov2-first16: first, with 39.0 MiB")
    assert "\n" not in str(caught.value)
    enough = replace(workers[0], budget_bytes=smallest)
    assert plan_of((enough,)).shares == (1.0,)
    with pytest.raises(BudgetError):
        plan_of((replace(enough, budget_bytes=smallest - 1),))


def test_a_plan_needs_a_worker() -> None:
    with pytest.raises(InputError):
        plan_of(())


def test_more_boards_never_take_longer() -> None:
    times = [plan_of(six_boards()[:count]).seconds for count in (1, 2, 4, 6)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    "added",
    [worker("fast", 2.0), worker("slow", 60.0), worker("far", 7.0, link=3e5), local(20.0)],
    ids=lambda spec: spec.name,
)
def test_another_worker_never_makes_it_longer(added, frames) -> None:
    few = boards(3, relative_time=7.0)
    with_it = job_s(plan_of((*few, added), frames), frames)
    assert with_it <= 1.01 * job_s(plan_of(few, frames), frames)


def test_planning_is_little_work() -> None:
    """Counted in calls; a million take 0.3 s on a desktop. In seconds: benchmarks/sharing.py."""
    share(small_network(), boards(2), 1, picture=False)  # what is loaded once
    _search_for.cache_clear()
    with counted_calls() as count:
        share(first16(), boards(6, relative_time=6.0), 1, picture=True)
    assert count.calls < 5_000_000


@cases
def test_bytes_are_those_that_the_coordinator_moves(case) -> None:
    workers, frames = CASES[case]
    plan = plan_of(workers, frames)
    if not is_whole(plan):
        tasks = TaskGraph(first16(), plan, picture=True).tasks
        remote = [
            task
            for task in tasks
            if task.slot is not None and math.isfinite(workers[task.slot].link_bytes_per_s)
        ]
        assert all(task.slot is not None for task in tasks)
        assert plan.sent_bytes == sum(task.sent_bytes for task in remote)
        assert plan.received_bytes == sum(task.returned_bytes for task in remote)


@pytest.mark.parametrize(
    ("budget_mib", "direct"), [(44, True), (46, True), (56, True), (76, False)]
)
def test_what_a_worker_may_take_over_fits_beside_its_own(budget_mib, direct) -> None:
    """Should another be lost: its tiles are larger, and own weights and maps stay there too."""
    arithmetic = () if direct else arithmetics(first16(), DEFAULT)[0]
    network = first16().computed_by(arithmetic)
    plans = WorkerPlans(network, DEFAULT)
    small = worker("small", 15.0, budget_mib)
    workers = (worker("large", 8.0, 256), worker("middle", 15.0, 96), small)
    shared = share(network, workers, 1, picture=True, arithmetic=arithmetic)
    graph = TaskGraph(network, shared, picture=True)
    own = None
    for task in graph.tasks:
        if task.slot == 2:
            kept_bytes = graph.bytes_of(task.outputs) * task.keep
            part = task.tile.parts[2]
            assert part is not None
            demand = MemoryDemand((part,), task.sent_bytes, task.returned_bytes, kept_bytes)
            own = demand if own is None else demand.beside(own)
    assert own is not None
    for task in graph.tasks:
        part = task.tile.parts[2]
        if task.slot != 2 and part is not None:
            demand = MemoryDemand((part,), task.input_bytes, graph.bytes_of(task.outputs)).beside(
                own
            )
            assert plans.needed_bytes(small, demand, picture=True) <= small.budget_bytes


def test_a_network_of_many_layers_with_skips_is_shared(shared_models) -> None:
    network = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg").network
    _search_for.cache_clear()
    with counted_calls() as count:
        plan = share(network, boards(4, relative_time=7.0, budget_mib=128), 1, picture=True)
    assert count.calls < 9_000_000
    assert len(plan.stages) > 1
    tasks = TaskGraph(network, plan, picture=True).tasks
    assert plan.sent_bytes == sum(task.sent_bytes for task in tasks)
    assert plan.received_bytes == sum(task.returned_bytes for task in tasks)


@settings(max_examples=8)
@given(networks(), st.integers(0, 3))
def test_networks_of_any_shape_are_shared(network, threads) -> None:
    workers = (worker("a", 900.0, threads=1 + threads), worker("b", 900.0), local(2000.0))
    plan = share(network, workers, 1, picture=False)
    TaskGraph(network, plan, picture=False)
    for tile in itertools.chain(*plan.stages):
        for part in tile.parts:
            if part is not None:
                check(part, network)


def test_random_plans_are_plans() -> None:
    network = small_network()
    workers = (worker("a"), worker("b", threads=3, budget_mib=40), local())
    seen = set()
    for seed in range(8):
        plan = random_shared_plan(network, workers, seed, picture=False)
        assert plan == random_shared_plan(network, workers, seed, picture=False)
        assert plan.stages[-1][0].parts.count(None) < 3
        seen.add(len(plan.stages))
        for stage in plan.stages:
            parts = [next(part for part in tile.parts if part is not None) for tile in stage]
            primary = outputs(network, parts[0].first, parts[0].stop)[-1]
            height, width, _ = network.shape(primary)
            regions = [part.region for part in parts if part.region is not None]
            assert len(regions) == len(parts)
            assert sum(region.size for region in regions) == height * width
            for tile in stage:
                assert tile.worker is None or tile.parts[tile.worker] is not None
                for part in tile.parts:
                    if part is not None:
                        check(part, network)
    assert len(seen) > 2


# ---- a link that all share


def crowded(workers: tuple[WorkerSpec, ...], rate: float) -> tuple[WorkerSpec, ...]:
    return tuple(replace(each, shared_link_bytes_per_s=rate) for each in workers)


def test_a_shared_link_is_what_many_frames_are_predicted_by() -> None:
    workers = boards(4, relative_time=2.0, link=5e6)
    free, shared = plan_of(workers, 40), plan_of(crowded(workers, 5e6), 40)
    moved = max(shared.sent_bytes, shared.received_bytes)
    assert shared.period_s >= 0.99 * moved / 5e6 > free.period_s
    assert "workers share a link of 40 Mbit/s" in shared.note and "share a link" not in free.note


def test_who_is_faster_alone_than_over_a_shared_link_is_named() -> None:
    workers = crowded((local(2.0), *boards(3, relative_time=2.0, link=1e6)), 2e5)
    plan = plan_of(workers)
    assert plan.shares[0] == 1.0 and "here alone is faster than sharing" in plan.note


def test_memory_counts_maps_of_as_many_frames_as_workers_keep() -> None:
    workers = boards(3, relative_time=200.0, budget_mib=48)
    few, many = (share(first16(), workers, 4, True, kept_frames=each) for each in (1, 4))
    assert few.stages != many.stages, "with more maps beside them parts take less memory"


def test_a_demand_grows_with_the_frames_of_which_maps_are_kept() -> None:
    table = stage_table(first16(), boards(2))
    rows = worker_regions([(0,), (1,)], (1.0, 1.0))
    partitioning = Partitioning(rows, (Stage(0, 8), Stage(8, 16)))
    tasks = tasks_of(table, partitioning)
    demands = [
        TileAssignment(table, partitioning, tasks, frames).demand([0], table.times[0])
        for frames in (1, 3)
    ]
    kept = [each.kept_bytes for each in demands if each is not None]
    assert len(kept) == 2 and kept[1] == 3 * kept[0] > 0
