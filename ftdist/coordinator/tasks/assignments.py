"""What workers are told to do, and the books on it: who was given what, each task's attempts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ftdist.coordinator.jobs.frames import Frame, Inputs
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.worker_queue import WorkerQueue
from ftdist.protocol.records import Place, TaskId
from ftdist.protocol.regions import MapForm
from ftdist.protocol.worker_messages import Assign, Cancel, Fetch, Prepare

_ATTEMPTS = 1 << 24
"""Attempts are numbered below this, then from 0 again."""


class Assignments:
    """Workers' queues by number, frames with their attempts by task, attempts by age."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._model = model
        self._out = out
        self._forms = {
            number: MapForm(layer.shape.channels, np.dtype(np.float32))
            for number, layer in enumerate(model.network.layers)
        }
        self._next_attempt = 0
        self.queues: dict[int, WorkerQueue] = {}
        self.frames: dict[Frame, dict[int, list[Attempt]]] = {}
        self.running: dict[Attempt, None] = {}

    def queue_of(self, plan: ActivePlan, slot: int) -> WorkerQueue:
        """The queue of the worker on a slot that is taken."""
        worker = plan.workers[slot]
        assert worker is not None
        return self.queues[worker.number]

    def assign(
        self, frame: Frame, task: Task, queue: WorkerQueue, slot: int, inputs: Inputs
    ) -> None:
        """Sends a worker a task."""
        now_s, plan, worker, number = self._out.now_s, frame.plan, queue.worker, task.number
        whole = task.slot != slot or number in frame.whole_only
        attempt = self._attempt(frame, task, queue, slot, task.outputs if whole else task.returns)
        attempt.whole = whole or task.whole
        attempt.keep = task.keep and task.slot == slot
        attempt.uses_kept = bool(inputs.kept)
        attempt.bytes = inputs.bytes
        attempt.predicted_s = plan.seconds(task, slot)
        arrives_s = now_s + worker.transfer_s(attempt.bytes)
        queue.free_s = max(queue.free_s, arrives_s) + attempt.predicted_s
        attempt.expected_s = queue.free_s + worker.transfer_s(task.returned_bytes)
        if not queue.given:
            worker.progress_s = now_s
        queue.give(attempt)
        worker.left_bytes += 0 if worker.local else attempt.bytes
        if attempt.keep:
            queue.keeping[frame] = None
            frame.keepers[worker.number] = None
        frame.assigned(number, now_s, 0 if worker.local else attempt.bytes)
        self.running[attempt] = None
        self._send_assign(attempt, inputs)

    def _send_assign(self, attempt: Attempt, inputs: Inputs) -> None:
        task, slot = attempt.task, attempt.slot
        part = task.tile.parts[slot]
        assert part is not None and part.region is not None
        message = Assign(
            task=attempt.id,
            model=self._model.digest,
            groups=attempt.frame.plan.groups(task, slot),
            region=part.region,
            threads=part.threads,
            pieces=tuple(inputs.pieces),
            kept=tuple(inputs.kept),
            returns=attempt.places,
            keep=attempt.keep,
            arithmetic=part.arithmetic,
        )
        self._out.send(attempt.worker.peer, message)

    def fetch(
        self, frame: Frame, producer: int, queue: WorkerQueue, places: tuple[Place, ...]
    ) -> None:
        """Asks a worker for what it keeps of what a task made."""
        task = frame.graph.tasks[producer]
        attempt = self._attempt(frame, task, queue, queue.slots[frame.plan], places)
        attempt.fetch = True
        queue.fetches[attempt.id] = attempt
        self._out.send(queue.worker.peer, Fetch(attempt.id, places))

    def cancel(self, attempt: Attempt) -> None:
        """Cancels an attempt; it takes the worker's room until it is known to have stopped."""
        self.close(attempt)
        if attempt.fetch:
            del self.queues[attempt.worker.number].fetches[attempt.id]
        else:
            attempt.dropped_s = self._out.now_s
            self._out.send(attempt.worker.peer, Cancel(attempt.id))

    def prepare(self, queue: WorkerQueue, layers: Iterable[int]) -> None:
        """Tells a worker to get the weights of layers, unless it has them or was told."""
        worker = queue.worker
        missing = set(layers) - worker.layers - worker.asked_layers
        if missing:
            if not worker.asked_layers:
                worker.progress_s = worker.loading_s = self._out.now_s
            worker.asked_layers |= missing
            digest, header_bytes = self._model.digest, self._model.header_bytes
            self._out.send(worker.peer, Prepare(digest, header_bytes, tuple(sorted(missing))))

    # ---- what becomes of them

    def done(self, attempt: Attempt) -> None:
        """A worker has ended a task, and with it those dropped that came before it."""
        queue = self.queues[attempt.worker.number]
        for each in list(queue.given.values()):
            if each is attempt:
                break
            if each.dropped_s is not None:
                queue.take_back(each)
        queue.take_back(attempt)
        self.close(attempt)
        self._expect(queue)

    def returns(self, attempt: Attempt) -> None:
        """A worker has done a task whose result is on its way."""
        queue = self.queues[attempt.worker.number]
        queue.returns(attempt)
        self._expect(queue)

    def _expect(self, queue: WorkerQueue) -> None:
        to_do = [each.predicted_s for each in queue.given.values() if not each.returning]
        queue.free_s = self._out.now_s + sum(to_do)

    def close(self, attempt: Attempt) -> None:
        """The attempt no longer counts for its task."""
        self.running.pop(attempt, None)
        attempts = self.frames.get(attempt.frame, {}).get(attempt.task.number, [])
        if attempt in attempts:
            attempts.remove(attempt)

    def has_no_tasks(self, queue: WorkerQueue) -> bool:
        """A worker says that it has no task: those dropped a while ago had not begun.

        Returns whether there were such.
        """
        on_its_way_s = 2 * queue.worker.transfer_s(queue.bytes)
        before_s = self._out.now_s - self._settings.heartbeat_s - on_its_way_s
        idle = [
            a for a in queue.given.values() if a.dropped_s is not None and a.dropped_s < before_s
        ]
        for attempt in idle:
            queue.take_back(attempt)
        return bool(idle)

    def _attempt(
        self, frame: Frame, task: Task, queue: WorkerQueue, slot: int, places: tuple[Place, ...]
    ) -> Attempt:
        number = self._next_attempt
        self._next_attempt = (number + 1) % _ATTEMPTS
        id_ = TaskId(frame.label, frame.number, task.stage, task.index, number)
        now_s = self._out.now_s
        attempt = Attempt(id_, frame, task, queue.worker, slot, places, self._forms, now_s)
        self.frames[frame].setdefault(task.number, []).append(attempt)
        return attempt
