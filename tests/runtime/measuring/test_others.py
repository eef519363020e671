"""What other programs take of the processors is seen in the system's own account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftdist.runtime.measuring import others
from ftdist.runtime.measuring.others import Others

TICK = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's account, before any time has gone by; this process has computed nothing."""
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(others.time, "process_time", lambda: 0.0)
    tell(tmp_path, [0] * 10)
    return tmp_path


def tell(root: Path, seconds: list[float]) -> None:
    words = " ".join(str(round(each * TICK)) for each in seconds)
    (root / "proc/stat").write_text(f"cpu  {words}\ncpu0 {words}\nintr 1\n")


def test_idle_processors_are_nobodys(told: Path) -> None:
    seen = Others(told)
    tell(told, [0, 0, 0, 3, 1, 0, 0, 0, 0, 0])
    assert seen.share == 0


def test_all_that_is_not_idle_is_others(told: Path) -> None:
    """User, nice, system, interrupts, and what a hypervisor took; guests are part of the users."""
    seen = Others(told)
    tell(told, [1, 1, 1, 4, 1, 0.5, 0.5, 1, 1, 1])
    assert seen.share == pytest.approx(0.5)


def test_what_this_process_takes_is_not(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Others(told)
    tell(told, [4, 0, 0, 4, 0, 0, 0, 0, 0, 0])
    monkeypatch.setattr(others.time, "process_time", lambda: 3.0)
    assert seen.share == pytest.approx(1 / 8)


@pytest.mark.parametrize("text", ["", "cpu x y\n"])
def test_a_system_that_does_not_tell_has_no_others(told: Path, text: str) -> None:
    (told / "proc/stat").write_text(text)
    assert Others(told).share == 0
    (told / "proc/stat").unlink()
    assert Others(told).share == 0
