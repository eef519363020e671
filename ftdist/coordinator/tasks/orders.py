"""Orders to workers, and the books on them: who was given what, and which attempts a task has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ftdist.coordinator.jobs.flow import Task
from ftdist.coordinator.jobs.frames import Frame, Inputs
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.loads import Load
from ftdist.coordinator.workers.seats import SeatedPlan
from ftdist.protocol.messages import Assign, Cancel, Fetch, Place, Prepare, TaskId
from ftdist.protocol.regions import MapForm

_ATTEMPTS = 1 << 24
"""Attempts are numbered below this, then from 0 again."""


class Orders:
    """Workers' loads by number, frames with their attempts by task, attempts by age."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._model = model
        self._out = out
        self._forms = {
            number: MapForm(layer.shape.channels, np.dtype(np.float32))
            for number, layer in enumerate(model.network.layers)
        }
        self._next_attempt = 0
        self.loads: dict[int, Load] = {}
        self.frames: dict[Frame, dict[int, list[Attempt]]] = {}
        self.running: dict[Attempt, None] = {}

    def load_of(self, plan: SeatedPlan, seat: int) -> Load:
        """The load of the worker on a seat that is taken."""
        worker = plan.workers[seat]
        assert worker is not None
        return self.loads[worker.number]

    def assign(self, frame: Frame, task: Task, load: Load, seat: int, inputs: Inputs) -> None:
        """Sends a worker a task."""
        now_s, plan, worker, number = self._out.now_s, frame.plan, load.worker, task.number
        whole = task.seat != seat or number in frame.whole_only
        attempt = self._attempt(frame, task, load, seat, task.outputs if whole else task.returns)
        attempt.whole = whole or task.whole
        attempt.keep = task.keep and task.seat == seat
        attempt.uses_kept = bool(inputs.kept)
        attempt.bytes = inputs.bytes
        attempt.predicted_s = plan.seconds(task, seat)
        arrives_s = now_s + worker.transfer_s(attempt.bytes)
        load.free_s = max(load.free_s, arrives_s) + attempt.predicted_s
        attempt.expected_s = load.free_s + worker.transfer_s(task.returned_bytes)
        if not load.given:
            worker.progress_s = now_s
        load.give(attempt)
        if attempt.keep:
            load.keeping[frame] = None
            frame.keepers[worker.number] = None
        frame.assigned(number, now_s, 0 if worker.local else attempt.bytes)
        self.running[attempt] = None
        self._send_assign(attempt, inputs)

    def _send_assign(self, attempt: Attempt, inputs: Inputs) -> None:
        task, seat = attempt.task, attempt.seat
        part = task.tile.parts[seat]
        assert part is not None
        message = Assign(
            task=attempt.id,
            model=self._model.digest,
            groups=attempt.frame.plan.groups(task, seat),
            region=part.region,
            threads=part.threads,
            pieces=tuple(inputs.pieces),
            kept=tuple(inputs.kept),
            returns=attempt.places,
            keep=attempt.keep,
        )
        self._out.send(attempt.worker.peer, message)

    def fetch(self, frame: Frame, producer: int, load: Load, places: tuple[Place, ...]) -> None:
        """Asks a worker for what it keeps of what a task made."""
        task = frame.plan.flow.tasks[producer]
        attempt = self._attempt(frame, task, load, load.seats[frame.plan], places)
        attempt.fetch = True
        load.fetches[attempt.id] = attempt
        self._out.send(load.worker.peer, Fetch(attempt.id, places))

    def cancel(self, attempt: Attempt) -> None:
        """A result is no longer wanted; until the worker is known not to be at it, it counts."""
        self.close(attempt)
        if attempt.fetch:
            del self.loads[attempt.worker.number].fetches[attempt.id]
        else:
            attempt.dropped_s = self._out.now_s
            self._out.send(attempt.worker.peer, Cancel(attempt.id))

    def prepare(self, load: Load, layers: Iterable[int]) -> None:
        """Tells a worker to get the weights of layers, unless it has them or was told."""
        worker = load.worker
        missing = set(layers) - worker.layers - worker.asked_layers
        if missing:
            if not worker.asked_layers:
                worker.progress_s = worker.loading_s = self._out.now_s
            worker.asked_layers |= missing
            digest, header_bytes = self._model.digest, self._model.header_bytes
            self._out.send(worker.peer, Prepare(digest, header_bytes, tuple(sorted(missing))))

    # ---- what becomes of them

    def done(self, attempt: Attempt) -> None:
        """A worker is no longer at a task, nor at those dropped that came before it."""
        load = self.loads[attempt.worker.number]
        for each in list(load.given.values()):
            if each is attempt:
                break
            if each.dropped_s is not None:
                load.take_back(each)
        load.take_back(attempt)
        self.close(attempt)
        self._expect(load)

    def returns(self, attempt: Attempt) -> None:
        """A worker has done a task whose result is on its way."""
        load = self.loads[attempt.worker.number]
        load.returns(attempt)
        self._expect(load)

    def _expect(self, load: Load) -> None:
        to_do = [each.predicted_s for each in load.given.values() if not each.returning]
        load.free_s = self._out.now_s + sum(to_do)

    def close(self, attempt: Attempt) -> None:
        """The attempt no longer counts for its task."""
        self.running.pop(attempt, None)
        attempts = self.frames.get(attempt.frame, {}).get(attempt.task.number, [])
        if attempt in attempts:
            attempts.remove(attempt)

    def has_no_tasks(self, load: Load) -> bool:
        """A worker says that it has no task: those dropped a while ago had not begun.

        Returns whether there were such.
        """
        on_its_way_s = 2 * load.worker.transfer_s(load.bytes)
        before_s = self._out.now_s - self._settings.heartbeat_s - on_its_way_s
        idle = [
            a for a in load.given.values() if a.dropped_s is not None and a.dropped_s < before_s
        ]
        for attempt in idle:
            load.take_back(attempt)
        return bool(idle)

    def _attempt(
        self, frame: Frame, task: Task, load: Load, seat: int, places: tuple[Place, ...]
    ) -> Attempt:
        number = self._next_attempt
        self._next_attempt = (number + 1) % _ATTEMPTS
        id_ = TaskId(frame.label, frame.number, task.stage, task.index, number)
        now_s = self._out.now_s
        attempt = Attempt(id_, frame, task, load.worker, seat, places, self._forms, now_s)
        self.frames[frame].setdefault(task.number, []).append(attempt)
        return attempt
