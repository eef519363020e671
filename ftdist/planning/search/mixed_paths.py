"""Plans of mixed residency: some groups keep their weights in memory, others stream them.

Resident weights add up over a plan, so they couple its groups. A pool of paths is made for a range
of caps on the activations and a range of prices for a resident byte (Lagrange multipliers); around
a budget the prices are sought more closely. Each path also yields a lower bound for every plan
there is. What a budget has room for beside a path's groups is filled with the weights that save
most.
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
"""Caps on the activations, from the smallest there are to where they change nothing."""

PRICES = (0.0, *(float(each) for each in np.geomspace(1e-13, 1e-8, 6)))
"""Seconds that keeping a byte of weights resident may cost."""

_HALVINGS = 4
"""How often the gap between two prices is halved where a budget lies between their paths."""

_WORTH_WHILE = 1e-3
"""The share of a plan's time for which prices are sought more closely."""

_KNAPSACKS = 5
"""Caps under which a knapsack is tried."""


class MixedPaths:
    """Paths for every cap and price that a limit may need, made when it does."""

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
        """The paths that may be of use within a limit; not all of them are within it."""
        return [path for _, path in self._priced(limit)]

    def refined(self, limit: float, beside: Sequence[Path]) -> list[Path]:
        """As `paths`, and better ones, once the room that a limit leaves is looked at closely.

        `beside` are paths found in other ways.
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
        """What a knapsack finds: with the activations of the best path, and under the caps where
        prices leave most to be found."""
        bounds = sorted((bound_s, cap) for cap, bound_s in self._bounds_s(limit).items())
        caps = [cap for bound_s, cap in bounds if cap < limit][:_KNAPSACKS]
        caps = ([best.peak_bytes] if best else []) + caps
        found: list[Path] = []
        while caps and (best is None or best.seconds > bounds[0][0] * (1 + _WORTH_WHILE)):
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
        """The fastest path under a cap with what a limit leaves beside it for weights."""
        key = cap, limit
        if key not in self._knapsacks:
            self._knapsacks[key] = knapsack_path(self._candidates, cap, limit)
        return self._knapsacks[key]

    def bound_s(self, limit: float) -> float:
        """A lower bound of the time of any plan within the limit."""
        return min(self._bounds_s(limit).values(), default=0.0)

    def _bounds_s(self, limit: float) -> dict[float, float]:
        """By cap a lower bound of the time of plans whose activations lie between it and the next
        lower one.

        Such a plan keeps at most the limit less the lower cap of weights resident: for each price
        the priced shortest path under the upper cap bounds it.
        """
        bounds: dict[float, float] = {}
        below = dict(zip(self._caps, [0.0, *self._caps], strict=False))
        for query, path in self._priced(limit):
            spare = path.resident_bytes - (limit - below[query.cap])
            bounds[query.cap] = max(bounds.get(query.cap, 0.0), path.seconds + query.price * spare)
        return bounds

    def correct(self, grown: Set[tuple[int, int]]) -> None:
        """Heeds that candidates, (later cut, number), take more memory than was known."""
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
        """Paths by cap and price; caps of which a lower one is above the limit are not needed."""
        below = [cap for cap in self._caps if cap < limit]
        most = self._caps[len(below)] if len(below) < len(self._caps) else limit
        queries = [query for query in self._queries if query.cap <= most]
        missing = [query for query in queries if query not in self._known]
        self._known.update(zip(missing, shortest_paths(self._candidates, missing), strict=True))
        found = ((query, self._known[query]) for query in queries)
        return [(query, path) for query, path in found if path is not None]

    def _prices_between(self, limit: float, best_s: float) -> list[PathQuery]:
        """Prices between those at which the paths of a cap exceed the limit and where they do not.

        Only where a path that is nearly within the limit would be faster than `best_s`.
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
