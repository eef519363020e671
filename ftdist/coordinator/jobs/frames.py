"""One frame on its way: which of its tasks are done, and where their maps are.

A map's values are *held* here, as pieces that workers returned, or *kept* by the worker that made
them, or both. What is in neither place any more, because a worker was lost, is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.plans.task_graph import Task
from ftdist.network.graph import INPUT
from ftdist.protocol.limits import TENSORS
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.regions import gather, joined


class State(IntEnum):
    """What a task of a frame waits for."""

    BLOCKED = 0
    QUEUED = 1
    GIVEN = 2
    DONE = 3


@dataclass(slots=True)
class Inputs:
    """What a task is given: values, what its worker keeps already; and what is not to be had."""

    pieces: list[Piece] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    missing: dict[int, list[Place]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum([piece.data.nbytes for piece in self.pieces])


@dataclass(slots=True)
class Trouble:
    """What went wrong with a task of a frame."""

    words: list[str] = field(default_factory=list)
    slots: int = 0
    losses: int = 0
    weights: int = 0


class Frame:
    """A frame of a job under a plan; if that plan can no longer be followed, another Frame begins.

    `label` names it to workers together with its number: unique among all jobs and beginnings.
    `order`: frames of lower order come first. `makers`: by task, whose result was taken.
    """

    def __init__(
        self, job: str, label: str, order: tuple[int, int], plan: ActivePlan, inputs: list[Piece]
    ) -> None:
        self.graph = graph = plan.graph_of(order[1])
        self.job = job
        self.label = label
        self.order = order
        self.number = order[1]
        self.plan = plan
        self.inputs = inputs
        self.states = bytearray(len(graph.tasks))
        self.over = False
        self.begun_s: float | None = None
        self.sent_bytes = self.received_bytes = 0
        self.keepers: dict[int, None] = {}
        self.makers: dict[int, int] = {}
        self.troubles: dict[int, Trouble] = {}
        self.parked: list[int] = []
        self.whole_only: set[int] = set()
        self._waiting = list(graph.waiting)
        self._unread = list(graph.unread)
        self._left = len(graph.finals)
        self._made = bytearray(len(graph.tasks))
        self._secured = bytearray(len(graph.tasks))
        self._held: dict[int, list[Piece]] = {}
        self._kept: dict[int, list[int]] = {}
        self._awaited: dict[int, list[int]] = {}

    @property
    def finished(self) -> bool:
        return self._left == 0

    def inputs_for(self, task: Task, worker: int) -> Inputs:
        """What a worker must be given for a task."""
        found = Inputs()
        for need in task.needs:
            producer, place = need.producer, need.place
            if producer == INPUT:
                gather(self.inputs, place, found.pieces)
            elif worker in self._kept.get(producer, ()):
                found.kept.append(place)
            elif gather(self._held.get(producer, ()), place, found.pieces):
                found.missing.setdefault(producer, []).append(place)
        if len(found.pieces) > TENSORS:
            found.pieces = joined(found.pieces)
        return found

    def assigned(self, task: int, now_s: float, sent_bytes: int) -> None:
        """A task was given to a worker, with so many bytes over a wire."""
        self.states[task] = State.GIVEN
        self.sent_bytes += sent_bytes
        if self.begun_s is None:
            self.begun_s = now_s

    def keeper(self, producer: int, alive: Iterable[int]) -> int | None:
        """A worker that keeps what a task made, of those alive."""
        return next((each for each in self._kept.get(producer, ()) if each in alive), None)

    def distrust(self, worker: int) -> None:
        """A worker does not have what it should have kept."""
        for workers in self._kept.values():
            if worker in workers:
                workers.remove(worker)

    def accept(
        self, task: Task, pieces: list[Piece], worker: int, *, whole: bool, kept: bool
    ) -> list[int]:
        """Takes what a task made; returns the tasks that have all they need now."""
        number = task.number
        self.states[number] = State.DONE
        self.makers[number] = worker
        self._held[number] = pieces
        if kept:
            self._kept.setdefault(number, []).append(worker)
        freed = self._awaited.pop(number, [])
        if not self._made[number]:
            self._made[number] = 1
            self._left -= task.final
            freed += task.readers
        if whole:
            self._release(task)
        return self._free(freed)

    def fetched(self, producer: int, pieces: list[Piece]) -> list[int]:
        """Takes what a worker had kept; returns the tasks that have all they need now."""
        self._held.setdefault(producer, []).extend(pieces)
        return self._free(self._awaited.pop(producer, []))

    def await_maps(self, task: int, missing: Iterable[int]) -> list[int]:
        """The task waits for what these tasks made; returns those that nobody waited for before."""
        new = []
        self.states[task] = State.BLOCKED
        for producer in missing:
            if producer not in self._awaited:
                self._awaited[producer] = []
                new.append(producer)
            self._awaited[producer].append(task)
            self._waiting[task] += 1
        return new

    def awaited(self, producer: int) -> list[int]:
        """The tasks that wait for what a task made to be had again."""
        return self._awaited.get(producer, [])

    def results(self) -> list[Piece]:
        """The pieces of the network's outputs."""
        return [
            piece
            for number, sources in self.graph.finals
            for piece in self._held[number]
            if piece.source in sources
        ]

    def end(self) -> None:
        """Ends the frame and frees its maps."""
        self.over = True
        self.inputs = []
        self._held.clear()

    def trouble(self, task: int) -> Trouble:
        return self.troubles.setdefault(task, Trouble())

    def _free(self, tasks: list[int]) -> list[int]:
        ready = []
        waiting = self._waiting
        for task in tasks:
            waiting[task] -= 1
            if waiting[task] == 0 and self.states[task] == State.BLOCKED:
                ready.append(task)
        return ready

    def _release(self, task: Task) -> None:
        """All that a task made is held: what it was made from is not needed for it again."""
        if self._secured[task.number]:
            return
        self._secured[task.number] = 1
        tasks = self.graph.tasks
        for producer in task.producers:
            self._unread[producer] -= 1
            if self._unread[producer] == 0 and not tasks[producer].final:
                self._held.pop(producer, None)
