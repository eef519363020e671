"""Cheapest paths over candidate groups: from the network's first cut to its last.

A path says for each of its groups which schedule it has and whether its weights are streamed. Costs
are seconds, to which a price for every resident byte of weights may be added: with a price of
nothing all weights are resident, with a high one all are streamed, and between them lie the plans
that keep the weights where they save most. Paths under many caps on the activations and for many
prices are walked side by side, one block of candidates after the other.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.search.candidates import TIE_S_PER_BYTE, Block, Candidates
from ftdist.planning.search.cutgraph import Numbers

Step = tuple[int, int, int, bool]
"""(first cut, later cut, candidate in the later cut's block, weights streamed)."""

_AT_ONCE = 1 << 14
"""Ways times cuts that are walked side by side: more take memory that boards lack, fewer take
longer."""

Among = Sequence[NDArray[np.bool_]]
"""By block which candidates may be used."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its time, the bytes of its resident weights, and its largest activations.

    `table` holds its steps, a row each.
    """

    table: NDArray[np.int16]
    seconds: float
    resident_bytes: float
    peak_bytes: float

    @property
    def bytes(self) -> float:
        """Weights and activations together."""
        return self.resident_bytes + self.peak_bytes

    @property
    def steps(self) -> tuple[Step, ...]:
        rows = self.table.tolist()
        return tuple((first, later, at, bool(streamed)) for first, later, at, streamed in rows)

    @property
    def key(self) -> tuple[float, float]:
        return self.seconds, self.bytes


@dataclass(frozen=True, slots=True)
class Allowed:
    """What groups may use: activations (and chunks of weights) within `cap`; whether they may keep
    their weights, and whether they may stream them; a resident byte of weights costs `price`."""

    cap: float
    price: float = 0.0
    resident: bool = True
    streamed: bool = True

    @property
    def caps(self) -> tuple[float, float]:
        """The caps with resident and with streamed weights; below any size where not allowed."""
        return self.cap if self.resident else -1.0, self.cap if self.streamed else -1.0


def shortest(candidates: Candidates, ways: Sequence[Allowed]) -> list[Path | None]:
    """The cheapest path that each of the ways allows; quickest where equal caps lie together."""
    found: list[Path | None] = []
    at_once = 1 + _AT_ONCE // len(candidates.graph.cuts)
    for begin in range(0, len(ways), at_once):
        found += _shortest(candidates, ways[begin : begin + at_once])
    return found


def _shortest(candidates: Candidates, ways: Sequence[Allowed]) -> list[Path | None]:
    offers = Offers(candidates, ways)
    best, came = offers.begin(0.0)
    for later in range(1, len(candidates.graph.cuts)):
        low, costs = offers.ending(later)
        _relax(best, came, best[:, low:later] + costs, low, later)
    return [
        path_of(candidates, [offers.step(way, *pair) for pair in _pairs(came[number])])
        if np.isfinite(best[number, -1])
        else None
        for number, way in enumerate(ways)
    ]


def next_best(candidates: Candidates, ways: Sequence[Allowed], kept: Among) -> list[Path | None]:
    """The cheapest path of each way that differs from one whose groups are `kept`.

    A walk over two copies of the cuts: on the first nothing has differed yet, on the second
    something has.
    """
    same = Offers(candidates, ways, kept)
    others = Offers(candidates, ways, [~each for each in kept])
    every = Offers(candidates, ways)
    alike, came_alike = same.begin(0.0)
    differing, came_differing = every.begin(np.inf)
    turned = np.zeros(came_alike.shape, bool)
    for later in range(1, len(candidates.graph.cuts)):
        low, costs = same.ending(later)
        _relax(alike, came_alike, alike[:, low:later] + costs, low, later)
        turning = alike[:, low:later] + others.ending(later)[1]
        going_on = differing[:, low:later] + every.ending(later)[1]
        _relax(differing, came_differing, np.minimum(turning, going_on), low, later)
        at = came_differing[:, later, None] - low
        turned[:, later] = np.take_along_axis(turning <= going_on, at, axis=1)[:, 0]
    found: list[Path | None] = []
    for number, way in enumerate(ways):
        steps: list[Step] = []
        later, has_differed = len(candidates.graph.cuts) - 1, True
        while later and np.isfinite(differing[number, -1]):
            first = int((came_differing if has_differed else came_alike)[number, later])
            turns = has_differed and bool(turned[number, later])
            source = others if turns else every if has_differed else same
            steps.append(source.step(way, first, later))
            later, has_differed = first, has_differed and not turns
        found.append(path_of(candidates, steps[::-1]) if steps else None)
    return found


def least_activations(candidates: Candidates, *, streamed: bool) -> Path:
    """The path with the smallest activations, all weights streamed or all resident."""
    cuts = len(candidates.graph.cuts)
    best, came = np.full((1, cuts), np.inf), np.zeros((1, cuts), np.int16)
    best[0, 0] = 0
    for later in range(1, cuts):
        block = candidates.ending(later)
        least = block.least(block.bytes(streamed=streamed))
        _relax(best, came, np.maximum(best[:, block.low : later], least), block.low, later)
    steps = []
    for first, later in _pairs(came[0]):
        block = candidates.ending(later)
        own = block.of_group(first)
        smallest = int(np.argmin(block.bytes(own, streamed=streamed)))
        steps.append((first, later, own.start + smallest, streamed))
    return path_of(candidates, steps)


def measured_anew(candidates: Candidates, path: Path, grown: Set[tuple[int, int]]) -> Path:
    """A path with its bytes as they are known by now that some candidates, (cut, number), have
    `grown`; the same one where it has none of them."""
    if grown.isdisjoint((later, at) for _, later, at, _ in path.steps):
        return path
    return path_of(candidates, path.steps)


class Offers:
    """What is offered in each of some ways, `among` some of the candidates if not all."""

    def __init__(
        self, candidates: Candidates, ways: Sequence[Allowed], among: Among | None = None
    ) -> None:
        self._candidates = candidates
        self._among = among
        self._price = np.array([way.price for way in ways])[:, None]
        caps = sorted({way.caps for way in ways})
        self._caps = np.array(caps).T
        self._cap_of = [caps.index(way.caps) for way in ways]

    def begin(self, cost: float) -> tuple[Numbers, NDArray[np.int16]]:
        """(costs of reaching each cut in each way, from where): the first is reached at `cost`."""
        shape = len(self._cap_of), len(self._candidates.graph.cuts)
        best = np.full(shape, np.inf)
        best[:, 0] = cost
        return best, np.zeros(shape, np.int16)

    def ending(self, later: int) -> tuple[int, Numbers]:
        """(low, costs of the groups from cuts [low, later) to a cut, by way and first cut)."""
        graph = self._candidates.graph
        low, both = self.by_residency(later)
        priced = [
            seconds[self._cap_of] + self._price * (before[later] - before[low:later])
            for seconds, before in zip(both, (graph.weights, graph.rest), strict=True)
        ]
        return low, np.minimum(*priced)

    def by_residency(self, later: int) -> tuple[int, tuple[Numbers, Numbers]]:
        """(low, seconds of the groups from cuts [low, later) to a cut, by cap and first cut, with
        resident and with streamed weights)."""
        block = self._candidates.ending(later)
        among = None if self._among is None else self._among[later - 1]
        resident, streamed = (
            block.least(_costs(block, self._caps[way][:, None], among, streamed=bool(way)))
            for way in (0, 1)
        )
        return block.low, (resident, streamed)

    def step(self, way: Allowed, first: int, later: int) -> Step:
        """What is offered in a way between two cuts."""
        graph, block = self._candidates.graph, self._candidates.ending(later)
        own = block.of_group(first)
        among = None if self._among is None else self._among[later - 1]
        found: tuple[float, Step] | None = None
        for streamed, before in ((False, graph.weights), (True, graph.rest)):
            cap = np.array(way.caps[int(streamed)])
            costs = _costs(block, cap, among, own, streamed=streamed)
            at = int(np.argmin(costs))
            cost = float(costs[at] + way.price * (before[later] - before[first]))
            if found is None or cost < found[0]:
                found = cost, (first, later, own.start + at, streamed)
        assert found is not None
        return found[1]


def _costs(
    block: Block,
    cap: Numbers,
    among: NDArray[np.bool_] | None,
    own: slice = slice(None),
    *,
    streamed: bool,
) -> Numbers:
    """Seconds of a block's candidates; infinite where they are above a cap or not `among`."""
    sizes = block.bytes(own, streamed=streamed)
    within = sizes <= cap
    if among is not None:
        within = within & among[own]
    seconds = (block.streamed_s if streamed else block.seconds)[own] + sizes * TIE_S_PER_BYTE
    return np.where(within, seconds, np.inf)


def _relax(best: Numbers, came: NDArray[np.int16], reached: Numbers, low: int, later: int) -> None:
    """Notes the least of what a cut is reached with, and from where."""
    at = reached.argmin(axis=1)
    best[:, later] = np.take_along_axis(reached, at[:, None], axis=1)[:, 0]
    came[:, later] = low + at


def _pairs(came: NDArray[np.int16]) -> list[tuple[int, int]]:
    """The pairs of cuts of a path, from where each cut was reached from."""
    pairs: list[tuple[int, int]] = []
    later = len(came) - 1
    while later:
        pairs.append((int(came[later]), later))
        later = int(came[later])
    return pairs[::-1]


def path_of(candidates: Candidates, steps: Sequence[Step]) -> Path:
    graph = candidates.graph
    seconds = resident = peak = 0.0
    for first, later, candidate, streamed in steps:
        block = candidates.ending(later)
        before = graph.rest if streamed else graph.weights
        staging = float(block.staging[first - block.low]) if streamed else 0.0
        seconds += float((block.streamed_s if streamed else block.seconds)[candidate])
        resident += float(before[later] - before[first])
        peak = max(peak, 4.0 * float(block.floats[candidate]) + staging)
    return Path(np.array(steps, np.int16), seconds, resident, peak)
