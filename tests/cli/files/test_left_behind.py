"""What a killed process left beside a file goes when that file is written next, by any command."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ftdist_command
from support.smallmodels import CHAIN

_KILLED = """
import os, signal, sys
from ftdist.atomic import atomic_write

with atomic_write(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
_CASES = {
    "run -o out.npy chain.ftd image.npy": "out.npy",
    "run -o out.npz two.ftd image.npy": "out.npz",
    "run -o out.jpg detector.ftd photo.png": "out.jpg",
    "run -o out.json detector.ftd photo.png": "out.json",
    "run chain.ftd image.npy --json report.json": "report.json",
    "batch -o out.jsonl detector.ftd photo.png --json report.json": "report.json",
    "batch -o out.csv detector.ftd photo.png": "out.csv",
    "import chain.cfg --random-weights 1 -o new.ftd": "new.ftd",
    "plan chain.ftd --json plan.json": "plan.json",
    "plan chain.ftd --plot plan.png": "plan.png",
    "show chain.ftd --svg graph.svg": "graph.svg",
}


@pytest.mark.parametrize("line", _CASES)
def test_any_command_removes_what_was_left_of_its_file(
    line: str, things: Path, tmp_path: Path
) -> None:
    (tmp_path / "chain.cfg").write_text(CHAIN)
    script = [sys.executable, "-c", _KILLED]
    for name in (_CASES[line], "other.npy"):
        done = subprocess.run([*script, tmp_path / name], check=False)
        assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*"))) == 2
    words = [things / each if (things / each).exists() else each for each in line.split()]
    outcome = ftdist_command(*words, folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    assert (tmp_path / _CASES[line]).exists()
    (kept,) = tmp_path.glob(".*")
    assert kept.suffix == ".npy" and kept.read_bytes() == b"half", "that of another file"
