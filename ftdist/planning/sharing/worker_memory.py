"""What workers can hold: by which plan each computes its tasks within its budget.

A worker computes by one plan of the whole network; a task takes of it the part that it needs.
Plans are tried from the fastest one down, each smaller than the one before: lower strips, weights
streamed from the file. What a worker must hold is counted from its tasks, lowered: exact for the
memory of programs, and for the rest the sizes of arrays that are there at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import (
    THREAD_BYTES,
    Footprint,
    footprint,
    input_bytes,
    one_after_another,
)
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.search.search import FoundPlan, Search
from ftdist.planning.sharing.layer_times import LayerTimes, cut_groups, layer_times
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.planning.sharing.tile_regions import outputs
from ftdist.planning.weights import unplaced

MARGIN_BYTES = 512 << 10
"""Room for what differs from worker to worker beside its tasks."""

_SMALLER = 0.88
"""The size of a plan's activations and weights, relative to the next larger one's at most."""


_REMEMBERED = 4096
"""Parts of which the footprint is remembered."""


class ParetoPlans:
    """Plans of a network for up to so many threads: number 0 is the fastest, each next smaller."""

    def __init__(self, network: Network, threads: int, profile: DeviceProfile) -> None:
        self._network = network
        self._profile = profile
        self._search = self._searchable(threads)
        self._found: list[FoundPlan] = []
        self._worker_times: dict[int, LayerTimes] = {}
        self._complete = False

    def times(self, index: int) -> LayerTimes | None:
        """The pace of plan number `index`; None when there are not so many."""
        while len(self._found) <= index and not self._complete:
            self._extend()
        if index >= len(self._found):
            return None
        if index not in self._worker_times:
            plan = self._found[index].plan
            self._worker_times[index] = layer_times(self._network, plan, self._profile)
        return self._worker_times[index]

    def seconds(self, index: int) -> float:
        """The time of plan number `index` for a whole frame on a machine of relative time 1."""
        return self._found[index].seconds

    def _searchable(self, threads: int) -> Search:
        """The search for so many threads, or as many as the smallest map can be shared by."""
        search = Search(self._network, threads, self._profile)
        while threads > 1 and search.fastest() is None:
            threads -= 1
            search = Search(self._network, threads, self._profile)
        return search

    def _extend(self) -> None:
        """One more plan: the fastest that is clearly smaller, at last the smallest there is."""
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
    """What a worker has to do: parts that it computes, and bytes of what is there beside them.

    The most that one task takes and gives; and all that is `kept` between tasks.
    """

    parts: tuple[Plan, ...]
    in_bytes: int
    out_bytes: int
    kept_bytes: int = 0

    def beside(self, other: MemoryDemand) -> MemoryDemand:
        """Both assignment of one worker, whose tasks run one at a time."""
        return MemoryDemand(
            tuple(dict.fromkeys((*other.parts, *self.parts))),
            max(self.in_bytes, other.in_bytes),
            max(self.out_bytes, other.out_bytes),
            self.kept_bytes + other.kept_bytes,
        )


@dataclass
class WorkerMemory:
    """Counts what workers hold; remembers what parts take."""

    network: Network
    picture: bool
    _known: dict[Plan, Footprint] = field(default_factory=dict)

    def needed_bytes(self, worker: WorkerSpec, demand: MemoryDemand) -> int:
        """The smallest budget with which a worker's process can do its demand."""
        taken = one_after_another(
            self.network, [(part, self._footprint(part)) for part in demand.parts]
        )
        threads = max(part.threads for part in demand.parts)
        messages = max(worker.credit_bytes, demand.in_bytes) + demand.out_bytes + demand.kept_bytes
        slack = MARGIN_BYTES + (threads - 1) * THREAD_BYTES
        baseline = worker.baseline_bytes
        return replace(taken, baseline=baseline, messages=messages, slack=slack).peak_bytes

    def _footprint(self, part: Plan) -> Footprint:
        if part not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            lowered = lower(self.network, part, unplaced(self.network), picture=self.picture)
            self._known[part] = footprint(lowered, self.network)
        return self._known[part]


def part_of(times: LayerTimes, first: int, stop: int, region: Region) -> Plan:
    """The part of a worker's plan that makes a region of layers [first, stop).

    Threads share the longer side of the region.
    """
    threads = times.plan.threads
    tall = region.rows.size >= region.columns.size
    grid = (threads, 1) if tall else (1, threads)
    groups = tuple(
        replace(group, rows=grid[0], columns=grid[1])
        for group in cut_groups(times.plan.groups, first, stop)
    )
    return Plan(groups, threads, region=region)


def whole_part(times: LayerTimes, region: Region) -> Plan:
    """The whole network by a worker's plan as it is."""
    return Plan(times.plan.groups, times.plan.threads, region=region)


class WorkerPlans:
    """What plans of one network are made with: plans of workers, by threads, and what they take."""

    def __init__(self, network: Network, profile: DeviceProfile) -> None:
        self.network = network
        self._profile = profile
        self._pareto_plans: dict[int, ParetoPlans] = {}
        self._holdings = {picture: WorkerMemory(network, picture) for picture in (False, True)}

    def pareto_plans(self, threads: int) -> ParetoPlans:
        """The plans of workers with so many threads."""
        if threads not in self._pareto_plans:
            self._pareto_plans[threads] = ParetoPlans(self.network, threads, self._profile)
        return self._pareto_plans[threads]

    def fits(self, worker: WorkerSpec, demand: MemoryDemand, *, picture: bool) -> bool:
        """Whether a worker can do its duty within its budget."""
        return self.needed_bytes(worker, demand, picture=picture) <= worker.budget_bytes

    def needed_bytes(self, worker: WorkerSpec, demand: MemoryDemand, *, picture: bool) -> int:
        """The smallest budget with which a worker can do its demand."""
        return self._holdings[picture].needed_bytes(worker, demand)

    def frame_bytes(self, *, picture: bool) -> tuple[int, int]:
        """Bytes of a frame's input, and of its outputs."""
        made = outputs(self.network, 0, len(self.network.layers))
        returned = sum(self.network.shape(each).bytes for each in made)
        return input_bytes(self.network, picture=picture), returned
