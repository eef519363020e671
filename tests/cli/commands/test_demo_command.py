"""`ftdist demo`: each step says what its captions say, and the first that fails ends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import ftdist_command

from ftdist.cli.commands import demo
from ftdist.cli.main import main


def test_the_demo_runs_to_its_end(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    (tmp_path / "ftdist").mkdir()  # where it is typed; not the program
    done = ftdist_command("demo", folder=tmp_path)
    assert done.status == 0, done
    assert done.err.startswith("ftdist: the plan does not fit") and done.err.count("\n") == 1
    assert "The objects found are drawn in ftdist-demo/found.jpg" in done.out
    assert "found      house 0.9" in done.out
    assert (tmp_path / "ftdist-demo/found.jpg").stat().st_size > 0


def test_the_first_step_that_fails_ends_it_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "detector.cfg").write_text("no network")
    monkeypatch.setattr(demo, "PARTS", parts)
    assert main(["demo", str(tmp_path / "out")]) == 2
    out, err = capfd.readouterr()
    assert out.count("$ ftdist ") == 1 and err.count("\n") == 1
