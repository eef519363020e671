"""The band plan of a run, with the peak and the time that are predicted for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from ftdist.errors import BudgetError
from ftdist.network.implementations import Arithmetic
from ftdist.network.modelfile import Model
from ftdist.planning.bands.phases import Phase, small_bytes
from ftdist.planning.bands.plan import BandPlan
from ftdist.planning.bands.search import (
    BandProblem,
    FoundBands,
    fastest_bands,
    smallest_bands,
)
from ftdist.runtime.bands.phased import PhasedRunner
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.process_memory import ProcessMemory, after_planning, before_planning
from ftdist.runtime.budget.sizes import SPREAD_BYTES, ceil_size, format_size
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.runtime.plans.planning_room import planning_room


@dataclass(frozen=True)
class BandsAsked:
    """A network at a picture's size, and what surrounds its bands.

    `files_bytes` says what reading, turning and writing hold for so many rows of the output a band.
    `arithmetic` is the one by which rows were made before that are to be gone on with.
    `small_bytes` are those of small maps that are held beside a pass.
    """

    model: Model
    budget: Budget
    picture: bool
    threads: int
    files_bytes: Callable[[int], int]
    calibration: Calibration = SHIPPED
    exact_direct: bool = False
    arithmetic: Arithmetic | None = None
    small_bytes: int = 0

    def problem(self, process: ProcessMemory) -> BandProblem:
        """What planning is asked for in such a process."""
        return BandProblem(
            self.model.network,
            self.picture,
            self.threads,
            self.calibration.profile,
            self.budget.bytes - process.now_bytes - process.planning_bytes - self.small_bytes,
            self.files_bytes,
            self.exact_direct,
            self.arithmetic,
        )


@dataclass(frozen=True)
class BandChoice:
    """A band plan with its predicted peak, by part, and time."""

    asked: BandsAsked
    found: FoundBands
    process: ProcessMemory = field(repr=False)

    @property
    def plan(self) -> BandPlan:
        return self.found.plan

    @property
    def parts(self) -> dict[str, int]:
        """The parts of the predicted peak, which they add up to."""
        taken = replace(
            self.found.parts,
            baseline=self.process.now_bytes,
            planning=self.process.planning_bytes,
        )
        small = {"small_maps": self.asked.small_bytes} if self.asked.small_bytes else {}
        return taken.parts | small | {"files": self.asked.files_bytes(self.plan.rows)}

    @property
    def peak_bytes(self) -> int:
        return max(sum(self.parts.values()), self.process.most_bytes)


@dataclass(frozen=True)
class PhasedChoice:
    """The choices of all passes over the picture."""

    model: Model
    phases: tuple[Phase, ...]
    passes: tuple[BandChoice, ...]

    @property
    def last(self) -> BandChoice:
        """The pass that makes the output."""
        return self.passes[-1]

    @property
    def seconds(self) -> float:
        return sum(each.found.seconds for each in self.passes)

    @property
    def largest(self) -> BandChoice:
        """The pass with the highest peak."""
        return max(self.passes, key=lambda each: each.peak_bytes)

    def runner(self, kernels: Kernels) -> PhasedRunner:
        """What runs the passes."""
        plans = tuple(each.plan for each in self.passes)
        return PhasedRunner(self.model, self.phases, plans, kernels)


def choose_phases(asked: BandsAsked, phases: tuple[Phase, ...]) -> PhasedChoice:
    """The fastest band plans of the passes over a picture, all of one arithmetic.

    `asked` is about the whole network; of the early passes only reading counts among the files.
    BudgetError when one does not fit.
    """
    asked = replace(asked, small_bytes=small_bytes(asked.model.network, phases))
    own = [each.bands for each in phases]
    last = choose_bands(replace(asked, model=own[-1].of_model(asked.model)))
    whole = own[-1].arithmetic_of_whole(last.plan.steps.arithmetic)
    early = tuple(
        choose_bands(
            replace(asked, model=each.of_model(asked.model), arithmetic=each.arithmetic(whole))
        )
        for each in own[:-1]
    )
    return PhasedChoice(asked.model, phases, (*early, last))


def choose_bands(asked: BandsAsked) -> BandChoice:
    """The fastest band plan within the budget; BudgetError when none fits."""
    before = before_planning(asked.model.network)
    with planning_room(asked.budget):
        problem = asked.problem(before)
        fastest = fastest_bands(problem)
        if fastest is None:
            _refuse(asked, problem, before)
        found = fastest
    process = after_planning(before, found.parts.programs, peak_bytes())
    choice = BandChoice(asked, found, process)
    if choice.peak_bytes <= asked.budget.bytes:
        return choice
    with planning_room(asked.budget):  # beside what planning really left
        again = fastest_bands(asked.problem(process))
        if again is None:
            _refuse(asked, asked.problem(process), process)
    return _within(BandChoice(asked, again, process))


def _within(choice: BandChoice) -> BandChoice:
    """The choice; BudgetError where it exceeds its budget."""
    if choice.peak_bytes > choice.asked.budget.bytes:
        _exceeds(choice)
    return choice


def _refuse(asked: BandsAsked, problem: BandProblem, process: ProcessMemory) -> NoReturn:
    _exceeds(BandChoice(asked, smallest_bands(problem), process))


def _exceeds(least: BandChoice) -> NoReturn:
    asked = least.asked
    smallest = least.peak_bytes + SPREAD_BYTES
    budget = asked.budget
    raise BudgetError(
        f"no band of the picture fits {format_size(budget.bytes)} ({budget.origin}): "
        f"{least.plan.notation} needs {ceil_size(smallest)}",
        smallest,
    )
