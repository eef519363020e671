"""What the README's first command runs: each step says what its captions say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.command import environment
from support.documented import ROOT


def test_the_demo_runs_to_its_end(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "launch" / "demo.py"), str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("ftdist: ") and done.stderr.count("\n") == 1  # the one refusal
    assert f"The objects found are drawn in {tmp_path}/found.png" in done.stdout
    assert (tmp_path / "found.png").stat().st_size > 0
