"""Plans for whoever uses ftdist from Python: found and predicted.

The command line goes the same ways, and prints what it finds there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan
from ftdist.runtime.bound import load_kernels
from ftdist.runtime.budget.limits import budget
from ftdist.runtime.budget.process_memory import before_planning
from ftdist.runtime.measuring.quick_profile import profile_for
from ftdist.runtime.plans.choice import Choice, PlanProblem
from ftdist.runtime.plans.decision import Decision

if TYPE_CHECKING:
    from ftdist.runtime.plans.frontier import FrontierPoint


def plan(
    model: Model, mem: str | int | None = None, threads: int = 1, *, exact_direct: bool = False
) -> Plan:
    """The fastest plan for a float32 input with which the whole process stays within `mem`.

    `mem` is in bytes, or a SIZE such as "64M"; None means what the machine or its control group
    allows (``ftdist.budget``). `threads` compute at the same time, a tile each. A plan that was
    found is kept in the user's cache folder, and found there the next time. BudgetError, with the
    smallest budget that would do, when no plan fits. 3x3 convolutions may be computed by Winograd's
    algorithm, with rounding errors up to 2e-5 of the largest value; `exact_direct`: none is.
    """
    problem = replace(_problem(model, mem, threads), exact_direct=exact_direct)
    return Decision(problem).choice().plan


def predict(model: Model, plan: Plan, mem: str | int | None = None) -> Choice:
    """What a plan will take in this process, whether it stays within `mem` or not.

    `peak_bytes` is of the whole process, `parts` are what it adds up from, in bytes by name;
    `latency_s` is of one frame, in seconds, by the profile of this machine; `fits` says whether the
    peak is within the `budget`.
    """
    return _problem(model, mem, plan.threads, measured=True).examine(plan)


def frontier(
    model: Model,
    threads: int = 1,
    mem: str | int | None = None,
    *,
    exact_direct: bool = False,
) -> tuple[FrontierPoint, ...]:
    """The fastest plan for every budget: none of them is beaten in both memory and time.

    Peaks, in bytes of the whole process, ascend and latencies, in seconds a frame, fall. The
    fastest plan within `mem` is one of them. `exact_direct` is that of ``plan``.
    """
    from ftdist.runtime.plans.frontier import Outlook  # brings the search

    problem = _problem(model, mem, threads, measured=True)
    outlook = Outlook(replace(problem, exact_direct=exact_direct))
    return outlook.frontier(outlook.fastest())


def _problem(
    model: Model, mem: str | int | None, threads: int, *, measured: bool = False
) -> PlanProblem:
    load_kernels("native")  # its code is in memory before the process is measured
    limit = budget(mem)
    calibration = profile_for(threads, limit)
    if not measured:
        return PlanProblem(model, limit, threads=threads, calibration=calibration)
    process = before_planning(model.network)
    return PlanProblem(model, limit, threads=threads, calibration=calibration, process=process)
