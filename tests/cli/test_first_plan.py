"""The first plan on a machine that nobody has calibrated: the command measures it by itself."""

from __future__ import annotations

import json
from pathlib import Path

from support.command import COUNT_ERROR_BYTES, measured_ftdist

from ftdist.planning.profile import DEFAULT, from_json
from ftdist.runtime.budget.memory import MIB


def test_a_first_run_measures_within_its_budget_and_says_so(things: Path, tmp_path: Path) -> None:
    """The one test that measures: with 16 MiB of room, in which nothing large is tried."""
    command = ("run", things / "chain.ftd", things / "image.npy", "--mem", "48M", "--threads", "1")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "FTDIST_MEASURE": ""}
    outcome = measured_ftdist(*command, "--json", "told.json", folder=tmp_path, **cache)
    assert outcome.status == 0 and outcome.peak_bytes <= 48 * MIB + COUNT_ERROR_BYTES, outcome
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["predicted"]["profile"].startswith("a quick measurement of this machine")
    (path,) = (tmp_path / "cache/ftdist").glob("*-quick.json")
    kept = json.loads(path.read_text())
    assert from_json(json.dumps(kept["profile"])).narrow != DEFAULT.narrow
    assert len(kept["profile"]["traffic_s"]) >= 1
