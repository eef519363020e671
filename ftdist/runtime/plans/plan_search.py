"""The fastest plan that fits a budget, and the one that needs the least memory.

The search proposes; lowering tells the exact bytes; what does not fit is sent back with less to
spend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ftdist.runtime.budget.memory import peak_resident_bytes
from ftdist.runtime.budget.sizes import SPREAD_BYTES
from ftdist.runtime.plans.choice import Choice, PlanProblem

if TYPE_CHECKING:
    from ftdist.planning.search.search import FoundPlan

_CLOSE_BYTES = 4096
"""Sizes that differ by less are about the same."""

_CLOSE_LOOKS = 3
"""How often a plan of the size that is left is looked for closely: its programs may not fit."""

_CLOSER_BYTES = 1 << 20
"""What a search that finds a plan takes beside one that finds none: it looks closely, at several
arithmetics."""

Proposer = Callable[[int | None, bool], "FoundPlan | None"]
"""Asked for the fastest plan within a size, and whether to look closely, which takes longer."""


class PlanSearch:
    """Searches for the plans that answer a problem.

    `progress` is told how far the search is, from 0 to 1.
    """

    def __init__(
        self, problem: PlanProblem, progress: Callable[[float], None] | None = None
    ) -> None:
        from ftdist.planning.search.arithmetic import (  # brings much: only for who searches
            AnySearch,
            arithmetics,
        )

        self.problem = problem
        network, profile = problem.model.network, problem.profile
        tried = ((),) if problem.exact_direct else arithmetics(network, profile)
        self._search = AnySearch(network, problem.threads, profile, tried, progress)

    def fastest(self) -> Choice:
        """The fastest plan within the budget; BudgetError when none fits."""
        choice = self._fit(self._fastest_within, self.problem)
        if choice is not None:
            return choice
        least = self.smallest()
        # searching takes memory too, which will be needed again
        searching = peak_resident_bytes() + _CLOSER_BYTES
        least = replace(least, peak_bytes=max(least.peak_bytes, searching))
        return least.within_budget("no plan fits")

    def smallest(self) -> Choice:
        """The plan with which the whole process is smallest; of several the fastest."""
        search = self._search
        best = self._examined(search.smallest())
        found: FoundPlan | None = None
        if best.footprint.programs > SPREAD_BYTES:  # else none is smaller by what would be noticed
            size = best.peak_bytes - best.footprint.fixed_bytes - 1
            found = search.fastest(size, closely=False)
        while found is not None and best.peak_bytes == best.footprint.peak_bytes:
            best = min(best, self._examined(found), key=lambda choice: choice.peak_bytes)
            size = min(best.peak_bytes - best.footprint.fixed_bytes, found.peak_bytes) - 1
            found = search.fastest(size, closely=False)
        if best.peak_bytes == best.footprint.peak_bytes:
            return best  # and the fastest of its size
        return replace(self.within(best.peak_bytes) or best, problem=self.problem)

    def within(self, size: int) -> Choice | None:
        """The fastest plan with which the whole process stays within so many bytes."""
        budget = replace(self.problem.budget, bytes=size)
        return self._fit(self._fastest_within, replace(self.problem, budget=budget))

    def _fastest_within(self, size: int | None, closely: bool) -> FoundPlan | None:
        return self._search.fastest(size, closely=closely)

    def _examined(self, found: FoundPlan, problem: PlanProblem | None = None) -> Choice:
        return (problem or self.problem).examine(found.plan, found.seconds)

    def _fit(self, propose: Proposer, problem: PlanProblem) -> Choice | None:
        """The first of the plans proposed for falling sizes with which the whole process fits.

        None where none does. `propose` is asked for plans whose weights and activations are within
        a size. Programs come on top, about as many for one plan as for the next: sizes are what is
        left beside those of the last plan, if it was them that did not fit. Once the size is known,
        plans of that size are looked at closely.
        """
        sizes = _Sizes()
        found = propose(None, False)
        while found is not None:
            choice = self._examined(found, problem)
            if choice.fits:
                break
            if choice.peak_bytes > choice.footprint.peak_bytes:
                return None  # not for the plan's sake
            found = sizes.next(choice, found, propose)
        if found is None:
            return None
        if sizes.last is None:
            return replace(choice, unbound=True)
        size = sizes.last
        for _ in range(_CLOSE_LOOKS):
            better = propose(size, True)
            if better is None or better.seconds >= found.seconds:
                break
            closer = self._examined(better, problem)
            if closer.fits:
                return closer
            size = _smaller(closer, better)
        return choice


class _Sizes:
    """The falling sizes that a search is asked for, until a plan fits with its programs.

    After the first, each step is twice as long as the one before for what a plan exceeds the budget
    by, since smaller plans have more groups and so larger programs; but never to where there is no
    plan at all.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._misses = 0
        self._none = 0  # there is no plan of this size

    def next(self, choice: Choice, found: FoundPlan, propose: Proposer) -> FoundPlan | None:
        """A smaller plan than one that does not fit; None where there is none."""
        largest = _smaller(choice, found)
        more = (choice.peak_bytes - choice.budget.bytes) << self._misses if self._misses else 0
        size = min(largest, found.peak_bytes - more)
        self._misses += 1
        while True:
            if largest - self._none <= _CLOSE_BYTES:
                size = largest
            size = min(largest, max(size, (self._none + largest) // 2 if self._none else size))
            self.last = size
            proposed = propose(size, False)
            if proposed is not None or size >= largest:
                return proposed
            self._none = size


def _smaller(choice: Choice, found: FoundPlan) -> int:
    """The largest size to ask for where a plan does not fit."""
    left = choice.left_bytes
    if found.peak_bytes <= left:
        left -= choice.footprint.programs
    return min(left, found.peak_bytes - 1)
