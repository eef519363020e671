"""A plan for a model with all that is known of it before it runs: its peak by parts, its latency.

A plan that the user names is held to the same promise as one that the search found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from ftdist.errors import BudgetError
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import (
    Footprint,
    footprint,
    input_bytes,
)
from ftdist.planning.plan import Plan, shortened
from ftdist.planning.profile import DeviceProfile
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.process_memory import ProcessMemory, measured_now
from ftdist.runtime.budget.sizes import SPREAD_BYTES, ceil_size, format_size
from ftdist.runtime.local import Session
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration

_NOTICEABLE = 1.01


@dataclass(frozen=True)
class RunContext:
    """What a run needs beside the plan.

    `input_resident`: whether the input array is in memory already. `reading_bytes`: what reading it
    may leave behind beside the array, when that is still to come. `after_bytes`: what is done with
    the outputs takes (detecting, drawing), while they are in memory, but input and session are not.
    `other_phases_bytes`: a peak that the process has in any case (reading a picture).
    `drawing_bytes`: what drawing takes of `after_bytes`, to which the size of what is drawn keeps.
    """

    picture: bool = False
    input_resident: bool = False
    reading_bytes: int = 0
    after_bytes: int = 0
    other_phases_bytes: int = 0
    drawing_bytes: int | None = None


@dataclass(frozen=True)
class PlanProblem:
    """All that decides which plan is best, and what a plan's peak and latency will be.

    The latency is by the profile of `calibration`, the peak by what the `process` holds, which is
    measured when it is not given. `exact_direct`: all layers are computed directly, none by
    Winograd's algorithm.
    """

    model: Model
    budget: Budget
    context: RunContext = RunContext()
    threads: int = 1
    calibration: Calibration = SHIPPED
    process: ProcessMemory = field(default_factory=measured_now)
    exact_direct: bool = False

    @property
    def file_stays_cached(self) -> bool:
        """Whether the system can keep the model's file in memory beside such a process."""
        return len(self.model.weights) < self.budget.cache_bytes

    @property
    def profile(self) -> DeviceProfile:
        """The profile to plan with: a file that stays in the page cache is not read from disk."""
        profile = self.calibration.profile
        return _without_disk(profile) if self.file_stays_cached else profile

    def examine(self, plan: Plan, seconds: float | None = None) -> Choice:
        """A plan with its predicted peak, and latency unless it is given; it need not fit."""
        network = self.model.network
        lowered = lower(network, plan, self.model.offsets, picture=self.context.picture)
        if seconds is None:
            from ftdist.planning.cost.latency import plan_seconds

            seconds = plan_seconds(network, plan, self.profile)
        return self.predict(lowered, seconds)

    def predict(self, lowered: Lowered, seconds: float) -> Choice:
        """A lowered plan with its predicted peak; it need not fit."""
        network, context, process = self.model.network, self.context, self.process
        taken = input_bytes(network, picture=context.picture)
        baseline = process.now_bytes + context.reading_bytes
        baseline -= taken if context.input_resident else 0
        parts = footprint(lowered, network, baseline, process.planning_bytes)
        after = parts.baseline + parts.planning + parts.output + context.after_bytes
        other = max(context.other_phases_bytes, process.most_bytes)
        return Choice(self, lowered, parts, max(parts.peak_bytes, after, other), seconds)


@dataclass(frozen=True)
class Choice:
    """A plan that answers a problem, with its predicted peak and latency.

    `unbound`: the search found it without any bound.
    """

    problem: PlanProblem
    lowered: Lowered
    footprint: Footprint
    peak_bytes: int
    latency_s: float
    unbound: bool = False

    @property
    def model(self) -> Model:
        return self.problem.model

    @property
    def budget(self) -> Budget:
        return self.problem.budget

    @property
    def context(self) -> RunContext:
        return self.problem.context

    @property
    def calibration(self) -> Calibration:
        return self.problem.calibration

    @property
    def plan(self) -> Plan:
        return self.lowered.plan

    @property
    def fits(self) -> bool:
        """Whether it keeps its budget."""
        return self.peak_bytes <= self.budget.bytes

    @property
    def left_bytes(self) -> int:
        """What the budget leaves for weights, activations and programs."""
        return self.budget.bytes - self.footprint.fixed_bytes

    @property
    def parts(self) -> dict[str, int]:
        """The parts of the predicted peak, which they add up to."""
        more = self.peak_bytes - self.footprint.peak_bytes
        what = "picture" if self.context.picture else "before_or_after_the_run"
        return self.footprint.parts | ({what: more} if more else {})

    @property
    def weights_from(self) -> str:
        """Where weights that are streamed come from, and whether the disk sets the pace."""
        if not any(group.streamed for group in self.plan.groups):
            return "memory"
        from ftdist.planning.cost.latency import plan_seconds

        network, profile = self.model.network, self.calibration.profile
        if self.problem.file_stays_cached:
            return "page cache"
        unhindered = plan_seconds(network, self.plan, _without_disk(profile))
        hidden = plan_seconds(network, self.plan, profile) < _NOTICEABLE * unhindered
        return "disk, hidden by the arithmetic" if hidden else "disk, which is the limit"

    def within_budget(self, otherwise: str) -> Choice:
        """This choice; BudgetError, beginning with `otherwise`, when it exceeds the budget."""
        if self.fits:
            return self
        smallest = self.peak_bytes + SPREAD_BYTES
        parts = self.footprint.parts
        largest = max(parts, key=lambda name: parts[name])
        if self.context.picture and self.peak_bytes > self.footprint.peak_bytes:
            raise BudgetError(
                f"the picture does not fit {format_size(self.budget.bytes)} "
                f"({self.budget.origin}): with it the run needs {ceil_size(smallest)}, the plan "
                f"{shortened(self.plan.notation)} alone "
                f"{ceil_size(self.footprint.peak_bytes + SPREAD_BYTES)}",
                smallest,
            )
        if self.peak_bytes > self.footprint.peak_bytes:
            reason = "more than the run itself, for what comes before and after it"
        else:
            reason = f"most of it is {largest.replace('_', ' ')} ({format_size(parts[largest])})"
        raise BudgetError(
            f"{otherwise} {format_size(self.budget.bytes)} ({self.budget.origin}): "
            f"{shortened(self.plan.notation)} needs {ceil_size(smallest)}, about "
            f"{self.latency_s * 1e3:.0f} ms a frame; {reason}",
            smallest,
        )

    def open(self, kernels: Kernels = "native") -> Session:
        """A session that runs the plan as it was lowered already."""
        session = Session(self.model, self.plan, kernels)
        session.adopt(self.lowered, picture=self.context.picture)
        return session


def _without_disk(profile: DeviceProfile) -> DeviceProfile:
    return replace(profile, disk_bytes_per_s=math.inf)
