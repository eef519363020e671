"""Which algorithm computes each layer: one choice for a network and a budget.

The choice holds for every worker of a frame, for bits depend on it. Unless the user wants all
layers computed directly, the layers for which the profile says that Winograd's kernels are faster
come in order of what they gain for each byte that they need; the arithmetics that are tried compute
the first of these so, up to some parts of all the bytes. ``AnySearch`` takes the fastest plan of
them all, so it is never slower than direct kernels alone, by the cost model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

from ftdist.network.graph import Network, weighted_layers
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic
from ftdist.planning.cost.kernels import layer_cost
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.search.cutgraph import Grids, Progress
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
    for number, operation, source in weighted_layers(network):
        height, width, _ = network.shape(number)
        direct = layer_cost(network, number, width, profile)
        best = _WORTH * direct.row_s, DIRECT.name
        for name, implementation in IMPLEMENTATIONS.items():
            if name != DIRECT.name and implementation.suits(*network.asked(number)):
                other = network.computed_by(((number, name),))
                best = min(best, (layer_cost(other, number, width, profile).row_s, name))
        row_s, name = best
        if name != DIRECT.name:
            form = IMPLEMENTATIONS[name].form(operation)
            more = 4 * sum(form.sizes(operation, source).values()) - direct.weight_bytes
            yield height * (direct.row_s - row_s) / max(more, 1), more, number, name


class AnySearch:
    """Searches by several arithmetics as one: asked as a ``Search`` is.

    An arithmetic whose fastest plan of all is slower than what was found is not searched closely.
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
        self._network, self._tried = network, tried
        self._make: Callable[[Arithmetic], Search] = lambda arithmetic: Search(
            network.computed_by(arithmetic), threads, profile, progress, grids
        )

    @cached_property
    def _searches(self) -> dict[Arithmetic, Search]:
        """By arithmetic, that of the fastest unbounded plan first."""
        found = {each: self._make(each) for each in self._tried}
        return dict(sorted(found.items(), key=lambda each: _free_s(each[1])))

    def fastest(
        self, available_bytes: int | None = None, *, closely: bool = True
    ) -> FoundPlan | None:
        """The fastest plan by any of the arithmetics, as ``Search.fastest``."""
        best: FoundPlan | None = None
        bound_s = float("inf")
        for search in self._searches.values():
            if best is not None and _free_s(search) >= best.seconds:
                break
            found = search.fastest(available_bytes, closely=closely)
            if found is None:
                continue
            bound_s = min(bound_s, found.bound_s)
            if best is None or found.seconds < best.seconds:
                best = found
        return None if best is None else replace(best, bound_s=min(bound_s, best.seconds))

    def runner_up(self, plan: Plan, available_bytes: int | None = None) -> FoundPlan | None:
        """The next plan by the same arithmetic, as ``Search.runner_up``."""
        return self._searches[plan.arithmetic].runner_up(plan, available_bytes)

    def smallest(self) -> FoundPlan:
        """The smallest plan: that of direct kernels, whose weights are smallest."""
        return self._searches[()].smallest()


def _free_s(search: Search) -> float:
    """Seconds of the fastest plan where no budget binds."""
    found = search.fastest()
    assert found is not None
    return found.seconds
