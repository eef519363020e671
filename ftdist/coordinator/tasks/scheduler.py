"""What becomes of tasks: results accepted once, failures and losses mended, stragglers helped.

The scheduler knows frames and workers, not jobs and clients. What others must know it leaves in
lists, which ``handover`` empties: frames that are `finished`, and workers that sent something
`wrong`; and what ``failures`` and ``dispatch`` leave.
"""

from __future__ import annotations

from ftdist.coordinator import timeline
from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks import helping
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.dispatch import Dispatcher
from ftdist.coordinator.tasks.failures import Failures
from ftdist.coordinator.tasks.loads import Load
from ftdist.coordinator.tasks.orders import Orders
from ftdist.coordinator.workers.seats import SeatedPlan
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.messages import Failed, Forget, Heartbeat, Result, TaskId

_STEP_BYTES = 128 << 10
"""The least by which a worker's believed baseline is raised when a task did not fit."""


class Scheduler:
    """Frames in flight and what workers do for them. `late`: results that came too late."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._out = out
        self.orders = Orders(settings, model, out)
        self.queues = Dispatcher(settings, self.orders, out)
        self.failures = Failures(settings, self.orders, self.queues, out)
        self.late = 0
        self.finished: list[Frame] = []
        self.wrong: list[tuple[Worker, str]] = []

    @property
    def notices(self) -> bool:
        """Whether something is left for others to do."""
        failures = self.failures
        return bool(
            self.finished
            or self.wrong
            or self.queues.parked
            or failures.hopeless
            or failures.beliefs_changed
        )

    # ---- frames

    def begin(self, frame: Frame) -> None:
        """A frame's inputs are here: its first tasks are ready."""
        self.orders.frames[frame] = {}
        self.queues.frames_changed()
        for number in frame.plan.flow.first:
            self.queues.enqueue(frame, number)

    def end(self, frame: Frame, before: int = 0) -> None:
        """Nothing of a frame is wanted any more, nor of its label's frames below `before`."""
        for attempts in list(self.orders.frames[frame].values()):
            for attempt in list(attempts):
                self.orders.cancel(attempt)
        del self.orders.frames[frame]
        frame.end()
        for number in frame.keepers:
            load = self.orders.loads.get(number)
            if load is not None:
                load.keeping.pop(frame, None)
                self._out.send(load.worker.peer, Forget(frame.label, before, (frame.number,)))
        self.queues.frames_changed()

    def flush(self) -> None:
        """Gives out what is ready; who has nothing to do helps, or takes over."""
        idle, patience_s = self.queues.flush(), self._settings.heartbeat_s
        for load in idle if self._settings.speculate else ():
            now_s = self._out.now_s
            late = helping.help_others(load, self.orders, self.queues, now_s, patience_s)
            if late is not None:
                self.failures.take_away(late)
                self.queues.flush()
                return

    # ---- workers

    def join(self, worker: Worker) -> Load:
        """A worker may be given tasks from now on."""
        load = self.orders.loads[worker.number] = Load(worker)
        return load

    @property
    def idle(self) -> bool:
        """Whether no worker has anything to do or to get."""
        loads = self.orders.loads.values()
        return not any(load.given or load.fetches or load.worker.fetching for load in loads)

    def untouched(self, worker: Worker) -> bool:
        """Whether a worker was given nothing yet."""
        load = self.orders.loads[worker.number]
        return not (load.given or load.fetches or load.keeping or worker.finished)

    def stuck(self, now_s: float, deaf_s: float) -> list[Worker]:
        """The workers that have something to do and make no progress, heard since `deaf_s`."""
        found = []
        for load in self.orders.loads.values():
            worker = load.worker
            busy = load.given or worker.fetching or not worker.measured
            limit_s = self._settings.stuck_after_s + 2 * worker.transfer_s(load.bytes)
            if busy and now_s - max(worker.progress_s, deaf_s) > limit_s:
                found.append(worker)
        return found

    def sit(self, load: Load, plan: SeatedPlan, seat: int) -> None:
        """A worker takes a seat of a plan, and what waits there."""
        load.sit(plan, seat)
        self.queues.unpark(plan)
        self.queues.wake(load)

    def ready(self, worker: Worker) -> None:
        """A worker has more weights than before."""
        load = self.orders.loads.get(worker.number)
        if load is not None:
            for plan, seat in load.seats.items():
                plan.update_ready(worker, seat)
            self.queues.wake(load)

    def heartbeat(self, worker: Worker, message: Heartbeat) -> None:
        """A worker that has no task has none of those that were dropped either."""
        load = self.orders.loads.get(worker.number)
        if load is not None and message.tasks == 0 and self.orders.has_no_tasks(load):
            self._freed(load)

    def moved(self, worker: Worker, left_bytes: int, begun: TaskId | None) -> bool:
        """Bytes move to or from a worker: what it has under way is not late for that.

        `left_bytes` are on their way to it; results that it has begun to send may be as large as
        they were planned. Until both could be here it is not expected to have ended anything.
        Returns whether that made room for another task: a result has begun to come.
        """
        load = self.orders.loads.get(worker.number)
        if load is None:
            return False
        soonest_s = self._out.now_s + worker.transfer_s(left_bytes)
        for each in load.given.values():
            rest_s = worker.transfer_s(each.task.returned_bytes)
            rest_s += each.predicted_s if left_bytes else 0.0
            each.expected_s = max(each.expected_s, soonest_s + rest_s)
        attempt = None if begun is None else load.given.get(begun)
        return attempt is not None and self._returns(load, attempt)

    def _returns(self, load: Load, attempt: Attempt) -> bool:
        """A result has begun to come: while it travels its worker does the next tasks."""
        if attempt.returning:
            return False
        self.orders.returns(attempt)
        self.queues.wake(load)
        return True

    def lose(self, worker: Worker) -> int:
        """A worker is gone: others get its tasks; returns how many."""
        load = self.orders.loads.pop(worker.number, None)
        if load is None:
            return 0
        for plan, seat in load.seats.items():
            plan.leave(seat)
        self.queues.unready.pop(worker.number, None)
        entries = load.queue.take_all()
        count = len(entries)
        for position, attempt in enumerate((*load.given.values(), *load.fetches.values())):
            if attempt.dropped_s is None:
                self.orders.close(attempt)
                count += not attempt.fetch
                if not position and not attempt.fetch:
                    self.failures.lost(attempt)
                self.failures.again(attempt)
        self.queues.enqueue_again(entries)
        return count

    # ---- results

    def result(self, worker: Worker, message: Result) -> None:
        """A worker sends what it made, or part of it."""
        worker.peak_bytes = max(worker.peak_bytes, message.peak_bytes)
        attempt = self._attempt(worker, message)
        if attempt is None:
            return
        problem = attempt.collector.take(message.pieces)
        if not problem and not message.more and not attempt.collector.whole:
            problem = "a result that lacks something"
        if problem:
            self.wrong.append((worker, f"sent a wrong result: {problem}"))
        elif attempt.fetch and not message.more:
            self._fetched(attempt)
        elif not message.more:
            self._accept(attempt, message)
        elif not attempt.fetch:
            self._returns(self.orders.loads[worker.number], attempt)

    def _attempt(self, worker: Worker, message: Result | Failed) -> Attempt | None:
        """The attempt that a message answers, unless it is one that is not wanted any more."""
        load = self.orders.loads.get(worker.number)
        attempt = None
        if load is not None:
            attempt = load.given.get(message.task) or load.fetches.get(message.task)
        if load is not None and attempt is not None and attempt.dropped_s is not None:
            self.orders.done(attempt)
            self._freed(load)
            attempt = None
        if attempt is None:
            self.late += 1
        return attempt

    def _accept(self, attempt: Attempt, message: Result) -> None:
        """The first whole result of a task; other attempts at it are over."""
        frame, task, worker = attempt.frame, attempt.task, attempt.worker
        self._free(attempt)
        worker.finished += 1
        worker.progress_s = self._out.now_s
        taken_s = min(message.ended_s - message.started_s, self._out.now_s - attempt.sent_s)
        worker.learn(frame.plan.base_seconds(task, attempt.seat), taken_s)
        if self._settings.trace:
            self._out.actions += timeline.spans(attempt, message, self._out.now_s)
        if not worker.local:
            frame.received_bytes += attempt.received_bytes
        for other in self.orders.frames[frame].pop(task.number, ()):
            self.orders.cancel(other)
            if other.expected_s < self._out.now_s:
                self.failures.set_aside(other)
        ready = frame.accept(
            task, attempt.collector.pieces, worker.number, whole=attempt.whole, kept=attempt.keep
        )
        if frame.finished:
            self.finished.append(frame)
            return
        for number in ready:
            self.queues.enqueue(frame, number)

    def _fetched(self, attempt: Attempt) -> None:
        frame, worker = attempt.frame, attempt.worker
        self._free(attempt)
        if not worker.local:
            frame.received_bytes += attempt.received_bytes
        for number in frame.fetched(attempt.task.number, attempt.collector.pieces):
            self.queues.enqueue(frame, number)

    def _free(self, attempt: Attempt) -> None:
        """A worker is no longer at an attempt."""
        load = self.orders.loads[attempt.worker.number]
        if attempt.fetch:
            del load.fetches[attempt.id]
            self.orders.close(attempt)
        else:
            self.orders.done(attempt)
            self._freed(load)

    def _freed(self, load: Load) -> None:
        """A worker has room again; if it was slow, it has come to an end with that."""
        if load.avoided and not any(a.dropped_s is not None for a in load.given.values()):
            load.avoid(False)
        self.queues.wake(load)

    def failed(self, worker: Worker, message: Failed) -> None:
        """A worker could not do a task."""
        attempt = self._attempt(worker, message)
        if attempt is not None:
            self._free(attempt)
            self.failures.failed(attempt, message)
