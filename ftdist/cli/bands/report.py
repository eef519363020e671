"""The report of a run by bands: what was planned, predicted and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftdist.atomic import write_json
from ftdist.cli.console import say
from ftdist.cli.reports.report import (
    algorithm_lines,
    budget_line,
    machine,
    milliseconds,
    model_line,
    parts_line,
)
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandChoice, PhasedChoice
from ftdist.runtime.budget.memory import format_size
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.wording import counted


def bands_line(choice: BandChoice) -> str:
    """How many bands, how high, and by which plan each."""
    network = choice.asked.model.network
    count, height = choice.plan.count(network), last_shape(network).height
    bands = f"{counted(count, 'band')} of {choice.plan.rows} of {height} rows"
    return f"{bands}, each by {choice.plan.steps.notation}, threads {choice.plan.steps.threads}"


def plan_lines(choice: PhasedChoice) -> list[str]:
    """The model, and how each pass over the picture is planned."""
    network = choice.model.network
    lines = [f"model      {model_line(network)}, input {network.input}"]
    for number, each in enumerate(choice.passes, 1):
        what = "plan" if len(choice.passes) == 1 else f"pass {number}"
        lines.append(f"{what:10} {bands_line(each)}")
    last = choice.last
    lines += algorithm_lines(last.plan.steps.to_json(last.asked.model.digest))
    return [*lines, f"budget     {budget_line(last.asked.budget)}"]


def _time(seconds: float) -> str:
    return milliseconds(seconds) if seconds < 1 else f"{seconds:.1f} s"


def print_bands(choice: PhasedChoice, passes: int, elapsed_s: float, target: Path | None) -> None:
    """The report as a person reads it."""
    peak, most = peak_bytes(), choice.largest
    for line in plan_lines(choice):
        say(line)
    say(f"peak       predicted {format_size(most.peak_bytes)}, measured {format_size(peak)}")
    say(f"           {parts_line(most.parts)}")
    over = f" in {passes} passes over the picture" if passes > 1 else ""
    say(f"time       predicted {_time(choice.seconds)}, measured {_time(elapsed_s)}{over}")
    say(f"           by {most.asked.calibration.origin}")
    if target is not None:
        say(f"wrote      {target}")


def print_forecast(choice: PhasedChoice) -> None:
    """What a run would take, where nothing is run."""
    most = choice.largest
    for line in plan_lines(choice):
        say(line)
    say(f"peak       predicted {format_size(most.peak_bytes)}")
    say(f"           {parts_line(most.parts)}")
    say(f"time       predicted {_time(choice.seconds)} by {most.asked.calibration.origin}")


def write_bands(
    path: Path, choice: PhasedChoice, passes: int, elapsed_s: float, kernels: str
) -> None:
    """The same as JSON, in the tables of any run's report."""
    measured = {"peak_bytes": peak_bytes(), "latency_s": [elapsed_s], "passes": passes}
    write_json(path, forecast(choice) | {"measured": measured, "machine": machine(kernels)})


def forecast(choice: PhasedChoice) -> dict[str, Any]:
    """The tables `plan` and `predicted`; the plan is that of the last pass."""
    last, most = choice.last, choice.largest
    plan: dict[str, Any] = last.plan.steps.to_json(last.asked.model.digest)
    count = last.plan.count(last.asked.model.network)
    plan["bands"] = {"rows": last.plan.rows, "count": count}
    plan["passes"] = [each.plan.notation for each in choice.passes]
    budget = last.asked.budget
    predicted = {
        "peak_bytes": most.peak_bytes,
        "latency_s": choice.seconds,
        "parts": most.parts,
        "profile": most.asked.calibration.origin,
        "budget": {"bytes": budget.bytes, "origin": budget.origin, "keeper": budget.keeper},
    }
    return {"plan": plan, "predicted": predicted}
