"""What surrounds a plan: the runner-up, more and less memory, and the whole curve of both.

Every peak here is that of the whole process, by the same measurement of it as the chosen plan's, so
that all can be compared with one another and given as --mem. Each search asks for less memory than
the last answer takes, until there is no answer; a process that plans for a tight budget searches
longer and holds a little more, so the frontier is sought before the process is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan
from ftdist.planning.search import Found, Search
from ftdist.runtime.choice import (
    Choice,
    Surroundings,
    choose,
    examine,
    fit,
    planning_profile,
)
from ftdist.runtime.limits import Budget
from ftdist.runtime.memory import MIB
from ftdist.runtime.profiles import SHIPPED, Calibration

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
    """All that can be asked about plans for a model with some threads and a budget."""

    def __init__(
        self,
        model: Model,
        limit: Budget,
        surroundings: Surroundings,
        threads: int,
        calibration: Calibration = SHIPPED,
    ) -> None:
        self._model = model
        self._limit = limit
        self._surroundings = surroundings
        self._threads = threads
        self._calibration = calibration
        profile = planning_profile(model, limit, calibration)
        self._search = Search(model.network, threads, profile)

    def chosen(self) -> Choice:
        """The fastest plan within the budget; BudgetError when none fits."""
        given = self._model, self._limit, self._surroundings
        return choose(*given, self._threads, self._calibration, self._search)

    def named(self, plan: Plan) -> Choice:
        """A plan of the user's own, whether it keeps the budget or not."""
        given = self._model, plan, self._limit, self._surroundings
        return examine(*given, calibration=self._calibration)

    def within(self, size: int, beside: Choice) -> Choice | None:
        """The fastest plan within so many bytes, by the process as it was for another choice."""
        limit = replace(self._limit, bytes=size)
        given = self._surroundings, self._calibration, beside.held
        return fit(self._model, self._search.fastest, limit, *given)

    def smallest(self, beside: Choice) -> Choice:
        """The plan with the smallest peak, by the process as it was for another choice."""
        found = self._search.smallest()
        given = self._limit, self._surroundings, found.seconds, self._calibration, beside.held
        return examine(self._model, found.plan, *given)

    def runner_up(self, chosen: Choice) -> Choice | None:
        """The fastest plan within the budget whose cuts or grids differ from the chosen ones."""

        def propose(available: int | None) -> Found | None:
            return self._search.runner_up(chosen.plan, available)

        given = self._surroundings, self._calibration, chosen.held
        return fit(self._model, propose, self._limit, *given)

    def bound_s(self, chosen: Choice) -> float:
        """A lower bound of the latency of all plans within the budget.

        They have at most what is left beside the parts of the process that no plan changes.
        """
        free = self._search.fastest()
        assert free is not None
        if free.plan == chosen.plan:
            return free.bound_s
        parts = chosen.footprint
        fixed = parts.baseline + parts.input + parts.output + parts.slack
        found = self._search.fastest(max(0, self._limit.bytes - fixed))
        return found.bound_s if found is not None else free.bound_s

    def sweep(self) -> list[Found]:
        """The fastest plans for falling budgets, from none needed to the smallest feasible."""
        search = self._search
        founds = []
        found = search.fastest()
        while found is not None:
            founds.append(found)
            step = max(_LEAST_STEP_BYTES, int(found.peak_bytes * _STEP))
            found = search.fastest(found.peak_bytes - step)
        return [*founds, search.smallest()]

    def frontier(self, founds: Iterable[Found], chosen: Choice) -> tuple[Point, ...]:
        """Those plans, and the chosen one, that nothing beats in both memory and time.

        Peaks ascend and latencies fall.
        """
        given = self._limit, self._surroundings
        choices = [chosen] + [
            examine(self._model, each.plan, *given, each.seconds, self._calibration, chosen.held)
            for each in founds
        ]
        points: list[Point] = []
        for each in sorted(choices, key=lambda choice: (choice.peak_bytes, choice.latency_s)):
            if not points or each.latency_s < points[-1].latency_s:
                points.append(Point(each.peak_bytes, each.latency_s, each.plan.notation))
        return tuple(points)
