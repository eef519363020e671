"""What workers hold, and the plans that they go down to when that is too much."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.planning.workers import MIB, first16, worker

from ftdist.geometry import Region
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import GroupPlan, Plan, check
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.search import Search
from ftdist.planning.sharing.worker_memory import (
    MemoryDemand,
    ParetoPlans,
    WorkerPlans,
    part_of,
)
from ftdist.planning.weights import unplaced

WHOLE = Region(0, 38, 0, 38)

FIRST16 = [
    (9 * 3, 32), (9 * 32, 64), (9 * 64, 128), (128, 64), (9 * 64, 128), (9 * 128, 256),
    (256, 128), (9 * 128, 256), (9 * 256, 512), (512, 256), (9 * 256, 512), (512, 256),
]  # fmt: skip
"""Terms of a sum and filters of each convolution."""


@pytest.mark.parametrize("threads", [1, 3])
def test_each_pareto_plan_is_smaller_and_slower(threads) -> None:
    network = first16()
    pareto = ParetoPlans(network, threads, DEFAULT)
    plans = [pareto.times(index).plan for index in pareto.indices()]
    assert len(plans) > 5
    for plan in plans:
        check(plan, network)
    seconds = [pareto.seconds(number) for number in range(len(plans))]
    assert seconds == sorted(seconds)
    search = Search(network, threads)
    fastest = search.fastest()
    assert fastest is not None and plans[0] == fastest.plan
    assert plans[-1] == search.smallest().plan


def needed(plans, alone, demand):
    return plans.needed_bytes(alone, demand, picture=True)


def test_needed_bytes_are_what_is_there_at_the_same_time() -> None:
    network, plans = first16(), WorkerPlans(first16(), DEFAULT)
    part = Plan((GroupPlan(0, 8, strip=4), GroupPlan(8, 16, strip=2)), region=WHOLE)
    blobs = unplaced(network)
    lowered = lower(network, part, blobs, picture=True)
    alone = worker(budget_mib=128)
    weights = sum(4 * (n + 1) * filters for n, filters in FIRST16)
    arrays = 608 * 608 * 3 + 38 * 38 * 256 * 4
    beside = 20 * MIB + 1 * MIB + 3 * MIB
    known = alone.baseline_bytes + weights + lowered.block_bytes + lowered.program_bytes + arrays
    demand = MemoryDemand((part,), in_bytes=20 * MIB, out_bytes=MIB, kept_bytes=3 * MIB)
    assert 0 <= needed(plans, alone, demand) - known - beside <= MIB


def test_what_may_be_sent_ahead_counts_in_full() -> None:
    plans, alone = WorkerPlans(first16(), DEFAULT), worker(budget_mib=128)
    demand = MemoryDemand(
        (Plan((GroupPlan(0, 16, strip=1),), region=WHOLE),), in_bytes=1000, out_bytes=0
    )
    more = replace(alone, credit_bytes=alone.credit_bytes + 5)
    assert needed(plans, more, demand) == needed(plans, alone, demand) + 5
    assert needed(plans, alone, replace(demand, in_bytes=2000)) == needed(plans, alone, demand)


def test_weights_that_several_tasks_use_count_once() -> None:
    plans, alone = WorkerPlans(first16(), DEFAULT), worker(budget_mib=128)
    group = GroupPlan(8, 16, strip=2)
    parts = (
        Plan((group,), region=Region(0, 19, 0, 38)),
        Plan((group,), region=Region(19, 38, 0, 38)),
    )
    both = needed(plans, alone, MemoryDemand(parts, 0, 0))
    assert both - max(needed(plans, alone, MemoryDemand((part,), 0, 0)) for part in parts) < MIB / 8


@pytest.mark.parametrize(("rows", "columns", "grid"), [(20, 10, (3, 1)), (10, 20, (1, 3))])
def test_threads_share_the_longer_side(rows, columns, grid) -> None:
    times = ParetoPlans(first16(), 3, DEFAULT).times(0)
    part = part_of(times, 2, 8, Region(5, 5 + rows, 0, columns))
    assert (part.first, part.stop, part.threads) == (2, 8, 3)
    assert {(group.rows, group.columns) for group in part.groups} == {grid}


def test_a_whole_frame_is_computed_by_the_plan_as_it_is() -> None:
    plan = ParetoPlans(first16(), 3, DEFAULT).plan(0)
    assert WorkerPlans(first16(), DEFAULT).frame_parts(plan) == (replace(plan, region=WHOLE),)
