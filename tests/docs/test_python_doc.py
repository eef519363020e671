"""docs/python.md: its snippets run as they stand, and it names all that is public, no more."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import GUARD_S, environment
from support.documented import ROOT

import ftdist

DOCUMENT = ROOT / "docs" / "python.md"
DETECTOR = ROOT / "ftdist" / "demo"


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def test_the_snippets_run_in_order_as_they_stand(tmp_path: Path) -> None:
    """One after another, in a process of their own, where the detector and a photo lie."""
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    for name in ("detector.cfg", "detector.weights", "detector.names"):
        shutil.copy(DETECTOR / name, tmp_path)
    shutil.copy(DETECTOR / "scene.jpg", tmp_path / "photo.jpg")
    assert len(snippets()) >= 7
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(snippets())],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
        text=True,
        timeout=GUARD_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "<Model detector.ftd: " in done.stdout and "float32 (" in done.stdout
    assert "no plan fits 33.0 MiB (--mem)" in done.stdout


def test_every_public_name_is_in_the_table_and_none_else() -> None:
    table = DOCUMENT.read_text().split("## All names")[1]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = {word for cell in first_cells for word in re.findall(r"`(\w+)", cell)}
    assert named == set(ftdist.__all__)


def test_the_parameters_in_the_table_are_those_of_the_code() -> None:
    table = DOCUMENT.read_text().split("## All names")[1]
    calls = re.findall(r"`(\w+)\(([^)]*)\)`", table)
    assert len(calls) > 8
    for name, words in calls:
        if hasattr(ftdist, name):
            given = [word.strip() for word in words.split(",") if word.strip() != "*"]
            known = list(inspect.signature(getattr(ftdist, name)).parameters)
            assert given == known[: len(given)], name


@pytest.mark.parametrize("name", ftdist.__all__)
def test_a_public_name_is_there_documented_and_typed(name: str) -> None:
    value = getattr(ftdist, name)
    assert value.__doc__ and name in dir(ftdist)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        kinds = [each.annotation for each in signature.parameters.values()]
        assert inspect.Signature.empty not in (*kinds, signature.return_annotation)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, ftdist; print(*[name for name in sys.modules if 'numpy' in name])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment(), text=True
    )
    assert done.stdout.strip() == ""
