"""`ftdist show`: a network's layers, and how a plan computes them, as text and as a graph."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.answers.kinds import class_count, task_of
from ftdist.atomic import atomic_write, refuse_overwriting, refuse_unwritable
from ftdist.cli.console import say
from ftdist.cli.files.class_names import reading_line
from ftdist.cli.plan_and_budget import budget_of, posed_problem
from ftdist.cli.reports.graph_svg import drawn
from ftdist.cli.reports.listing import listed, listing_lines
from ftdist.cli.reports.report import budget_line, model_line, preparation_line
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.runtime.budget.sizes import format_size
from ftdist.runtime.plans.choice import Choice
from ftdist.runtime.plans.planning_room import planning_room

_MOST_NAMES = 5
_LONGEST = 40


def run(arguments: argparse.Namespace) -> None:
    """Prints the network under its plan, and draws it if that is asked for."""
    limit = budget_of(arguments.mem)
    if arguments.svg is not None:
        if arguments.svg.suffix.lower() != ".svg":
            raise InputError(f"{arguments.svg}: the graph is drawn as SVG; name a .svg file")
        read = [each for each in (arguments.model, arguments.plan) if each is not None]
        refuse_overwriting([arguments.svg], [(str(each), each) for each in read])
        refuse_unwritable(arguments.svg)
    problem, plan = posed_problem(arguments, limit)

    from ftdist.runtime.plans.frontier import Outlook

    with PassingLine() as line, planning_room(limit):
        outlook = Outlook(problem, line.share("planning"))
        choice = problem.examine(plan) if plan else outlook.fastest()
    _print(choice, problem.model)
    if arguments.svg is not None:
        _draw(arguments.svg, choice)
    if arguments.mem is not None:
        choice.within_budget(f"the plan {choice.plan.notation} does not fit")


def _print(choice: Choice, model: Model) -> None:
    network = model.network
    task = task_of(network, model.about)
    say(f"model      {model_line(network)}, {format_size(model.weight_bytes)} of weights")
    for port in network.inputs:
        dims = port.layout.told(port.shape)
        say(f"input      {_short(port.name)} {dims}")
    for number in network.outputs:
        dims = network.layout(number).told(network.shape(number))
        say(f"output     {_short(network.layers[number].name)} {dims}")
    say(f"task       {_task_told(task, model.labels)}")
    if task.kind != "arrays":
        say(f"picture    {preparation_line(network, model.about)}")
    if task.kind == "text":
        say(f"reads      {reading_line(task, model.labels, model.about.names)}")
    say(f"plan       {choice.plan.notation}, threads {choice.plan.threads}")
    say(f"budget     {budget_line(choice.budget)}")
    say(f"peak       predicted {format_size(choice.peak_bytes)}")
    say("")
    for line in listing_lines(listed(network, choice.plan)):
        say(line)


def _task_told(task: Task, labels: tuple[str, ...]) -> str:
    """What the outputs are taken for, and the first of its classes' names."""
    told = task.kind if not task.layout else f"{task.kind} ({task.layout.replace('_', ' ')})"
    classes = class_count(task)
    if classes:
        told += f", {classes} class{'es' * (classes > 1)}"
    if labels and task.kind != "text":
        more = f", ... {_short(labels[-1])}" if len(labels) > _MOST_NAMES else ""
        told += f": {', '.join(map(_short, labels[:_MOST_NAMES]))}{more}"
    return told


def _draw(path: Path, choice: Choice) -> None:
    network, plan = choice.model.network, choice.plan
    subtitle = (
        f"plan {_short(plan.notation, 120)}, threads {plan.threads}, "
        f"peak predicted {format_size(choice.peak_bytes)}"
    )
    text = drawn(model_line(network), subtitle, len(network.inputs), listed(network, plan))
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"wrote      {path}")


def _short(text: str, most: int = _LONGEST) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= most else f"{shown[: most - 2]}.."
