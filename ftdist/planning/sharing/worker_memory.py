"""What workers can hold: by which plan each computes its tasks within its budget.

A worker computes by one plan of the whole network, and a task takes from this plan the part that it
needs. Plans are tried from the fastest one down, each smaller than the one before: with lower
strips, or with weights streamed from the file. What a worker must hold is counted from its lowered
tasks: exactly for programs and maps, and for messages by the sizes of arrays that exist at the same
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.planning.group import whole_map
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import (
    THREAD_BYTES,
    Footprint,
    footprint,
    input_bytes,
    one_after_another,
)
from ftdist.planning.lowering.regions import region_bytes, region_needs
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.search.cutgraph import Grids
from ftdist.planning.search.search import FoundPlan, Search
from ftdist.planning.sharing.layer_times import LayerTimes, cut_groups, layer_times
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.planning.sharing.tile_regions import outputs
from ftdist.planning.weights import unplaced

MARGIN_BYTES = 512 << 10
"""Bytes that workers with the same tasks may differ by. Chosen, not measured:
``benchmarks/promise.py`` checks that workers stay within their budgets."""

_SMALLER = 0.88
"""The most that a plan may take of the memory of the next larger one. Chosen, not measured: a finer
step makes more plans to try, a coarser one leaves workers with slower plans than they could
hold."""

GridsFor = Callable[[int], Grids | None]
"""By threads the grids that groups may have; None: one tile for each thread."""

_REMEMBERED = 4096
"""Footprints of parts that are remembered: a few hundred bytes each."""


class ParetoPlans:
    """Plans of a network for up to `threads` threads: number 0 is the fastest, each next
    smaller."""

    def __init__(
        self,
        network: Network,
        threads: int,
        profile: DeviceProfile,
        grids: GridsFor = lambda threads: None,
    ) -> None:
        self._network = network
        self._profile = profile
        self._grids = grids
        self._search = self._searchable(threads)
        self._found: list[FoundPlan] = []
        self._times: dict[int, LayerTimes] = {}
        self._complete = False

    def indices(self, first: int = 0) -> Iterator[int]:
        """The numbers of all plans, from one on; plans are made when their number is asked for."""
        while self._exists(first):
            yield first
            first += 1

    def plan(self, index: int) -> Plan:
        """Plan number `index`."""
        self._exists(index)
        return self._found[index].plan

    def times(self, index: int) -> LayerTimes:
        """The layer times of plan number `index`; IndexError when there is no such plan."""
        self._exists(index)
        if index not in self._times:
            plan = self._found[index].plan
            self._times[index] = layer_times(self._network, plan, self._profile)
        return self._times[index]

    def seconds(self, index: int) -> float:
        """The time of plan number `index` for a whole frame on a machine of relative time 1."""
        self._exists(index)
        return self._found[index].seconds

    def _searchable(self, threads: int) -> Search:
        """The search for `threads` threads, or for as many as can share the smallest map."""
        search = self._search_by(threads)
        while threads > 1 and search.fastest() is None:
            threads -= 1
            search = self._search_by(threads)
        return search

    def _search_by(self, threads: int) -> Search:
        return Search(self._network, threads, self._profile, grids=self._grids(threads))

    def _exists(self, index: int) -> bool:
        """Whether there is a plan of this number; makes all up to it."""
        while len(self._found) <= index and not self._complete:
            self._extend()
        return index < len(self._found)

    def _extend(self) -> None:
        """Adds the fastest plan that is clearly smaller than the last, or else the smallest one."""
        last = self._found[-1].peak_bytes if self._found else None
        size = None if last is None else int(_SMALLER * last)
        found = self._search.fastest(size, closely=False)
        if found is None:
            self._complete = True
            found = self._search.smallest()
        if last is None or found.peak_bytes < last:
            self._found.append(found)


@dataclass(frozen=True, slots=True)
class MemoryDemand:
    """What a worker's tasks ask of its memory: the parts that it computes, and bytes beside them.

    `in_bytes`, `out_bytes`: the most that one task receives and returns; `kept_bytes`: all maps
    that stay with the worker between tasks.
    """

    parts: tuple[Plan, ...]
    in_bytes: int
    out_bytes: int
    kept_bytes: int = 0

    def beside(self, other: MemoryDemand) -> MemoryDemand:
        """Both demands on one worker, whose tasks run one at a time."""
        return MemoryDemand(
            tuple(dict.fromkeys((*other.parts, *self.parts))),
            max(self.in_bytes, other.in_bytes),
            max(self.out_bytes, other.out_bytes),
            self.kept_bytes + other.kept_bytes,
        )


def part_of(times: LayerTimes, first: int, stop: int, region: Region) -> Plan:
    """The part of a worker's plan that makes a region of layers [first, stop).

    Threads share the longer side of the region, or the channels as the plan has it.
    """
    threads = times.plan.threads
    tall = region.rows.size >= region.columns.size
    grid = (threads, 1) if tall else (1, threads)
    groups = tuple(
        group if group.whole or group.slices > 1 else replace(group, rows=grid[0], columns=grid[1])
        for group in cut_groups(times.plan.groups, first, stop)
    )
    return Plan(groups, threads, region, times.plan.arithmetic)


@dataclass(frozen=True)
class FrameForm:
    """What a frame is where it is not the whole network: a band of a picture.

    Plans are searched for by `seen`, what it sees of the network, with these `grids`. Of the last
    output it makes one of `regions`, the first of which stands for all; it needs as much memory as
    the largest of them. `input_elements` come with it. `name`: for people.
    """

    seen: Network
    grids: GridsFor
    regions: tuple[Region, ...]
    input_elements: int
    name: str


class WorkerPlans:
    """The plans by which workers compute a network, and the memory that their parts take.

    `form`: what a frame is, where it is not the whole network.
    """

    def __init__(
        self, network: Network, profile: DeviceProfile, form: FrameForm | None = None
    ) -> None:
        self.network = network
        self._profile = profile
        self._form = form
        self._pareto_plans: dict[int, ParetoPlans] = {}
        self._footprints: dict[tuple[Plan, bool], Footprint] = {}

    def pareto_plans(self, threads: int) -> ParetoPlans:
        """The plans of workers with this number of threads."""
        if threads not in self._pareto_plans:
            if self._form is None:
                found = ParetoPlans(self.network, threads, self._profile)
            else:
                form = self._form
                found = ParetoPlans(form.seen, threads, self._profile, form.grids)
            self._pareto_plans[threads] = found
        return self._pareto_plans[threads]

    def fits(self, worker: WorkerSpec, demand: MemoryDemand, *, picture: bool) -> bool:
        """Whether a worker can meet a demand within its budget."""
        return self.needed_bytes(worker, demand, picture=picture) <= worker.budget_bytes

    def needed_bytes(self, worker: WorkerSpec, demand: MemoryDemand, *, picture: bool) -> int:
        """The smallest budget with which a worker's process can meet a demand."""
        parts = [(part, self._footprint(part, picture)) for part in demand.parts]
        taken = one_after_another(self.network, parts)
        threads = max(part.threads for part in demand.parts)
        messages = max(worker.credit_bytes, demand.in_bytes) + demand.out_bytes + demand.kept_bytes
        slack = MARGIN_BYTES + (threads - 1) * THREAD_BYTES
        baseline = worker.baseline_bytes
        return replace(taken, baseline=baseline, messages=messages, slack=slack).peak_bytes

    @property
    def frame_name(self) -> str:
        """What workers compute, for people."""
        return self.network.name if self._form is None else self._form.name

    def frame_parts(self, plan: Plan) -> tuple[Plan, ...]:
        """A frame by a plan as parts: the first is what is computed, all must fit."""
        if self._form is not None:
            return tuple(replace(plan, region=each) for each in self._form.regions)
        primary = outputs(self.network, 0, len(self.network.layers))[-1]
        return (replace(plan, region=whole_map(self.network, primary)),)

    def frame_bytes(self, *, picture: bool) -> tuple[int, int]:
        """Bytes of a frame's input, and of its outputs."""
        if self._form is not None:
            region = self._form.regions[0]
            _, shares = region_needs(self.network, 0, len(self.network.layers), region)
            element = 1 if picture else 4
            return element * self._form.input_elements, region_bytes(self.network, shares)
        made = outputs(self.network, 0, len(self.network.layers))
        returned = sum(self.network.shape(each).bytes for each in made)
        return input_bytes(self.network, picture=picture), returned

    def _footprint(self, part: Plan, picture: bool) -> Footprint:
        if (part, picture) not in self._footprints:
            if len(self._footprints) >= _REMEMBERED:
                self._footprints.clear()
            lowered = lower(self.network, part, unplaced(self.network), picture=picture)
            self._footprints[part, picture] = footprint(lowered, self.network)
        return self._footprints[part, picture]
