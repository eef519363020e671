"""`ftdist calibrate` measures, says what it found and keeps it; other commands then use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command import Outcome, assert_refused, ftdist_command

from ftdist.cli.commands import calibrate as calibrating
from ftdist.cli.main import main
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.runtime.measuring import calibrate, profiles


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, for this process and for commands."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ftdist"


@pytest.fixture
def faked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Measurements that take no time, as the numbers of threads that they were made with."""
    made: list[int] = []

    def fake(threads: int, effort: calibrate.Effort, say: Callable[[str], None]) -> DeviceProfile:
        made.append(threads)
        say("a step")
        assert effort.folder == cache.parents[1]
        isa = profiles.this_device(threads).instruction_set
        return replace(DEFAULT, instruction_set=isa, call_s=float(threads))

    monkeypatch.setattr(calibrate, "calibrate", fake)
    monkeypatch.setattr(calibrating, "default_threads", lambda: 3)
    monkeypatch.setattr(calibrating.os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    return made


def run(things: Path, folder: Path, *more: object) -> Outcome:
    command = ("run", things / "chain.ftd", things / "image.npy", "--json", "report.json")
    outcome = ftdist_command(*command, *more, folder=folder)
    assert outcome.status == 0, outcome
    return outcome


def report(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


def test_a_machine_is_measured_and_its_profile_used(
    things: Path, tmp_path: Path, cache: Path
) -> None:
    """The one test that measures: all figures are there and are what a computer has."""
    before = run(things, tmp_path, "--threads", 1)
    assert "by the shipped profile; 'ftdist calibrate' measures this machine" in before.out
    outcome = ftdist_command("calibrate", "--threads", 1, folder=tmp_path)
    assert outcome.status == 0, outcome
    figures = {line[:13].rstrip(): line[13:] for line in outcome.out.splitlines()}
    for name, unit in (("convolution", "GFLOP/s"), ("depthwise", "GFLOP/s"), ("disk", "GB/s")):
        assert float(figures[name].removesuffix(f" {unit}")) > 0
    assert float(figures["took"].removesuffix(" s")) > 0
    (path,) = cache.glob("*.json")  # beside the plans that are kept
    assert figures["wrote"] == str(path)
    assert profiles.load(1).profile.narrow != DEFAULT.narrow
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cache", "report.json"]
    after = run(things, tmp_path, "--threads", 1)
    assert after.err == "" and ", with 1 thread" not in after.out
    assert "by the profile of this machine, measured 20" in after.out
    assert report(tmp_path)["predicted"]["profile"].endswith("with 1 thread")
    doctor = ftdist_command("doctor", folder=tmp_path).out
    assert "ok   calibration    today: the profile of this machine, measured 20" in doctor


def test_all_threads_and_one_are_measured_unless_a_number_is_named(
    faked: list[int], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--folder", str(tmp_path)]) == 0
    assert faked == [3, 1]
    assert [profiles.load(threads).profile.call_s for threads in (1, 2, 3, 4)] == [1, 1, 3, 3]
    assert main(["calibrate", "--folder", str(tmp_path), "--threads", "2"]) == 0
    assert faked == [3, 1, 2] and profiles.load(2).profile.call_s == 2
    printed = capsys.readouterr()
    assert printed.err == "" and printed.out.count("a step\n") == 3
    assert len(list(cache.iterdir())) == 3


def test_a_slow_machine_is_measured_once(
    faked: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter(range(0, 1000, 6))
    monkeypatch.setattr(calibrating.time, "monotonic", lambda: next(times))
    assert main(["calibrate", "--folder", str(tmp_path)]) == 0
    assert faked == [3]
    assert "with 1 thread: try 'ftdist calibrate --threads 1'" in capsys.readouterr().out


def test_a_busy_machine_is_told_of(
    faked: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(calibrating.os, "getloadavg", lambda: (2.5, 0.1, 0.1))
    assert main(["calibrate", "--folder", str(tmp_path)]) == 0
    assert "other programs kept this machine busy" in capsys.readouterr().err


def test_figures_that_do_not_settle_are_named(
    faked: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    undisturbed = calibrate.calibrate

    def disturbed(*things: Any) -> DeviceProfile:
        things[1].stopwatch.unsettled.append("depthwise")
        return undisturbed(*things)

    monkeypatch.setattr(calibrate, "calibrate", disturbed)
    assert main(["calibrate", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert said.startswith("ftdist: depthwise: these figures did not settle")
    assert said.count("\n") == 1


def test_what_cannot_be_kept_is_still_printed(
    faked: list[int], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.parent.write_text("a file")
    assert main(["calibrate", "--folder", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "convolution  " in printed.out
    assert printed.err.startswith(f"ftdist: cannot make {cache}: ") and printed.err.count("\n") == 1


def test_a_disk_that_cannot_be_tried_is_said(
    faked: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> DeviceProfile:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(calibrate, "calibrate", full)
    assert main(["calibrate", "--folder", str(tmp_path)]) == 2
    expected = f"ftdist: {tmp_path}: the disk cannot be tried: No space left on device\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("folder", ["absent", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    outcome = ftdist_command("calibrate", "--folder", folder, folder=tmp_path)
    assert_refused(outcome, 2, f"{folder}: no folder to try the disk in")


def test_a_damaged_profile_is_passed_over_with_one_line(
    faked: list[int], things: Path, cache: Path, tmp_path: Path
) -> None:
    assert main(["calibrate", "--folder", str(tmp_path), "--threads", "1"]) == 0
    (path,) = cache.glob("*.json")  # beside the plans that are kept
    run(things, tmp_path, "--threads", 1)
    assert report(tmp_path)["predicted"]["latency_s"] > 1
    path.write_text("{")
    outcome = run(things, tmp_path, "--threads", 1)
    assert outcome.err == (
        f"ftdist: {path}: damaged; ignored; 'ftdist calibrate' measures this machine\n"
    )
    assert "by the shipped profile" in outcome.out
    assert report(tmp_path)["predicted"]["latency_s"] < 1
    assert run(things, tmp_path, "--kernels", "reference").err == ""
