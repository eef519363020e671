"""From a model and a budget to a plan whose peak is known before it runs.

The search proposes; lowering tells the exact bytes; what does not fit is sent back with less to
spend. A plan that the user names is held to the same promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.errors import BudgetError
from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan
from ftdist.planning.predictor import Footprint, Lowered, footprint, input_bytes, lower
from ftdist.planning.search import Search, plan_seconds
from ftdist.runtime.limits import Budget, budget
from ftdist.runtime.local import Session
from ftdist.runtime.memory import (
    ceil_size,
    format_size,
    peak_resident_bytes,
    resident_bytes,
)


@dataclass(frozen=True)
class Surroundings:
    """What a run needs beside the plan.

    `input_resident`: whether the input array is in memory already. `other_phases_bytes`: the peak
    of what comes before or after the run (reading and drawing pictures).
    """

    picture: bool = False
    input_resident: bool = False
    other_phases_bytes: int = 0


@dataclass(frozen=True)
class Choice:
    """A plan for a model with its predicted peak and latency, and the budget it keeps."""

    model: Model
    lowered: Lowered
    footprint: Footprint
    peak_bytes: int
    latency_s: float
    budget: Budget
    surroundings: Surroundings

    @property
    def plan(self) -> Plan:
        return self.lowered.plan

    def within_budget(self, otherwise: str) -> Choice:
        """This choice; BudgetError, beginning with `otherwise`, when it exceeds the budget."""
        if self.peak_bytes <= self.budget.bytes:
            return self
        parts = self.footprint.parts
        largest = max(parts, key=lambda name: parts[name])
        raise BudgetError(
            f"{otherwise} {format_size(self.budget.bytes)} ({self.budget.origin}): "
            f"{self.plan.notation} needs {ceil_size(self.peak_bytes)}, about "
            f"{self.latency_s * 1e3:.0f} ms a frame; most of it is {largest.replace('_', ' ')} "
            f"({format_size(parts[largest])})",
            self.peak_bytes,
        )

    def open(self) -> Session:
        """A session that runs the plan with the native kernels."""
        session = Session(self.model, self.plan)
        session.adopt(self.lowered, picture=self.surroundings.picture)
        return session


def plan(model: Model, mem: str | int | None = None, threads: int = 1) -> Plan:
    """The fastest plan for a float32 input whose whole process stays within `mem`.

    `mem` is bytes or a SIZE such as "64M"; None means what the machine or its control group allows.
    """
    return choose(model, budget(mem), Surroundings(), threads).plan


def choose(
    model: Model, limit: Budget, surroundings: Surroundings, threads: int = 1
) -> Choice:
    """The fastest plan within the budget; BudgetError when none fits."""
    search = Search(model.network, threads)
    found = search.fastest()
    available = 1 << 62
    while found is not None:
        choice = examine(model, found.plan, limit, surroundings, found.seconds)
        excess = choice.peak_bytes - limit.bytes
        if excess <= 0:
            return choice
        available = min(available, found.peak_bytes) - max(1, excess)
        found = search.fastest(available)
    smallest = search.smallest()
    choice = examine(model, smallest.plan, limit, surroundings, smallest.seconds)
    return choice.within_budget("no plan fits")


def examine(
    model: Model,
    plan: Plan,
    limit: Budget,
    surroundings: Surroundings,
    seconds: float | None = None,
) -> Choice:
    """A plan with its predicted peak and latency, whether it keeps the budget or not."""
    picture = surroundings.picture
    lowered = lower(model.network, plan, model.offsets, picture=picture)
    taken = input_bytes(model.network, picture=picture)
    baseline = resident_bytes() - (taken if surroundings.input_resident else 0)
    parts = footprint(lowered, model.network, baseline, model.weight_bytes, taken)
    peak = max(parts.peak_bytes, peak_resident_bytes(), surroundings.other_phases_bytes)
    if seconds is None:
        seconds = plan_seconds(model.network, plan)
    return Choice(model, lowered, parts, peak, seconds, limit, surroundings)
