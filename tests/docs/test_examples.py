"""Every script in examples/ runs as it stands, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import GUARD_S, environment
from support.documented import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "any_cut_same_bits": "1x1s2w/12/2x1s3",
    "find_objects": "house 0.",
    "memory_against_time": "MiB  ####",
    "plan_as_json": "ran 1x1",
    "two_processes": "(256, 38, 38)",
    "within_a_budget": "peak of this process",
}


def test_each_example_is_known_here_and_in_their_readme() -> None:
    assert {path.stem for path in EXAMPLES} == SAYS.keys()
    readme = (ROOT / "examples" / "README.md").read_text()
    assert all(f"python examples/{path.name} " in readme for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    if path.stem == "find_objects":
        pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
        text=True,
        timeout=GUARD_S,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[path.stem] in done.stdout
    assert not list(tmp_path.iterdir())
