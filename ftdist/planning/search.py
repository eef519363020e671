"""Which plan: the fastest one, by the cost model, whose memory fits.

Cut points are nodes, candidate groups edges with a time and a peak; the fastest plan is a shortest
path over the edges that fit, the smallest plan a path whose largest edge is least. A group's peak
is its arenas (one a thread) plus every map that is alive while it runs, those that merely skip over
it included, so a plan's peak is the largest of its groups'.

Candidates: cuts where few bytes are alive, grids of one tile a thread, strips in powers of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost import DEFAULT_PROFILE, DeviceProfile, group_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.layout import lay_out
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.predictor import live_maps

MOST_CUTS = 9
STRIPS = (None, 64, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run the layers between two cuts."""

    plan: GroupPlan
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A plan with the cost model's time and the activations' peak."""

    plan: Plan
    seconds: float
    peak_bytes: int


class Search:
    """All candidates of a network for a number of threads; ask it for plans under any budget."""

    def __init__(
        self, network: Network, threads: int, profile: DeviceProfile = DEFAULT_PROFILE
    ) -> None:
        self._threads = threads
        self._cuts = cut_points(network)
        self._edges = {
            (first, stop): tuple(_candidates(network, first, stop, threads, profile))
            for index, first in enumerate(self._cuts)
            for stop in self._cuts[index + 1 :]
        }

    def fastest(self, available_bytes: int | None = None) -> Found | None:
        """The fastest plan whose activations take at most `available_bytes`; None if none does."""

        def fits(edge: Candidate) -> bool:
            return available_bytes is None or edge.peak_bytes <= available_bytes

        return self._best(lambda found: (found.seconds, found.peak_bytes), fits)

    def smallest(self) -> Found:
        """The plan with the smallest peak; among those the fastest."""
        found = self._best(
            lambda found: (found.peak_bytes, found.seconds), lambda edge: True
        )
        assert found is not None
        return found

    def _best(
        self,
        key: Callable[[Found], tuple[float, float]],
        fits: Callable[[Candidate], bool],
    ) -> Found | None:
        best: dict[int, Found] = {0: Found(Plan((), self._threads), 0.0, 0)}
        for (first, stop), edges in self._edges.items():
            if first not in best:
                continue
            before = best[first]
            for edge in filter(fits, edges):
                found = Found(
                    Plan((*before.plan.groups, edge.plan), self._threads),
                    before.seconds + edge.seconds,
                    max(before.peak_bytes, edge.peak_bytes),
                )
                if stop not in best or key(found) < key(best[stop]):
                    best[stop] = found
        return best.get(self._cuts[-1])


def plan_seconds(
    network: Network, plan: Plan, profile: DeviceProfile = DEFAULT_PROFILE
) -> float:
    """The cost model's time of any plan."""
    total = 0.0
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        if group.members:
            total += group_seconds(
                group, lay_out(group, each, frozenset()), plan.threads, profile
            )
    return total


def cut_points(network: Network) -> tuple[int, ...]:
    """0, the number of layers, and up to MOST_CUTS cuts between, where fewest bytes are alive."""
    last = len(network.layers)
    alive = {cut: sum(live_maps(network, cut).values()) for cut in range(1, last)}
    possible = [
        cut
        for cut in range(1, last)
        if not is_alias(network.layers[cut])
        and alive[cut] <= min(alive.get(cut - 1, 1 << 62), alive.get(cut + 1, 1 << 62))
    ]
    chosen = sorted(possible, key=lambda cut: (alive[cut], cut))[:MOST_CUTS]
    return (0, *sorted(chosen), last)


def peak_bytes(
    network: Network, group: FusedGroup, arena_bytes: int, workers: int
) -> int:
    """Activations in memory while a group runs: arenas and every map alive; user arrays apart."""
    outputs = {network.source(each) for each in network.outputs}
    maps = {**live_maps(network, group.first), **live_maps(network, group.stop)}
    return arena_bytes * workers + sum(maps[source] for source in maps.keys() - outputs)


def _candidates(
    network: Network, first: int, stop: int, threads: int, profile: DeviceProfile
) -> Iterator[Candidate]:
    group = FusedGroup(network, first, stop)
    if not group.members:
        yield Candidate(GroupPlan(first, stop), 0.0, 0)
        return
    heights = [network.shape(output).height for output in group.outputs]
    rows = min(threads, *heights)
    own = -(-heights[-1] // rows)
    for strip in STRIPS:
        if strip is not None and strip >= own:
            continue
        plan = GroupPlan(first, stop, rows, 1, strip)
        layout = lay_out(group, plan, frozenset())
        peak = peak_bytes(network, group, layout.arena_bytes, min(threads, rows))
        yield Candidate(plan, group_seconds(group, layout, threads, profile), peak)
