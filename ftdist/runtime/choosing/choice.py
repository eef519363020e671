"""A plan for a model with all that is known of it before it runs: its peak by parts, its latency.

A plan that the user names is held to the same promise as one that was found (``choosing``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ftdist.errors import BudgetError
from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.lowering.predictor import (
    Footprint,
    footprint,
    input_bytes,
)
from ftdist.planning.plan import Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.process_memory import ProcessMemory, measured_now
from ftdist.runtime.budget.sizes import SPREAD_BYTES, ceil_size, format_size
from ftdist.runtime.engine import Kernels
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
    """

    picture: bool = False
    input_resident: bool = False
    reading_bytes: int = 0
    after_bytes: int = 0
    other_phases_bytes: int = 0


@dataclass(frozen=True)
class Choice:
    """A plan for a model with its predicted peak and latency, and the budget it keeps.

    The latency is by the profile of `calibration`, the peak by what the `process` holds. `unbound`:
    the search found it without any bound.
    """

    model: Model
    lowered: Lowered
    footprint: Footprint
    peak_bytes: int
    latency_s: float
    budget: Budget
    context: RunContext
    process: ProcessMemory
    calibration: Calibration = SHIPPED
    unbound: bool = False

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
        if file_stays_cached(self.model, self.budget):
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
                f"{self.plan.notation} alone "
                f"{ceil_size(self.footprint.peak_bytes + SPREAD_BYTES)}",
                smallest,
            )
        if self.peak_bytes > self.footprint.peak_bytes:
            reason = "more than the run itself, for what comes before and after it"
        else:
            reason = f"most of it is {largest.replace('_', ' ')} ({format_size(parts[largest])})"
        raise BudgetError(
            f"{otherwise} {format_size(self.budget.bytes)} ({self.budget.origin}): "
            f"{self.plan.notation} needs {ceil_size(smallest)}, about "
            f"{self.latency_s * 1e3:.0f} ms a frame; {reason}",
            smallest,
        )

    def open(self, kernels: Kernels = "native") -> Session:
        """A session that runs the plan as it was lowered already."""
        session = Session(self.model, self.plan, kernels)
        session.adopt(self.lowered, picture=self.context.picture)
        return session


def file_stays_cached(model: Model, limit: Budget) -> bool:
    """Whether the system can keep a model's file in memory beside a process of this budget."""
    return len(model.weights) < limit.cache_bytes


def planning_profile(model: Model, limit: Budget, calibration: Calibration) -> DeviceProfile:
    """The profile to plan with: a file that stays in the page cache is not read from the disk."""
    cached = file_stays_cached(model, limit)
    return _without_disk(calibration.profile) if cached else calibration.profile


def _without_disk(profile: DeviceProfile) -> DeviceProfile:
    return replace(profile, disk_bytes_per_s=math.inf)


def examine(
    model: Model,
    plan: Plan,
    limit: Budget,
    context: RunContext,
    seconds: float | None = None,
    calibration: Calibration = SHIPPED,
    process: ProcessMemory | None = None,
) -> Choice:
    """A plan with its predicted peak and latency, whether it keeps the budget or not."""
    lowered = lower(model.network, plan, model.offsets, picture=context.picture)
    if seconds is None:
        from ftdist.planning.cost.latency import plan_seconds

        profile = planning_profile(model, limit, calibration)
        seconds = plan_seconds(model.network, plan, profile)
    return predict(model, lowered, limit, context, seconds, calibration, process)


def predict(
    model: Model,
    lowered: Lowered,
    limit: Budget,
    context: RunContext,
    seconds: float,
    calibration: Calibration,
    process: ProcessMemory | None = None,
) -> Choice:
    """A lowered plan with its predicted peak."""
    process = process or measured_now()
    picture = context.picture
    taken = input_bytes(model.network, picture=picture)
    baseline = process.now_bytes + context.reading_bytes
    baseline -= taken if context.input_resident else 0
    parts = footprint(lowered, model.network, baseline, process.planning_bytes)
    after = parts.baseline + parts.planning + parts.output + context.after_bytes
    other = max(context.other_phases_bytes, process.most_bytes)
    peak = max(parts.peak_bytes, after, other)
    return Choice(model, lowered, parts, peak, seconds, limit, context, process, calibration)
