"""`ftdist run` in a fresh process, as a user runs it, and the report it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.models import Prepared

from ftdist.errors import BudgetError
from ftdist.runtime.budget.memory import parse_size

Report = dict[str, Any]

NO_PLAN_FITS = 3
"""The exit status of a command that found no plan within its budget."""


def run_command(
    prepared: Prepared, report: Path, *, mem: int | None, threads: int, repeat: int
) -> list[str]:
    """The words of `ftdist run`; the output goes beside the report."""
    words: list[object] = [sys.executable, "-m", "ftdist", "run", prepared.model, prepared.image]
    words += ["--threads", threads, "--repeat", repeat, "--json", report]
    words += ["-o", report.with_suffix(".npz")]
    if mem is not None:
        words += ["--mem", mem]
    return [str(word) for word in words]


def run(
    prepared: Prepared, folder: Path, *, mem: int | None, threads: int = 1, repeat: int = 1
) -> Report:
    """The report of a run within `mem` bytes; BudgetError when there is no plan for it."""
    path = folder / "report.json"
    command = run_command(prepared, path, mem=mem, threads=threads, repeat=repeat)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == NO_PLAN_FITS:
        raise BudgetError(done.stderr.strip(), smallest_named(done.stderr))
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
    report: Report = json.loads(path.read_text())
    return report


def smallest_named(error: str) -> int:
    """The budget that the line of a refused run says would do, in bytes."""
    named = re.search(r"(?:needs|or try) ([0-9]+[KMG]?)\b", error)
    if not named:
        raise RuntimeError(f"no budget is named in: {error.strip()}")
    return parse_size(named[1])
