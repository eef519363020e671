"""The command line in a process of its own, and what came of it.

The peak of memory is the kernel's own account of the finished process (wait4), which owes nothing
to what the program says about itself. That account is inherited from the parent, so the parent is
a bare interpreter, a third as large as the smallest run.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import ftdist
from support.commandserver import CommandServer

GUARD_S = 300.0
"""Ends a run that hangs. No test is decided by it: a slow or busy machine is waited for."""

COUNT_ERROR_BYTES = 256 << 10
"""What the system's account of a process's peak may be off by: since version 6.2 Linux adds up the
pages of each processor in batches of 32, apart for files and for the rest."""

PACKAGE = Path(ftdist.__file__).resolve().parents[1]
COMMAND = [sys.executable, "-W", "error", "-m", "ftdist"]

_SMALL_PARENT = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
os.write(int(sys.argv[1]), b"%d" % usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished process: exit status, what it printed, and where asked for its peak in bytes."""

    status: int
    out: str
    err: str
    peak_bytes: int = 0


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of ours, and with the package importable.

    Nothing is measured: times are predicted by the shipped profile.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FTDIST_")}
    return {
        **kept,
        "PYTHONPATH": str(PACKAGE),
        "LC_ALL": "C.UTF-8",
        "FTDIST_MEASURE": "never",
        **more,
    }


def ftdist_command(*arguments: object, folder: Path, **more: str) -> Outcome:
    """`python -m ftdist ARGUMENTS` in a folder, warnings being errors; `more` is environment.

    It is a fork of a process that has all imported, unless a budget counts its memory, or there is
    environment of which an interpreter reads when it begins.
    """
    words = [*map(str, arguments)]
    if {"--mem", "--config"} & {each.partition("=")[0] for each in words} or not all(
        each.startswith("FTDIST_") for each in more
    ):
        return _finished([*COMMAND, *words], folder, more)
    return Outcome(*_server().run(words, folder, environment(**more)))


@functools.cache
def _server() -> CommandServer:
    return CommandServer(environment(), GUARD_S)


def in_shell(line: str, *arguments: object, folder: Path) -> Outcome:
    """A shell's line in which "$@" is the command with these arguments."""
    command = ["sh", "-c", line, "sh", *COMMAND, *map(str, arguments)]
    return _finished(command, folder, {})


def measured_ftdist(*arguments: object, folder: Path, **more: str) -> Outcome:
    """`python -m ftdist ARGUMENTS` with its peak, or that of a child."""
    return measured(sys.executable, "-m", "ftdist", *arguments, folder=folder, **more)


def measured(*command: object, folder: Path, **more: str) -> Outcome:
    """A command with the peak of its resident memory, as the kernel counted it."""
    reading, writing = os.pipe()
    parent = [sys.executable, "-ISc", _SMALL_PARENT, str(writing), *map(str, command)]
    with os.fdopen(reading) as answer:
        try:
            outcome = _finished(parent, folder, more, pass_fds=(writing,))
        finally:
            os.close(writing)
        return replace(outcome, peak_bytes=int(answer.read()) << 10)


def _finished(
    command: list[str], folder: Path, more: dict[str, str], pass_fds: tuple[int, ...] = ()
) -> Outcome:
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment(**more),
        pass_fds=pass_fds,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_refused(outcome: Outcome, status: int, *words: str) -> None:
    """The exit status, one line on standard error with these words in it, nothing on the other."""
    assert outcome.status == status, outcome
    assert outcome.err.count("\n") == 1 and outcome.err.endswith("\n"), outcome.err
    assert outcome.err.startswith("ftdist"), outcome.err
    assert outcome.out == ""
    for word in words:
        assert word in outcome.err
