"""The log of a coordinator and of a worker: the local time before each line, but not twice."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ftdist
from ftdist.cli.log import GRAVE, NOTABLE, Log


def logged(path: Path, clock: Callable[[], float], journal: str | None = None) -> str:
    """A line that is logged to a file; `journal` is what systemd says, "here" if it reads that."""
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        about = os.fstat(file.fileno())
        here = f"{about.st_dev}:{about.st_ino}"
        patch.delenv("JOURNAL_STREAM", raising=False)
        if journal is not None:
            patch.setenv("JOURNAL_STREAM", here if journal == "here" else journal)
        patch.setattr(sys, "stdout", file)
        Log(clock)("worker pi: joins")
    return path.read_text()


@pytest.fixture
def _far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place where it is three hours later."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_east")
def test_lines_carry_the_local_time(tmp_path: Path) -> None:
    said = logged(tmp_path / "log", lambda: 86400.75)
    assert said == "1970-01-02T03:00:00 worker pi: joins\n"


def test_the_journal_has_times_of_its_own(tmp_path: Path) -> None:
    assert logged(tmp_path / "log", lambda: 0.0, "here") == "worker pi: joins\n"


def test_a_log_that_was_directed_elsewhere_is_not_the_journal(tmp_path: Path) -> None:
    said = logged(tmp_path / "log", lambda: 0.0, "8:12345")
    assert said.endswith(":00 worker pi: joins\n") and said != "worker pi: joins\n"


@pytest.mark.usefixtures("_far_east")
def test_as_json_each_line_is_an_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    log = Log(lambda: 86400.75, "json", "coordinator")
    log('worker "pi": lost', "worker-lost", worker="pi", moved_tasks=2)
    log("says something")
    lost, said = map(json.loads, capsys.readouterr().out.splitlines())
    assert lost == {
        "time": "1970-01-02T03:00:00.750+03:00",
        "level": "warning",
        "program": "coordinator",
        "event": "worker-lost",
        "worker": "pi",
        "moved_tasks": 2,
        "text": 'worker "pi": lost',
    }
    assert (said["event"], said["level"]) == ("said", "info")


def test_every_event_has_a_level_that_programs_know() -> None:
    """What is said to be grave is said somewhere."""
    package = Path(ftdist.__file__).parent
    code = "\n".join(path.read_text() for path in package.rglob("*.py"))
    for event in GRAVE | NOTABLE:
        assert code.count(f'"{event}"') > 1, event


def test_without_standard_output_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    Log()("worker pi: joins")
