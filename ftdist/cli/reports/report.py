"""The report of a run: what was planned and predicted, what was measured, on which machine."""

from __future__ import annotations

import dataclasses
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist import __version__
from ftdist.atomic import write_json
from ftdist.cli.console import say
from ftdist.network.about import About
from ftdist.network.graph import Network
from ftdist.planning.layer_lists import as_text
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB, format_size
from ftdist.runtime.plans.choice import Choice
from ftdist.wording import counted


@dataclass(frozen=True)
class Report:
    """Everything that `--json` writes and the screen shows."""

    model: str
    input: str
    budget: str
    plan: dict[str, Any]
    predicted: dict[str, Any]
    measured: dict[str, Any]
    machine: dict[str, Any]
    answers: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        choice: Choice,
        machine: dict[str, Any],
        latencies: list[float],
        load_s: float,
    ) -> Report:
        network = choice.model.network
        return cls(
            model=model_line(network),
            input=str(network.input),
            budget=budget_line(choice.budget),
            plan=choice.plan.to_json(choice.model.digest),
            predicted=predicted(choice),
            measured={"latency_s": latencies, "load_s": load_s},
            machine=machine,
        )

    def with_peak(self, peak_bytes: int) -> Report:
        """This report with the measured peak of the whole process."""
        return dataclasses.replace(self, measured={"peak_bytes": peak_bytes, **self.measured})

    def with_answers(self, **answers: list[Any]) -> Report:
        """This report with lists of what was seen, and of what was left out; empty ones are not."""
        return dataclasses.replace(self, answers={k: v for k, v in answers.items() if v})


def model_line(network: Network) -> str:
    """A network's name, size and work."""
    macs = sum(
        network.macs(number) * layer.shape.height * layer.shape.width
        for number, layer in enumerate(network.layers)
    )
    return f"{network.name}, {counted(len(network.layers), 'layer')}, {_work(2 * macs)}"


def _work(operations: int) -> str:
    if operations < 50e6:
        return f"{operations / 1e6:.1f} MFLOP"
    return f"{operations / 1e9:.1f} GFLOP"


def parts_line(parts: dict[str, int]) -> str:
    """The parts of a predicted peak in tenths of a MiB, rounded so that they add up to it."""
    tenth = MIB / 10
    tenths = {name: int(size / tenth) for name, size in parts.items()}
    missing = round(sum(parts.values()) / tenth) - sum(tenths.values())
    for name in sorted(parts, key=lambda each: tenths[each] - parts[each] / tenth)[:missing]:
        tenths[name] += 1
    each = (f"{name.replace('_', ' ')} {size / 10:.1f}" for name, size in tenths.items())
    return f"in MiB: {', '.join(each)}"


def algorithm_lines(plan: dict[str, Any]) -> list[str]:
    """Which layers of a plan, as JSON has it, are computed by which algorithm, and its errors."""
    named: dict[str, list[int]] = {}
    for layer, name in plan.get("arithmetic", {}).items():
        named.setdefault(name, []).append(int(layer))
    lines = []
    for name, error in sorted(plan["error_classes"].items(), key=lambda each: each[0] not in named):
        layers = named.get(name, [])
        whose = f"of {counted(len(layers), 'layer')} ({as_text(layers)})"
        if not layers:
            whose = "of all others" if named else "of all layers"
        lines.append(f"{name} {whose}, errors up to {error:.0e} of the largest value")
    return [f"{'algorithm' if not number else '':10} {each}" for number, each in enumerate(lines)]


def budget_line(budget: Budget) -> str:
    """A budget, where it comes from, and who keeps it."""
    return f"{format_size(budget.bytes)} ({budget.origin}), {budget.keeper}"


def predicted(choice: Choice) -> dict[str, Any]:
    """The prediction of a choice, by which profile, and within which budget."""
    return {
        "peak_bytes": choice.peak_bytes,
        "latency_s": choice.latency_s,
        "parts": choice.parts,
        "weights_from": choice.weights_from,
        "profile": choice.calibration.origin,
        "budget": {
            "bytes": choice.budget.bytes,
            "origin": choice.budget.origin,
            "keeper": choice.budget.keeper,
        },
    }


def machine(kernels: str) -> dict[str, Any]:
    """What a figure depends on: processor, instruction set, versions."""
    found = {
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "system": platform.release(),
        "python": platform.python_version(),
        "ftdist": __version__,
        "kernels": kernels,
    }
    if kernels == "native":
        from ftdist.kernels import native

        found["instruction_set"] = native.chosen().name
    return found


def write_report(path: Path, report: Report) -> None:
    """The report's four tables as JSON, then what was seen."""
    tables = ("plan", "predicted", "measured", "machine")
    write_json(path, {name: getattr(report, name) for name in tables} | report.answers)


def print_report(report: Report) -> None:
    """The report as a person reads it."""
    plan, predicted, measured = report.plan, report.predicted, report.measured
    runs = len(measured["latency_s"])
    kernels = report.machine.get("instruction_set", report.machine["kernels"])
    say(f"model      {report.model}, input {report.input}")
    say(f"plan       {plan['notation']}, threads {plan['threads']}, kernels {kernels}")
    for line in algorithm_lines(plan):
        say(line)
    say(f"budget     {report.budget}")
    say(
        f"peak       predicted {format_size(predicted['peak_bytes'])}, "
        f"measured {format_size(measured['peak_bytes'])}"
    )
    say(f"           {parts_line(predicted['parts'])}")
    if predicted["weights_from"] != "memory":
        say(f"weights    streamed from the {predicted['weights_from']}")
    say(
        f"latency    predicted {milliseconds(predicted['latency_s'])}, measured "
        f"{milliseconds(_median(measured['latency_s']))}" + (f" (median of {runs})" * (runs > 1))
    )
    say(f"           by {predicted['profile']}")


_FITTED = {
    "letterbox": "letterboxed on {}",
    "corner": "fitted to the top left corner on {}",
    "stretch": "stretched",
    "crop": "cropped in the middle",
    "pad": "as large as it is where that fits",
}


def preparation_line(network: Network, about: About) -> str:
    """How pictures enter, and whether that is a guess."""
    pixels = network.inputs[0].pixels
    order = "grey" if network.input.channels == 1 else "BGR" if pixels.blue_first else "RGB"
    if len(set(pixels.mean)) == len(set(pixels.deviation)) == 1:
        black, white = (f"{each:.3g}" for each in pixels.black_and_white)
        values = f"{black}..{white}"
    else:
        mean, deviation = (
            ",".join(f"{each:.4g}" for each in part) for part in (pixels.mean, pixels.deviation)
        )
        values = f"less {mean}, over {deviation}"
    line = f"{order} {values}, {_FITTED[about.fit].format(about.fill)}"
    if about.assumed:
        line += f": assumed ({about.assumed}); --bgr, --mean, --std, --stretch and others change it"
    return line


def milliseconds(seconds: float) -> str:
    """A latency; with a decimal where it would be lost in rounding."""
    return f"{seconds * 1e3:.{int(seconds < 0.01)}f} ms"


def _median(values: list[float]) -> float:
    """By hand: NumPy's would bring in a MiB of its code when the peak is known already."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2
