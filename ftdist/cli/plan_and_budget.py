"""The plan of a run and the budget that it must keep, as the command line asks for them.

A plan is named by the user, read from a report, or searched for within the budget. What is worth a
word on the way is said once, on standard error: a control group that allows less than --mem, a
device profile that cannot be used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ftdist.answers.kinds import answering_bytes, task_of
from ftdist.cli.console import complain
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan, parse_notation
from ftdist.runtime.budget.limits import Budget, budget
from ftdist.runtime.budget.process_memory import before_planning
from ftdist.runtime.imported import opened
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration
from ftdist.runtime.measuring.quick_profile import profile_for
from ftdist.runtime.plans.choice import Choice, PlanProblem, RunContext
from ftdist.runtime.plans.decision import Decision
from ftdist.runtime.plans.fresh_process import is_fresh_start
from ftdist.runtime.plans.plan_file import read_plan
from ftdist.runtime.threads import default_threads

if TYPE_CHECKING:
    from ftdist.cli.page import Page


def budget_of(mem: str | None) -> Budget:
    """The budget that --mem names; says so where the control group allows less."""
    found = budget(mem)
    if found.warning is not None and not is_fresh_start():
        complain(f"ftdist: {found.warning}")
    return found


def within_budget(
    arguments: argparse.Namespace, work: Callable[[argparse.Namespace, Budget, Page | None], int]
) -> int:
    """Does a command's work within the budget, less what the page takes if one is asked for.

    InputError where a budget is named and the kernels keep none.
    """
    limit = budget_of(arguments.mem)
    if arguments.kernels == "reference" and arguments.mem is not None:
        raise InputError("--mem is kept by the native kernels; --kernels reference has no bound")
    if arguments.page is None:
        return work(arguments, limit, None)
    from ftdist.cli.page import with_page  # with all that only a page needs

    arguments.restartable = False  # the page listens already
    return with_page(arguments, limit, lambda page, left: work(arguments, left, page))


def calibration_for(threads: int, limit: Budget, kernels: str = "native") -> Calibration:
    """The profile of this machine, measured within the budget if there is none; names a file of no
    use."""
    if kernels != "native":
        return SHIPPED
    found = profile_for(threads, limit)
    if found.note is not None and not is_fresh_start():
        complain(f"ftdist: {found.note}")
    return found


def choose_plan(
    arguments: argparse.Namespace,
    model: Model,
    limit: Budget,
    context: RunContext,
    line: PassingLine,
    threads: int | None = None,
) -> Choice:
    """The plan that the arguments name, or the fastest; BudgetError when it does not fit.

    `threads` are its own where the arguments' are shared among several.
    """
    plan = named_plan(arguments, model, threads)
    threads = plan.threads if plan else threads or arguments.threads or default_threads()
    calibration = calibration_for(threads, limit, arguments.kernels)
    exact = arguments.exact_direct
    problem = PlanProblem(model, limit, context, threads, calibration, exact_direct=exact)
    restartable, progress = arguments.restartable, line.share("planning")
    try:
        return Decision(problem, plan, restartable=restartable, progress=progress).choice()
    finally:
        line.clear()


def posed_problem(arguments: argparse.Namespace, limit: Budget) -> tuple[PlanProblem, Plan | None]:
    """What is asked for where nothing is run, and the plan that the arguments name.

    The input is assumed to be a mapped array. This process is measured now, as `run` measures it
    before it plans; what only planning needs is imported afterwards.
    """
    model = opened(
        arguments.model, arguments.size, lambda text: complain(f"ftdist: {text}"), limit=limit
    )
    plan = named_plan(arguments, model)
    threads = plan.threads if plan else arguments.threads or default_threads()
    after_bytes = answering_bytes(model.network, task_of(model.network, model.about))
    context = RunContext(after_bytes=after_bytes)
    calibration = calibration_for(threads, limit)
    process, exact = before_planning(model.network), arguments.exact_direct
    problem = PlanProblem(model, limit, context, threads, calibration, process, exact)
    return problem, plan


def named_plan(
    arguments: argparse.Namespace, model: Model, threads: int | None = None
) -> Plan | None:
    """The plan that --tiling or --plan names."""
    threads = threads or arguments.threads
    if arguments.tiling is not None:
        return parse_notation(arguments.tiling, model.network, threads or default_threads())
    if arguments.plan is None:
        return None
    return read_plan(arguments.plan, model, threads)


def take_model_for_input(arguments: argparse.Namespace) -> None:
    """Where a file of settings names the model, the first word is one only by its ending."""
    configured = getattr(arguments, "configured_model", None)
    if configured is not None and arguments.model.suffix not in (".ftd", ".onnx"):
        arguments.inputs.insert(0, str(arguments.model))
        arguments.model = configured
