"""Paths of mixed residency: some groups keep their weights in memory, others stream them.

Resident weights add up over a plan, so they couple its groups. Paths are made for a range of caps
on the activations and a range of prices of a resident byte (Lagrange multipliers), with more prices
around a budget. Each path also yields a lower bound of the time of every plan. The room that a
budget leaves beside a path's groups is filled with the weights that save most time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set

import numpy as np

from ftdist.planning.search.candidates import Candidates
from ftdist.planning.search.knapsack import filled_with_weights, knapsack_path
from ftdist.planning.search.paths import (
    Path,
    PathQuery,
    least_activations,
    remeasured,
    shortest_paths,
)

_CAPS = 24
"""Caps on the activations, from the smallest activations possible to those of the fastest plan.
Chosen, not measured."""

PRICES = (0.0, *(float(each) for each in np.geomspace(1e-13, 1e-8, 6)))
"""Prices of a resident byte of weights, in seconds: from less than memory costs to more than a disk
does. Chosen, not measured."""

_HALVINGS = 4
"""Times that the gap between two prices is halved where a budget lies between their paths. Chosen,
not measured."""

_WORTH_WHILE = 1e-3
"""The part of a plan's time that is worth further search: 0.1%."""

_KNAPSACKS = 5
"""Caps under which a knapsack is tried. Chosen, not measured."""


class MixedPaths:
    """Paths for every cap and price that a limit needs, made when it does."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._known: dict[PathQuery, Path | None] = {}
        self._knapsacks: dict[tuple[float, float], Path | None] = {}
        least = least_activations(candidates, streamed=True).peak_bytes
        free = [PathQuery(np.inf, price) for price in PRICES]
        self._known.update(zip(free, shortest_paths(candidates, free), strict=True))
        most = max((path.peak_bytes for path in self._known.values() if path), default=0.0)
        sizes = np.geomspace(least, max(least, most), _CAPS)
        self._caps = [*dict.fromkeys(float(each) for each in sizes), np.inf]
        self._queries = [PathQuery(cap, price) for cap in self._caps for price in PRICES]

    def paths(self, limit: float) -> list[Path]:
        """The paths that may be useful within a limit; some of them exceed it."""
        return [path for _, path in self._priced(limit)]

    def refined(self, limit: float, beside: Sequence[Path]) -> list[Path]:
        """`paths`, `beside` (paths found in other ways), and better ones.

        These take longer to find: at prices in between, with the room that the limit leaves filled,
        and by knapsacks.
        """
        for _ in range(_HALVINGS):
            best = _fastest([*beside, *self.paths(limit)], limit)
            between = self._prices_between(limit, best.seconds if best else np.inf)
            if not between:
                break
            self._queries = sorted(
                [*self._queries, *between], key=lambda query: (query.cap, query.price)
            )
        paths = [*beside, *self.paths(limit)]
        best = _fastest(paths, limit)
        most_s = best.seconds if best else np.inf
        tried = {each.packed.tobytes(): each for each in paths if each.seconds <= most_s}
        fuller = (filled_with_weights(self._candidates, each, limit) for each in tried.values())
        paths += [path for path in fuller if path is not None]
        return paths + self._knapsack_paths(limit, _fastest(paths, limit))

    def _knapsack_paths(self, limit: float, best: Path | None) -> list[Path]:
        """Paths by knapsacks: with the activations of the best path, and under the caps whose lower
        bounds leave most room for better paths."""
        bounds = sorted((bound_s, cap) for cap, bound_s in self._bounds_s(limit).items())
        caps = [cap for bound_s, cap in bounds if cap < limit][:_KNAPSACKS]
        caps = ([best.peak_bytes] if best else []) + caps
        found: list[Path] = []
        least_s = self.bound_s(limit)
        while caps and (best is None or best.seconds > least_s * (1 + _WORTH_WHILE)):
            cap = caps.pop(0)
            path = self._knapsack(cap, limit)
            if path is None or path.bytes > limit:
                continue
            if best is None or path.seconds < best.seconds:
                best = path
                found.append(path)
                if path.peak_bytes < cap:
                    caps.insert(0, path.peak_bytes)
        return found

    def _knapsack(self, cap: float, limit: float) -> Path | None:
        """The fastest path under a cap whose resident weights take what the limit leaves beside
        it."""
        key = cap, limit
        if key not in self._knapsacks:
            self._knapsacks[key] = knapsack_path(self._candidates, cap, limit)
        return self._knapsacks[key]

    def bound_s(self, limit: float) -> float:
        """A lower bound of the time of any plan within the limit."""
        return min(self._bounds_s(limit).values(), default=0.0)

    def _bounds_s(self, limit: float) -> dict[float, float]:
        """By cap a lower bound of the time of plans whose activations lie between it and the cap
        below.

        The resident weights of such a plan take at most the limit less the cap below. So for each
        price the shortest path under the cap bounds its time.
        """
        bounds: dict[float, float] = {}
        below = dict(zip(self._caps, [0.0, *self._caps], strict=False))
        for query, path in self._priced(limit):
            spare = path.resident_bytes - (limit - below[query.cap])
            bounds[query.cap] = max(bounds.get(query.cap, 0.0), path.seconds + query.price * spare)
        return bounds

    def correct(self, grown: Set[tuple[int, int]]) -> None:
        """Corrects paths: some candidates, (later cut, number), take more memory than was known."""
        for query, path in list(self._known.items()):
            if path is not None:
                anew = remeasured(self._candidates, path, grown)
                if anew.peak_bytes > query.cap:
                    del self._known[query]  # to be sought again
                else:
                    self._known[query] = anew
        for key, path in list(self._knapsacks.items()):
            if path is not None and remeasured(self._candidates, path, grown) is not path:
                del self._knapsacks[key]

    def _priced(self, limit: float) -> list[tuple[PathQuery, Path]]:
        """Paths by cap and price, up to the first cap that is above the limit."""
        below = [cap for cap in self._caps if cap < limit]
        most = self._caps[len(below)] if len(below) < len(self._caps) else limit
        queries = [query for query in self._queries if query.cap <= most]
        missing = [query for query in queries if query not in self._known]
        self._known.update(zip(missing, shortest_paths(self._candidates, missing), strict=True))
        found = ((query, self._known[query]) for query in queries)
        return [(query, path) for query, path in found if path is not None]

    def _prices_between(self, limit: float, best_s: float) -> list[PathQuery]:
        """Prices between the last path of a cap that exceeds the limit and the first that does not.

        Only where the path that exceeds it is faster than `best_s`.
        """
        between = []
        for (query, path), (dearer, smaller) in itertools.pairwise(self._priced(limit)):
            crossing = query.cap == dearer.cap and smaller.bytes <= limit < path.bytes
            if crossing and path.seconds < best_s * (1 - _WORTH_WHILE):
                low = query.price or dearer.price / 10
                if dearer.price / low > 1 + _WORTH_WHILE:
                    between.append(PathQuery(query.cap, float(np.sqrt(low * dearer.price))))
        return between


def _fastest(paths: Sequence[Path], limit: float) -> Path | None:
    """The fastest of the paths that are within a limit."""
    fitting = (path for path in paths if path.bytes <= limit)
    return min(fitting, key=lambda each: each.key, default=None)
