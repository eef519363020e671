"""The plan of a run: named by the user, read from a report, or searched for within the budget."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.cli.commands.calibrate import kept
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.planning.plan import Plan, parse_json, parse_notation
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.choosing.choice import Choice, RunContext
from ftdist.runtime.choosing.decision import Decision
from ftdist.runtime.threads import default_threads

_MOST_PLAN_BYTES = 1 << 20


def chosen(
    arguments: argparse.Namespace,
    model: Model,
    limit: Budget,
    context: RunContext,
    line: PassingLine,
) -> Choice:
    """The plan that the arguments name, or the fastest; BudgetError when it does not fit."""
    plan = named_plan(arguments, model)
    threads = plan.threads if plan else arguments.threads or default_threads()
    calibration = kept(threads, arguments.kernels)
    decision = Decision(
        model,
        limit,
        context,
        threads,
        calibration,
        restartable=arguments.restartable,
        progress=line.share("planning"),
    )
    try:
        return decision.plan(plan)
    finally:
        line.clear()


def named_plan(arguments: argparse.Namespace, model: Model) -> Plan | None:
    """The plan that --tiling or --plan names."""
    if arguments.tiling is not None:
        threads = arguments.threads or default_threads()
        return parse_notation(arguments.tiling, model.network, threads)
    if arguments.plan is None:
        return None
    try:
        text = _read_text(arguments.plan)
        return parse_json(text, model.network, model.digest, arguments.threads)
    except InputError as error:
        raise InputError(f"{arguments.plan}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_PLAN_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_PLAN_BYTES:
        raise InputError("is no plan, it is too large")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("is no plan: not UTF-8 text") from None
