"""The glossary and the code go together as far as names go."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from support.code_names import found

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ftdist"

RETIRED = {
    # what is said now: names that said it before, of classes, functions, arguments and modules
    "backward pass": "Walk",
    "layer extent": "Extent",
    "group cost": "Account account take_in",
    "candidates, schedules": "Edges",
    "peak moment": "Summit summit",
    "fused pool": "riding taken_along pools_taken_along pools",
    "plan with a region": "Part LoweredPart PartRunner lower_part",
    "tile regions": "Demand",
    "stage table": "Team team Placed",
    "partitioning": "Scheme scheme",
    "worker region": "Area areas",
    "partition search": "Together together",
    "frame-parallel": "Wholes wholes",
    "Pareto plans, index": "Ladder ladder rung rungs",
    "memory demand": "Duty duty Holding holding",
    "worker plans": "Means means",
    "tile assignment": "Duties duties",
    "layer times": "Pace pace_of paces",
    "relative time": "slowness",
    "worker spec": "Traits traits",
    "simulation": "Timeline timeline",
    "job table": "Desk desk",
    "active plan, slot": "SeatedPlan seats sit",
    "task graph": "Flow",
    "worker queue": "Load",
    "assignments": "Orders orders",
    "speculation": "helping",
    "interval set": "Runs runs",
    "start, requeue, in flight": "take_off land flying",
    "backoff": "pauses",
    "hello, connection": "introduction conversation",
    "ping, sockets": "knock doors",
    "forked, thread pool": "crew Crew Surroundings",
    "process memory": "Held",
    "shared link": "trunk Trunk",
    "channel, peer channels": "Mail",
    "oom kills": "Deaths deaths MOST_DEATHS",
    "map store": "Kept",
    "compute thread": "Computing",
    "model reader": "Chunks",
}


def rows() -> list[list[str]]:
    """The rows of the glossary: word, meaning, where it is in the code."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.split("## Glossary")[1].split("\n## ")[0]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines()]
    return [row for row in table if len(row) == 3 and row[0] not in ("word", "---")]


@cache
def names() -> dict[str, str]:
    """Each name of a module, class, function, argument or field, and a place where it stands."""
    places: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(ROOT))
        places.setdefault(path.stem, place)
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                    places.setdefault(name.lstrip("_"), f"{place}:{node.lineno}")
                case ast.AnnAssign(target=ast.Name(id=name)):
                    places.setdefault(name.lstrip("_"), f"{place}:{node.lineno}")
    return places


def test_each_word_has_one_row() -> None:
    words = Counter(word for row in rows() for word in row[0].split(", "))
    assert len(words) > 60
    assert [word for word, count in words.items() if count > 1] == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_word_names_something_in_the_code(row: list[str]) -> None:
    (name,) = re.findall(r"^`([\w.]+)`$", row[2])
    found(name)


@pytest.mark.parametrize("now", RETIRED)
def test_a_name_that_was_retired_does_not_come_back(now: str) -> None:
    back = {name: names()[name] for name in RETIRED[now].split() if name in names()}
    assert not back, f"the word is {now}"
