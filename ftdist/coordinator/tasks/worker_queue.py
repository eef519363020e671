"""What a worker is busy with: attempts given to it, tasks that wait for it, maps that it keeps."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from ftdist.coordinator.jobs.frames import Frame, State
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.workers.worker import Worker
from ftdist.planning.sharing.simulation import TASKS_AT_ONCE
from ftdist.protocol.records import TaskId


class ReadyTasks:
    """Tasks that are ready, in the order of frames and then of tasks."""

    __slots__ = ("_entries", "_pushed")

    def __init__(self) -> None:
        self._entries: list[tuple[tuple[int, int], int, int, Frame, Task]] = []
        self._pushed = 0

    def __len__(self) -> int:
        """How many at most: some may not be ready any more."""
        return len(self._entries)

    @property
    def order(self) -> tuple[tuple[int, int], int]:
        """Where its first entry stands among all tasks; it has one."""
        return self._entries[0][:2]

    def push(self, frame: Frame, task: Task) -> None:
        self._pushed += 1
        heapq.heappush(self._entries, (frame.order, task.number, self._pushed, frame, task))

    def first(self) -> tuple[Frame, Task] | None:
        """The first task that is still ready; it stays."""
        entries = self._entries
        while entries:
            _, number, _, frame, task = entries[0]
            if not frame.over and frame.states[number] == State.QUEUED:
                return frame, task
            heapq.heappop(entries)
        return None

    def pop(self) -> None:
        """Removes the first task."""
        heapq.heappop(self._entries)

    def take_all(self) -> list[tuple[Frame, Task]]:
        """Empties the queue."""
        found = []
        while (entry := self.first()) is not None:
            found.append(entry)
            self.pop()
        return found


@dataclass(slots=True, eq=False)
class WorkerQueue:
    """A worker's attempts (`given` in the order in which it does them), queue and slots.

    `keeping`: the frames whose maps it keeps. `free_s`: when it is predicted to have done all.
    `returning`: how many of those given have results on their way. `avoided`: it is far too slow at
    something.
    """

    worker: Worker
    waiting: ReadyTasks = field(default_factory=ReadyTasks)
    given: dict[TaskId, Attempt] = field(default_factory=dict)
    fetches: dict[TaskId, Attempt] = field(default_factory=dict)
    slots: dict[ActivePlan, int] = field(default_factory=dict)
    keeping: dict[Frame, None] = field(default_factory=dict)
    free_s: float = 0.0
    bytes: int = 0
    returning: int = 0
    avoided: bool = False

    @property
    def to_do(self) -> int:
        """Tasks that it was given and has not done, as far as that is known here.

        The oldest one does not count once its result has begun to arrive: otherwise a slow link
        would be idle in the other direction.
        """
        return len(self.given) - min(self.returning, 1)

    @property
    def room(self) -> bool:
        """Whether it is to have one more.

        Inputs come late at times over a link that others use too. They get weights as long as one
        alone has them, and then nobody else fills the time: one task more is on its way to it.
        """
        if self.to_do != TASKS_AT_ONCE or not self.worker.crowded:
            return self.to_do < TASKS_AT_ONCE
        return any(plan.alone_ready(slot) for plan, slot in self.slots.items())

    def takes(self, count_bytes: int) -> bool:
        """Whether it has credit for so many bytes more; a single task may be larger than it."""
        credit = self.worker.hello.credit_bytes
        return not self.to_do or self.bytes + count_bytes <= credit

    def give(self, attempt: Attempt) -> None:
        """One more task to do."""
        self.given[attempt.id] = attempt
        self.bytes += attempt.bytes
        self._tell_plans()

    def take_back(self, attempt: Attempt) -> None:
        """Takes a task from the worker."""
        del self.given[attempt.id]
        if attempt.returning:
            self.returning -= 1
        else:
            self.bytes -= attempt.bytes
        self._tell_plans()

    def returns(self, attempt: Attempt) -> None:
        """The result of a task has begun to come, so its inputs are used up."""
        attempt.returning = True
        self.returning += 1
        self.bytes -= attempt.bytes
        self._tell_plans()

    def bind(self, plan: ActivePlan, slot: int) -> None:
        """Binds the worker to a slot of a plan."""
        self.slots[plan] = slot
        plan.bind(self.worker, slot)
        plan.avoid(slot, self.avoided)
        self._tell_plans()

    def avoid(self, avoided: bool) -> None:
        """Whether other workers are preferred to this one, because it takes far too long."""
        self.avoided = avoided
        for plan, slot in self.slots.items():
            plan.avoid(slot, avoided)

    def _tell_plans(self) -> None:
        room, idle = self.room, self.to_do == 0
        for plan, slot in self.slots.items():
            plan.set_occupancy(slot, room=room, idle=idle)
