"""A signal stops a command wherever it is: no file is left that it had begun, and none is harmed.

The moment is one that the program itself comes to: it halts just before a file takes its name, or
in the search for a plan, and the signal comes then.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment

HALTING = """
import os, sys, time

def halt(*_, **__):
    print("here", flush=True)
    while True:
        time.sleep(0.02)  # not for long: a signal just before it would not end it

{patch}
from ftdist.cli.main import main
sys.exit(main())
"""

BEFORE_THE_NAME = "os.replace = halt"
BEFORE_THE_FILE = """
import ftdist.atomic
ftdist.atomic._flush = halt
"""
IN_A_SEARCH = """
from ftdist.planning.search.search import Search
Search.fastest = halt
"""

NUMBERS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


def halted(patch: str, *arguments: object, folder: Path) -> subprocess.Popen[str]:
    """A command that has come to where it halts."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALTING.format(patch=patch), *map(str, arguments)],
        cwd=folder,
        env=environment(XDG_CACHE_HOME=str(folder / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "here\n":
            return process
    raise AssertionError(f"it never came there: {process.communicate()[1]}")


def files(folder: Path) -> list[str]:
    """All files of a folder but what the cache holds whole."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in found if path.parts[0] != "cache" or path.name[0] == "."]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("patch", [BEFORE_THE_NAME, BEFORE_THE_FILE])
def test_no_file_is_left(things: Path, tmp_path: Path, number: signal.Signals, patch: str) -> None:
    model, image = things / "chain.ftd", things / "image.npy"
    for arguments in (
        ("import", "yolov2-tiny", "--until", 2, "--random-weights", 1, "-o", "out.ftd"),
        ("run", model, image, "-o", "out.npy"),
        ("plan", model, "--json", "plan.json"),
        ("doctor", "--json", "doctor.json"),
    ):
        process = halted(patch, *arguments, folder=tmp_path)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + number, said
        assert said.count("\n") == 1 and said.startswith("ftdist: "), said
        assert files(tmp_path) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_a_search_ends_too(things: Path, tmp_path: Path, number: signal.Signals) -> None:
    arguments = ("run", things / "chain.ftd", things / "image.npy")
    process = halted(IN_A_SEARCH, *arguments, folder=tmp_path)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)  # waits for the end of all who hold the pipes
    assert process.returncode == 128 + number, said
    assert said.count("\n") == 1 and said.startswith("ftdist: "), said


def test_what_was_ignored_before_stays_ignored(things: Path, tmp_path: Path) -> None:
    """As under nohup."""
    patch = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); " + BEFORE_THE_NAME
    process = halted(patch, "plan", things / "chain.ftd", "--json", "p.json", folder=tmp_path)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
