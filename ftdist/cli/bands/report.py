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
    model_line,
    parts_line,
)
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandChoice
from ftdist.runtime.budget.memory import format_size
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.wording import counted


def bands_line(choice: BandChoice) -> str:
    """How many bands, how high, and by which plan each."""
    network = choice.asked.model.network
    count, height = choice.plan.count(network), last_shape(network).height
    bands = f"{counted(count, 'band')} of {choice.plan.rows} of {height} rows"
    return f"{bands}, each by {choice.plan.steps.notation}, threads {choice.plan.steps.threads}"


def print_bands(choice: BandChoice, passes: int, elapsed_s: float, target: Path) -> None:
    """The report as a person reads it."""
    network = choice.asked.model.network
    peak = peak_bytes()
    say(f"model      {model_line(network)}, input {network.input}")
    say(f"plan       {bands_line(choice)}")
    for line in algorithm_lines(choice.plan.steps.to_json(choice.asked.model.digest)):
        say(line)
    say(f"budget     {budget_line(choice.asked.budget)}")
    say(f"peak       predicted {format_size(choice.peak_bytes)}, measured {format_size(peak)}")
    say(f"           {parts_line(choice.parts)}")
    over = f" in {passes} passes over the picture" if passes > 1 else ""
    say(f"time       predicted {choice.found.seconds:.1f} s, measured {elapsed_s:.1f} s{over}")
    say(f"           by {choice.asked.calibration.origin}")
    say(f"wrote      {target}")


def write_bands(
    path: Path, choice: BandChoice, passes: int, elapsed_s: float, kernels: str
) -> None:
    """The same as JSON, in the tables of any run's report."""
    network = choice.asked.model.network
    plan: dict[str, Any] = choice.plan.steps.to_json(choice.asked.model.digest)
    plan["bands"] = {"rows": choice.plan.rows, "count": choice.plan.count(network)}
    budget = choice.asked.budget
    predicted = {
        "peak_bytes": choice.peak_bytes,
        "latency_s": choice.found.seconds,
        "parts": choice.parts,
        "profile": choice.asked.calibration.origin,
        "budget": {"bytes": budget.bytes, "origin": budget.origin, "keeper": budget.keeper},
    }
    measured = {"peak_bytes": peak_bytes(), "latency_s": [elapsed_s], "passes": passes}
    tables = {"plan": plan, "predicted": predicted, "measured": measured}
    write_json(path, tables | {"machine": machine(kernels)})
