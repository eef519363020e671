"""What workers can hold: by which plan each computes its tasks within its budget.

A worker computes by one plan of the whole network; a task takes of it the part that it needs.
Plans are tried from the fastest one down, each smaller than the one before: lower strips, weights
streamed from the file. What a worker must hold is counted from its tasks, lowered: exact for the
memory of programs, and for the rest the sizes of arrays that are there at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ftdist.geometry import Region
from ftdist.network.graph import Network, convolutions
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
from ftdist.planning.sharing.demand import outputs
from ftdist.planning.sharing.pace import Pace, cut_groups, pace_of
from ftdist.planning.sharing.plan import Traits

MARGIN_BYTES = 512 << 10
"""Room for what differs from worker to worker beside its tasks."""

_SMALLER = 0.88
"""The size of a plan's activations and weights, relative to the next larger one's at most."""


_REMEMBERED = 4096
"""Parts of which the footprint is remembered."""


class Ladder:
    """Plans of a network for up to so many threads: number 0 is the fastest, each next smaller."""

    def __init__(self, network: Network, threads: int, profile: DeviceProfile) -> None:
        self._network = network
        self._profile = profile
        self._search = self._searchable(threads)
        self._rungs: list[FoundPlan] = []
        self._paces: dict[int, Pace] = {}
        self._complete = False

    def pace(self, rung: int) -> Pace | None:
        """The pace of plan number `rung`; None when there are not so many."""
        while len(self._rungs) <= rung and not self._complete:
            self._extend()
        if rung >= len(self._rungs):
            return None
        if rung not in self._paces:
            plan = self._rungs[rung].plan
            self._paces[rung] = pace_of(self._network, plan, self._profile)
        return self._paces[rung]

    def seconds(self, rung: int) -> float:
        """The time of plan number `rung` for a whole frame on a machine of slowness 1."""
        return self._rungs[rung].seconds

    def _searchable(self, threads: int) -> Search:
        """The search for so many threads, or as many as the smallest map can be shared by."""
        search = Search(self._network, threads, self._profile)
        while threads > 1 and search.fastest() is None:
            threads -= 1
            search = Search(self._network, threads, self._profile)
        return search

    def _extend(self) -> None:
        """One more plan: the fastest that is clearly smaller, at last the smallest there is."""
        last = self._rungs[-1].peak_bytes if self._rungs else None
        size = None if last is None else int(_SMALLER * last)
        found = self._search.fastest(size, closely=False)
        if found is None:
            self._complete = True
            found = self._search.smallest()
        if last is None or found.peak_bytes < last:
            self._rungs.append(found)


@dataclass(frozen=True, slots=True)
class Duty:
    """What a worker has to do: parts that it computes, and bytes of what is there beside them.

    The most that one task takes and gives; and all that is `kept` between tasks.
    """

    parts: tuple[Plan, ...]
    in_bytes: int
    out_bytes: int
    kept_bytes: int = 0

    def beside(self, other: Duty) -> Duty:
        """Both duties of one worker, whose tasks run one at a time."""
        return Duty(
            tuple(dict.fromkeys((*other.parts, *self.parts))),
            max(self.in_bytes, other.in_bytes),
            max(self.out_bytes, other.out_bytes),
            self.kept_bytes + other.kept_bytes,
        )


@dataclass
class Holding:
    """Counts what workers hold; remembers what parts take."""

    network: Network
    picture: bool
    _known: dict[Plan, Footprint] = field(default_factory=dict)

    def needed_bytes(self, worker: Traits, duty: Duty) -> int:
        """The smallest budget with which a worker's process can do its duty."""
        taken = one_after_another(
            self.network, [(part, self._footprint(part)) for part in duty.parts]
        )
        threads = max(part.threads for part in duty.parts)
        messages = max(worker.credit_bytes, duty.in_bytes) + duty.out_bytes + duty.kept_bytes
        slack = MARGIN_BYTES + (threads - 1) * THREAD_BYTES
        baseline = worker.baseline_bytes
        return replace(taken, baseline=baseline, messages=messages, slack=slack).peak_bytes

    def _footprint(self, part: Plan) -> Footprint:
        if part not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            blobs = {number: (0, 0) for number, _, _ in convolutions(self.network)}
            lowered = lower(self.network, part, blobs, picture=self.picture)
            self._known[part] = footprint(lowered, self.network)
        return self._known[part]


def part_of(pace: Pace, first: int, stop: int, region: Region) -> Plan:
    """The part of a worker's plan that makes a region of layers [first, stop).

    Threads share the longer side of the region.
    """
    threads = pace.plan.threads
    tall = region.rows.size >= region.columns.size
    grid = (threads, 1) if tall else (1, threads)
    groups = tuple(
        replace(group, rows=grid[0], columns=grid[1])
        for group in cut_groups(pace.plan.groups, first, stop)
    )
    return Plan(groups, threads, region=region)


def whole_part(pace: Pace, region: Region) -> Plan:
    """The whole network by a worker's plan as it is."""
    return Plan(pace.plan.groups, pace.plan.threads, region=region)


class Means:
    """What plans of one network are made with: plans of workers, by threads, and what they take."""

    def __init__(self, network: Network, profile: DeviceProfile) -> None:
        self.network = network
        self._profile = profile
        self._ladders: dict[int, Ladder] = {}
        self._holdings = {picture: Holding(network, picture) for picture in (False, True)}

    def ladder(self, threads: int) -> Ladder:
        """The plans of workers with so many threads."""
        if threads not in self._ladders:
            self._ladders[threads] = Ladder(self.network, threads, self._profile)
        return self._ladders[threads]

    def fits(self, worker: Traits, duty: Duty, *, picture: bool) -> bool:
        """Whether a worker can do its duty within its budget."""
        return self.needed_bytes(worker, duty, picture=picture) <= worker.budget_bytes

    def needed_bytes(self, worker: Traits, duty: Duty, *, picture: bool) -> int:
        """The smallest budget with which a worker can do its duty."""
        return self._holdings[picture].needed_bytes(worker, duty)

    def frame_bytes(self, *, picture: bool) -> tuple[int, int]:
        """Bytes of a frame's input, and of its outputs."""
        made = outputs(self.network, 0, len(self.network.layers))
        returned = sum(self.network.shape(each).bytes for each in made)
        return input_bytes(self.network, picture=picture), returned
