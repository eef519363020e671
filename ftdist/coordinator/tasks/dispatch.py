"""Which worker gets which task: a queue for each worker, and some that workers share.

A task whose plan names a worker waits in that worker's queue. The others, and those of workers that
are gone, wait in shared queues, one for each set of slots that may take them. Older frames come
first. Nothing here looks through all tasks or all workers: an event wakes the workers it concerns,
and ``flush`` gives them what is ready.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain, islice

from ftdist.coordinator.jobs.frames import Frame, State
from ftdist.coordinator.notices import Parked
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.plans.active_plan import ActivePlan, bits
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.tasks.assignments import Assignments
from ftdist.coordinator.tasks.worker_queue import ReadyTasks, WorkerQueue
from ftdist.protocol.records import Place

_COMPARED = 4
"""Workers of each sort (idle, busy), the fastest, that are compared when tasks are few."""


class Dispatcher:
    """The queues. `unready`: workers with waiting tasks whose weights they do not have yet.

    `to_come`: frames that have not begun, if there is no hurry with each of them."""

    def __init__(self, settings: Settings, assignments: Assignments, out: Outbox) -> None:
        self._settings = settings
        self._assignments = assignments
        self._out = out
        self._woken: dict[int, WorkerQueue] = {}
        self._shared: dict[tuple[int, int, int], tuple[ActivePlan, ReadyTasks]] = {}
        self._oldest: Frame | None = None
        self._held_up: dict[int, WorkerQueue] = {}
        self._added = False
        self.unready: dict[int, WorkerQueue] = {}
        self.to_come = 0

    # ---- into the queues

    def enqueue(self, frame: Frame, number: int) -> None:
        """A task has all it needs: it waits for its worker, or for any that may take it."""
        plan = frame.plan
        task = frame.graph.tasks[number]
        frame.states[number] = State.QUEUED
        able = plan.able(task)
        if number in frame.troubles:
            able = able & ~frame.troubles[number].slots or able
        if not able:
            frame.parked.append(number)
            self._out.note(Parked(frame))
        elif task.slot is not None and able >> task.slot & 1:
            queue = self._assignments.queue_of(plan, task.slot)
            queue.waiting.push(frame, task)
            self.wake(queue)
        else:
            if not able & plan.ready(task.stage):
                fastest = self._assignments.queue_of(plan, next(bits(able)))
                self._assignments.prepare(fastest, plan.layers(task.stage))
            key = (plan.number, task.stage, able)
            if key not in self._shared:
                self._shared[key] = plan, ReadyTasks()
            self._shared[key][1].push(frame, task)
            self._added = True

    def enqueue_again(self, entries: Iterable[tuple[Frame, Task]]) -> None:
        """Who may take which task has changed: puts shared tasks, and these, into queues again."""
        shared, self._shared = self._shared, {}
        for frame, task in entries:
            self.enqueue(frame, task.number)
        for _, tasks in shared.values():
            for frame, task in tasks.take_all():
                self.enqueue(frame, task.number)

    def unpark(self, plan: ActivePlan) -> None:
        """A worker is bound to the plan again: tasks that fitted no worker may fit this one."""
        for frame in self._assignments.frames:
            if frame.plan is plan:
                numbers, frame.parked = frame.parked, []
                for number in numbers:
                    self.enqueue(frame, number)

    def frames_changed(self) -> None:
        """A frame began or ended: workers may keep maps of others."""
        self._oldest = min(self._assignments.frames, key=lambda each: each.order, default=None)
        self._woken.update(self._held_up)
        self._held_up.clear()

    def wake(self, queue: WorkerQueue) -> None:
        """Has the next ``flush`` see to a worker."""
        self._woken[queue.worker.number] = queue

    def wake_all(self) -> None:
        self._woken.update(self._assignments.queues)

    # ---- out of the queues

    def flush(self) -> list[WorkerQueue]:
        """Gives out what is ready; returns the workers that were woken and have nothing to do."""
        seen: dict[int, WorkerQueue] = {}
        while True:
            while self._woken:
                number = next(iter(self._woken))
                queue = self._woken.pop(number)
                if number in self._assignments.queues:
                    seen[number] = queue
                    self.unready.pop(number, None)
                    self._fill(queue)
            self._added = False
            self._share()
            if not self._woken and not self._added:
                return [queue for queue in seen.values() if not queue.given]

    def _fill(self, queue: WorkerQueue) -> None:
        """Gives a worker what waits for it, as far as it takes it."""
        while queue.room and (entry := queue.waiting.first()) is not None:
            frame, task = entry
            plan = frame.plan
            slot = queue.slots[plan]
            if not plan.ready(task.stage) >> slot & 1:
                self._assignments.prepare(queue, plan.layers(task.stage))
                self.unready[queue.worker.number] = queue
                return
            if task.keep and self._keeps_enough(queue, frame):
                self._held_up[queue.worker.number] = queue
                return
            if not queue.takes(task.sent_bytes) or not self._give(frame, task, queue, slot):
                return

    def _keeps_enough(self, queue: WorkerQueue, frame: Frame) -> bool:
        """Whether a worker may not keep maps of one more frame; of the oldest it always may."""
        if frame in queue.keeping or frame is self._oldest:
            return False
        return len(queue.keeping) >= self._settings.kept_frames

    def _share(self) -> None:
        """Gives out what any of several workers may take, older frames first."""
        waiting = self.to_come + sum([len(tasks) for _, tasks in self._shared.values()])
        keys = list(self._shared)
        if len(keys) > 1:
            keys.sort(key=lambda key: self._shared[key][1].order)
        for key in keys:
            plan, tasks = self._shared[key]
            while (entry := tasks.first()) is not None:
                frame, task = entry
                slot = self._choose(plan, key[2] & plan.ready(key[1]), task, waiting)
                if slot is None:
                    break
                if not self._give(frame, task, self._assignments.queue_of(plan, slot), slot):
                    break
                waiting -= 1
            else:
                del self._shared[key]

    def _choose(self, plan: ActivePlan, able: int, task: Task, waiting: int) -> int | None:
        """The slot, of those able, that should take a task now; None: it should wait.

        While so many wait that a free worker's share of them is a task or more, it takes one, an
        idle one first. When they are fewer, it is the worker that would end the task first; that
        may be worth waiting for.
        """
        free = able & plan.room
        if not free:
            return None
        shares = plan.plan.shares
        for slot in islice(chain(bits(free & plan.idle), bits(free & ~plan.idle)), _COMPARED):
            if waiting * shares[slot] >= 1 and self._takes(plan, slot, task):
                return slot
        idle, busy = able & plan.idle, able & plan.live & ~plan.idle
        slots = [*islice(bits(idle), _COMPARED), *islice(bits(busy), _COMPARED)]
        best = min(slots, key=lambda slot: self.end_s(plan, task, slot))
        return best if free >> best & 1 and self._takes(plan, best, task) else None

    def _takes(self, plan: ActivePlan, slot: int, task: Task) -> bool:
        return self._assignments.queue_of(plan, slot).takes(task.input_bytes)

    def end_s(self, plan: ActivePlan, task: Task, slot: int) -> float:
        """When a worker is predicted to end a task, given it now; a late worker stays late."""
        queue, now_s = self._assignments.queue_of(plan, slot), self._out.now_s
        free_s = max(queue.free_s, 2 * now_s - queue.free_s) if queue.to_do else -math.inf
        arrives_s = now_s + queue.worker.transfer_s(task.input_bytes)
        return max(free_s, arrives_s) + plan.seconds(task, slot)

    def _give(self, frame: Frame, task: Task, queue: WorkerQueue, slot: int) -> bool:
        """Gives a worker a task, or finds first what that lacks.

        Returns False, and the task stays where it is, if it is more than the worker takes now.
        """
        inputs = frame.inputs_for(task, queue.worker.number)
        if inputs.missing:
            for producer in frame.await_maps(task.number, inputs.missing):
                self.restore(frame, producer, inputs.missing[producer])
        elif not queue.takes(inputs.bytes):
            return False
        else:
            self._assignments.assign(frame, task, queue, slot, inputs)
        return True

    def restore(self, frame: Frame, producer: int, places: Iterable[Place]) -> None:
        """Gets what a task made from the worker that keeps it, or else by running it again."""
        queues = self._assignments.queues
        keeper = frame.keeper(producer, queues)
        if keeper is not None:
            self._assignments.fetch(frame, producer, queues[keeper], tuple(places))
        elif frame.states[producer] == State.DONE:
            frame.whole_only.add(producer)
            self.enqueue(frame, producer)
