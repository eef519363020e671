"""Planning before a run: done once, within the budget, and nothing of it is missing afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import Outcome, environment, ftdist_command

from ftdist.runtime.budget.memory import MIB


def python(code: str, *arguments: object, folder: Path, **more: str) -> Outcome:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


_WITHOUT_SEARCH = """
import sys
import ftdist.planning.search.search, ftdist.planning.cost.latency
from ftdist.cli.main import main

def refuse(*_, **__):
    raise SystemExit("it planned")

ftdist.planning.search.search.Search.__init__ = refuse
ftdist.planning.cost.latency.plan_seconds = refuse
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("options", [(), ("--mem", "60M"), ("--tiling", "1x1s3"), ("--mem", "36M")])
def test_a_run_like_one_before_plans_nothing(
    things: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = ("run", things / "chain.ftd", things / "image.npy", "--json", "r.json", *options)
    assert python(_WITHOUT_SEARCH, *command, folder=tmp_path, **cache).err == "it planned\n"
    assert ftdist_command(*command, folder=tmp_path, **cache).status == 0
    before = json.loads((tmp_path / "r.json").read_text())
    again = python(_WITHOUT_SEARCH, *command, folder=tmp_path, **cache)
    assert again.status == 0, again
    after = json.loads((tmp_path / "r.json").read_text())
    assert after["plan"] == before["plan"]
    assert after["predicted"]["latency_s"] == before["predicted"]["latency_s"]


def test_the_parts_of_the_peak_add_up_to_it(things: Path, tmp_path: Path) -> None:
    command = ("run", things / "chain.ftd", things / "image.npy", "--json", "r.json")
    outcome = ftdist_command(*command, folder=tmp_path)
    predicted = json.loads((tmp_path / "r.json").read_text())["predicted"]
    assert sum(predicted["parts"].values()) == predicted["peak_bytes"]
    line = next(line for line in outcome.out.splitlines() if "in MiB: " in line)
    tenths = [int(part.split()[-1].replace(".", "")) for part in line.split(": ")[1].split(", ")]
    assert sum(tenths) == round(predicted["peak_bytes"] / MIB * 10)


_GREEDY = """
import sys
import numpy as np
import ftdist.planning.search.search
from ftdist.cli.main import main

ftdist.planning.search.search.Search.__init__ = lambda *_, **__: print(np.ones(1 << 27).sum())
sys.exit(main(sys.argv[1:]))
"""


def test_planning_is_refused_what_it_may_not_take(things: Path, tmp_path: Path) -> None:
    command = ("run", things / "chain.ftd", things / "image.npy", "--mem", "64M")
    outcome = python(_GREEDY, *command, folder=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert outcome.status == 3 and outcome.out == ""
    assert outcome.err.startswith("ftdist: planning takes more than 64.0 MiB (--mem) leave ")
    assert outcome.err.count("\n") == 1


_ANEW = """
from ftdist.runtime.plans.fresh_process import start_fresh, handed_over, peak_bytes
from ftdist.runtime.plans.plan_cache import Entry

held = b"x" * (64 << 20) if handed_over("k") is None else b""
print(handed_over("k"), handed_over("other"), peak_bytes() > 64 << 20)
del held
start_fresh("k", Entry("1x1", 0.5, 7, None))
print("goes on")
"""


def test_a_program_begins_anew_once_and_knows_what_it_found(tmp_path: Path) -> None:
    outcome = python(_ANEW, folder=tmp_path)
    entry = "Entry(notation='1x1', seconds=0.5, needs_bytes=7, within_bytes=None)"
    assert outcome.out == f"None None True\n{entry} None True\ngoes on\n"
