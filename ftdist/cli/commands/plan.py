"""`ftdist plan`: what a run would take, group by group, and what other budgets would change.

Nothing is run. The input is assumed to be a float32 array that is mapped from its file, as `run`
maps a .npy file; a picture changes the peak by what reading and drawing it take. The process is
measured where `run` measures it: before it plans, and once it has.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftdist.cli.commands.run  # noqa: F401  measured with what a run has in memory
from ftdist.atomic import refuse_overwriting, refuse_unwritable, write_json
from ftdist.cli.bands.asked import is_for_bands
from ftdist.cli.console import say
from ftdist.cli.plan_and_budget import budget_of, posed_problem
from ftdist.cli.reports.report import machine, predicted
from ftdist.cli.terminal import PassingLine
from ftdist.runtime.budget.process_memory import after_planning
from ftdist.runtime.plans.choice import Choice
from ftdist.runtime.plans.planning_room import planning_room

if TYPE_CHECKING:
    from ftdist.runtime.plans.frontier import FrontierPoint, Outlook


def run(arguments: argparse.Namespace) -> None:
    """Prints the plan and what surrounds it, and writes what is asked for."""
    limit = budget_of(arguments.mem)
    instruction_set = str(machine("native")["instruction_set"])
    problem, plan = posed_problem(arguments, limit)
    _refuse_unwritable(arguments)
    if plan is None and is_for_bands(problem.model.network, limit):
        from ftdist.cli.bands.foretelling import foretell  # with all that only bands need

        foretell(arguments, problem)
        return

    from ftdist.runtime.plans.frontier import Outlook

    with PassingLine() as line, planning_room(limit):
        progress = line.share("planning")
        outlook = Outlook(problem, progress)
        choice = _as_a_run_counts(problem.examine(plan) if plan else outlook.fastest())
        outlook.problem = choice.problem
        wanted = arguments.frontier or arguments.plot is not None
        points = outlook.frontier(choice) if wanted else ()
    try:
        _print(choice, outlook, points, instruction_set, searched=plan is None)
    finally:  # a full disk does not keep the result from being printed, nor the other way round
        if arguments.json is not None:
            _write_json(arguments.json, choice, points)
    if arguments.plot is not None:
        _draw(arguments.plot, choice, points, instruction_set)
    if arguments.mem is not None:
        choice.within_budget(f"the plan {choice.plan.notation} does not fit")


def _as_a_run_counts(choice: Choice) -> Choice:
    """The choice beside what planning left, which a run measures just then and so.

    Where only that exceeds the budget, a run begins anew, and nothing is left.
    """
    problem = choice.problem
    before, programs = problem.process, choice.lowered.program_bytes
    real = replace(problem, process=after_planning(before, programs, before.most_bytes))
    counted = replace(real.predict(choice.lowered, choice.latency_s), unbound=choice.unbound)
    return counted if counted.fits or not choice.fits else choice


def _refuse_unwritable(arguments: argparse.Namespace) -> None:
    written = [each for each in (arguments.json, arguments.plot) if each is not None]
    read = [
        each for each in (arguments.model, arguments.plan, arguments.config) if each is not None
    ]
    refuse_overwriting(written, [(str(each), each) for each in read])
    if arguments.json is not None:
        refuse_unwritable(arguments.json)
    if arguments.plot is not None:
        from ftdist.cli.reports import plot

        plot.refuse_unplottable(arguments.plot)


def _print(
    choice: Choice,
    outlook: Outlook,
    points: tuple[FrontierPoint, ...],
    instruction_set: str,
    *,
    searched: bool,
) -> None:
    from ftdist.cli.reports.forecast import (
        alternative_lines,
        frontier_lines,
        group_table,
        plan_lines,
    )
    from ftdist.planning.search.breakdown import group_breakdowns, peak_moment

    network = choice.model.network
    profile = choice.problem.profile
    shares = group_breakdowns(network, choice.lowered, profile)
    lines = [
        *plan_lines(choice, instruction_set),
        "",
        *group_table(choice, shares),
        "",
        *alternative_lines(
            choice, peak_moment(network, choice.lowered), outlook, searched=searched
        ),
    ]
    if points:
        lines += ["", *frontier_lines(points, choice)]
    for line in lines:
        say(line)


def _write_json(path: Path, choice: Choice, points: tuple[FrontierPoint, ...]) -> None:
    """The first two tables of a run's report, and the frontier if there is one."""
    value: dict[str, Any] = {
        "plan": choice.plan.to_json(choice.model.digest),
        "predicted": predicted(choice),
    }
    if points:
        value["frontier"] = [
            {"peak_bytes": each.peak_bytes, "latency_s": each.latency_s, "notation": each.notation}
            for each in points
        ]
    write_json(path, value)


def _draw(
    path: Path, choice: Choice, points: tuple[FrontierPoint, ...], instruction_set: str
) -> None:
    from ftdist.cli.reports import plot
    from ftdist.cli.reports.published_plans import published_plans

    plot.draw(path, choice, points, published_plans(choice), instruction_set)
    say(f"wrote      {path}")
