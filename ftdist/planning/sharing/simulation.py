"""When tasks of several workers end: list scheduling over processors and links, as in a cluster.

The coordinator gives a worker its next task when the worker has fewer than two tasks and all tasks
that make its inputs have returned their results. Among several such tasks the coordinator takes the
first one, by frame and by place in the plan. Inputs travel down the worker's link and results up,
one after another in each direction. A worker computes one task at a time and receives the next one
meanwhile, which takes half of what a task costs beside its arithmetic. Workers exchange maps
through the coordinator.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ftdist.planning.sharing.plan import WorkerSpec

TASK_S = 0.6e-3
"""Seconds that a task costs a worker of relative time 1 beside its arithmetic: for messages and
arrays. Estimated when the cluster was built; no benchmark repeats it."""

BYTE_S = 1e-9
"""Seconds that each byte received or sent costs such a worker: for sockets and copies. Estimated in
the same way."""

TASKS_AT_ONCE = 2
"""Tasks that a worker has at a time: one runs, one is prefetched."""


@dataclass(slots=True)
class Task:
    """One tile of one frame: its arithmetic on its worker, what travels, and what it waits for.

    `makers`: the numbers of the tasks that make its inputs; all are earlier in the list.
    """

    worker: int
    seconds: float
    in_bytes: int = 0
    out_bytes: int = 0
    makers: list[int] = field(default_factory=list)

    def busy_s(self, worker: WorkerSpec) -> float:
        """Seconds that the task keeps the worker's processor busy."""
        beside_s = TASK_S + BYTE_S * (self.in_bytes + self.out_bytes)
        if math.isinf(worker.link_bytes_per_s):
            beside_s = TASK_S
        return self.seconds + worker.relative_time * beside_s


@dataclass(frozen=True, slots=True)
class Simulation:
    """When the last result of each frame arrived, in seconds."""

    ends_s: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """Seconds until the last frame's last result."""
        return self.ends_s[-1]


class _Run:
    """The state of a simulation: frames of the same tasks, up to `in_flight` at the same time."""

    def __init__(
        self, tasks: Sequence[Task], workers: Sequence[WorkerSpec], frames: int, in_flight: int
    ) -> None:
        self.tasks, self.workers, self.frames, self.in_flight = tasks, workers, frames, in_flight
        self.busy_s = [task.busy_s(workers[task.worker]) for task in tasks]
        self.readers: list[list[int]] = [[] for _ in tasks]
        for number, task in enumerate(tasks):
            for maker in task.makers:
                self.readers[maker].append(number)
        count = len(workers)
        self.missing: dict[int, list[int]] = {}
        self.left: dict[int, int] = {}
        self.ready: list[list[tuple[int, int]]] = [[] for _ in workers]
        self.room = [TASKS_AT_ONCE] * count
        self.down, self.up, self.free = [0.0] * count, [0.0] * count, [0.0] * count
        self.shared_down = self.shared_up = 0.0
        self.results: list[tuple[float, int, int]] = []
        self.ends_s = [0.0] * frames

    def begin(self, frame: int) -> set[int]:
        """Begins a frame; returns the workers that may have something to do now."""
        self.missing[frame] = [len(task.makers) for task in self.tasks]
        self.left[frame] = len(self.tasks)
        touched = set()
        for number, count in enumerate(self.missing[frame]):
            if not count:
                touched.add(self._is_ready(frame, number))
        return touched

    def assign(self, worker: int, now_s: float) -> None:
        """Gives a worker as many ready tasks as it may have."""
        spec, ready = self.workers[worker], self.ready[worker]
        while self.room[worker] and ready:
            frame, number = heapq.heappop(ready)
            task = self.tasks[number]
            self.room[worker] -= 1
            rate, latency_s = spec.link_bytes_per_s, spec.latency_s
            self.down[worker] = max(now_s, self.down[worker]) + task.in_bytes / rate
            shared_rate = spec.shared_link_bytes_per_s
            if shared_rate < math.inf:
                self.shared_down = max(now_s, self.shared_down) + task.in_bytes / shared_rate
                self.down[worker] = max(self.down[worker], self.shared_down)
            opened_s = self.down[worker] + latency_s + spec.relative_time * TASK_S / 2
            start_s = max(opened_s, self.free[worker])
            self.free[worker] = start_s + self.busy_s[number]
            self.up[worker] = max(self.free[worker], self.up[worker]) + task.out_bytes / rate
            if shared_rate < math.inf:
                self.shared_up = (
                    max(self.shared_up, self.free[worker]) + task.out_bytes / shared_rate
                )
                self.up[worker] = max(self.up[worker], self.shared_up)
            heapq.heappush(self.results, (self.up[worker] + latency_s, frame, number))

    def accept(self) -> None:
        """Takes the next result, and gives out the tasks that waited for it."""
        now_s, frame, number = heapq.heappop(self.results)
        worker = self.tasks[number].worker
        self.room[worker] += 1
        touched = {worker} | self._done_for(frame, self.readers[number])
        self.left[frame] -= 1
        if not self.left[frame]:
            self.ends_s[frame] = now_s
            del self.missing[frame]
            if frame + self.in_flight < self.frames:
                touched |= self.begin(frame + self.in_flight)
        for each in sorted(touched):
            self.assign(each, now_s)

    def _done_for(self, frame: int, readers: list[int]) -> set[int]:
        """Notes one more input of these tasks; returns the workers whose tasks now have all
        inputs."""
        missing, touched = self.missing[frame], set()
        for reader in readers:
            missing[reader] -= 1
            if not missing[reader]:
                touched.add(self._is_ready(frame, reader))
        return touched

    def _is_ready(self, frame: int, number: int) -> int:
        worker = self.tasks[number].worker
        heapq.heappush(self.ready[worker], (frame, number))
        return worker


