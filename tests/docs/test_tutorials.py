"""The tutorials: what they say to type is typed, in order, in a folder of their own.

`ftdist demo` and `ftdist calibrate` take long, and are run by tests of their own; here the files
that the one leaves are put there, and the other is left out.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import GUARD_S, environment
from support.documented import ROOT
from support.ports import kept_port

from ftdist.cli.commands.demo import PARTS

TUTORIALS = ROOT / "docs" / "tutorials"
SHELL = ["one-board", "several-boards", "huge-pictures", "camera"]
"""Those of commands only."""


def typed(name: str) -> str:
    """The lines of a tutorial's indented blocks, without those that other tests run."""
    lines = (TUTORIALS / f"{name}.md").read_text().splitlines()
    found = [line[4:] for line in lines if line.startswith("    ")]
    assert found[0] == "ftdist demo"
    return "\n".join(line for line in found[1:] if line != "ftdist calibrate")


def bash(lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Lines in a shell that ends at the first that fails, and waits for what it began."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in (("ftdist", "-W error -P -m ftdist"), ("python3", "-W error")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (programs / name).chmod(0o755)
    shutil.copytree(PARTS, folder / "ftdist-demo")
    path = f"{programs}:{environment()['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' ERR\n{lines}\nwait"],
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment(HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"), PATH=path),
        text=True,
        timeout=GUARD_S,
    )


def test_each_tutorial_is_run_here() -> None:
    assert {path.stem for path in TUTORIALS.iterdir()} == {*SHELL, "own-network"}


def test_one_board(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    done = bash(typed("one-board"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused: 3" in done.stdout and "found      house 0.9" in done.stdout
    assert (tmp_path / "ftdist-demo/found.json").stat().st_size > 0


def test_several_boards(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    model = "ftdist import ftdist-demo/detector.cfg --weights ftdist-demo/detector.weights"
    with kept_port() as port:
        lines = typed("several-boards").replace(":5555", f":{port}")
        lines = f"{model} -o ftdist-demo/detector.ftd\n{lines}"
        done = bash(lines, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "attic" in done.stdout and "cellar" in done.stdout
    assert (tmp_path / "ftdist-demo/again/scene.json").stat().st_size > 0


def test_huge_pictures(tmp_path: Path) -> None:
    """As it stands, but of two pictures instead of twelve."""
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    lines = typed("huge-pictures")
    assert "(3, 4, 1)" in lines and lines.count("3072x4096") == 1
    done = bash(lines.replace("(3, 4, 1)", "(1, 2, 1)").replace("3072x4096", "1024x2048"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "ftdist-demo"
    found = json.loads((folder / "found.json").read_text())
    houses = [each for each in found[0]["detections"] if each["label"] == "house"]
    assert len(houses) % 2 == 0 and len(houses) >= 10, len(houses)
    with image.open(folder / "found.tif") as drawn:
        assert drawn.size == (2048, 1024)


def test_a_camera(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    done = bash(typed("camera"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"house"' in done.stdout


def test_ones_own_network(tmp_path: Path) -> None:
    """Without PyTorch its Python is compiled, at least."""
    text = (TUTORIALS / "own-network.md").read_text()
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    compile(program, "own-network.md", "exec")
    pytest.importorskip("torch", reason="needs PyTorch, which is no part of the tests' packages")
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
        text=True,
        timeout=GUARD_S,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("largest difference:")[1]) < 1e-5
