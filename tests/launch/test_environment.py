"""launch/_environment.sh: what it needs, all at once, and what it says while pip works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import GUARD_S
from support.documented import LAUNCH

PIP = """\
Processing /somewhere/ftdist
  Installing build dependencies: started
Collecting numpy>=2.0 (from ftdist==0.1.0)
  Downloading numpy-2.2.0.whl (16.0 MB)
Building wheel for ftdist (pyproject.toml): started
Installing collected packages: numpy, ftdist
Successfully installed ftdist-0.1.0 numpy-2.2.0
"""


def bash(line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line of a script that has read _environment.sh."""
    text = f"set -euo pipefail; source '{LAUNCH}/_environment.sh'; {line}"
    return subprocess.run(
        ["bash", "-c", text],
        capture_output=True,
        check=False,
        env={**os.environ, **more},
        text=True,
        timeout=GUARD_S,
    )


def environment(folder: Path, pip: str) -> Path:
    """A virtual environment whose Python is a script."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{pip}\n")
    python.chmod(0o755)
    return folder


def test_what_pip_is_at_is_said(tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", f"cat <<'END'\n{PIP}END")
    done = bash(f"pip_install '{folder}' .; echo then")
    assert done.stdout.splitlines() == [
        "   fetching what it takes to build",
        "   fetching numpy>=2.0",
        "   compiling ftdist",
        "   unpacking",
        "then",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_long_silence_is_broken(tmp_path: Path) -> None:
    """For as long as pip says nothing, which here is until that is noticed."""
    compiling = "echo 'Building wheel for ftdist (pyproject.toml): started'"
    waiting = f"until grep -q still '{tmp_path}/said'; do sleep 0.1; done"
    folder = environment(tmp_path / "venv", f"{compiling}\n{waiting}")
    done = bash(f"PATIENCE_S=1; pip_install '{folder}' . | tee '{tmp_path}/said'")
    first, second = done.stdout.splitlines()[:2]
    assert first == "   compiling ftdist" and second.startswith("   still compiling ftdist, ")
    assert done.returncode == 0


def test_what_pip_says_is_shown_when_it_fails(tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", "echo 'ERROR: no network'; exit 1")
    done = bash(f"pip_install '{folder}' .; echo then")
    assert done.returncode == 1 and "then" not in done.stdout
    *_, said, last = done.stderr.splitlines()
    assert said == "ERROR: no network" and last.endswith(": pip install failed, see above")


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    """On a bare Debian: three things, one line that brings them."""
    bare = tmp_path / "python3"
    bare.write_text(
        '#!/bin/sh\ncase "$2" in *maxsize*) exit 0 ;; esac\necho "no such module" >&2\nexit 1\n'
    )
    bare.chmod(0o755)
    nothing = tmp_path / "path"
    nothing.mkdir()
    done = bash(f"PATH='{nothing}'; need '{bare}'", CXX="")
    assert done.returncode == 1
    (line,) = done.stderr.replace("no such module\n", "").splitlines()
    for words in ("a C++17 compiler", "the C headers of", "the module venv of"):
        assert words in line
    assert line.endswith("sudo apt install g++ python3-dev python3-venv")
    assert (bash(f"need '{sys.executable}'").returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["demo", "test", "cluster"])
def test_a_python_of_32_bits_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    """As in a 32-bit Raspberry Pi OS, whatever the kernel is; said before anything is made."""
    small = tmp_path / "python3"
    small.write_text('#!/bin/sh\ncase "$2" in *maxsize*) exit 1 ;; esac\nexit 0\n')
    small.chmod(0o755)
    done = subprocess.run(
        [LAUNCH / name],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHON": str(small)},
        text=True,
        timeout=GUARD_S,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and "needs a 64-bit system" in line and str(small) in line
