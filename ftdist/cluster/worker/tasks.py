"""One task on a worker: inputs put together, programs made, the budget kept, outputs cut.

The budget is checked against what the process holds at that moment. A task that would exceed it is
answered with Failed and figures; before that, memory that is free but not given back goes, what can
be made again is let go, and results that are still being sent are waited for.
"""

from __future__ import annotations

import time
import weakref
from dataclasses import replace

import numpy as np

from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.task_inputs import Refused, Task, gathered, refuse_unmade, stored_pieces
from ftdist.errors import FtdistError
from ftdist.network.graph import INPUT
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import Footprint, footprint
from ftdist.planning.lowering.regions import region_bytes
from ftdist.planning.plan import GroupPlan, Plan, check
from ftdist.planning.steps import split
from ftdist.protocol.limits import TENSORS
from ftdist.protocol.pieces import Array, assembled, cut_out, lies_whole, parcels, whole_in
from ftdist.protocol.records import Piece, Place, TaskId
from ftdist.protocol.worker_messages import Assign, Failed, Fetch, Result
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.memory import (
    format_size,
    peak_resident_bytes,
    resident_and_peak_bytes,
    resident_bytes,
)
from ftdist.runtime.runner import Runner

RESULT_BYTES = 1 << 20
"""About the most bytes of pieces in one message of a result: others get their turn between."""

_LOWERED, _LOWERED_BYTES = 64, 2 << 20
_SENDING_S = 600.0
"""How long a task waits for memory that results take until they are sent; links may be slow."""

_LOOK_AGAIN_S = 0.02


