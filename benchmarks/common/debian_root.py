"""A Debian in a folder, made once and kept, and copies of it that leave it as it is. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_MIRROR = "http://deb.debian.org/debian"


class RootError(Exception):
    """The root cannot be had, or a command in it or beside it failed."""


def needed(*tools: str, packages: str) -> None:
    """RootError unless this is root, and has the tools."""
    if os.geteuid():
        raise RootError("needs root, to make a Debian and enter it")
    for tool in tools:
        if shutil.which(tool) is None:
            raise RootError(f"needs {tool}; Debian: apt install {packages}")


def host(*words: object) -> None:
    """A command of this machine; RootError when it fails."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise RootError(f"{words[0]}: {' '.join(said)}")


def bootstrapped(folder: Path, *packages: str, architecture: str = "") -> Path:
    """The Debian in `folder`; made beside, so that what is interrupted is not taken for it."""
    debian, new = folder / "debian", folder / "new"
    if not debian.exists():
        shutil.rmtree(new, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--variant=minbase", f"--include={','.join(packages)}"]
        options += [f"--arch={architecture}"] if architecture else []
        host("debootstrap", *options, "bookworm", new, _MIRROR)
        new.rename(debian)
    return debian


@contextlib.contextmanager
def overlaid(below: Path, folder: Path) -> Iterator[Path]:
    """`below` with what is written over it, which does not change it, until the block's end."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("upper", "work", "merged"):
        (folder / name).mkdir(parents=True)
    layers = f"lowerdir={below},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    host("mount", "-t", "overlay", "overlay", "-o", layers, folder / "merged")
    try:
        yield folder / "merged"
    finally:
        host("umount", "--recursive", folder / "merged")
        shutil.rmtree(folder)
