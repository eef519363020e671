"""What becomes of tasks: results accepted once, failures and losses mended, stragglers helped.

The scheduler knows frames and workers, not jobs and clients. What others must know it leaves in
lists, which ``handover`` empties: frames that are `finished`, those that are `hopeless` with the
last words of the workers that failed, and workers that sent something `wrong`.
"""

from __future__ import annotations

from ftdist.coordinator import helping, timeline
from ftdist.coordinator.attempts import Attempt
from ftdist.coordinator.dispatch import Dispatcher
from ftdist.coordinator.frames import Frame
from ftdist.coordinator.loads import Load
from ftdist.coordinator.messages import Failed, Forget, Heartbeat, Result
from ftdist.coordinator.orders import Orders
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.seats import SeatedPlan
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.workers import Worker

_MIB = 1 << 20

_STEP_BYTES = 128 << 10
"""The least by which a worker's believed baseline is raised when a task did not fit."""


class Scheduler:
    """Frames in flight and what workers do for them. `late`: results dropped for coming too late.

    `beliefs_changed`: a worker needs more memory than was believed, so plans should be made anew;
    `remark` says so to people until that is done.
    """

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._out = out
        self.orders = Orders(settings, model, out)
        self.queues = Dispatcher(settings, self.orders, out)
        self.late = 0
        self.finished: list[Frame] = []
        self.hopeless: list[tuple[Frame, list[str]]] = []
        self.wrong: list[tuple[Worker, str]] = []
        self.beliefs_changed = False
        self.remark = ""

    @property
    def notices(self) -> bool:
        """Whether something is left for others to do."""
        queues = self.queues
        return bool(
            self.finished or self.hopeless or self.wrong or queues.parked or self.beliefs_changed
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
        """Gives out what is ready; who has nothing to do helps."""
        idle = self.queues.flush()
        if self._settings.speculate:
            for load in idle:
                helping.help_others(load, self.orders, self.queues, self._out.now_s)

    # ---- workers

    def join(self, worker: Worker) -> Load:
        """A worker may be given tasks from now on."""
        load = self.orders.loads[worker.number] = Load(worker)
        return load

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
            self.queues.wake(load)

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
                    self._blame_for_loss(attempt)
                self._again(attempt)
        self.queues.enqueue_again(entries)
        return count

    def _blame_for_loss(self, attempt: Attempt) -> None:
        """The worker was lost over this task: what kills every worker is not tried for ever."""
        trouble = attempt.frame.trouble(attempt.task.number)
        trouble.losses += 1
        if trouble.losses >= self._settings.losses:
            words = f"{trouble.losses} workers were lost while they had {_named(attempt)}"
            self.hopeless.append((attempt.frame, [words]))

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

    def _attempt(self, worker: Worker, message: Result | Failed) -> Attempt | None:
        """The attempt that a message answers, unless it is one that is not wanted any more."""
        load = self.orders.loads.get(worker.number)
        attempt = None
        if load is not None:
            attempt = load.given.get(message.task) or load.fetches.get(message.task)
        if load is not None and attempt is not None and attempt.dropped_s is not None:
            self.orders.done(attempt)
            self.queues.wake(load)
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
            self.queues.wake(load)

    # ---- failures

    def failed(self, worker: Worker, message: Failed) -> None:
        """A worker could not do a task."""
        attempt = self._attempt(worker, message)
        if attempt is None:
            return
        self._free(attempt)
        frame, task = attempt.frame, attempt.task
        trouble = frame.trouble(task.number)
        reason = message.reason
        if reason == "weights":
            trouble.weights += 1
        if attempt.fetch or (reason == "kept" and attempt.uses_kept):
            frame.distrust(worker.number)
        elif reason == "weights" and trouble.weights < self._settings.attempts:
            self._lacks_weights(attempt)
        elif reason == "memory":
            self._lacks_memory(attempt, message)
        else:
            worker.failed += 1
            trouble.words.append(f"{worker.name}: {message.text}")
            trouble.seats |= 1 << attempt.seat
            self._out.log(f"worker {worker.name}: {_named(attempt)} failed: {message.text}")
            if len(trouble.words) >= self._settings.attempts:
                self.hopeless.append((frame, trouble.words))
                return
        self._again(attempt)

    def _lacks_weights(self, attempt: Attempt) -> None:
        """The worker does not have weights any more that it had."""
        worker, load = attempt.worker, self.orders.loads[attempt.worker.number]
        layers = attempt.frame.plan.layers(attempt.task.stage)
        worker.layers -= layers
        for plan, seat in load.seats.items():
            plan.update_ready(worker, seat)
        self.orders.prepare(load, layers)

    def _lacks_memory(self, attempt: Attempt, message: Failed) -> None:
        """A task needs more than was predicted: never again there, and plans are made anew."""
        worker, budget_bytes = attempt.worker, attempt.worker.hello.budget_bytes
        worker.failed += 1
        if not attempt.frame.plan.ban(attempt.task, attempt.seat):
            return  # the same task of another frame, given before that was known
        self.queues.enqueue_again(self.orders.loads[worker.number].queue.take_all())
        missing = max(message.needed_bytes - budget_bytes, _STEP_BYTES)
        believed = attempt.frame.plan.traits[attempt.seat].baseline_bytes  # by this very plan
        worker.baseline_bytes = max(worker.baseline_bytes, believed + missing)
        self.beliefs_changed = True
        self.remark = (
            f"worker {worker.name}: {_named(attempt)} needs {message.needed_bytes / _MIB:.1f} MiB "
            f"of {budget_bytes / _MIB:.1f}: {message.text}; it is planned smaller"
        )
        self._out.log(self.remark)

    def _again(self, attempt: Attempt) -> None:
        """An attempt came to nothing: unless there is another one, a new one is made."""
        frame, number = attempt.frame, attempt.task.number
        if frame.over:
            return
        if attempt.fetch:
            if frame.awaited(number):
                self.queues.restore(frame, number, attempt.places)
        elif not self.orders.frames[frame].get(number):
            self.queues.enqueue(frame, number)


def _named(attempt: Attempt) -> str:
    id_ = attempt.id
    return f"task {id_.stage}.{id_.tile} of frame {id_.frame}"