class TaskRunner:
    """Runs one task at a time within the budget of the whole process."""

    def __init__(self, budget_bytes: int, credit_bytes: int, threads: int) -> None:
        self._budget_bytes = budget_bytes
        self._credit_bytes = credit_bytes
        self._threads = threads
        self._runner: Runner | None = None
        self._parts: dict[tuple[Plan, bool], Lowered] = {}
        self._sending: list[weakref.ref[Array]] = []
        self._peak_bytes = 0

    @property
    def progress(self) -> int:
        """Grows while kernels work."""
        runner = self._runner
        return 0 if runner is None else runner.progress

    def release_memory(self) -> None:
        """Gives back all that later tasks would make again."""
        if self._runner is not None:
            self._runner.close()
        self._runner = None
        self._parts.clear()
        trim_heap()

    def run(self, task: Task, waiting_bytes: int) -> list[Result | Failed]:
        """Does a task: its result in parts, or why it failed.

        `waiting_bytes`: inputs of the tasks that wait behind it, in memory already.
        """
        name = task.assign.task
        try:
            return [*self._results(task, waiting_bytes)]
        except Refused as error:
            return [Failed(name, error.reason, str(error), error.needed_bytes)]
        except MemoryError:
            self.release_memory()
            text = f"out of memory, with {format_size(resident_bytes())} held"
            return [Failed(name, "memory", text, self._budget_bytes + 1)]
        except FtdistError as error:
            return [Failed(name, "error", str(error), 0)]
        except Exception as error:
            return [Failed(name, "error", f"a fault, please report it: {error!r}", 0)]

    def _results(self, task: Task, waiting_bytes: int) -> list[Result]:
        started_s = time.monotonic()
        self._still_sending()
        runner, lowered = self._runner_of(task.model), self._lowered(task)
        refuse_unmade(task.assign.returns, lowered)
        sources = gathered(task, lowered)
        waiting_bytes += task.held_bytes
        task.assign = replace(task.assign, pieces=())
        returns = task.assign.returns
        roomy = self._keep_budget(task.model, lowered, sources, returns, waiting_bytes)
        keep = frozenset(task.model.blobs) if roomy else frozenset()
        runner.prepare(lowered, keep=keep, most_block_bytes=None if roomy else 0)
        inputs = {
            source: assembled(Place(source, lowered.inputs[source]), sources.pop(source))
            for source in list(sources)
        }
        outputs = runner.run(lowered, inputs)
        inputs.clear()
        ended_s = time.monotonic()
        name = task.assign.task
        made = [Piece(source, lowered.outputs[source], outputs[source]) for source in outputs]
        pieces, copies = cut_out(made, returns)
        self._sending += [weakref.ref(array) for array in copies]
        if task.assign.keep:
            for piece in made:
                task.maps.add(name.job, name.frame, piece)
        else:
            self._sending += [weakref.ref(array) for array in outputs.values()]
        times_s = task.received_s, started_s, ended_s
        return results(name, pieces, times_s, self._peak_bytes)

    def _runner_of(self, model: Model) -> Runner:
        if self._runner is None or self._runner.model is not model:
            self.release_memory()
            self._runner = Runner(model, threads=self._threads)
        return self._runner

    def _lowered(self, task: Task) -> Lowered:
        part = part_of(task.assign, self._threads)
        network, pieces = task.model.network, task.assign.pieces
        picture = any(p.source == INPUT and p.data.dtype == np.uint8 for p in pieces)
        found = self._parts.get((part, picture))
        if found is None:
            check(part, network)
            steps = replace(part, groups=split(network, part.groups))
            found = lower(network, steps, task.model.offsets, picture=picture)
            self._parts[part, picture] = found
            self._forget_oldest_parts()
        return found

    def _forget_oldest_parts(self) -> None:
        """Forgets how parts were lowered, the oldest first, when there are too many."""
        held = sum(each.program_bytes for each in self._parts.values())
        while len(self._parts) > 1 and (len(self._parts) > _LOWERED or held > _LOWERED_BYTES):
            held -= self._parts.pop(next(iter(self._parts))).program_bytes

    def _keep_budget(
        self,
        model: Model,
        lowered: Lowered,
        sources: dict[int, list[Piece]],
        returns: tuple[Place, ...],
        waiting_bytes: int,
    ) -> bool:
        """Whether weights and memory of other parts may stay; Refused when it cannot fit."""
        give_up_s = time.monotonic() + _SENDING_S

        def needed(*, roomy: bool) -> int:
            taken = self._footprint(model, lowered, sources, returns, waiting_bytes)
            weights, block = self._runner_of(model).to_hold(lowered, others=roomy)
            more = block - taken.block_bytes
            taken = replace(taken, weights=weights, boundary_maps=taken.boundary_maps + more)
            return taken.peak_bytes

        if needed(roomy=True) <= self._budget_bytes:
            return True
        trim_heap()
        if needed(roomy=True) <= self._budget_bytes:
            return True
        if needed(roomy=False) <= self._budget_bytes:
            return False
        self._parts.clear()
        while True:
            trim_heap()
            least = needed(roomy=False)
            if least <= self._budget_bytes:
                return False
            if not self._still_sending() or time.monotonic() > give_up_s:
                raise Refused(
                    "memory",
                    f"layers {lowered.plan.first} to {lowered.plan.stop - 1}: the process would "
                    f"hold {format_size(least)} of {format_size(self._budget_bytes)}",
                    least,
                )
            time.sleep(_LOOK_AGAIN_S)

    def _still_sending(self) -> bool:
        """Whether some result is still in memory for no other reason than to be sent."""
        self._sending = [each for each in self._sending if each() is not None]
        return bool(self._sending)

    def _footprint(
        self,
        model: Model,
        lowered: Lowered,
        sources: dict[int, list[Piece]],
        returns: tuple[Place, ...],
        waiting_bytes: int,
    ) -> Footprint:
        """What the process will hold; programs, and inputs that lie as they are used, it has."""
        assert self._runner is not None
        network = model.network
        put_together = {
            source: lowered.inputs[source]
            for source, pieces in sources.items()
            if whole_in(Place(source, lowered.inputs[source]), pieces) is None
        }
        copied = sum(
            region_bytes(network, {place.source: place.region})
            for place in returns
            if place.region.size and not lies_whole(place, lowered.outputs[place.source])
        )
        to_come = max(0, self._credit_bytes - waiting_bytes)
        resident, self._peak_bytes = resident_and_peak_bytes()
        return replace(
            footprint(lowered, network, resident - sum(self._runner.held.values())),
            programs=0,
            input=region_bytes(network, put_together, picture=lowered.picture),
            messages=copied + to_come,
        )


def part_of(assign: Assign, most_threads: int) -> Plan:
    """What a task is to compute."""
    groups = [
        GroupPlan(g.first, g.stop, g.rows, g.columns, g.strip or None, g.streamed, slices=g.slices)
        for g in assign.groups
    ]
    threads = min(assign.threads, most_threads)
    return Plan(tuple(groups), threads, assign.region, assign.arithmetic)


def fetched(maps: MapStore, fetch: Fetch, now_s: float) -> list[Result | Failed]:
    """What answers a Fetch."""
    try:
        pieces = [p for place in fetch.places for p in stored_pieces(maps, fetch.task, place)]
    except Refused as error:
        return [Failed(fetch.task, error.reason, str(error), 0)]
    return [*results(fetch.task, pieces, (now_s, now_s, now_s), peak_resident_bytes())]


def results(
    task: TaskId, pieces: list[Piece], times_s: tuple[float, float, float], peak_bytes: int
) -> list[Result]:
    """The messages that hold a result: received, started and ended at these times.

    `peak_bytes`: the process's peak, as it was known lately; heartbeats tell the last of it.
    """
    found = list(parcels(pieces, RESULT_BYTES, TENSORS))
    return [
        Result(task, number + 1 < len(found), tuple(parcel), *times_s, peak_bytes)
        for number, parcel in enumerate(found)
    ]
