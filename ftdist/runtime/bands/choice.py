"""The band plan of a run, with the peak and the time that are predicted for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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
from ftdist.runtime.budget.process_memory import (
    ProcessMemory,
    after_planning,
    before_planning,
    nothing,
)
from ftdist.runtime.budget.sizes import SPREAD_BYTES, ceil_size, format_size
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.runtime.plans.planning_room import planning_room

_ROOM_BYTES = 5 << 18
"""Beside the slack of a run: pages of the heap that are held in part, as pieces of all sizes come
and go between bands, and code that no rehearsal runs. Up to 0.5 MiB were needed of it in runs of 21
kinds of files; the rest is for other systems and Pythons."""


@dataclass(frozen=True)
class BandsAsked:
    """A network at a picture's size, and what surrounds its bands.

    `files_bytes` says what reading, turning and writing hold for so many rows of the output a band;
    `early_bytes` are what reading alone holds, in passes before the last. `rehearse` runs the code
    for all of it on little, so that it counts among what the process holds.
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
    early_bytes: int = 0
    rehearse: Callable[[], None] = nothing

    def of_pass(self, phase: Phase, *, last: bool) -> BandsAsked:
        """What is asked of one pass over the picture; the early ones write nothing."""
        own = replace(self, model=phase.bands.of_model(self.model))
        return own if last else replace(own, files_bytes=lambda _: self.early_bytes)

    def problem(self, process: ProcessMemory) -> BandProblem:
        """What planning is asked for in such a process."""
        return BandProblem(
            self.model.network,
            self.picture,
            self.threads,
            self.calibration.profile,
            self.budget.bytes - process.now_bytes - process.planning_bytes - self._fixed_bytes,
            self.files_bytes,
            self.exact_direct,
            self.arithmetic,
        )

    @property
    def _fixed_bytes(self) -> int:
        return self.small_bytes + _ROOM_BYTES


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
            slack=self.found.parts.slack + _ROOM_BYTES,
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
    BudgetError when one does not fit; it names what is enough for all.
    """
    asked = replace(asked, small_bytes=small_bytes(asked.model.network, phases))
    if len(phases) == 1:
        return _of_phases(asked, phases)
    direct = replace(asked, exact_direct=True)
    for each in (asked, direct) if asked.arithmetic is None else (asked,):
        with suppress(BudgetError):  # what is fastest for the last may not fit the first
            return _of_phases(each, phases)
    return _refuse_phases(direct, phases)


def _of_phases(asked: BandsAsked, phases: tuple[Phase, ...]) -> PhasedChoice:
    """The choices of all passes, by the arithmetic that is the fastest for the last one."""
    last = choose_bands(asked.of_pass(phases[-1], last=True))
    bands = phases[-1].bands
    whole = bands.arithmetic_of_whole(last.plan.steps.arithmetic)
    passes = []
    for each in phases[:-1]:
        own = asked.of_pass(each, last=False)
        if not asked.exact_direct or asked.arithmetic is not None:
            own = replace(own, arithmetic=each.bands.arithmetic(whole))
        passes.append(choose_bands(own))
    return PhasedChoice(asked.model, phases, (*passes, last))


def _refuse_phases(asked: BandsAsked, phases: tuple[Phase, ...]) -> NoReturn:
    """Names what is enough for each pass, by one arithmetic that all have."""
    process = before_planning(asked.model.network, asked.rehearse)
    with planning_room(asked.budget):
        needed = []
        for each in phases:
            own = asked.of_pass(each, last=each is phases[-1])
            needed.append(BandChoice(own, smallest_bands(own.problem(process)), process))
    _exceeds(max(needed, key=lambda each: each.peak_bytes))


def choose_bands(asked: BandsAsked) -> BandChoice:
    """The fastest band plan within the budget; BudgetError when none fits."""
    before = before_planning(asked.model.network, asked.rehearse)
    with planning_room(asked.budget):
        problem = asked.problem(before)
        fastest = fastest_bands(problem)
        if fastest is None:
            _refuse(asked, problem, before)
        found = fastest
    process = after_planning(before, found.parts.programs, peak_bytes(), asked.rehearse)
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
