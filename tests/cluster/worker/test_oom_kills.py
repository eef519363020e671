"""A worker that was killed for lack of memory knows it when it comes back, and offers less."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment

from ftdist.cluster.worker.oom_kills import OomKills
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB

GIVEN = Budget(64 * MIB, "--mem")

_WORKER = """
import os, signal, sys
from pathlib import Path
from ftdist.cluster.worker.oom_kills import OomKills
from ftdist.runtime.budget.limits import Budget

folder, root, budget, computes, ends = sys.argv[1:]
oom_kills = OomKills(Path(folder), "pi", Budget(int(budget), "--mem"), Path(root))
print(oom_kills.count, flush=True)
if computes == "yes":
    oom_kills.computing(True)
    if ends == "in order":
        oom_kills.computing(False)
if ends == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "proc/sys/kernel/random").mkdir(parents=True)
    started(root, "a" * 36)
    kills(root, 7)
    return root


def started(root: Path, boot: str) -> None:
    (root / "proc/sys/kernel/random/boot_id").write_text(boot + "\n")


def kills(root: Path, count: int) -> None:
    (root / "proc/vmstat").write_text(f"oom_killer 9\noom_kill {count}\nother 1\n")


def worker(root: Path, *, computes: bool, ends: str, budget: int = GIVEN.bytes) -> int:
    """A worker's process from beginning to end; how many oom_kills it knew of."""
    words = [root.parent / "cache", root, budget, "yes" if computes else "no", ends]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WORKER, *map(str, words)],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == (-signal.SIGKILL if ends == "killed" else 0), done.stderr
    return int(done.stdout)


def test_each_death_while_it_computed_counts(machine: Path) -> None:
    for oom_kills in range(3):
        assert worker(machine, computes=True, ends="killed") == oom_kills
        kills(machine, 8 + oom_kills)
    assert worker(machine, computes=True, ends="in order") == 3
    kills(machine, 20)
    assert worker(machine, computes=False, ends="in order") == 3, "another process was killed"
    assert worker(machine, computes=False, ends="in order", budget=48 * MIB) == 0, "a new beginning"


def test_what_is_no_such_death_does_not_count(machine: Path) -> None:
    assert worker(machine, computes=True, ends="killed") == 0
    assert worker(machine, computes=False, ends="killed") == 0, "by somebody: nothing was short"
    kills(machine, 8)
    assert worker(machine, computes=True, ends="killed") == 0, "it did not compute"
    kills(machine, 9)
    started(machine, "b" * 36)
    assert worker(machine, computes=False, ends="in order") == 0, "the machine was switched off"


def test_less_is_offered_with_each_death_but_not_for_ever(machine: Path) -> None:
    found = OomKills(machine.parent / "cache", "pi", GIVEN, machine)
    sizes = []
    for found.count in range(7):
        sizes.append(found.offered(GIVEN).bytes)
    assert sizes[:2] == [64 * MIB, 56 * MIB]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == sizes[-2] > 32 * MIB
    found.count = 1
    assert found.words(GIVEN).startswith("was killed 1 time for lack of memory")
    assert "offers 56.0 MiB of 64.0 MiB" in found.words(GIVEN)


def test_two_of_one_name_and_a_cache_that_cannot_be_written_do_without(machine: Path) -> None:
    first = OomKills(machine.parent / "cache", "pi", GIVEN, machine)
    second = OomKills(machine.parent / "cache", "pi", GIVEN, machine)
    nowhere = OomKills(Path("/proc/absent"), "pi", GIVEN, machine)
    for each in (first, second, nowhere):
        each.computing(True)
        assert each.count == 0
    first.computing(False)
