"""`ftdist doctor`: a line for everything that matters, whatever state the machine is in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import assert_refused, ftdist_command, in_shell

from ftdist.cli.commands import doctor
from ftdist.cli.main import main

NAMES = [
    *("memory", "control group", "swap", "huge pages", "instructions", "processors"),
    *("calibration", "disk here", "disk of cache", "versions"),
]


def test_a_line_for_each_thing_that_matters(tmp_path: Path) -> None:
    outcome = ftdist_command("doctor", "--json", "doctor.json", folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    lines = outcome.out.splitlines()
    assert [line[5:20].rstrip() for line in lines] == NAMES
    assert {line[:5].rstrip() for line in lines} <= {"ok", "warn"}
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert [each["name"] for each in found] == NAMES
    for line, each in zip(lines, found, strict=True):
        assert each.keys() == {"name", "state", "value", "advice"}
        assert (each["state"] == "warn") == bool(each["advice"])
        assert line.startswith(each["state"]) and each["value"] in line and each["advice"] in line


def test_it_says_what_to_do(tmp_path: Path) -> None:
    outcome = ftdist_command("doctor", folder=tmp_path, FTDIST_ISA="scalar")
    assert outcome.status == 0
    warnings = [line for line in outcome.out.splitlines() if line.startswith("warn")]
    assert any("unset FTDIST_ISA" in line for line in warnings)
    assert any("run 'ftdist calibrate'" in line for line in warnings)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_of_which_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "no memory controller; nothing enforces a budget" in out
    assert len(out.splitlines()) == len(NAMES)


def test_folders_that_are_not_there_yet_and_homes_that_are_none(tmp_path: Path) -> None:
    outcome = ftdist_command("doctor", folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "a/b"))
    assert f" free in {tmp_path}/a/b/ftdist" in outcome.out
    assert list(tmp_path.iterdir()) == []
    outcome = ftdist_command("doctor", folder=tmp_path, XDG_CACHE_HOME="/proc")
    assert outcome.status == 0 and "disk of cache" in outcome.out


def test_where_numpy_cannot_be_loaded_it_says_so(tmp_path: Path) -> None:
    """As on boards that lack a library of the system."""
    (tmp_path / "numpy.py").write_text("raise ImportError('libopenblas.so.0: cannot open')")
    outcome = in_shell(f'PYTHONPATH="{tmp_path}:$PYTHONPATH" exec "$@"', "doctor", folder=tmp_path)
    assert_refused(outcome, 1, "cannot work here: libopenblas.so.0: cannot open")


def test_where_no_kernels_run_it_says_so(tmp_path: Path) -> None:
    outcome = ftdist_command("doctor", folder=tmp_path, FTDIST_ISA="abacus")
    assert_refused(outcome, 1, "cannot work here: FTDIST_ISA=abacus: this machine has ")


def test_findings_that_cannot_be_written_are_still_printed(tmp_path: Path) -> None:
    outcome = ftdist_command("doctor", "--json", "absent/doctor.json", folder=tmp_path)
    assert outcome.status == 2
    assert len(outcome.out.splitlines()) == len(NAMES)
    assert outcome.err.startswith("ftdist: cannot write absent/doctor.json: ")
    assert outcome.err.count("\n") == 1
