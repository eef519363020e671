"""Time lines as their viewers read them: which spans each line of each track has."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any


def events(path: Path) -> list[dict[str, Any]]:
    """The events of a time line that was ended."""
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def lines_of(path: Path) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """By track and line the begin and end of each span, in order of time."""
    names: dict[tuple[str, int], str] = {}
    lines: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for each in events(path):
        if each["name"] == "process_name":
            names["process", each["pid"]] = each["args"]["name"]
        elif each["name"] == "thread_name":
            names["thread", each["tid"]] = each["args"]["name"]
        elif each["ph"] == "X":
            line = names["process", each["pid"]], names["thread", each["tid"]]
            lines[line].append((each["ts"], each["ts"] + each["dur"]))
    return {line: sorted(spans) for line, spans in lines.items()}


def assert_no_span_crosses_another(path: Path) -> None:
    for line, spans in lines_of(path).items():
        for before, after in pairwise(spans):
            assert before[1] <= after[0], (line, before, after)
