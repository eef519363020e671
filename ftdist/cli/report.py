"""The report of a run: what was planned and predicted, what was measured, on which machine."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ftdist import __version__
from ftdist.atomic import atomic_write
from ftdist.runtime.choice import Choice
from ftdist.runtime.memory import MIB, format_size


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

    @classmethod
    def of(
        cls,
        choice: Choice,
        machine: dict[str, Any],
        latencies: list[float],
        load_s: float,
    ) -> Report:
        network = choice.model.network
        macs = sum(
            network.macs(number) * layer.shape.height * layer.shape.width
            for number, layer in enumerate(network.layers)
        )
        return cls(
            model=f"{network.name}, {len(network.layers)} layers, {2 * macs / 1e9:.1f} GFLOP",
            input=str(network.input),
            budget=f"{format_size(choice.budget.bytes)} ({choice.budget.origin})",
            plan=choice.plan.to_json(choice.model.digest),
            predicted={
                "peak_bytes": choice.peak_bytes,
                "latency_s": choice.latency_s,
                "parts": choice.footprint.parts,
            },
            measured={"latency_s": latencies, "load_s": load_s},
            machine=machine,
        )

    def with_peak(self, peak_bytes: int) -> Report:
        """This report with the measured peak of the whole process."""
        return dataclasses.replace(
            self, measured={"peak_bytes": peak_bytes, **self.measured}
        )


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


def write_json(path: Path, report: Report) -> None:
    """The report's four tables as JSON."""
    value = {
        name: getattr(report, name)
        for name in ("plan", "predicted", "measured", "machine")
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def print_report(report: Report) -> None:
    """The report as a person reads it."""
    plan, predicted, measured = report.plan, report.predicted, report.measured
    parts = ", ".join(
        f"{name.replace('_', ' ')} {size / MIB:.1f}"
        for name, size in predicted["parts"].items()
    )
    runs = len(measured["latency_s"])
    kernels = report.machine.get("instruction_set", report.machine["kernels"])
    print(f"model      {report.model}, input {report.input}")
    print(
        f"plan       {plan['notation']}, threads {plan['threads']}, kernels {kernels}"
    )
    print(f"budget     {report.budget}")
    print(
        f"peak       predicted {format_size(predicted['peak_bytes'])}, "
        f"measured {format_size(measured['peak_bytes'])}"
    )
    print(f"           in MiB: {parts}")
    print(
        f"latency    predicted {predicted['latency_s'] * 1e3:.0f} ms, measured "
        f"{median(measured['latency_s']) * 1e3:.0f} ms"
        + (f" (median of {runs})" * (runs > 1))
    )
