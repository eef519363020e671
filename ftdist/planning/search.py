"""Which plan: the fastest one, by the cost model, whose memory fits.

Cuts are nodes, candidate groups edges with a time and a peak; with all weights resident (or all
streamed) the fastest plan is a shortest path over the edges that fit. A group's peak is its arenas
(one a thread) plus every map that is alive while it runs, those that merely skip over it included,
so a plan's peak is the largest of its groups'. Edges know a lower bound of their memory; whenever a
path is found its groups are laid out, an edge that needs more is corrected, and the path sought
again. So these two families are exact for the cost model over all cuts, grids and strips that
``edges`` offers. Ties go to the smaller peak.

Which groups keep their weights resident couples the groups: resident weights add up over the plan.
For that a pool of mixed plans is made once: shortest paths for a range of caps on the activations
and a range of prices for a resident byte (Lagrange multipliers). Each also yields a lower bound for
every plan there is, so a result says how far from the best it can be at most (`bound_s`). Neither
family nor pool depends on the budget, so more memory never makes a plan slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ftdist.network.graph import Network
from ftdist.planning.edges import Edges, all_edges
from ftdist.planning.group import FusedGroup
from ftdist.planning.layout import lay_out
from ftdist.planning.paths import Allowed, Path, least_activations, leaving, offers, shortest
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DEFAULT, DeviceProfile

_MOST_CAPS = 24

_PRICES = tuple(float(each) for each in np.geomspace(1e-13, 1e-8, 16))
"""Seconds that keeping a byte of weights resident may cost."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plan with the cost model's time, its peak (weights and activations), and a lower bound of
    the time of any plan within the same budget."""

    plan: Plan
    seconds: float
    peak_bytes: int
    bound_s: float


class Search:
    """All candidates of a network for a number of threads; ask it for plans under any budget."""

    def __init__(self, network: Network, threads: int, profile: DeviceProfile = DEFAULT) -> None:
        self._network = network
        self._threads = threads
        self._edges = all_edges(network, threads, profile)
        self._caps = _caps(self._edges)
        self._pool: list[tuple[float, float, Path]] | None = None
        self._known: dict[tuple[float, float], Path | None] = {}

    def fastest(self, available_bytes: int | None = None) -> Found | None:
        """The fastest plan whose weights and activations take at most `available_bytes`.

        None if there is none.
        """
        return self._fastest_of(self._candidates, available_bytes)

    def runner_up(self, plan: Plan, available_bytes: int | None = None) -> Found | None:
        """The fastest plan found within `available_bytes` that differs in its cuts or its grids.

        `plan` is one of this search. For all weights resident and all streamed it is the very
        next; with mixed residency the pool is searched, and what leaves `plan` at each price.
        """
        return self._fastest_of(lambda limit: self._leaving(plan, limit), available_bytes)

    def smallest(self) -> Found:
        """The plan with the smallest peak; among those the fastest."""
        while True:
            both = (least_activations(self._edges, streamed=each) for each in (False, True))
            path = min((*both, *self._mixed()), key=lambda each: (each.bytes, each.seconds))
            if self._settle(path):
                found = self.fastest(int(np.ceil(path.bytes)))
                return found if found is not None else self._found(path, path.seconds)

    def _fastest_of(
        self, propose: Callable[[float], list[Path]], available_bytes: int | None
    ) -> Found | None:
        """The fastest path proposed within the limit, once no layout corrects it any more."""
        limit = float("inf") if available_bytes is None else float(available_bytes)
        while True:
            fitting = [path for path in propose(limit) if path.bytes <= limit]
            if not fitting:
                return None
            path = min(fitting, key=lambda each: each.key)
            if self._settle(path):
                return self._found(path, min(self._bound_s(limit), path.seconds))

    def _candidates(self, limit: float) -> list[Path]:
        """The fastest paths of both pure families within the limit, and the pool."""
        pure = [shortest(offers(self._edges, allowed)) for allowed in self._families(limit)]
        return [path for path in pure if path is not None] + (
            [] if np.isinf(limit) else self._mixed()
        )

    def _leaving(self, plan: Plan, limit: float) -> list[Path]:
        """Paths that are not the plan's: the fastest of both families, and mixed ones."""
        edges = self._edges
        kept = np.zeros(edges.bytes.shape, bool)
        resident = 0.0
        for group in plan.groups:
            pair = edges.cuts.index(group.first), edges.cuts.index(group.stop)
            grid = group.rows, group.columns
            kept[pair] = [(option.rows, option.columns) == grid for option in edges.options]
            resident += float((edges.rest if group.streamed else edges.weights)[pair])
        ways: list[tuple[Allowed, tuple[float, ...]]]
        ways = [(allowed, (0.0,)) for allowed in self._families(limit)]
        if np.isfinite(limit):
            ways.append((Allowed(limit - resident), (0.0, *_PRICES)))
        found: list[Path | None] = []
        for allowed, prices in ways:
            same, others = offers(edges, allowed, kept), offers(edges, allowed, ~kept)
            every = offers(edges, allowed)
            found += [leaving(same, others, every, price) for price in prices]
        if np.isfinite(limit):
            found += [path for path in self._mixed() if not all(kept[s[:3]] for s in path.steps)]
        return [path for path in found if path is not None]

    def _families(self, limit: float) -> tuple[Allowed, Allowed]:
        """All weights resident, and all streamed, each with what is left for activations."""
        edges = self._edges
        return (
            Allowed(limit - edges.total_weights, streamed=False),
            Allowed(limit - float(edges.rest[0, -1]), resident=False),
        )

    def _mixed(self) -> list[Path]:
        """The pool: paths of mixed residency, for every cap and price."""
        return [path for _, _, path in self._priced()]

    def _priced(self) -> list[tuple[float, float, Path]]:
        """(cap, price, path) of the pool; a path with an edge that has grown is sought again."""
        if self._pool is None:
            self._pool = []
            for cap in self._caps:
                offered = None
                for price in (0.0, *_PRICES):
                    if (cap, price) not in self._known:
                        offered = offered or offers(self._edges, Allowed(cap))
                        self._known[cap, price] = shortest(offered, price)
                    path = self._known[cap, price]
                    if path is None:
                        break
                    self._pool.append((cap, price, path))
                    if path.resident_bytes <= float(self._edges.rest[0, -1]):
                        break  # all is streamed: a higher price changes nothing
        return self._pool

    def _bound_s(self, limit: float) -> float:
        """A lower bound of the time of any plan within the limit.

        A plan whose activations lie between two caps keeps at most the limit less the lower one of
        weights resident: for each price the priced shortest path under the upper cap bounds it.
        """
        if np.isinf(limit):
            free = shortest(offers(self._edges, Allowed(limit)))
            return free.seconds if free else 0.0
        bounds: dict[float, float] = {}
        caps = sorted({cap for cap, _, _ in self._priced()})
        below = dict(zip(caps, [0.0, *caps], strict=False))
        for cap, price, path in self._priced():
            if below[cap] <= limit:
                spare = path.resident_bytes - (limit - below[cap])
                bounds[cap] = max(bounds.get(cap, 0.0), path.seconds + price * spare)
        return min(bounds.values(), default=0.0)

    def _settle(self, path: Path) -> bool:
        """Lays the groups of a path out; whether none needs more than the path assumed."""
        edges = self._edges
        grown = set()
        for first, stop, option, _ in path.steps:
            step = first, stop, option
            if step not in edges.exact:
                exact = self._group_bytes(step)
                if exact > float(edges.bytes[step]):
                    edges.bytes[step] = exact
                    grown.add(step)
                edges.exact.add(step)
        if grown:
            self._pool = None
            self._known = {
                key: path
                for key, path in self._known.items()
                if path is None or grown.isdisjoint(step[:3] for step in path.steps)
            }
        return not grown

    def _group_bytes(self, step: tuple[int, int, int]) -> int:
        """Arenas and maps in memory while a group runs, by its layout."""
        edges = self._edges
        first, stop, option = step
        plan = edges.options[option].plan(edges.cuts[first], edges.cuts[stop])
        group = FusedGroup(self._network, plan.first, plan.stop)
        outputs = self._network.output_sources
        layout = lay_out(group, plan, frozenset(group.outputs) - outputs)
        workers = min(self._threads, plan.rows * plan.columns)
        maps = sum({**edges.maps[first], **edges.maps[stop]}.values())
        return workers * layout.arena_bytes + maps

    def _found(self, path: Path, bound_s: float) -> Found:
        edges = self._edges
        groups = tuple(
            edges.options[option].plan(edges.cuts[first], edges.cuts[stop], streamed=streamed)
            for first, stop, option, streamed in path.steps
        )
        peak_bytes = int(np.ceil(path.bytes))
        return Found(Plan(groups, self._threads), path.seconds, peak_bytes, bound_s)


def _caps(edges: Edges) -> list[float]:
    """Caps on the activations: sizes that edges have before any is laid out, and no cap."""
    sizes = np.concatenate([edges.bytes, edges.streamed_bytes], axis=None)
    every = np.unique(sizes[np.isfinite(sizes)])
    if len(every) > _MOST_CAPS:
        every = every[np.unique(np.geomspace(1, len(every), _MOST_CAPS).astype(int) - 1)]
    return [*(float(each) for each in every), float("inf")]
