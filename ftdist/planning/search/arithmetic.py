"""Which algorithm computes each layer: one choice for a network and a budget.

The choice holds for every worker of a frame, for bits depend on it. Unless the user wants all
layers computed directly, the layers for which the profile says that Winograd's kernels are faster
come in order of what they gain for each byte that they need; the arithmetics that are tried compute
the first of these so, up to some parts of all the bytes. Those whose sums are rounded (``rounded``)
are computed directly in any case. ``AnySearch`` takes the fastest plan of
them all, so it is never slower than direct kernels alone, by the cost model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ftdist.network.graph import Network, is_alias, weighted_layers
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.network.packing import BLOCKS
from ftdist.planning.cost.group_cost import CostContext
from ftdist.planning.cost.kernels import layer_cost, row_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.search.cutgraph import Grids, Progress
from ftdist.planning.search.rounded import rounded_layers
from ftdist.planning.search.search import FoundPlan, Search

_PARTS = (1.0, 0.5, 0.25, 0.1)
"""Parts of the bytes of all transformed weights that arithmetics may take. Chosen, not measured."""

_WORTH = 0.9
"""A layer's algorithm takes at most so much of the time of direct kernels, by the cost model, which
errs by some percent."""


def arithmetics(network: Network, profile: DeviceProfile) -> tuple[Arithmetic, ...]:
    """Those that are worth trying: from the fastest with all its bytes to direct kernels only."""
    gains = sorted(_gains(network, profile), reverse=True)
    total = sum(size for _, size, _, _ in gains)
    found: list[Arithmetic] = []
    for part in _PARTS:
        taken, chosen = 0, []
        for _, size, number, name in gains:
            if taken + size <= part * total:
                taken += size
                chosen.append((number, name))
        found.append(tuple(sorted(chosen)))
    return tuple(dict.fromkeys((*found, ())))


def _gains(network: Network, profile: DeviceProfile) -> Iterator[tuple[float, int, int, str]]:
    """(seconds gained a byte, bytes more, layer, algorithm) where another one is worth it."""
    context, others = CostContext.of(network, profile), {}
    for name, implementation in IMPLEMENTATIONS.items():
        if name != DIRECT.name:
            layers = [number for number, _, _ in weighted_layers(network)]
            suited = [each for each in layers if implementation.suits(*network.asked(each))]
            other = network.computed_by(tuple((each, name) for each in suited))
            others[name] = suited, CostContext.of(other, profile)
    exact = rounded_layers(network)
    for number, operation, source in weighted_layers(network):
        if number in exact:
            continue
        direct_s = _layer_s(context, number, context.weights_once_s)
        best = _WORTH * direct_s, DIRECT.name
        for name, (suited, other_context) in others.items():
            if number in suited:
                best = min(best, (_layer_s(other_context, number, context.weights_once_s), name))
        seconds, name = best
        if name != DIRECT.name:
            form = IMPLEMENTATIONS[name].form(operation, source)
            floats = sum(form.sizes(operation, source).values())
            more = 4 * (floats - sum(BLOCKS.sizes(operation, source).values()))
            yield (direct_s - seconds) / max(more, 1), more, number, name


def _layer_s(context: CostContext, number: int, weights_once_s: float) -> float:
    """Seconds of making a whole layer on one thread, beside moving maps."""
    height, width, _ = context.network.shape(number)
    cost = layer_cost(context.network, number, width, context.profile)
    reads = max(1.0, height * width / cost.batch)
    weights_s = cost.weight_bytes * weights_once_s + reads * cost.expand_s
    return height * cost.row_s + weights_s + context.fetching_s(number, cost.weight_bytes)


def least_seconds(network: Network, threads: int, profile: DeviceProfile) -> float:
    """A lower bound of the time of every plan: what is needed of all maps made once, all weights
    read once."""
    seconds = 0.0
    known: dict[object, tuple[float, float]] = {}
    context = CostContext.of(network, profile)
    members = [n for n, layer in enumerate(network.layers) if not is_alias(layer)]
    needed = FusedGroup(network, 0, len(network.layers)).needed(members)
    for number in members:
        layer = network.layers[number]
        key = layer.operation, layer.algorithm, layer.shape, network.asked(number)[1]
        if key not in known:
            widths = np.arange(1, layer.shape.width + 1, dtype=np.float64)
            column_s = row_seconds(network, number, widths, profile) / widths
            weights = layer_cost(network, number, layer.shape.width, profile).weight_bytes
            known[key] = float(column_s.min()), weights * context.weights_once_s
        position_s, weights_s = known[key]
        seconds += needed[number].size * position_s + weights_s
    return seconds / threads


class AnySearch:
    """Searches by several arithmetics as one: asked as a ``Search`` is.

    Arithmetics are tried in order of what their plans take at least; one that cannot be faster than
    what was found is left out, or not searched closely.
    """

    def __init__(
        self,
        network: Network,
        threads: int,
        profile: DeviceProfile,
        tried: tuple[Arithmetic, ...],
        progress: Progress | None = None,
        grids: Grids | None = None,
    ) -> None:
        self._make: Callable[[Arithmetic], Search] = lambda arithmetic: Search(
            network.computed_by(arithmetic), threads, profile, progress, grids
        )
        least = [least_seconds(network.computed_by(each), threads, profile) for each in tried]
        self._tried = sorted(zip(least, tried, strict=True))
        self._searches: dict[Arithmetic, Search] = {}

    def _search(self, arithmetic: Arithmetic) -> Search:
        if arithmetic not in self._searches:
            self._searches[arithmetic] = self._make(arithmetic)
        return self._searches[arithmetic]

    def fastest(
        self, available_bytes: int | None = None, *, closely: bool = True
    ) -> FoundPlan | None:
        """The fastest plan by any of the arithmetics, as ``Search.fastest``."""
        found: dict[Arithmetic, FoundPlan] = {}
        most_s = float("inf")
        for least_s, arithmetic in self._tried:
            if least_s >= most_s:
                break
            plan = self._search(arithmetic).fastest(available_bytes, closely=False)
            if plan is not None:
                found[arithmetic] = plan
                most_s = min(most_s, plan.seconds)
        for arithmetic in sorted(found, key=lambda each: found[each].seconds) if closely else ():
            if found[arithmetic].bound_s < most_s:
                plan = self._search(arithmetic).fastest(available_bytes)
                assert plan is not None
                found[arithmetic] = plan
                most_s = min(most_s, plan.seconds)
        if not found:
            return None
        best = min(found.values(), key=lambda each: each.seconds)
        bound_s = min(each.bound_s for each in found.values())
        return replace(best, bound_s=min(bound_s, best.seconds))

    def runner_up(self, plan: Plan, available_bytes: int | None = None) -> FoundPlan | None:
        """The next plan by the same arithmetic, as ``Search.runner_up``."""
        return self._search(plan.arithmetic).runner_up(plan, available_bytes)

    def smallest(self) -> FoundPlan:
        """The smallest plan: that of direct kernels, whose weights are smallest."""
        return self._search(()).smallest()