def simulate(
    tasks: Sequence[Task], workers: Sequence[WorkerSpec], frames: int = 1, in_flight: int = 1
) -> Simulation:
    """Simulates `frames` frames of the same tasks, up to `in_flight` at the same time.

    Of several ready tasks the one that is earlier in the list is given out first.
    """
    run = _Run(tasks, workers, frames, in_flight)
    for frame in range(min(frames, in_flight)):
        run.begin(frame)
    for worker in range(len(workers)):
        run.assign(worker, 0.0)
    while run.results:
        run.accept()
    return Simulation(tuple(run.ends_s))


def at_work_s(tasks: Sequence[Task], workers: Sequence[WorkerSpec]) -> tuple[float, ...]:
    """Seconds until each worker's last result, if the worker never waits for others."""
    first, last = [0.0] * len(workers), [0.0] * len(workers)
    for task in tasks:
        rate = workers[task.worker].link_bytes_per_s
        first[task.worker] = first[task.worker] or task.in_bytes / rate
        last[task.worker] = task.out_bytes / rate
    used = _used_s(tasks, workers)
    return tuple(
        max(first[number] + busy + last[number], down, up)
        for number, (busy, down, up) in enumerate(used)
    )


def busiest_s(tasks: Sequence[Task], workers: Sequence[WorkerSpec]) -> float:
    """The most seconds that a frame keeps any processor or link busy: no period is shorter."""
    return max(shared_link_s(tasks, workers), *(max(used) for used in _used_s(tasks, workers)))


def shared_link_s(tasks: Sequence[Task], workers: Sequence[WorkerSpec]) -> float:
    """Seconds that a frame keeps the shared link busy, in the busier direction."""
    down = sum([task.in_bytes / workers[task.worker].shared_link_bytes_per_s for task in tasks])
    up = sum([task.out_bytes / workers[task.worker].shared_link_bytes_per_s for task in tasks])
    return max(down, up)


def _used_s(tasks: Sequence[Task], workers: Sequence[WorkerSpec]) -> list[list[float]]:
    """For each worker the seconds that a frame keeps its processor and its link, down and up,
    busy."""
    used = [[0.0, 0.0, 0.0] for _ in workers]
    for task in tasks:
        worker, mine = workers[task.worker], used[task.worker]
        mine[0] += task.busy_s(worker)
        mine[1] += task.in_bytes / worker.link_bytes_per_s
        mine[2] += task.out_bytes / worker.link_bytes_per_s
    return used
