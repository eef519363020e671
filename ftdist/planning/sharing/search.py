"""The fastest way for several workers to do a job: whole frames, or shares of each frame.

Both are predicted for the whole job, and the faster one is taken. For shares of a frame three
questions are answered in turn: how many workers are worth their halos and messages, beginning with
the most useful ones; how to partition the frame among them; and by which plan each worker can hold
what the partitioning asks of it. A worker with a smaller plan is slower, so the partitioning is
searched again; a worker that can hold no plan is left out. The plan says who is left out, and when
one worker alone is faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ftdist.errors import BudgetError, InputError
from ftdist.network.graph import Network
from ftdist.network.implementations import Arithmetic
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.planning.sharing.frame_parallel import FrameParallel, frame_parallel, nothing_fits
from ftdist.planning.sharing.halo_exchange import moved_bytes, tasks_of
from ftdist.planning.sharing.layer_times import LayerTimes
from ftdist.planning.sharing.notes import shared_note, whole_note, with_shared_link
from ftdist.planning.sharing.partition_search import PartitionSearch
from ftdist.planning.sharing.plan import KEPT_FRAMES, SharedPlan, WorkerSpec
from ftdist.planning.sharing.simulation import simulate
from ftdist.planning.sharing.stage_table import StageTable
from ftdist.planning.sharing.tile_assignment import TileAssignment, kind_of
from ftdist.planning.sharing.worker_memory import WorkerPlans

_WORSE = 1.05
"""Fewer workers are not tried any more once a set takes so many times longer than the best so far.
Chosen, not measured: predicted times rise and fall by less than that on their way."""

_SIMULATED_FRAMES = 6
"""Frames that are simulated to predict the time between frames; the first two only fill the
cluster. Chosen, not measured."""

_SIMPLER = 1.1
"""How many times longer whole frames may take and still be preferred to shares of each frame: they
wait for no neighbour, and waiting is predicted less well than arithmetic. Chosen, not measured."""

_SAME = 1 + 1e-6
"""Times that differ by less are equal: they were summed in another order and rounded."""

PlanIndices = list[int | None]
"""For each worker the index of the plan by which it computes; None: it can hold no plan."""


@dataclass(frozen=True)
class Outcome:
    """A plan that shares single frames, with the predicted time of the whole job.

    `plain_s`: as `job_s`, by a partitioning in which each member has a region.
    """

    plan: SharedPlan
    job_s: float
    plain_s: float

    @property
    def compared_s(self) -> float:
        """What whole frames are said to be compared with: where one worker has everything, a
        partitioning in which each member has a region."""
        return self.plain_s if max(self.plan.shares) == 1 else self.job_s


def share(
    network: Network,
    workers: tuple[WorkerSpec, ...],
    frames: int,
    picture: bool,
    profile: DeviceProfile = DEFAULT,
    kept_frames: int = KEPT_FRAMES,
    arithmetic: Arithmetic | None = None,
) -> SharedPlan:
    """The fastest plan for a job of `frames` frames; `picture`: they are uint8 pictures.

    `profile` is that of a worker of relative time 1. Workers keep maps of up to `kept_frames`
    frames. All of them compute by one `arithmetic`; None: by all that the profile says to be faster
    than direct kernels. Where that leaves workers out or has them stream weights, direct kernels
    only are tried too, and the faster plan is taken. BudgetError when no worker can hold anything.
    """
    tried = (arithmetics(network, profile)[0], ()) if arithmetic is None else (arithmetic,)

    def plan(each: Arithmetic) -> SharedPlan:
        search = _search_for(network.computed_by(each), profile)
        return search.fastest(workers, frames, picture=picture, kept_frames=kept_frames)

    return fastest_of(tried, plan, frames)


def fastest_of(
    tried: tuple[Arithmetic, ...], plan: Callable[[Arithmetic], SharedPlan], frames: int
) -> SharedPlan:
    """The plan that ends so many frames first, of those that an arithmetic leads to.

    A further arithmetic is tried where the one before left workers out or has them stream weights.
    BudgetError, the one that asks for least, when none leads to a plan.
    """
    found: list[SharedPlan] = []
    smallest: BudgetError | None = None
    for each in dict.fromkeys(tried):
        if found and _holds_all(found[0]):
            break
        try:
            found.append(plan(each))
        except BudgetError as error:
            if smallest is None or error.smallest_bytes < smallest.smallest_bytes:
                smallest = error
    if smallest is not None and not found:
        raise smallest
    return min(found, key=lambda plan: plan.seconds + (frames - 1) * plan.period_s)


def _holds_all(plan: SharedPlan) -> bool:
    """Whether every worker has a share, and keeps its weights in memory."""
    parts = (part for stage in plan.stages for tile in stage for part in tile.parts if part)
    return all(plan.shares) and not any(group.streamed for part in parts for group in part.groups)


@lru_cache(maxsize=4)
def _search_for(network: Network, profile: DeviceProfile) -> SharedSearch:
    """The search for a network as it is computed; kept, because plans for it are made again and
    again."""
    return SharedSearch(network, profile)


class SharedSearch:
    """Finds shared plans of a network as it is computed; `profile` is that of a worker of relative
    time 1."""

    def __init__(self, network: Network, profile: DeviceProfile = DEFAULT) -> None:
        self._network = network
        self._plans = WorkerPlans(network, profile)

    def fastest(
        self, workers: tuple[WorkerSpec, ...], frames: int, *, picture: bool, kept_frames: int
    ) -> SharedPlan:
        """The plan that ends a job of `frames` frames first; BudgetError when no worker fits."""
        if not workers:
            raise InputError("a plan needs at least one worker")
        by_frame = frame_parallel(self._plans, workers, picture=picture)
        shared = None
        if len(workers) > 1:
            shared = self._shared(workers, frames, picture, kept_frames)
        if shared is None and not by_frame.tasks:
            raise nothing_fits(self._plans, workers, picture=picture)
        margin = _SIMPLER if frames > len(workers) else _SAME
        if shared is not None and not (
            by_frame.tasks and by_frame.job_s(frames) <= margin * shared.job_s
        ):
            return shared.plan
        return by_frame_plan(by_frame, frames, shared)

    def _shared(
        self, workers: tuple[WorkerSpec, ...], frames: int, picture: bool, kept_frames: int
    ) -> Outcome | None:
        """The best way found to share single frames; None when fewer than two workers fit.

        A first partitioning, then the best one, decides by which plans workers compute.
        """
        indices: PlanIndices = [0] * len(workers)
        settled = False
        while True:
            able = [number for number, index in enumerate(indices) if index is not None]
            if len(able) < 2:
                return None
            times = tuple(
                self._plans.pareto_plans(worker.threads).times(index or 0)
                for worker, index in zip(workers, indices, strict=True)
            )
            search = self._worth_sharing(
                StageTable(self._network, picture, workers, times), able, frames
            )
            fitting = indices
            while fitting == indices:
                start = search.best() if settled else search.starts(1)[0]
                tasks = tasks_of(search.table, start.partitioning)
                at_once = min(frames, kept_frames)
                assignment = TileAssignment(search.table, start.partitioning, tasks, at_once)
                fitting = self._fitting(assignment, indices)
                if fitting == indices and settled:
                    return self._outcome(assignment, indices, frames, kept_frames, search.plain_s())
                settled = settled or fitting == indices
            indices = fitting

    def _worth_sharing(
        self, table: StageTable, able: Sequence[int], frames: int
    ) -> PartitionSearch:
        """The search among the workers that are worth sharing with, the most useful ones first."""
        sent, returned = self._plans.frame_bytes(picture=table.picture)
        whole_s = [1 / each for each in PartitionSearch(table, tuple(able), frames).speeds]

        def alone_s(number: int) -> float:
            worker = table.workers[number]
            moved_s = (sent + returned) / worker.link_bytes_per_s
            return whole_s[number] + moved_s + 2 * worker.latency_s

        order = sorted(able, key=lambda number: (alone_s(number), number))
        best, best_s = PartitionSearch(table, tuple(order), frames), math.inf
        for count in _counts(len(order)):
            search = PartitionSearch(table, tuple(order[:count]), frames)
            job_s = search.starts(most_layouts=1)[0].job_s
            if job_s > _WORSE * best_s:
                break
            if job_s < best_s:
                best, best_s = search, job_s
        return best

    def _fitting(self, assignment: TileAssignment, indices: PlanIndices) -> PlanIndices:
        """For each worker the first plan, from its present one on, that fits its budget."""
        table = assignment.table
        found = list(indices)
        for kind in dict.fromkeys(map(kind_of, table.workers)):
            mine = [n for n, each in enumerate(table.workers) if kind_of(each) == kind]
            index, pareto = (
                indices[mine[0]],
                self._plans.pareto_plans(table.workers[mine[0]].threads),
            )
            tried = () if index is None else pareto.indices(index)
            fitting = (each for each in tried if self._fits(assignment, mine, pareto.times(each)))
            found_index = next(fitting, None)
            for number in mine:
                found[number] = found_index
        return found

    def _fits(self, assignment: TileAssignment, mine: Sequence[int], times: LayerTimes) -> bool:
        """Whether workers of one kind can do their tasks by a plan with these layer times."""
        table, demand = assignment.table, assignment.demand(mine, times)
        worker = table.workers[mine[0]]
        return demand is None or self._plans.fits(worker, demand, picture=table.picture)

    def _outcome(
        self,
        assignment: TileAssignment,
        indices: PlanIndices,
        frames: int,
        kept_frames: int,
        plain_s: float,
    ) -> Outcome:
        """A partitioning that fits, as a plan with its prediction."""
        table, tasks = assignment.table, assignment.tasks
        workers = table.workers
        times = [each if indices[n] is not None else None for n, each in enumerate(table.times)]
        seconds = simulate(tasks, workers).seconds
        ends_s = simulate(tasks, workers, _SIMULATED_FRAMES, kept_frames).ends_s
        period_s = (ends_s[-1] - ends_s[1]) / (_SIMULATED_FRAMES - 2)
        work = [0.0] * len(workers)
        for task in tasks:
            work[task.worker] += task.seconds / workers[task.worker].relative_time
        job_s = seconds + (frames - 1) * period_s
        note = shared_note(workers, indices, work, (job_s / frames, plain_s / frames))
        plan = SharedPlan(
            tuple(worker.name for worker in workers),
            assignment.tiles(self._plans, times),
            tuple(each / sum(work) for each in work),
            seconds,
            period_s,
            *moved_bytes(table, tasks),
            with_shared_link(note, workers),
        )
        return Outcome(plan, job_s, plain_s)


def _counts(most: int) -> list[int]:
    """How many workers are tried: all, and fewer; of many not every number."""
    counts, count = [], most
    while count >= 2:
        counts.append(count)
        count -= 1 + count // 8
    return counts


def by_frame_plan(
    by_frame: FrameParallel, frames: int, shared: Outcome | None = None
) -> SharedPlan:
    """The plan by which each worker computes frames by itself; `shared`: what it was preferred
    to."""
    workers = by_frame.workers
    note = whole_note(by_frame, frames, None if shared is None else shared.compared_s)
    return SharedPlan(
        tuple(worker.name for worker in workers),
        ((by_frame.tile(),),),
        by_frame.shares(frames),
        by_frame.alone_s(by_frame.fastest),
        by_frame.period_s,
        *by_frame.moved_bytes(frames),
        with_shared_link(note, workers),
    )
