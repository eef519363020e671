"""A program that begins anew: the same command again, with what planning found.

An interpreter keeps what it once allocated. A search for a plan takes a few MiB for a moment, and
where a budget is tight those would be missing from the run that follows. Then the process replaces
itself by a fresh one, which is handed the plan in its environment and so does not search. A child
that plans would hold its copies of our pages beside us, and be counted with us.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from ftdist.runtime.budget.memory import peak_resident_bytes
from ftdist.runtime.plans.plan_cache import Entry

_VARIABLE = "FTDIST_PLANNED"


def start_fresh(key: str, entry: Entry) -> None:
    """Replaces this process by a fresh one of the same command; returns where that cannot be.

    A process that is such a one already has no use for another.
    """
    if is_fresh_start():
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    handed = {"key": key, "peak_bytes": peak_resident_bytes(), "entry": asdict(entry)}
    command = [sys.executable, *sys.orig_argv[1:]]
    try:
        os.execve(sys.executable, command, {**os.environ, _VARIABLE: json.dumps(handed)})
    except OSError:  # as large as it has become, it may still be of use
        return


def handed_over(key: str) -> Entry | None:
    """What the program found before it began anew, if it did and that was the question."""
    handed = _handed()
    try:
        return Entry(**handed["entry"]) if handed["key"] == key else None
    except (TypeError, KeyError):
        return None


def is_fresh_start() -> bool:
    """Whether this process is such a fresh one: what was said is not said again."""
    return _VARIABLE in os.environ


def peak_bytes() -> int:
    """The most resident memory that this process ever had, before it began anew too."""
    before = _handed().get("peak_bytes", 0)
    return max(peak_resident_bytes(), before if type(before) is int else 0)


def _handed() -> dict[str, Any]:
    try:
        value = json.loads(os.environ.get(_VARIABLE, ""))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
