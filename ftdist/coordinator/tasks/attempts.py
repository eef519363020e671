"""One attempt at a task, or at fetching what a worker keeps: from the order to its last piece."""

from __future__ import annotations

from collections.abc import Mapping

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.plans.task_graph import Task
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.records import Place, TaskId
from ftdist.protocol.regions import Collector, MapForm


class Attempt:
    """What one worker was told to do and send; `collector` takes what it sends.

    `whole`: it sends all that the task makes. `keep`: it keeps it. `uses_kept`: it reads what it
    kept. `fetch`: nothing is computed. `returning`: its result has begun to come. `bytes` of inputs
    were sent. `expected_s`: when the result is predicted to be here. `dropped_s`: since when its
    result is not wanted any more; the worker may still be at it.
    """

    __slots__ = (
        "bytes", "collector", "dropped_s", "expected_s", "fetch", "frame", "id", "keep", "places",
        "predicted_s", "returning", "sent_s", "slot", "task", "uses_kept", "whole", "worker",
    )  # fmt: skip

    def __init__(
        self,
        task_id: TaskId,
        frame: Frame,
        task: Task,
        worker: Worker,
        slot: int,
        places: tuple[Place, ...],
        forms: Mapping[int, MapForm],
        sent_s: float,
    ) -> None:
        self.id = task_id
        self.frame = frame
        self.task = task
        self.worker = worker
        self.slot = slot
        self.places = places
        self.collector = Collector(places, forms)
        self.sent_s = self.expected_s = sent_s
        self.dropped_s: float | None = None
        self.predicted_s = 0.0
        self.bytes = 0
        self.whole = self.keep = self.uses_kept = self.fetch = self.returning = False

    def __str__(self) -> str:
        """What it is about, for people."""
        plan, stage = self.frame.plan, self.id.stage
        tiles = len(plan.plan.stages[stage])
        tile = f", tile {self.id.tile + 1} of {tiles}" if tiles > 1 else ""
        return f"frame {self.id.frame}, {layers_named(*plan.graph.layers[stage])}{tile}"

    @property
    def received_bytes(self) -> int:
        return sum([piece.data.nbytes for piece in self.collector.pieces])


def layers_named(first: int, stop: int) -> str:
    """Layers [first, stop), for people."""
    return f"layer {first}" if stop - first == 1 else f"layers {first}..{stop - 1}"
