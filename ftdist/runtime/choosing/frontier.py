"""What surrounds a plan: the runner-up, more and less memory, and the whole curve of both.

Every peak here is that of the whole process, by one measurement of it, so that all can be compared
with one another and given as --mem. For the curve each search asks for less memory than the last
answer takes, until there is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan
from ftdist.planning.search.search import FoundPlan, Search
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.choosing.choice import Choice, RunContext, examine, planning_profile
from ftdist.runtime.choosing.choose import Proposer, choose, fastest_of, fit, smallest
from ftdist.runtime.measuring.profiles import Calibration

MORE_BYTES = 8 * MIB
"""How much more and less memory is asked about."""

_LEAST_STEP_BYTES = 256 << 10
_STEP = 1 / 100
"""Plans of the frontier differ at least so much, being less than what processes differ."""


@dataclass(frozen=True, slots=True)
class Point:
    """A plan on the frontier: none that needs no more memory is faster."""

    peak_bytes: int
    latency_s: float
    notation: str


class Outlook:
    """All that can be asked about plans for a model with some threads and a budget.

    Peaks are those of a `process` as it was before it planned.
    """

    def __init__(
        self,
        model: Model,
        limit: Budget,
        context: RunContext,
        threads: int,
        calibration: Calibration,
        process: ProcessMemory,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self._model = model
        self._limit = limit
        self._context = context
        self._threads = threads
        self._calibration = calibration
        self._process = process
        profile = planning_profile(model, limit, calibration)
        self._search = Search(model.network, threads, profile, progress=progress)

    def chosen(self) -> Choice:
        """The fastest plan within the budget; BudgetError when none fits."""
        given = self._model, self._limit, self._context, self._threads
        return choose(*given, self._calibration, self._search, self._process)

    def named(self, plan: Plan, seconds: float | None = None) -> Choice:
        """A given plan, whether it keeps the budget or not; predicts `seconds` if not given."""
        given = self._model, plan, self._limit, self._context
        return examine(*given, seconds, self._calibration, self._process)

    def smallest(self) -> Choice:
        """The plan with the smallest peak; where more than the plan makes it, the fastest one."""
        given = self._limit, self._context, self._calibration, self._process
        return smallest(self._model, self._search, *given)

    def within(self, size: int) -> Choice | None:
        """The fastest plan within so many bytes."""
        return self._fit(fastest_of(self._search), replace(self._limit, bytes=size))

    def runner_up(self, chosen: Choice) -> Choice | None:
        """The fastest plan within the budget whose cuts or grids differ from the chosen ones."""

        def propose(size: int | None, _closely: bool) -> FoundPlan | None:
            return self._search.runner_up(chosen.plan, size)

        return self._fit(propose, self._limit)

    def _fit(self, propose: Proposer, limit: Budget) -> Choice | None:
        given = self._context, self._calibration, self._process
        return fit(self._model, propose, limit, *given)

    def bound_s(self, chosen: Choice) -> float:
        """A lower bound of the latency of all plans within the budget.

        They have at most what is left beside the parts of the process that no plan changes.
        """
        free = self._search.fastest()
        assert free is not None
        if free.plan == chosen.plan:
            return free.bound_s
        found = self._search.fastest(self._limit.bytes - chosen.footprint.fixed_bytes)
        return found.bound_s if found is not None else free.bound_s

    def frontier(self, chosen: Choice) -> tuple[Point, ...]:
        """All plans, the chosen one among them, that none beats in both memory and time.

        Peaks ascend and latencies fall.
        """
        choices = [self.named(each.plan, each.seconds) for each in self._sweep()]
        choices += [chosen, self.smallest()]
        notations = {(each.peak_bytes, each.latency_s): each.plan.notation for each in choices}
        return tuple(Point(*pair, notations[pair]) for pair in undominated(notations))

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
