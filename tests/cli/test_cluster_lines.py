"""What people see of a cluster: progress, status, and the journal of a named job."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ftdist.cli.commands.status import status_lines
from ftdist.cli.files.journal import Journal
from ftdist.cli.progress import Progress
from ftdist.errors import InputError
from ftdist.protocol.client_messages import JobProgress, JobStatus, Status, WorkerStatus


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(finished: int, text: str = "", workers: int = 2) -> JobProgress:
    return JobProgress("job", finished, 20, workers, 0, 0, text)


def screen(text: str) -> str:
    """What a terminal shows in the end, of one line."""
    shown: list[str] = []
    for part in text.split("\r"):
        shown[: len(part)] = part
    return "".join(shown).rstrip()


def test_a_terminal_shows_one_line_that_grows() -> None:
    terminal = Terminal()
    with Progress(terminal) as shown:
        shown.show(progress(5, "waiting for workers", workers=0))
        first = screen(terminal.getvalue())
        assert first == "[######..................] 5 of 20 frames, 0 workers; waiting for workers"
        shown.show(progress(20, workers=1))
        assert screen(terminal.getvalue()) == f"[{'#' * 24}] 20 of 20 frames, 1 worker"
    assert screen(terminal.getvalue()) == "" and "\n" not in terminal.getvalue()


def test_elsewhere_lines_come_when_something_changes_or_time_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    with Progress(io.StringIO(), lambda: now[0]) as shown:
        for at, each in (
            (0.0, progress(1, "waiting for workers")),
            (1.0, progress(2, "waiting for workers")),
            (2.0, progress(3)),
            (3.0, progress(4)),
            (8.0, progress(5)),
        ):
            now[0] = at
            shown.show(each)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "1 of 20 frames, 2 workers; waiting for workers",
        "3 of 20 frames, 2 workers",
        "5 of 20 frames, 2 workers",
    ]


def test_a_hostile_text_does_not_take_over_the_terminal() -> None:
    terminal = Terminal()
    with Progress(terminal) as shown:
        shown.show(progress(1, "\x1b[2J\n" + "x" * 5000))
    assert "\x1b" not in terminal.getvalue() and "\n" not in terminal.getvalue()


WORKER = WorkerStatus(
    "pi",
    "running",
    "neon",
    4,
    128 << 20,
    90 << 20,
    0.25,
    5e9,
    11.5e6,
    2,
    1234,
    1,
    "attic",
    "10.0.0.7",
)


def test_status_as_a_table() -> None:
    whose = "laptop", "10.0.0.9"
    jobs = (JobStatus("job", 5, 20, 0.25, 7_500_000, 13_800_000, "waiting for workers", *whose),)
    quick = WorkerStatus("own", "idle", "avx2", 1, 1 << 30, 0, 0.75, 1e11, 0.0, 0, 0, 0, "", "")
    lines = list(status_lines(Status("net", "2 stages", (WORKER, quick), jobs, 3)))
    assert lines[0].split() == ["model", "net"]
    assert any("dropped    3 results: other" in line for line in lines)
    rows = [" ".join(line.split()) for line in lines if line.startswith(("pi", "own"))]
    assert rows == [
        "pi attic 10.0.0.7 running neon 4 128M 90.0M 25% 10.0 11.5 2 1234 1",
        "own - - idle avx2 1 1024M 0.0M 75% 200.0 - 0 0 0",
    ]
    assert "job (laptop, 10.0.0.9): 5 of 20 frames; waiting for workers" in lines[-2]
    assert "250 ms and 7.50 MB a frame; 3x3 tiles (DeepThings) take 13.8 MB" in lines[-1]


def test_status_of_nobody_says_what_to_do() -> None:
    lines = list(status_lines(Status("net", "", (), (), 0)))
    assert "ftdist worker tcp://" in lines[-1]


# ---- the journal


def test_a_journal_remembers_what_was_delivered(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "night", ["a", "b", "c"])
    assert journal.done == set()
    journal.begin("m" * 32)
    journal.add(2)
    journal.add(0)
    journal.close()
    again = Journal(tmp_path, "night", ["a", "b", "c"])
    assert again.done == {0, 2}
    again.begin("m" * 32)
    again.begin("m" * 32)
    again.add(1)
    again.end()
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_bands_is_not_gone_on_with_by_other_kernels(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "night", ["a"])
    journal.begin("m", 64, 10)
    journal.add(2)
    journal.close()
    assert Journal(tmp_path, "night", ["a"]).done == {2}
    path = tmp_path / "night.job"
    path.write_text(path.read_text().replace('"kernels": ', '"kernels": 1'))
    with pytest.raises(InputError, match="begun with another version of ftdist; remove that file"):
        Journal(tmp_path, "night", ["a"])


def test_a_cut_journal_says_less_but_nothing_wrong(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "night", ["a"] * 30)
    journal.begin("m")
    for number in (3, 25):
        journal.add(number)
    journal.close()
    content = (tmp_path / "night.job").read_bytes()
    for size in range(content.index(b"\n") + 1, len(content) + 1):
        (tmp_path / "night.job").write_bytes(content[:size])
        assert Journal(tmp_path, "night", ["a"] * 30).done <= {2, 3, 25}
    (tmp_path / "night.job").write_bytes(content + b"99\n-1\nxyz\n\xff\n")
    assert Journal(tmp_path, "night", ["a"] * 30).done == {3, 25}


def test_another_job_of_that_name_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "night", ["a"])
    journal.begin("m")
    journal.close()
    with pytest.raises(InputError, match="with other inputs"):
        Journal(tmp_path, "night", ["b"])
    with pytest.raises(InputError, match="with another model"):
        Journal(tmp_path, "night", ["a"]).begin("n")
    (tmp_path / "night.job").write_text("hello\n")
    with pytest.raises(InputError, match="is not a journal"):
        Journal(tmp_path, "night", ["a"])
