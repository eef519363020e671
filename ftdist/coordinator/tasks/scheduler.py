"""What becomes of tasks: results accepted once, failures and losses mended, stragglers helped.

The scheduler knows frames and workers, not jobs and clients; what others must know are ``notices``.
"""

from __future__ import annotations

import math

from ftdist.coordinator import trace_spans
from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.notices import Finished, Misbehaved
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks import speculation
from ftdist.coordinator.tasks.assignments import Assignments
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.dispatch import Dispatcher
from ftdist.coordinator.tasks.failures import Failures
from ftdist.coordinator.tasks.worker_queue import WorkerQueue
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.records import TaskId
from ftdist.protocol.worker_messages import Failed, Forget, Heartbeat, Result


class Scheduler:
    """Frames in flight and what workers do for them. `late`: results that came too late.
    `shared_moved_s`: when bytes last moved on a link that workers share."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._out = out
        self.assignments = Assignments(settings, model, out)
        self.dispatcher = Dispatcher(settings, self.assignments, out)
        self.failures = Failures(settings, self.assignments, self.dispatcher, out)
        self.late = 0
        self.shared_moved_s = -math.inf

    # ---- frames

    def begin(self, frame: Frame) -> None:
        """A frame's inputs are here: its first tasks are ready."""
        self.assignments.frames[frame] = {}
        self.dispatcher.frames_changed()
        for number in frame.graph.first:
            self.dispatcher.enqueue(frame, number)

    def end(self, frame: Frame, before: int = 0) -> None:
        """Ends a frame: cancels its attempts; workers drop its maps, and those of the job's
        frames below `before`."""
        for attempts in list(self.assignments.frames[frame].values()):
            for attempt in list(attempts):
                self.assignments.cancel(attempt)
        del self.assignments.frames[frame]
        frame.end()
        for number in frame.keepers:
            queue = self.assignments.queues.get(number)
            if queue is not None:
                queue.keeping.pop(frame, None)
                self._out.send(queue.worker.peer, Forget(frame.label, before, (frame.number,)))
        self.dispatcher.frames_changed()

    def flush(self) -> None:
        """Gives out what is ready; idle workers then repeat or take over what is late."""
        idle, patience_s = self.dispatcher.flush(), self._settings.heartbeat_s
        for queue in idle if self._settings.speculate else ():
            now_s = self._out.now_s
            shared_moves = now_s - self.shared_moved_s < patience_s
            late = speculation.speculate(
                queue,
                self.assignments,
                self.dispatcher,
                now_s,
                patience_s,
                shared_moves=shared_moves,
            )
            if late is not None:
                self.failures.take_away(late)
                self.dispatcher.flush()
                return

    # ---- workers

    def join(self, worker: Worker) -> WorkerQueue:
        """A worker may be given tasks from now on."""
        queue = self.assignments.queues[worker.number] = WorkerQueue(worker)
        return queue

    @property
    def idle(self) -> bool:
        """Whether no worker has anything to do or to get."""
        queues = self.assignments.queues.values()
        return not any(queue.given or queue.fetches or queue.worker.fetching for queue in queues)

    def untouched(self, worker: Worker) -> bool:
        """Whether a worker was given nothing yet."""
        queue = self.assignments.queues[worker.number]
        return not (queue.given or queue.fetches or queue.keeping or worker.finished)

    def stuck(self, now_s: float, deaf_s: float) -> list[Worker]:
        """The workers that have something to do and make no progress, heard since `deaf_s`.

        Over a shared link one gets its weights after another: whoever waits is not stuck.
        """
        found = []
        for queue in self.assignments.queues.values():
            worker = queue.worker
            busy = queue.given or worker.fetching or not worker.measured
            limit_s = self._settings.stuck_after_s + 2 * worker.transfer_s(queue.bytes)
            since_s = max(worker.progress_s, deaf_s)
            if worker.crowded and not queue.given:
                since_s = max(since_s, self.shared_moved_s)
            if busy and now_s - since_s > limit_s:
                found.append(worker)
        return found

    def bind(self, queue: WorkerQueue, plan: ActivePlan, slot: int) -> None:
        """Binds a worker to a slot of a plan, and gives it what waits there."""
        queue.bind(plan, slot)
        self.dispatcher.unpark(plan)
        self.dispatcher.wake(queue)

    def ready(self, worker: Worker) -> None:
        """A worker has more weights than before."""
        queue = self.assignments.queues.get(worker.number)
        if queue is not None:
            for plan, slot in queue.slots.items():
                plan.update_ready(worker, slot)
            self.dispatcher.wake(queue)

    def heartbeat(self, worker: Worker, message: Heartbeat) -> None:
        """A worker that has no task has none of those that were dropped either."""
        queue = self.assignments.queues.get(worker.number)
        if queue is not None and message.tasks == 0 and self.assignments.has_no_tasks(queue):
            self._freed(queue)

    def moved(self, worker: Worker, left_bytes: int, begun: TaskId | None) -> bool:
        """Bytes move to or from a worker: what it has under way is not late for that.

        `left_bytes` are on their way to it; results that it has begun to send may be as large as
        they were planned. Until both could be here it is not expected to have ended anything.
        Returns whether that made room for another task: a result has begun to come.
        """
        worker.left_bytes = left_bytes
        if worker.crowded:
            self.shared_moved_s = self._out.now_s
        queue = self.assignments.queues.get(worker.number)
        if queue is None:
            return False
        soonest_s = self._out.now_s + worker.transfer_s(left_bytes)
        for each in queue.given.values():
            rest_s = worker.transfer_s(each.task.returned_bytes)
            rest_s += each.predicted_s if left_bytes else 0.0
            each.expected_s = max(each.expected_s, soonest_s + rest_s)
        attempt = None if begun is None else queue.given.get(begun)
        return attempt is not None and self._returns(queue, attempt)

    def _returns(self, queue: WorkerQueue, attempt: Attempt) -> bool:
        """A result has begun to come: while it travels its worker does the next tasks."""
        if attempt.returning:
            return False
        self.assignments.returns(attempt)
        self.dispatcher.wake(queue)
        return True

    def lose(self, worker: Worker) -> int:
        """A worker is gone: others get its tasks; returns how many."""
        queue = self.assignments.queues.pop(worker.number, None)
        if queue is None:
            return 0
        for plan, slot in queue.slots.items():
            plan.unbind(slot)
        self.dispatcher.unready.pop(worker.number, None)
        entries = queue.waiting.take_all()
        count = len(entries)
        for position, attempt in enumerate((*queue.given.values(), *queue.fetches.values())):
            if attempt.dropped_s is None:
                self.assignments.close(attempt)
                count += not attempt.fetch
                if not position and not attempt.fetch:
                    self.failures.lost(attempt)
                self.failures.again(attempt)
        self.dispatcher.enqueue_again(entries)
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
            self._out.note(Misbehaved(worker, f"sent a wrong result: {problem}"))
        elif attempt.fetch and not message.more:
            self._fetched(attempt)
        elif not message.more:
            self._accept(attempt, message)
        elif not attempt.fetch:
            self._returns(self.assignments.queues[worker.number], attempt)

    def _attempt(self, worker: Worker, message: Result | Failed) -> Attempt | None:
        """The attempt that a message answers, unless it is one that is not wanted any more."""
        queue = self.assignments.queues.get(worker.number)
        attempt = None
        if queue is not None:
            attempt = queue.given.get(message.task) or queue.fetches.get(message.task)
        if queue is not None and attempt is not None and attempt.dropped_s is not None:
            self.assignments.done(attempt)
            self._freed(queue)
            attempt = None
        if attempt is None:
            self.late += 1
        return attempt

    def _accept(self, attempt: Attempt, message: Result) -> None:
        """The first whole result of a task; other attempts at it are over."""
        frame, task, worker = attempt.frame, attempt.task, attempt.worker
        self._free(attempt)
        worker.finished += 1
        self._out.totals.tasks += 1
        worker.progress_s = self._out.now_s
        taken_s = min(message.ended_s - message.started_s, self._out.now_s - attempt.sent_s)
        worker.learn(frame.plan.base_seconds(task, attempt.slot), taken_s)
        if self._settings.trace:
            self._out.actions += trace_spans.spans(attempt, message, self._out.now_s)
        if not worker.local:
            frame.received_bytes += attempt.received_bytes
        for other in self.assignments.frames[frame].pop(task.number, ()):
            self.assignments.cancel(other)
            if other.expected_s < self._out.now_s:
                self.failures.set_aside(other)
        ready = frame.accept(
            task, attempt.collector.pieces, worker.number, whole=attempt.whole, kept=attempt.keep
        )
        if frame.finished:
            self._out.note(Finished(frame))
            return
        for number in ready:
            self.dispatcher.enqueue(frame, number)

    def _fetched(self, attempt: Attempt) -> None:
        frame, worker = attempt.frame, attempt.worker
        self._free(attempt)
        if not worker.local:
            frame.received_bytes += attempt.received_bytes
        for number in frame.fetched(attempt.task.number, attempt.collector.pieces):
            self.dispatcher.enqueue(frame, number)

    def _free(self, attempt: Attempt) -> None:
        """Frees a worker of an attempt."""
        queue = self.assignments.queues[attempt.worker.number]
        if attempt.fetch:
            del queue.fetches[attempt.id]
            self.assignments.close(attempt)
        else:
            self.assignments.done(attempt)
            self._freed(queue)

    def _freed(self, queue: WorkerQueue) -> None:
        """A worker has room again; one that was avoided as slow has ended what it was slow at."""
        if queue.avoided and not any(a.dropped_s is not None for a in queue.given.values()):
            queue.avoid(False)
        self.dispatcher.wake(queue)

    def failed(self, worker: Worker, message: Failed) -> None:
        """A worker could not do a task."""
        attempt = self._attempt(worker, message)
        if attempt is not None:
            self._free(attempt)
            self.failures.failed(attempt, message)
