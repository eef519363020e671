"""A run inside a memory control group that has no more than the budget, and no swap."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.command import Outcome, assert_refused, ftdist_command, measured
from support.onnxgraphs import Nodes
from support.smallmodels import random_image

from ftdist.runtime.budget.memory import MIB, parse_size

_ROOT = Path("/sys/fs/cgroup")
_ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Group:
    """A memory control group of either version."""

    path: Path
    version: int

    def limit(self, size: int) -> None:
        """Gives the group so many bytes, swap included where that is counted."""
        if self.version == 2:
            (self.path / "memory.max").write_text(str(size))
            if (self.path / "memory.swap.max").exists():
                (self.path / "memory.swap.max").write_text("0")
        else:
            (self.path / "memory.limit_in_bytes").write_text(str(size))
            if (self.path / "memory.memsw.limit_in_bytes").exists():
                (self.path / "memory.memsw.limit_in_bytes").write_text(str(size))

    @property
    def kills(self) -> int:
        """How many processes the system has killed in it for lack of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        lines = (self.path / name).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def run(self, *arguments: object, folder: Path) -> Outcome:
        """`python -m ftdist ARGUMENTS` as the only process of the group."""
        command = ("/bin/sh", "-c", _ENTER, self.path, sys.executable, "-m", "ftdist", *arguments)
        return measured(*command, folder=folder)


def made() -> Group:
    """A new group below this process's own, or at the root of the second version's tree."""
    name = f"ftdist-test-{os.getpid()}"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        if "memory" in controllers.split(","):
            above = _ROOT / "memory" / own.lstrip("/")
            group = (above if above.is_dir() else _ROOT / "memory") / name
            group.mkdir()
            return Group(group, 1)
    if "memory" not in (_ROOT / "cgroup.subtree_control").read_text().split():
        raise OSError("the root does not share memory out")
    (_ROOT / name).mkdir()
    return Group(_ROOT / name, 2)


@pytest.fixture
def group() -> Iterator[Group]:
    try:
        group = made()
    except OSError as error:
        pytest.skip(f"needs the right to make a memory control group: {error}")
    try:
        assert group.kills == 0
        yield group
    finally:
        group.path.rmdir()


@pytest.fixture
def image608(tmp_path: Path) -> Path:
    np.save(tmp_path / "image.npy", random_image(608))
    return tmp_path / "image.npy"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_within_64_mib_completes_in_a_group_of_64_mib(
    group: Group, first16_file: Path, image608: Path, tmp_path: Path, threads: int
) -> None:
    group.limit(64 * MIB)
    budget = ("--mem", "64M", "--threads", threads, "--repeat", 2)
    arguments = ("run", first16_file, image608, "-o", "out.npy", *budget)
    outcome = group.run(*arguments, folder=tmp_path)
    assert outcome.status == 0, outcome
    assert outcome.peak_bytes <= 64 * MIB
    assert group.kills == 0
    assert np.load(tmp_path / "out.npy").shape == (256, 38, 38)


def test_the_group_counts_what_it_kills(group: Group, tmp_path: Path) -> None:
    """The assertion above can fail: a process that takes more is killed, and that is seen."""
    group.limit(32 * MIB)
    greedy = ("/bin/sh", "-c", _ENTER, group.path, sys.executable, "-c", "b'x' * (64 << 20)")
    assert measured(*greedy, folder=tmp_path).status != 0
    assert group.kills >= 1


def test_without_a_named_budget_the_groups_limit_is_kept(
    group: Group, first16_file: Path, image608: Path, tmp_path: Path
) -> None:
    group.limit(72 * MIB)
    outcome = group.run("run", first16_file, image608, "--threads", 1, folder=tmp_path)
    assert outcome.status == 0, outcome
    assert "budget     64.8 MiB (control group limit, less 10%)" in outcome.out
    assert outcome.peak_bytes <= 64.8 * MIB
    assert group.kills == 0


def test_importing_on_the_way_stays_within_the_group(group: Group, tmp_path: Path) -> None:
    """A child imports: both together take what --mem says, or it is refused in one line."""
    nodes = Nodes()
    made = nodes.input(1, 3, 64, 64)
    for number in range(6):
        weights = nodes.random(256, 256 if number else 3, 3, 3)
        made = nodes.add("Relu", nodes.add("Conv", made, weights, pads=[1, 1, 1, 1]))
    nodes.output(made)
    nodes.save(tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", np.zeros((3, 64, 64), np.float32))
    command = ("run", "net.onnx", "x.npy", "--threads", 1, "--mem")
    outcome = ftdist_command(*command, "40M", folder=tmp_path)
    assert_refused(outcome, 3, "importing net.onnx takes more than 40.0 MiB (--mem)")
    enough = outcome.err.split()[-1]
    group.limit(parse_size(enough))
    outcome = group.run(*command, enough, folder=tmp_path)
    assert outcome.status == 0, outcome
    assert group.kills == 0
