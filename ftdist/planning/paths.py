"""Cheapest paths over candidate groups: from the network's first cut to its last.

A path says for each of its groups which schedule it has and whether its weights are streamed. Costs
are seconds, to which a price for every resident byte of weights may be added: with a price of
nothing all weights are resident, with a high one all are streamed, and between them lie the plans
that keep the weights where they save most. Paths under many caps on the activations and for many
prices are walked side by side, one block of candidates after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.candidates import TIE_S_PER_BYTE, Block, Candidates, Numbers

Step = tuple[int, int, int, bool]
"""(first cut, later cut, candidate in the later cut's block, weights streamed)."""

_AT_ONCE = 1 << 14
"""Ways times cuts that are walked side by side: more take memory that boards lack, fewer take
longer."""

Among = Sequence[NDArray[np.bool_]]
"""By block which candidates may be used."""

_UNITS = 128
"""Into how many units ``fullest`` divides the room for weights."""


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
    """What groups may use: activations (and pieces of weights) within `cap`; whether they may keep
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
    offers = _Offers(candidates, ways)
    best, came = offers.begin(0.0)
    for later in range(1, len(candidates.graph.cuts)):
        low, costs = offers.ending(later)
        _relax(best, came, best[:, low:later] + costs, low, later)
    return [
        _path(candidates, [offers.step(way, *pair) for pair in _pairs(came[number])])
        if np.isfinite(best[number, -1])
        else None
        for number, way in enumerate(ways)
    ]


def next_best(candidates: Candidates, ways: Sequence[Allowed], kept: Among) -> list[Path | None]:
    """The cheapest path of each way that differs from one whose groups are `kept`.

    A walk over two copies of the cuts: on the first nothing has differed yet, on the second
    something has.
    """
    same = _Offers(candidates, ways, kept)
    others = _Offers(candidates, ways, [~each for each in kept])
    every = _Offers(candidates, ways)
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
        found.append(_path(candidates, steps[::-1]) if steps else None)
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
    return _path(candidates, steps)


def measured_anew(candidates: Candidates, path: Path, grown: Sequence[tuple[int, int]]) -> Path:
    """A path with its bytes as they are known by now that some candidates, (cut, number), have
    `grown`."""
    cuts, numbers = path.table[:, 1], path.table[:, 2]
    if any(((cuts == later) & (numbers == at)).any() for later, at in grown):
        return _path(candidates, path.steps)
    return path


def refilled(candidates: Candidates, path: Path, limit: float) -> Path | None:
    """The groups of a path with those weights resident that save most time a byte, as far as a
    limit has room; None where it has none."""
    graph = candidates.graph
    peak = 0.0
    gains: list[tuple[float, float, int]] = []
    for number, (first, later, at, _) in enumerate(path.steps):
        block = candidates.ending(later)
        peak = max(peak, 4.0 * float(block.floats[at]) + float(block.window[first - block.low]))
        gain_s = float(block.streamed_s[at]) - float(block.seconds[at])
        more = float(graph.weights[later] - graph.weights[first])
        more -= float(graph.rest[later] - graph.rest[first])
        if more and np.isfinite(gain_s):
            gains.append((gain_s / more, more, number))
    room = limit - peak - float(graph.rest[-1])
    if room < 0:
        return None
    streamed = {number for _, _, number in gains}
    for _, more, number in sorted(gains, reverse=True):
        if more <= room:
            room -= more
            streamed.remove(number)
    steps = [(*step[:3], number in streamed) for number, step in enumerate(path.steps)]
    return _path(candidates, steps)


def fullest(candidates: Candidates, cap: float, limit: float) -> Path | None:
    """The fastest path whose activations keep to a cap, with resident weights in what is left.

    A knapsack over the cuts: for each cut and each number of units of weights the least time.
    Weights are counted to the nearest unit, so what comes out is fitted to the limit at last.
    """
    graph = candidates.graph
    unit = (limit - cap) / _UNITS
    if unit <= 0:
        return None
    offers = _Offers(candidates, [Allowed(cap)])
    cuts, units = len(graph.cuts), np.arange(_UNITS + 1)
    best, came = np.full((cuts, _UNITS + 1), np.inf), np.zeros((cuts, _UNITS + 1), np.int16)
    streams = np.zeros((cuts, _UNITS + 1), bool)
    best[0] = 0
    for later in range(1, cuts):
        low, both = offers.by_residency(later)
        reached = []
        for seconds, before in zip(both, (graph.weights, graph.rest), strict=True):
            taken = np.rint((before[later] - before[low:later]) / unit).astype(np.int64)
            left = units - np.minimum(taken, _UNITS + 1)[:, None]
            from_there = np.take_along_axis(best[low:later], np.maximum(left, 0), axis=1)
            reached.append(np.where(left >= 0, from_there, np.inf) + seconds[0][:, None])
        is_streamed = reached[1] < reached[0]
        least = np.where(is_streamed, reached[1], reached[0])
        at = least.argmin(axis=0)
        best[later] = least[at, units]
        came[later] = low + at
        streams[later] = is_streamed[at, units]
    if not np.isfinite(best[-1, -1]):
        return None
    steps: list[Step] = []
    later, have = cuts - 1, _UNITS
    while later:
        first, streamed = int(came[later, have]), bool(streams[later, have])
        way = Allowed(cap, resident=not streamed, streamed=streamed)
        steps.append(offers.step(way, first, later))
        before = graph.rest if streamed else graph.weights
        have -= int(np.rint((before[later] - before[first]) / unit))
        later = first
    path = _path(candidates, steps[::-1])
    return path if path.bytes <= limit else refilled(candidates, path, limit)


class _Offers:
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


def _path(candidates: Candidates, steps: Sequence[Step]) -> Path:
    graph = candidates.graph
    seconds = resident = peak = 0.0
    for first, later, candidate, streamed in steps:
        block = candidates.ending(later)
        before = graph.rest if streamed else graph.weights
        window = float(block.window[first - block.low]) if streamed else 0.0
        seconds += float((block.streamed_s if streamed else block.seconds)[candidate])
        resident += float(before[later] - before[first])
        peak = max(peak, 4.0 * float(block.floats[candidate]) + window)
    return Path(np.array(steps, np.int16), seconds, resident, peak)
