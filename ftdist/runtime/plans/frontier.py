"""What other plans there are: the runner-up, and the fastest for every budget (the frontier).

Every peak here is that of the whole process, by one measurement of it, so that all can be compared
with one another and given as --mem. For the curve each search asks for less memory than the last
answer takes, until there is no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftdist.planning.search.search import FoundPlan
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.plans.choice import Choice
from ftdist.runtime.plans.plan_search import PlanSearch

MORE_BYTES = 8 * MIB
"""How much more and less memory is asked about."""

_LEAST_STEP_BYTES = 256 << 10
_STEP = 1 / 100
"""Plans of the frontier differ at least so much, being less than what processes differ."""


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A plan on the frontier: none that needs no more memory is faster."""

    peak_bytes: int
    latency_s: float
    notation: str


class Outlook(PlanSearch):
    """All that can be asked about plans for a problem.

    Peaks are those of the problem's process.
    """

    def runner_up(self, chosen: Choice) -> Choice | None:
        """The fastest plan within the budget whose cuts or grids differ from the chosen ones."""

        def propose(size: int | None, _closely: bool) -> FoundPlan | None:
            return self._search.runner_up(chosen.plan, size)

        return self._fit(propose, self.problem)

    def bound_s(self, chosen: Choice) -> float:
        """A lower bound of the latency of all plans within the budget.

        They have at most what is left beside the parts of the process that no plan changes.
        """
        free = self._search.fastest()
        assert free is not None
        if free.plan == chosen.plan:
            return free.bound_s
        found = self._search.fastest(self.problem.budget.bytes - chosen.footprint.fixed_bytes)
        return found.bound_s if found is not None else free.bound_s

    def frontier(self, chosen: Choice) -> tuple[FrontierPoint, ...]:
        """All plans, the chosen one among them, that none beats in both memory and time.

        Peaks ascend and latencies fall.
        """
        choices = [self._examined(each) for each in self._sweep()]
        choices += [chosen, self.smallest()]
        notations = {(each.peak_bytes, each.latency_s): each.plan.notation for each in choices}
        return tuple(FrontierPoint(*pair, notations[pair]) for pair in undominated(notations))

    def _sweep(self) -> Iterator[FoundPlan]:
        """The fastest plans for falling budgets, from none needed to where no plan is left."""
        found = self._search.fastest()
        while found is not None:
            yield found
            step = max(_LEAST_STEP_BYTES, int(found.peak_bytes * _STEP))
            found = self._search.fastest(found.peak_bytes - step)


def undominated(pairs: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of pairs of bytes and seconds those that no other beats in both; bytes ascend."""
    best: list[tuple[int, float]] = []
    for pair in sorted(pairs):
        if not best or pair[1] < best[-1][1]:
            best.append(pair)
    return best
