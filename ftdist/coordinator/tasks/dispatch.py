"""Who gets which task: queues, one for each worker and some that workers share.

A task whose plan names a worker waits in that worker's queue. The others, and those of workers that
are gone, wait in shared queues, one for each set of seats that may take them. Older frames come
first. Nothing here looks through all tasks or all workers: an event wakes the workers it concerns,
and ``flush`` gives them what is ready.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain, islice

from ftdist.coordinator.jobs.flow import Task
from ftdist.coordinator.jobs.frames import Frame, State
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.tasks.loads import Load, Queue
from ftdist.coordinator.tasks.orders import Orders
from ftdist.coordinator.workers.seats import SeatedPlan, bits
from ftdist.protocol.messages import Place

_COMPARED = 4
"""Workers of each sort (idle, busy), the fastest, that are compared when tasks are few."""


class Dispatcher:
    """The queues. `parked`: frames of which a task fits no worker that is there. `unready`: workers
    for whom tasks wait whose weights they have not got. `to_come`: frames that have not begun, if
    there is no hurry with each of them."""

    def __init__(self, settings: Settings, orders: Orders, out: Outbox) -> None:
        self._settings = settings
        self._orders = orders
        self._out = out
        self._woken: dict[int, Load] = {}
        self._shared: dict[tuple[int, int, int], tuple[SeatedPlan, Queue]] = {}
        self._oldest: Frame | None = None
        self._held_up: dict[int, Load] = {}
        self._added = False
        self.unready: dict[int, Load] = {}
        self.to_come = 0
        self.parked: list[Frame] = []

    # ---- into the queues

    def enqueue(self, frame: Frame, number: int) -> None:
        """A task has all it needs: it waits for its worker, or for any that may take it."""
        plan = frame.plan
        task = plan.flow.tasks[number]
        frame.states[number] = State.QUEUED
        able = plan.able(task)
        if number in frame.troubles:
            able = able & ~frame.troubles[number].seats or able
        if not able:
            frame.parked.append(number)
            self.parked.append(frame)
        elif task.seat is not None and able >> task.seat & 1:
            load = self._orders.load_of(plan, task.seat)
            load.queue.push(frame, task)
            self.wake(load)
        else:
            if not able & plan.ready(task.stage):
                fastest = self._orders.load_of(plan, next(bits(able)))
                self._orders.prepare(fastest, plan.layers(task.stage))
            key = (plan.number, task.stage, able)
            if key not in self._shared:
                self._shared[key] = plan, Queue()
            self._shared[key][1].push(frame, task)
            self._added = True

    def enqueue_again(self, entries: Iterable[tuple[Frame, Task]]) -> None:
        """Whoever may take a task has changed: shared ones, and these, find their queues anew."""
        shared, self._shared = self._shared, {}
        for frame, task in entries:
            self.enqueue(frame, task.number)
        for _, queue in shared.values():
            for frame, task in queue.take_all():
                self.enqueue(frame, task.number)

    def unpark(self, plan: SeatedPlan) -> None:
        """A worker took a seat of the plan again: tasks that fitted nobody may fit it."""
        for frame in self._orders.frames:
            if frame.plan is plan:
                numbers, frame.parked = frame.parked, []
                for number in numbers:
                    self.enqueue(frame, number)

    def frames_changed(self) -> None:
        """A frame began or ended: workers may keep maps of others."""
        self._oldest = min(self._orders.frames, key=lambda each: each.order, default=None)
        self._woken.update(self._held_up)
        self._held_up.clear()

    def wake(self, load: Load) -> None:
        """Has the next ``flush`` see to a worker."""
        self._woken[load.worker.number] = load

    def wake_all(self) -> None:
        self._woken.update(self._orders.loads)

    # ---- out of the queues

    def flush(self) -> list[Load]:
        """Gives out what is ready; returns the workers that were woken and have nothing to do."""
        seen: dict[int, Load] = {}
        while True:
            while self._woken:
                number = next(iter(self._woken))
                load = self._woken.pop(number)
                if number in self._orders.loads:
                    seen[number] = load
                    self.unready.pop(number, None)
                    self._fill(load)
            self._added = False
            self._share()
            if not self._woken and not self._added:
                return [load for load in seen.values() if not load.given]

    def _fill(self, load: Load) -> None:
        """Gives a worker what waits for it, as far as it takes it."""
        while load.room and (entry := load.queue.first()) is not None:
            frame, task = entry
            plan = frame.plan
            seat = load.seats[plan]
            if not plan.ready(task.stage) >> seat & 1:
                self._orders.prepare(load, plan.layers(task.stage))
                self.unready[load.worker.number] = load
                return
            if task.keep and self._keeps_enough(load, frame):
                self._held_up[load.worker.number] = load
                return
            if not load.takes(task.sent_bytes) or not self._give(frame, task, load, seat):
                return

    def _keeps_enough(self, load: Load, frame: Frame) -> bool:
        """Whether a worker may not keep maps of one more frame; of the oldest it always may."""
        if frame in load.keeping or frame is self._oldest:
            return False
        return len(load.keeping) >= self._settings.kept_frames

    def _share(self) -> None:
        """Gives out what any of several workers may take, older frames first."""
        waiting = self.to_come + sum([len(queue) for _, queue in self._shared.values()])
        keys = list(self._shared)
        if len(keys) > 1:
            keys.sort(key=lambda key: self._shared[key][1].order)
        for key in keys:
            plan, queue = self._shared[key]
            while (entry := queue.first()) is not None:
                frame, task = entry
                seat = self._choose(plan, key[2] & plan.ready(key[1]), task, waiting)
                if seat is None:
                    break
                if not self._give(frame, task, self._orders.load_of(plan, seat), seat):
                    break
                waiting -= 1
            else:
                del self._shared[key]

    def _choose(self, plan: SeatedPlan, able: int, task: Task, waiting: int) -> int | None:
        """The seat, of those able, that should take a task now; None: it should wait.

        While so many wait that a free worker's share of them is a task or more, it takes one, an
        idle one first. When they are fewer, it is the worker that would end the task first; that
        may be worth waiting for.
        """
        free = able & plan.room
        if not free:
            return None
        shares = plan.plan.shares
        for seat in islice(chain(bits(free & plan.idle), bits(free & ~plan.idle)), _COMPARED):
            if waiting * shares[seat] >= 1 and self._takes(plan, seat, task):
                return seat
        idle, busy = able & plan.idle, able & plan.live & ~plan.idle
        seats = [*islice(bits(idle), _COMPARED), *islice(bits(busy), _COMPARED)]
        best = min(seats, key=lambda seat: self.end_s(plan, task, seat))
        return best if free >> best & 1 and self._takes(plan, best, task) else None

    def _takes(self, plan: SeatedPlan, seat: int, task: Task) -> bool:
        return self._orders.load_of(plan, seat).takes(task.input_bytes)

    def end_s(self, plan: SeatedPlan, task: Task, seat: int) -> float:
        """When a worker is predicted to end a task, given it now; who is late stays late."""
        load, now_s = self._orders.load_of(plan, seat), self._out.now_s
        free_s = max(load.free_s, 2 * now_s - load.free_s) if load.to_do else -math.inf
        arrives_s = now_s + load.worker.transfer_s(task.input_bytes)
        return max(free_s, arrives_s) + plan.seconds(task, seat)

    def _give(self, frame: Frame, task: Task, load: Load, seat: int) -> bool:
        """Gives a worker a task, or finds first what that lacks.

        Returns False, and the task stays where it is, if it is more than the worker takes now.
        """
        inputs = frame.inputs_for(task, load.worker.number)
        if inputs.missing:
            for producer in frame.await_maps(task.number, inputs.missing):
                self.restore(frame, producer, inputs.missing[producer])
        elif not load.takes(inputs.bytes):
            return False
        else:
            self._orders.assign(frame, task, load, seat, inputs)
        return True

    def restore(self, frame: Frame, producer: int, places: Iterable[Place]) -> None:
        """What a task made is wanted here: fetched from who keeps it, or made again, all of it."""
        loads = self._orders.loads
        keeper = frame.keeper(producer, loads)
        if keeper is not None:
            self._orders.fetch(frame, producer, loads[keeper], tuple(places))
        elif frame.states[producer] == State.DONE:
            frame.whole_only.add(producer)
            self.enqueue(frame, producer)
