"""The Grafana dashboard asks for metrics that there are, and for nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

from support.documented import ROOT
from support.snapshots import busy_metrics

DASHBOARD = ROOT / "launch" / "grafana.json"
_WORDS = re.compile(r"[a-zA-Z_]\w*")
_FUNCTIONS = {"sum", "rate", "increase", "m", "h"}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_its_queries_name_metrics_that_exist() -> None:
    named = re.findall(r"^# TYPE (\w+) (\w+)$", busy_metrics(), re.MULTILINE)
    kinds = dict(named)
    queries = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert len(queries) > 15
    for query in queries:
        words = set(_WORDS.findall(query)) - _FUNCTIONS
        assert words and words <= kinds.keys(), query
        for name in words:
            counted = re.search(rf"(?:rate|increase)\({name}\[", query) is not None
            assert counted == (kinds[name] == "counter"), query


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
