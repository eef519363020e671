"""How a run comes to its plan: named, known from before or searched for; then lowered and counted.

All of it happens in the process that will run, within the budget. What planning leaves behind there
is measured and counted; where that is too much beside a plan that would fit a fresh process, the
command begins anew with the plan (``fresh_process``). Plans are kept (``plan_cache``), so that is
rare. A program that uses ftdist as a library cannot be begun anew: there the plan is sought again,
with as much less to spend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ftdist.errors import BudgetError, InputError
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import input_bytes, output_bytes, slack_bytes
from ftdist.planning.plan import Plan, parse_notation
from ftdist.runtime.budget.process_memory import (
    after_planning,
    before_planning,
    only_new_garbage,
)
from ftdist.runtime.budget.sizes import format_size
from ftdist.runtime.plans.choice import Choice, PlanProblem
from ftdist.runtime.plans.fresh_process import handed_over, peak_bytes, start_fresh
from ftdist.runtime.plans.plan_cache import Entry, PlanCache
from ftdist.runtime.plans.plan_search import PlanSearch
from ftdist.runtime.plans.planning_room import planning_room

_UNFIT = "the plan does not fit"

_MORE_SEARCHES = 3
"""How often a plan is sought again that did not fit beside what planning left."""

_SPARE_BYTES = 256 << 10
"""What the next search may leave more than the one before."""


class Decision:
    """Decides on the plan of a run.

    `named` is the plan that the user wants, if any. `restartable`: whether the process is the
    command itself, and may begin anew. `progress` is told how far the search is, from 0 to 1.
    """

    def __init__(
        self,
        problem: PlanProblem,
        named: Plan | None = None,
        *,
        restartable: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self._model, self._budget = problem.model, problem.budget
        self._problem = replace(problem, process=before_planning(problem.model.network))
        self._cache = PlanCache(
            problem.model.digest, problem.threads, problem.profile, problem.exact_direct
        )
        self._named = named
        self._restartable = restartable
        self._progress = progress
        self._less = 0  # what the plan may spend less than the budget
        self._searches_left = _MORE_SEARCHES
        self._refusal: BudgetError | None = None  # of the plan that was sought with more

    def choice(self) -> Choice:
        """The fastest plan, or the named one, lowered; BudgetError if it does not fit."""
        with only_new_garbage():
            return self._choice()

    def _choice(self) -> Choice:
        handed = handed_over(self._cache.key)
        known = handed or self._kept()
        choice = self._taken(known) if known else None
        if choice is not None and (choice.fits or handed or self._named):
            return choice.within_budget(_UNFIT)
        choice = None
        while choice is None:
            choice = self._settled(*self._planned())
        return choice

    def _planned(self) -> tuple[Lowered, float, Entry]:
        """The plan, its seconds, and how it is kept."""
        with planning_room(self._budget):
            choice = self._sought()
        bound = 0 if self._named else None if choice.unbound else choice.left_bytes
        needed = choice.footprint.plan_bytes
        entry = Entry(choice.plan.notation, choice.latency_s, needed, bound)
        self._cache.keep(entry)
        return choice.lowered, choice.latency_s, entry

    def _kept(self) -> Entry | None:
        """What is known of a plan from before: of the named one, or which is the fastest."""
        if self._named is not None:
            return self._cache.named(self._named.notation)
        return self._cache.fastest(self._budget.bytes - self._beside())

    def _beside(self) -> int:
        """What the process will hold beside any plan's weights, activations and programs."""
        network, context, process = (
            self._model.network,
            self._problem.context,
            self._problem.process,
        )
        taken = input_bytes(network, picture=context.picture)
        before = 0 if context.input_resident else taken
        own = process.now_bytes + process.planning_bytes + context.reading_bytes
        return own + before + output_bytes(network) + slack_bytes(self._problem.threads)

    def _taken(self, known: Entry) -> Choice | None:
        """A plan that is known, lowered; None if it is not of this model."""
        network = self._model.network
        try:
            plan = parse_notation(known.notation, network, self._problem.threads)
        except InputError:
            return None
        picture = self._problem.context.picture
        return self._counted(
            lower(network, plan, self._model.offsets, picture=picture), known.seconds
        )

    def _sought(self) -> Choice:
        if self._named is not None:
            return self._problem.examine(self._named).within_budget(_UNFIT)
        spent = replace(self._budget, bytes=self._budget.bytes - self._less)
        problem = replace(self._problem, budget=spent)
        try:
            return PlanSearch(problem, self._progress).fastest().within_budget(_UNFIT)
        except BudgetError as error:
            raise (self._refusal or error) from None

    def _settled(self, lowered: Lowered, seconds: float, entry: Entry) -> Choice | None:
        """The choice as it is beside what planning left. If that leaves no room the command begins
        anew; None where another plan has to be found."""
        choice = self._counted(lowered, seconds)
        if choice.fits:
            return choice
        if peak_bytes() > self._budget.bytes:
            return choice.within_budget("planning takes more than")
        if self._restartable:
            start_fresh(self._cache.key, entry)
            return choice.within_budget(_UNFIT)  # it could not
        left, notation = choice.problem.process.planning_bytes, choice.plan.notation
        self._refusal = BudgetError(
            f"the plan {notation} fits {format_size(self._budget.bytes)} ({self._budget.origin}), "
            f"but not beside the {format_size(left)} that planning left in this process: start the "
            f"program again, it will find the plan kept; or do not plan there, take "
            f"ftdist.parse_notation('{notation}', model.network, {choice.plan.threads})",
            choice.peak_bytes,
        )
        if self._named is not None or not self._searches_left:
            raise self._refusal
        self._searches_left -= 1
        self._less += choice.peak_bytes - self._budget.bytes + _SPARE_BYTES
        return None

    def _counted(self, lowered: Lowered, seconds: float) -> Choice:
        """A lowered plan beside what this process really holds by now."""
        real = after_planning(self._problem.process, lowered.program_bytes, peak_bytes())
        return replace(self._problem, process=real).predict(lowered, seconds)
