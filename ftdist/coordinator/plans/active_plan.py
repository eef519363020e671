"""A plan in use: who is bound to which of its slots, and, as bits of numbers, who may take what.

Sets of slots are integers with a bit for each, so that "who of those that may is free and has the
weights" is an ``&``. Slots are in order of speed, the fastest first: planning is asked that way.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftdist.coordinator.plans.task_graph import Task, TaskGraph
from ftdist.coordinator.settings import ModelInfo
from ftdist.coordinator.workers.worker import Worker
from ftdist.planning.sharing.plan import SharedPlan, WorkerSpec
from ftdist.protocol.records import Group


class ActivePlan:
    """A plan and the workers it was made for.

    `many`: it was made for many frames. `live`, `room`, `idle`: slots whose worker is there, takes
    one more task, has none.
    """

    def __init__(
        self,
        number: int,
        plan: SharedPlan,
        specs: tuple[WorkerSpec, ...],
        model: ModelInfo,
        *,
        picture: bool,
        many: bool,
    ) -> None:
        self.number = number
        self.plan = plan
        self.specs = specs
        self.picture = picture
        self.many = many
        self._bands = bands = model.bands
        band = None if bands is None else bands.input(bands.inner)
        self.graph = TaskGraph(model.network, plan, picture=picture, band=band)
        self.live = self.room = self.idle = 0
        self._avoided = 0
        self.workers: list[Worker | None] = [None] * len(specs)
        self._layers = [model.layers_between(*each) for each in self.graph.layers]
        self._planned = [self._layers_of(slot) for slot in range(len(specs))]
        self._ready = [0] * len(self._layers)
        self._banned: dict[int, int] = {}
        self._groups: dict[tuple[int, int], tuple[Group, ...]] = {}

    def graph_of(self, frame: int) -> TaskGraph:
        """The tasks of a frame: those of the plan, of a band moved to its place."""
        if self._bands is None:
            return self.graph
        return self.graph.moved(self._bands.region(frame), self._bands.input(frame))

    def bind(self, worker: Worker, slot: int) -> None:
        """Binds a worker to a slot."""
        self.workers[slot] = worker
        self.live |= 1 << slot
        self.update_ready(worker, slot)

    def unbind(self, slot: int) -> None:
        """Frees the slot of a worker that is gone."""
        self.workers[slot] = None
        gone = ~(1 << slot)
        self.live &= gone
        self.room &= gone
        self.idle &= gone
        self._ready = [ready & gone for ready in self._ready]

    def slot_for(self, worker: Worker) -> int | None:
        """The free slot of a worker that came back as it was."""
        for slot, spec in enumerate(self.specs):
            new = worker.spec
            if self.workers[slot] is None and new.name == spec.name:
                same = (new.budget_bytes, new.threads) == (spec.budget_bytes, spec.threads)
                room = new.baseline_bytes <= spec.baseline_bytes
                if same and room and new.credit_bytes >= spec.credit_bytes:
                    return slot
        return None

    def avoid(self, slot: int, avoided: bool) -> None:
        """Others are preferred to the worker of a slot, or no longer."""
        bit = 1 << slot
        self._avoided = self._avoided | bit if avoided else self._avoided & ~bit

    def set_occupancy(self, slot: int, *, room: bool, idle: bool) -> None:
        """Notes whether the worker of a slot takes one more task, and whether it has none."""
        bit = 1 << slot
        self.room = self.room | bit if room else self.room & ~bit
        self.idle = self.idle | bit if idle else self.idle & ~bit

    # ---- weights

    def _layers_of(self, slot: int) -> frozenset[int]:
        stages = {
            task.stage
            for task in self.graph.tasks
            if task.slot == slot or (task.slot is None and task.able >> slot & 1)
        }
        return frozenset().union(*(self._layers[stage] for stage in sorted(stages)))

    def update_ready(self, worker: Worker, slot: int) -> None:
        """Notes for which stages a worker has the weights."""
        bit = 1 << slot
        for stage, layers in enumerate(self._layers):
            if layers <= worker.layers:
                self._ready[stage] |= bit
            else:
                self._ready[stage] &= ~bit

    def ready(self, stage: int) -> int:
        """The slots that have the weights of a stage."""
        return self._ready[stage]

    def alone_ready(self, slot: int) -> bool:
        """Whether the worker of a slot has weights of some stage, and no other one there has."""
        return any(self._ready) and not any(ready & ~(1 << slot) for ready in self._ready)

    def layers(self, stage: int) -> frozenset[int]:
        """The layers of a stage that have weights."""
        return self._layers[stage]

    def planned_layers(self, slot: int) -> frozenset[int]:
        """The weights that a slot needs if all goes as planned."""
        return self._planned[slot]

    @property
    def all_ready(self) -> bool:
        """Whether all workers that are there have the weights they need if all goes as planned."""
        return all(
            self._planned[slot] <= worker.layers
            for slot, worker in enumerate(self.workers)
            if worker is not None
        )

    # ---- tasks

    def able(self, task: Task) -> int:
        """The slots of workers that are there and may take a task, of those that are not avoided
        if there are any."""
        able = task.able & self.live & ~self._banned.get(task.number, 0)
        return able & ~self._avoided or able

    def ban(self, task: Task, slot: int) -> bool:
        """The worker of a slot never takes this task again; returns whether that is new."""
        banned = self._banned.get(task.number, 0)
        self._banned[task.number] = banned | 1 << slot
        return not banned >> slot & 1

    def seconds(self, task: Task, slot: int) -> float:
        """Predicted time of a task's arithmetic on a slot, at its worker's speed of today."""
        worker = self.workers[slot]
        planned = self.specs[slot].relative_time
        pace = worker.relative_time / planned if worker is not None and planned > 0 else 1.0
        return task.tile.seconds[slot] * pace

    def base_seconds(self, task: Task, slot: int) -> float:
        """What the profile says of a task's time on a slot, for a worker as fast as the profile."""
        planned = self.specs[slot].relative_time
        return task.tile.seconds[slot] / planned if planned > 0 else 0.0

    def groups(self, task: Task, slot: int) -> tuple[Group, ...]:
        """A task's groups as a message names them."""
        found = self._groups.get((task.number, slot))
        if found is None:
            part = task.tile.parts[slot]
            assert part is not None
            found = self._groups[task.number, slot] = tuple(
                Group(g.first, g.stop, g.rows, g.columns, g.strip or 0, g.streamed, g.slices)
                for g in part.groups
            )
        return found


def bits(mask: int) -> Iterator[int]:
    """The slots of a set, ascending: fastest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
