"""Sharing whole frames: every worker that can hold one computes one after another, by itself.

Nothing is computed twice and no map travels between workers, so this is best for many frames. A
single frame goes to the one worker that ends it first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ftdist.errors import BudgetError
from ftdist.planning.plan import Plan
from ftdist.planning.sharing.plan import Tile, WorkerSpec
from ftdist.planning.sharing.simulation import TASK_S, Task
from ftdist.planning.sharing.tile_assignment import Kind, kind_of
from ftdist.planning.sharing.worker_memory import MemoryDemand, WorkerPlans

_COUNTED = 4096
"""Frames that are given out one by one; all further ones count at the common rate. Chosen, not
measured: the time of so many frames tells hardly anything apart."""

_MIB = 1 << 20


@dataclass(frozen=True)
class FrameParallel:
    """The workers that can take whole frames, and for each the task of computing one frame.

    `parts` are by worker; None for those that cannot hold a whole frame.
    """

    workers: tuple[WorkerSpec, ...]
    tasks: tuple[Task, ...]
    parts: tuple[Plan | None, ...]

    def alone_s(self, task: Task) -> float:
        """Seconds from nothing to a frame's result by one worker."""
        worker = self.workers[task.worker]
        moved = task.in_bytes + task.out_bytes
        opened_s = worker.relative_time * TASK_S / 2
        there_and_back_s = 2 * worker.latency_s + moved / worker.link_bytes_per_s
        return there_and_back_s + opened_s + task.busy_s(worker)

    def interval_s(self, task: Task) -> float:
        """Seconds from one result of a worker to its next, with frames prefetched."""
        worker = self.workers[task.worker]
        rate = worker.link_bytes_per_s
        return max(task.busy_s(worker), task.in_bytes / rate, task.out_bytes / rate)

    @property
    def fastest(self) -> Task:
        """The task of the worker that ends a single frame first."""
        return min(self.tasks, key=self.alone_s)

    @property
    def period_s(self) -> float:
        """Seconds between frames when there are many."""
        return 1 / sum(self._rates())

    def _rates(self) -> list[float]:
        """Frames a second of each task, with frames prefetched and links shared."""
        alone = [1 / self.interval_s(task) for task in self.tasks]
        in_use = sum(
            rate * self._shared_link_s(task) for rate, task in zip(alone, self.tasks, strict=True)
        )
        crowded = min(1.0, 1 / in_use) if in_use else 1.0
        return [
            rate * crowded if self._shared_link_s(task) else rate
            for rate, task in zip(alone, self.tasks, strict=True)
        ]

    def _shared_link_s(self, task: Task) -> float:
        """Seconds that a frame takes of the link that all workers share, in the busier
        direction."""
        return (
            max(task.in_bytes, task.out_bytes) / self.workers[task.worker].shared_link_bytes_per_s
        )

    def job_s(self, frames: int) -> float:
        """Seconds of `frames` frames, each given to the worker that ends it first."""
        ends = [(self.alone_s(task), number) for number, task in enumerate(self.tasks)]
        heapq.heapify(ends)
        last_s = link_s = 0.0
        for _ in range(min(frames, _COUNTED)):
            end_s, number = ends[0]
            if self._shared_link_s(self.tasks[number]):
                link_s += self._shared_link_s(self.tasks[number])
                end_s = max(end_s, link_s)
            last_s = max(last_s, end_s)
            heapq.heapreplace(ends, (end_s + self.interval_s(self.tasks[number]), number))
        return last_s + max(0, frames - _COUNTED) * self.period_s

    def shares(self, frames: int) -> tuple[float, ...]:
        """The part of a job's frames that each worker takes."""
        shares = [0.0] * len(self.workers)
        if frames == 1:
            shares[self.fastest.worker] = 1.0
        else:
            for task, rate in zip(self.tasks, self._rates(), strict=True):
                shares[task.worker] = self.period_s * rate
        return tuple(shares)

    def moved_bytes(self, frames: int) -> tuple[int, int]:
        """Bytes sent to workers outside this process and received from them, for each frame."""
        shares = self.shares(frames)
        remote = [
            task for task in self.tasks if math.isfinite(self.workers[task.worker].link_bytes_per_s)
        ]
        sent = sum(shares[task.worker] * task.in_bytes for task in remote)
        return round(sent), round(sum(shares[task.worker] * task.out_bytes for task in remote))

    def tile(self) -> Tile:
        """The only tile: a whole frame, for any of the workers."""
        seconds = [math.inf] * len(self.workers)
        for task in self.tasks:
            seconds[task.worker] = task.seconds
        return Tile(None, self.parts, tuple(seconds))


def frame_parallel(
    plans: WorkerPlans, workers: tuple[WorkerSpec, ...], *, picture: bool
) -> FrameParallel:
    """The workers that can take whole frames, each by the fastest plan that it can hold."""
    tasks: list[Task] = []
    parts: list[Plan | None] = []
    indices: dict[Kind, int | None] = {}
    for number, worker in enumerate(workers):
        kind, pareto = kind_of(worker), plans.pareto_plans(worker.threads)
        if kind not in indices:
            fitting = (
                index
                for index, needed in _needed_bytes(plans, worker, picture)
                if needed <= worker.budget_bytes
            )
            indices[kind] = next(fitting, None)
        index = indices[kind]
        if index is None:
            parts.append(None)
        else:
            seconds = worker.relative_time * pareto.seconds(index)
            tasks.append(Task(number, seconds, *plans.frame_bytes(picture=picture)))
            parts.append(_parts(plans, worker, index)[0])
    return FrameParallel(workers, tuple(tasks), tuple(parts))


def nothing_fits(
    plans: WorkerPlans, workers: tuple[WorkerSpec, ...], *, picture: bool
) -> BudgetError:
    """Names the smallest budget with which one of the workers could take whole frames."""
    smallest, number = min(
        (needed, number)
        for number, worker in enumerate(workers)
        for _, needed in _needed_bytes(plans, worker, picture)
    )
    worker = workers[number]
    return BudgetError(
        f"no worker can hold {plans.frame_name}: {worker.name}, with "
        f"{worker.budget_bytes / _MIB:.1f} MiB, needs {math.ceil(10 * smallest / _MIB) / 10} MiB",
        smallest,
    )


def _needed_bytes(
    plans: WorkerPlans, worker: WorkerSpec, picture: bool
) -> Iterator[tuple[int, int]]:
    """For each plan (its number, the smallest budget with which a worker takes whole frames)."""
    for index in plans.pareto_plans(worker.threads).indices():
        parts = _parts(plans, worker, index)
        demand = MemoryDemand(parts, *plans.frame_bytes(picture=picture))
        yield index, plans.needed_bytes(worker, demand, picture=picture)


def _parts(plans: WorkerPlans, worker: WorkerSpec, index: int) -> tuple[Plan, ...]:
    return plans.frame_parts(plans.pareto_plans(worker.threads).plan(index))
