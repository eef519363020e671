"""What a wheel holds beside the code, and what its extras bring.

launch/wheels itself takes minutes, and checks what it made; here is what takes none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.documented import LAUNCH, ROOT

from ftdist.cli.commands.demo import PARTS


def test_the_files_of_the_demo_are_all_that_lies_beside_them() -> None:
    """Whatever is there is copied to whoever runs it."""
    assert sorted(path.name for path in PARTS.iterdir()) == [
        *("detector.cfg", "detector.names", "detector.weights", "scene.jpg")
    ]


def test_every_module_is_one_for_all_newer_pythons() -> None:
    """A single one of another kind would break the promise in the wheel's name."""
    modules = re.findall(r"^nanobind_add_module\((.*)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    assert len(modules) >= 2 and all(" STABLE_ABI " in each for each in modules)


def test_everything_for_users_is_in_all() -> None:
    """But PyTorch, which takes gigabytes, and what developers use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    (named,) = extras["all"]
    assert len(extras) > 5
    found = set(re.fullmatch(r"ftdist\[(.+)\]", named)[1].split(","))  # type: ignore[index]
    assert found == extras.keys() - {"all", "torch", "train", "bench", "dev", "docs"}


def test_what_the_script_lacks_is_said_in_a_line(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "uname", "mkdir", "g++", "sort"):
        (tmp_path / name).symlink_to(shutil.which(name) or pytest.skip(f"needs {name}"))
    done = subprocess.run(
        [LAUNCH / "wheels", tmp_path / "dist"],
        capture_output=True,
        check=False,
        env={"PATH": str(tmp_path)},
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("wheels: needs a compiler for ")
    assert not list((tmp_path / "dist").iterdir())
