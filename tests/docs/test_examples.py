"""Every script in examples/ runs as it stands, in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import GUARD_S, environment
from support.documented import ROOT

import ftdist

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


def private(path: Path) -> set[str]:
    """What a program takes from ftdist that is not public."""
    tree, public = ast.parse(path.read_text()), {*ftdist.__all__, "__version__"}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names if each.name.startswith("ftdist.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ftdist":
            found |= {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ftdist":
            found |= {node.attr} - public
    return {each for each in found if each.removeprefix("ftdist.") not in public}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_takes_nothing_private(path: Path) -> None:
    assert private(path) == set()


def test_what_is_private_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("from ftdist import load, cli\nimport ftdist.geometry\nftdist.kernels.x\n")
    assert private(path) == {"ftdist.cli", "ftdist.geometry", "kernels"}


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
