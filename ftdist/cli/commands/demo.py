"""`ftdist demo`: objects found in a large picture, and YOLOv2's first 16 layers, each in a budget.

The detector and its picture come with the package, and are copied into the folder. Each step is a
command that a user could type, is shown as such, and runs in a process of its own, for a budget is
one process's. What the reports predicted and what they measured stands side by side at the end.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ftdist
from ftdist.cli.console import tell
from ftdist.runtime.budget.sizes import MIB

PARTS = Path(ftdist.__file__).with_name("demo")
DETECTOR_MEM = "48M"
YOLO = "yolov2-first16"
YOLO_MEM = "64M"

_Reports = dict[str, dict[str, Any]]


def run(arguments: argparse.Namespace) -> int:
    """Runs the steps in the named folder; its status is that of the first that fails."""
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS.iterdir():  # so that the commands can be typed again, and changed
        shutil.copyfile(part, folder / part.name)
    try:
        reports = _steps(folder)
    except _StepFailed as failed:
        return failed.status
    _compare(reports)
    tell("")
    tell(f"The objects found are drawn in {folder / 'found.jpg'}")
    return 0


class _StepFailed(Exception):
    """A step's exit status is not the expected one; it has said why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _steps(folder: Path) -> _Reports:
    reports = {}
    model, scene = folder / "detector.ftd", folder / "scene.jpg"
    weights = folder / "detector.weights"
    _step("import", folder / "detector.cfg", "--weights", weights, "-o", model)
    tell("")
    tell("-- Untiled, the detector's feature maps do not fit the budget:")
    _step("run", model, scene, "--mem", DETECTOR_MEM, "--tiling", "1x1", expected=3)
    tell("")
    tell("-- In strips they do:")
    found = folder / "found.jpg"
    reports["detector"] = _run(model, scene, "-o", found, "--mem", DETECTOR_MEM)
    tell("")
    tell("-- The 16 layers that DeepThings and MAFAT measured, with random weights:")
    model = folder / f"{YOLO}.ftd"
    _step("import", YOLO, "--random-weights", 1, "-o", model)
    reports[YOLO] = _run(model, scene, "--mem", YOLO_MEM)
    return reports


def _step(*words: object, expected: int = 0) -> None:
    """Runs a command of ftdist, showing it."""
    texts = [str(word) for word in words]
    tell("")
    tell(f"$ ftdist {shlex.join(texts)}")
    # -P: a folder of this name where the command was typed is another one
    done = subprocess.run([sys.executable, "-P", "-m", "ftdist", *texts], check=False)
    if done.returncode != expected:
        raise _StepFailed(done.returncode if done.returncode > 0 else 1)


def _run(model: Path, *words: object) -> dict[str, Any]:
    """The report of one `ftdist run`."""
    report = model.with_suffix(".json")
    _step("run", model, *words, "--json", report)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _compare(reports: _Reports) -> None:
    """Peaks and latencies, predicted and measured, a line for each run."""
    tell("")
    tell(f"{'':16}{'peak, MiB':>24}{'latency, s':>24}   plan")
    tell(f"{'':16}{'predicted':>12}{'measured':>12}{'predicted':>12}{'measured':>12}")
    for name, report in reports.items():
        predicted, measured = report["predicted"], report["measured"]
        figures = (
            f"{predicted['peak_bytes'] / MIB:12.1f}{measured['peak_bytes'] / MIB:12.1f}"
            f"{predicted['latency_s']:12.2f}{measured['latency_s'][-1]:12.2f}"
        )
        tell(f"{name:16}{figures}   {report['plan']['notation']}")
