"""Cheapest paths over candidate groups: from the network's first cut to its last.

A path says for each of its groups which schedule it has and whether its weights are streamed. Costs
are seconds plus a price for every resident byte of weights. At a price of zero all weights are
resident, at a high price all are streamed, and at prices in between the weights that save most time
are resident. Paths under many caps on the activations and for many prices are walked side by side,
one table of candidates after the other, natively (src/paths.hpp).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.cost.group_tables import native
from ftdist.planning.search.candidates import TIE_S_PER_BYTE, Candidates, CandidateTable
from ftdist.planning.search.cutgraph import Numbers

Edge = tuple[int, int, int, bool]
"""(first cut, later cut, candidate in the later cut's table, weights streamed)."""

_BATCH_CELLS = 1 << 14
"""Queries times cuts that are walked side by side: more take memory that boards lack, fewer take
longer."""

CandidateMask = Sequence[NDArray[np.bool_]]
"""For each table which of its candidates may be used."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its time, the bytes of its resident weights, and its largest activations.

    `packed` holds its edges, a row each.
    """

    packed: NDArray[np.int16]
    seconds: float
    resident_bytes: float
    peak_bytes: float

    @property
    def bytes(self) -> float:
        """Weights and activations together."""
        return self.resident_bytes + self.peak_bytes

    @property
    def edges(self) -> tuple[Edge, ...]:
        rows = self.packed.tolist()
        return tuple((first, later, at, bool(streamed)) for first, later, at, streamed in rows)

    @property
    def key(self) -> tuple[float, float]:
        return self.seconds, self.bytes


@dataclass(frozen=True, slots=True)
class PathQuery:
    """Asks for the cheapest path whose groups keep to `cap`: the bytes of activations and chunks.

    `price`: seconds for each resident byte of weights. `resident`, `streamed`: whether groups may
    keep their weights resident, and whether they may stream them.
    """

    cap: float
    price: float = 0.0
    resident: bool = True
    streamed: bool = True

    @property
    def caps(self) -> tuple[float, float]:
        """The caps with resident and with streamed weights; -1, below any size, where not
        allowed."""
        return self.cap if self.resident else -1.0, self.cap if self.streamed else -1.0


def shortest_paths(candidates: Candidates, queries: Sequence[PathQuery]) -> list[Path | None]:
    """The cheapest path for each query. This is quicker when queries of equal caps are
    neighbours."""
    found: list[Path | None] = []
    at_once = 1 + _BATCH_CELLS // len(candidates.graph.cuts)
    for begin in range(0, len(queries), at_once):
        found += _shortest_paths(candidates, queries[begin : begin + at_once])
    return found


def _shortest_paths(candidates: Candidates, queries: Sequence[PathQuery]) -> list[Path | None]:
    edge_costs = EdgeCosts(candidates, queries)
    best, came = edge_costs.begin(0.0)
    for later in range(1, len(candidates.graph.cuts)):
        edge_costs.reach(best, came, later)
    return [
        path_along(candidates, [edge_costs.edge(query, *pair) for pair in _pairs(came[number])])
        if np.isfinite(best[number, -1])
        else None
        for number, query in enumerate(queries)
    ]


def next_best_paths(
    candidates: Candidates, queries: Sequence[PathQuery], kept: CandidateMask
) -> list[Path | None]:
    """The cheapest path for each query that uses a candidate which is not in `kept`.

    The walk is over two copies of the cuts: paths on the first copy have used only candidates in
    `kept`, paths on the second copy have used another one.
    """
    same = EdgeCosts(candidates, queries, kept)
    others = EdgeCosts(candidates, queries, [~each for each in kept])
    every = EdgeCosts(candidates, queries)
    alike, came_alike = same.begin(0.0)
    differing, came_differing = every.begin(np.inf)
    turned = np.zeros(came_alike.shape, bool)
    for later in range(1, len(candidates.graph.cuts)):
        low, costs = same.at_cut(later)
        _relax(alike, came_alike, alike[:, low:later] + costs, low, later)
        turning = alike[:, low:later] + others.at_cut(later)[1]
        going_on = differing[:, low:later] + every.at_cut(later)[1]
        _relax(differing, came_differing, np.minimum(turning, going_on), low, later)
        at = came_differing[:, later, None] - low
        turned[:, later] = np.take_along_axis(turning <= going_on, at, axis=1)[:, 0]
    found: list[Path | None] = []
    for number, query in enumerate(queries):
        edges: list[Edge] = []
        later, has_differed = len(candidates.graph.cuts) - 1, True
        while later and np.isfinite(differing[number, -1]):
            first = int((came_differing if has_differed else came_alike)[number, later])
            turns = has_differed and bool(turned[number, later])
            source = others if turns else every if has_differed else same
            edges.append(source.edge(query, first, later))
            later, has_differed = first, has_differed and not turns
        found.append(path_along(candidates, edges[::-1]) if edges else None)
    return found


def least_activations(candidates: Candidates, *, streamed: bool) -> Path:
    """The path with the smallest activations, all weights streamed or all resident."""
    cuts = len(candidates.graph.cuts)
    best, came = np.full((1, cuts), np.inf), np.zeros((1, cuts), np.int16)
    best[0, 0] = 0
    for later in range(1, cuts):
        table = candidates.table(later)
        least = table.least(table.bytes(streamed=streamed))
        _relax(best, came, np.maximum(best[:, table.low : later], least), table.low, later)
    edges = []
    for first, later in _pairs(came[0]):
        table = candidates.table(later)
        own = table.of_group(first)
        smallest = int(np.argmin(table.bytes(own, streamed=streamed)))
        edges.append((first, later, own.start + smallest, streamed))
    return path_along(candidates, edges)


def remeasured(candidates: Candidates, path: Path, grown: Set[tuple[int, int]]) -> Path:
    """A path with its bytes as they are known after some candidates, (cut, number), have `grown`;
    the same object if it has none of them."""
    if grown.isdisjoint((later, at) for _, later, at, _ in path.edges):
        return path
    return path_along(candidates, path.edges)


class EdgeCosts:
    """What groups cost under each of some queries; only of candidates in `mask`, if given."""

    def __init__(
        self,
        candidates: Candidates,
        queries: Sequence[PathQuery],
        mask: CandidateMask | None = None,
    ) -> None:
        self._candidates = candidates
        self._mask = mask
        self._price = np.array([query.price for query in queries])[:, None]
        caps = sorted({query.caps for query in queries})
        self._caps = np.ascontiguousarray(np.array(caps).T)
        self._cap_of = [caps.index(query.caps) for query in queries]
        self._cap_numbers = np.array(self._cap_of, np.int64)
        self._fastest: dict[tuple[float, int, int, bool], tuple[float, int]] = {}

    def begin(self, cost: float) -> tuple[Numbers, NDArray[np.int16]]:
        """(costs of reaching each cut by query, from where); the first is reached at `cost`."""
        shape = len(self._cap_of), len(self._candidates.graph.cuts)
        best = np.full(shape, np.inf)
        best[:, 0] = cost
        return best, np.zeros(shape, np.int16)

    def at_cut(self, later: int) -> tuple[int, Numbers]:
        """(low, costs of the groups from cuts [low, later) to a cut, by query and first cut)."""
        graph = self._candidates.graph
        low, both = self.by_residency(later)
        priced = [
            seconds[self._cap_of] + self._price * (before[later] - before[low:later])
            for seconds, before in zip(both, (graph.weights, graph.rest), strict=True)
        ]
        return low, np.minimum(*priced)

    def reach(self, best: Numbers, came: NDArray[np.int16], later: int) -> None:
        """Notes the least cost at which a cut is reached, by query, and from which cut.

        This is what `at_cut` and ``_relax`` do, natively.
        """
        graph = self._candidates.graph
        low, (resident, streamed) = self.by_residency(later)
        kept = [before[later] - before[low:later] for before in (graph.weights, graph.rest)]
        cost, group = np.empty(len(best)), np.empty(len(best), np.int64)
        given = *kept, self._cap_numbers, self._price[:, 0], best, low
        native().walk(resident, streamed, *given, cost, group)
        best[:, later], came[:, later] = cost, low + group

    def by_residency(self, later: int) -> tuple[int, tuple[Numbers, Numbers]]:
        """(low, seconds of the groups from cuts [low, later) to a cut, by cap and first cut, with
        resident and with streamed weights)."""
        table = self._candidates.table(later)
        if self._mask is None:
            both = (table.least_seconds(self._caps[each], streamed=bool(each)) for each in (0, 1))
            resident, streamed = both
            return table.low, (resident, streamed)
        mask = self._mask[later - 1]
        resident, streamed = (
            table.least(_costs(table, self._caps[streamed][:, None], mask, streamed=bool(streamed)))
            for streamed in (0, 1)
        )
        return table.low, (resident, streamed)

    def edge(self, query: PathQuery, first: int, later: int) -> Edge:
        """The cheapest candidate for a query between two cuts."""
        graph, (kept_cap, streamed_cap) = self._candidates.graph, query.caps
        kept_s, kept = self._cheapest(kept_cap, first, later, streamed=False)
        streamed_s, streamed = self._cheapest(streamed_cap, first, later, streamed=True)
        kept_s += query.price * (graph.weights[later] - graph.weights[first])
        streamed_s += query.price * (graph.rest[later] - graph.rest[first])
        if kept_s <= streamed_s:
            return first, later, kept, False
        return first, later, streamed, True

    def _cheapest(self, cap: float, first: int, later: int, *, streamed: bool) -> tuple[float, int]:
        """(seconds, number) of the fastest candidate between two cuts; of many queries' paths."""
        key = cap, first, later, streamed
        found = self._fastest.get(key)
        if found is None:
            table = self._candidates.table(later)
            if self._mask is None:
                found = table.cheapest(first, cap, streamed=streamed)
            else:
                own, mask = table.of_group(first), self._mask[later - 1]
                costs = _costs(table, np.array(cap), mask, own, streamed=streamed)
                at = int(costs.argmin())
                found = float(costs[at]), own.start + at
            self._fastest[key] = found
        return found


def _costs(
    table: CandidateTable,
    cap: Numbers,
    mask: NDArray[np.bool_],
    own: slice = slice(None),
    *,
    streamed: bool,
) -> Numbers:
    """Seconds of a table's candidates; infinite where they are above a cap or not in `mask`."""
    sizes = table.bytes(own, streamed=streamed)
    within = (sizes <= cap) & mask[own]
    seconds = (table.streamed_s if streamed else table.seconds)[own] + sizes * TIE_S_PER_BYTE
    return np.where(within, seconds, np.inf)


def _relax(best: Numbers, came: NDArray[np.int16], reached: Numbers, low: int, later: int) -> None:
    """Notes the least cost at which a cut is reached, and from which cut."""
    at = reached.argmin(axis=1)
    best[:, later] = np.take_along_axis(reached, at[:, None], axis=1)[:, 0]
    came[:, later] = low + at


def _pairs(came: NDArray[np.int16]) -> list[tuple[int, int]]:
    """The pairs of cuts along a path; `came`: for each cut the cut before it."""
    pairs: list[tuple[int, int]] = []
    later = len(came) - 1
    while later:
        pairs.append((int(came[later]), later))
        later = int(came[later])
    return pairs[::-1]


def path_along(candidates: Candidates, edges: Sequence[Edge]) -> Path:
    graph = candidates.graph
    seconds = resident = peak = 0.0
    for first, later, candidate, streamed in edges:
        table = candidates.table(later)
        before = graph.rest if streamed else graph.weights
        staging = float(table.staging[first - table.low]) if streamed else 0.0
        seconds += float((table.streamed_s if streamed else table.seconds)[candidate])
        resident += float(before[later] - before[first])
        peak = max(peak, 4.0 * float(table.floats[candidate]) + staging)
    return Path(np.array(edges, np.int16), seconds, resident, peak)
