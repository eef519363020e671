"""How a run comes to its plan: named, known from before or searched for; then lowered and counted.

All of it happens in the process that will run, within the budget. What planning leaves behind there
is measured and counted; where that is too much beside a plan that would fit a fresh process, the
program begins anew with the plan (``anew``). Plans are kept (``plancache``), so that is rare.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass

from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import (
    input_bytes,
    output_bytes,
    slack_bytes,
)
from ftdist.planning.plan import Plan, parse_notation
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.budget.process_memory import ProcessMemory, before_planning
from ftdist.runtime.choosing.anew import begin_anew, handed_over, peak_bytes
from ftdist.runtime.choosing.choice import Choice, RunContext, examine, planning_profile, predict
from ftdist.runtime.choosing.choose import choose
from ftdist.runtime.choosing.plancache import Entry, PlanCache
from ftdist.runtime.choosing.room import planning_room
from ftdist.runtime.measuring.profiles import Calibration

_UNFIT = "the plan does not fit"


@dataclass(frozen=True)
class Decision:
    """What is to be decided: a plan for a model with so many threads, within a budget.

    `restartable`: whether the process is the command itself, and may begin anew. `progress` is told
    how far the search is, from 0 to 1.
    """

    model: Model
    limit: Budget
    context: RunContext
    threads: int
    calibration: Calibration
    restartable: bool = False
    progress: Callable[[float], None] | None = None

    def plan(self, named: Plan | None = None) -> Choice:
        """The fastest plan, or the one that is named, lowered; BudgetError if it does not fit."""
        process = before_planning(self.model.network)
        profile = planning_profile(self.model, self.limit, self.calibration)
        cache = PlanCache(self.model.digest, self.threads, profile)
        handed = handed_over(cache.key)
        known = handed or self._kept(cache, named, process)
        choice = self._taken(known, process) if known else None
        if choice is not None and (choice.fits or handed or named):
            return choice.within_budget(_UNFIT)
        with planning_room(self.limit):
            choice = self._sought(named, process)
        choice.within_budget(_UNFIT)
        bound = 0 if named else None if choice.unbound else choice.left_bytes
        needed = choice.footprint.plan_bytes
        entry = Entry(choice.plan.notation, choice.latency_s, needed, bound)
        cache.keep(entry)
        lowered, seconds = choice.lowered, choice.latency_s
        del choice
        return self._settled(lowered, seconds, process, cache.key, entry)

    def _kept(self, cache: PlanCache, named: Plan | None, process: ProcessMemory) -> Entry | None:
        """What is known of a plan from before: of the named one, or which is the fastest."""
        if named is not None:
            return cache.named(named.notation)
        return cache.fastest(self.limit.bytes - self._beside(process))

    def _beside(self, process: ProcessMemory) -> int:
        """What the process will hold beside any plan's weights, activations and programs."""
        network, around = self.model.network, self.context
        taken = input_bytes(network, picture=around.picture)
        before = 0 if around.input_resident else taken
        own = process.now_bytes + process.planning_bytes + around.reading_bytes
        return own + before + output_bytes(network) + slack_bytes(self.threads)

    def _taken(self, known: Entry, process: ProcessMemory) -> Choice | None:
        """A plan that is known, lowered; None if it is none of this model."""
        network = self.model.network
        try:
            plan = parse_notation(known.notation, network, self.threads)
        except InputError:
            return None
        picture = self.context.picture
        lowered = lower(network, plan, self.model.offsets, picture=picture)
        return self._counted(lowered, known.seconds, process)

    def _sought(self, named: Plan | None, process: ProcessMemory) -> Choice:
        given = self.limit, self.context
        if named is not None:
            return examine(self.model, named, *given, None, self.calibration, process)
        return choose(
            self.model,
            *given,
            self.threads,
            self.calibration,
            process=process,
            progress=self.progress,
        )

    def _settled(
        self, lowered: Lowered, seconds: float, process: ProcessMemory, key: str, entry: Entry
    ) -> Choice:
        """The choice as it is beside what planning left; begins anew if that leaves no room."""
        choice = self._counted(lowered, seconds, process)
        if not choice.fits:
            if peak_bytes() > self.limit.bytes:
                otherwise = "planning takes more than"
                return choice.within_budget(otherwise)
            if self.restartable:
                begin_anew(key, entry)
        return choice.within_budget(_UNFIT)

    def _counted(self, lowered: Lowered, seconds: float, process: ProcessMemory) -> Choice:
        """A lowered plan beside what this process really holds by now."""
        gc.collect()
        trim_heap()
        now = resident_bytes() - lowered.program_bytes
        before = min(now, process.now_bytes)
        real = ProcessMemory(before, peak_bytes(), now - before)
        given = self.limit, self.context
        return predict(self.model, lowered, *given, seconds, self.calibration, real)
