"""Which plan: the fastest one, by the cost model, whose memory fits.

Cuts are nodes, and candidate groups are edges with a time and a peak. With all weights resident, or
all streamed, the fastest plan is a shortest path over the edges that fit. A group's peak is its
arenas (one for each thread) plus every map that is alive while it runs, also those that only skip
over it. A plan's peak is the largest peak of its groups. Candidates know a lower bound of their
memory; when a path is found its groups are laid out, a candidate that needs more is corrected, and
the path is sought again. So these two families are exact for the cost model over all cuts, grids
and strips that ``candidates`` offers. Of equally fast plans the one with the smaller peak is taken.

Resident weights couple the groups. Plans in which only some groups keep their weights come from
``mixed_paths``, which also bound the time of every plan (`bound_s`): a result says how far from the
best it can be.

Where no budget binds, the fastest plan is found in one walk over the cuts, and no candidate is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ftdist.network.graph import Network
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.planning.search.candidates import TIE_S_PER_BYTE, Candidates
from ftdist.planning.search.cutgraph import CutGraph, Grids, Progress
from ftdist.planning.search.mixed_paths import PRICES, MixedPaths
from ftdist.planning.search.paths import (
    CandidateMask,
    Path,
    PathQuery,
    least_activations,
    next_best_paths,
    shortest_paths,
)
from ftdist.planning.steps import split


@dataclass(frozen=True, slots=True)
class FoundPlan:
    """A plan with the cost model's time, its peak (weights and activations), and a lower bound of
    the time of any plan within the same budget."""

    plan: Plan
    seconds: float
    peak_bytes: int
    bound_s: float


class Search:
    """All candidates of a network for a number of threads; ask it for plans under any budget.

    `progress` is called with the part of the candidates that has been made, from 0 to 1. `grids`
    are those that groups may have, where it is not one tile for each thread.
    """

    def __init__(
        self,
        network: Network,
        threads: int,
        profile: DeviceProfile = DEFAULT,
        progress: Progress | None = None,
        grids: Grids | None = None,
    ) -> None:
        self._graph = CutGraph.of(network, threads, profile, grids)
        self._arithmetic = network.arithmetic
        self._progress = progress
        self._free: FoundPlan | None = None
        self._table: Candidates | None = None
        self._mixed: MixedPaths | None = None

    def fastest(
        self, available_bytes: int | None = None, *, closely: bool = True
    ) -> FoundPlan | None:
        """The fastest plan whose weights and activations take at most `available_bytes`.

        None if there is none. Without looking `closely` it is found sooner, and where only some
        groups keep their weights it may be some percent slower than the fastest.
        """
        if available_bytes is None or self._graph.weights[-1] <= available_bytes:
            if self._free is None:
                self._free = self._unbounded()
            if available_bytes is None or self._free.peak_bytes <= available_bytes:
                return self._free
        return self._fastest_of(self._paths_within, available_bytes, closely)

    def runner_up(self, plan: Plan, available_bytes: int | None = None) -> FoundPlan | None:
        """The fastest plan found within `available_bytes` that differs in its cuts or its grids.

        `plan` is one of this search. For all weights resident and all streamed it is the very
        next; of those with mixed residency the paths made so far are searched, and the next at each
        price.
        """
        return self._fastest_of(
            lambda limit, _: self._other_paths(plan, limit), available_bytes, False
        )

    def smallest(self) -> FoundPlan:
        """The plan with the smallest peak; among those the fastest."""
        while True:
            both = [least_activations(self._candidates, streamed=each) for each in (False, True)]
            least = min(each.bytes for each in both)
            paths = [*both, *self._mixed_paths.paths(least)]
            path = min(paths, key=lambda each: (each.bytes, each.seconds))
            if self._lay_out([path]):
                found = self.fastest(int(np.ceil(path.bytes)))
                return found if found is not None else self._found(path, path.seconds)

    @property
    def _candidates(self) -> Candidates:
        """The table of all candidates, made when the first budget binds."""
        if self._table is None:
            self._table = Candidates.of(self._graph, self._progress)
        return self._table

    @property
    def _mixed_paths(self) -> MixedPaths:
        """Plans of mixed residency."""
        if self._mixed is None:
            self._mixed = MixedPaths(self._candidates)
        return self._mixed

    def _plan(self, groups: Sequence[GroupPlan]) -> Plan:
        steps = split(self._graph.context.network, groups)
        return Plan(steps, self._graph.threads, arithmetic=self._arithmetic)

    def _unbounded(self) -> FoundPlan:
        """The fastest plan of all, weights resident."""
        graph = self._graph
        best = np.zeros((len(graph.cuts), 2))  # seconds with and without the preference of ties
        came = np.zeros((len(graph.cuts), 2), np.int64)
        for later, ending in graph.groups_at_cuts(self._progress):
            costs = ending.seconds + ending.bytes * TIE_S_PER_BYTE
            schedules = costs.argmin(axis=1)
            reached = best[ending.low : later, 0] + costs.min(axis=1)
            at = int(reached.argmin())
            first = ending.low + at
            best[later] = reached[at], best[first, 1] + ending.seconds[at, schedules[at]]
            came[later] = first, schedules[at]
        groups: list[GroupPlan] = []
        peak, later = 0, len(graph.cuts) - 1
        while later:
            first, schedule = map(int, came[later])
            groups.append(graph.plan(first, later, schedule))
            peak = max(peak, graph.group_bytes(first, later, schedule))
            later = first
        plan, seconds = self._plan(groups[::-1]), float(best[-1, 1])
        return FoundPlan(plan, seconds, int(graph.weights[-1]) + peak, seconds)

    def _fastest_of(
        self,
        propose: Callable[[float, bool], list[Path]],
        available_bytes: int | None,
        closely: bool,
    ) -> FoundPlan | None:
        """The fastest path proposed within the limit, once laying it out corrects nothing.

        Paths are proposed `closely`, which takes longer, after that holds for those proposed
        otherwise.
        """
        limit = float("inf") if available_bytes is None else float(available_bytes)
        looks_closely = False
        while True:
            paths = propose(limit, looks_closely)
            fitting = (path for path in paths if path.bytes <= limit)
            path = min(fitting, key=lambda each: each.key, default=None)
            if path is not None and not self._lay_out([path]):
                self._lay_out(paths)  # one of them will be next
            elif closely and not looks_closely:
                looks_closely = True
            elif path is None:
                return None
            else:
                bound_s = self._mixed_paths.bound_s(limit) if np.isfinite(limit) else path.seconds
                return self._found(path, min(bound_s, path.seconds))

    def _paths_within(self, limit: float, closely: bool) -> list[Path]:
        """The fastest paths of both families within the limit, and mixed paths."""
        pure = shortest_paths(self._candidates, self._families(limit))
        found = [path for path in pure if path is not None]
        mixed = self._mixed_paths
        return mixed.refined(limit, found) if closely else found + mixed.paths(limit)

    def _other_paths(self, plan: Plan, limit: float) -> list[Path]:
        """Paths with other cuts or grids than the plan: the fastest of both families, and mixed
        ones."""
        same, resident = self._same_groups(plan)
        queries = [*self._families(limit)]
        if np.isfinite(limit):
            queries += [PathQuery(limit - resident, price) for price in PRICES]
        next_best = next_best_paths(self._candidates, queries, same)
        found = [path for path in next_best if path is not None]
        if np.isfinite(limit):
            for path in self._mixed_paths.paths(limit):
                if not all(same[later - 1][at] for _, later, at, _ in path.edges):
                    found.append(path)
        return found

    def _same_groups(self, plan: Plan) -> tuple[CandidateMask, float]:
        """(candidates with the cuts and grid of one of the plan's groups, its resident bytes)."""
        graph, candidates = self._graph, self._candidates
        same = [np.zeros(len(table.floats), bool) for table in candidates.tables]
        resident = 0.0
        for group in plan.groups:
            first, later = graph.cuts.index(group.first), graph.cuts.index(group.stop)
            own = candidates.table(later).of_group(first)
            for at in range(own.start, own.stop):
                schedule = graph.schedules[candidates.schedule(later, at)]
                grid = schedule.rows, schedule.columns, schedule.slices > 1
                own_grid = group.rows, group.columns, group.slices > 1
                same[later - 1][at] = group.whole or grid == own_grid
            before = graph.rest if group.streamed else graph.weights
            resident += float(before[later] - before[first])
        return same, resident

    def _families(self, limit: float) -> tuple[PathQuery, PathQuery]:
        """All weights resident, and all streamed, each with what is left for activations."""
        graph = self._graph
        return (
            PathQuery(limit - float(graph.weights[-1]), streamed=False),
            PathQuery(limit - float(graph.rest[-1]), resident=False),
        )

    def _lay_out(self, paths: Sequence[Path]) -> bool:
        """Lays out the groups of paths; returns whether none needs more than the paths assumed."""
        graph, candidates = self._graph, self._candidates
        grown = set()
        for first, later, at, _ in (edge for path in paths for edge in path.edges):
            table = candidates.table(later)
            if at not in table.exact:
                exact = graph.group_bytes(first, later, candidates.schedule(later, at)) // 4
                if exact > table.floats[at]:
                    table.floats[at] = exact
                    grown.add((later, at))
                table.exact.add(at)
        if grown and self._mixed is not None:
            self._mixed.correct(grown)
        return not grown

    def _found(self, path: Path, bound_s: float) -> FoundPlan:
        graph, candidates = self._graph, self._candidates
        groups = tuple(
            graph.plan(first, later, candidates.schedule(later, at), streamed=streamed)
            for first, later, at, streamed in path.edges
        )
        peak_bytes = int(np.ceil(path.bytes))
        return FoundPlan(self._plan(groups), path.seconds, peak_bytes, bound_s)
