"""The first plan on a machine measures it: once, within the budget, and only where that is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftdist.errors import FtdistError, InputError
from ftdist.planning.profile import DEFAULT
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.measuring import calibrate, quick_profile
from ftdist.runtime.measuring.others import Others
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration, cache_folder, save, this_device
from ftdist.runtime.measuring.quick_profile import profile_for

PLENTY = Budget(1 << 40, "test", "nobody")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Measurements that take no time, as (threads, room) of each; the first is disturbed if the
    list begins with "disturbed"."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FTDIST_MEASURE")
    made: list[Any] = []

    def fake(threads: int, room: int) -> dict[str, Any]:
        disturbed = "disturbed" in made
        made.append((threads, room))
        isa = this_device(threads).instruction_set
        profile = replace(DEFAULT, instruction_set=isa, call_s=float(len(made)))
        return {"profile": profile.to_json(), "disturbed": disturbed}

    monkeypatch.setattr(quick_profile, "_measured", fake)
    return made


def test_a_machine_is_measured_once_for_each_number_of_threads(asked: list[Any]) -> None:
    first = profile_for(2, PLENTY)
    assert first.profile.call_s == 1 and first.origin.startswith("a quick measurement of this")
    assert profile_for(2, PLENTY) == first and len(asked) == 1
    profile_for(1, PLENTY)
    assert [threads for threads, _ in asked] == [2, 1]


def test_a_calibration_goes_before_it(asked: list[Any]) -> None:
    profile_for(2, PLENTY)
    isa = this_device(1).instruction_set
    save(replace(DEFAULT, instruction_set=isa, call_s=7.0), this_device(1))
    assert profile_for(2, PLENTY).profile.call_s == 7 and len(asked) == 1


def test_a_disturbed_measurement_serves_and_is_made_again_a_few_times(asked: list[Any]) -> None:
    asked.append("disturbed")
    origins = [profile_for(2, PLENTY).origin for _ in range(5)]
    assert len(asked) == 1 + 3
    assert all("while other programs ran" in origin for origin in origins)
    asked.clear()


def test_after_a_day_it_is_made_again(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked.append("disturbed")
    for _ in range(5):
        profile_for(2, PLENTY)
    now_s = quick_profile.time.time()
    monkeypatch.setattr(quick_profile.time, "time", lambda: now_s + 90_000)
    asked.clear()  # nobody disturbs it now
    assert "while other programs ran" not in profile_for(2, PLENTY).origin
    assert profile_for(2, PLENTY).quick is not None and len(asked) == 1


def test_more_room_than_before_is_used(asked: list[Any]) -> None:
    tight = replace(PLENTY, bytes=quick_profile.resident_bytes() + 16 * MIB)
    assert profile_for(2, tight).quick is not None and asked[0][1] < 16 * MIB
    assert profile_for(2, PLENTY).profile.call_s == 2
    assert profile_for(2, PLENTY).profile.call_s == 2  # not for ever


def test_without_room_nothing_is_measured(asked: list[Any]) -> None:
    assert profile_for(2, replace(PLENTY, bytes=8 * MIB)) == SHIPPED and asked == []


@pytest.mark.parametrize("folder", ["/proc/no", "relative"])
def test_what_cannot_be_kept_is_not_measured(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    monkeypatch.setenv("HOME", folder)
    assert profile_for(2, PLENTY) == SHIPPED and asked == []


def test_measuring_can_be_forbidden(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTDIST_MEASURE", "never")
    assert profile_for(2, PLENTY) == SHIPPED and asked == []
    monkeypatch.setenv("FTDIST_MEASURE", "always")
    with pytest.raises(InputError, match="FTDIST_MEASURE=always: it can only be 'never'"):
        profile_for(2, PLENTY)


def test_a_measurement_that_fails_is_none(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: int) -> dict[str, Any]:
        raise FtdistError("a child that measures ended without an answer")

    monkeypatch.setattr(quick_profile, "_measured", killed)
    assert profile_for(2, PLENTY) == SHIPPED


def test_a_damaged_file_is_measured_anew(asked: list[Any]) -> None:
    profile_for(2, PLENTY)
    folder = cache_folder()
    assert folder is not None
    (path,) = folder.iterdir()
    path.write_text(path.read_text().replace('"tries": 1', '"tries": "1"'))
    found = profile_for(2, PLENTY)
    assert found.profile.call_s == 2 and found.note is None


def test_a_quick_measurement_is_told_from_a_careful_one() -> None:
    assert "measured 1970-01-01" in Calibration(DEFAULT, 0.0).origin


@pytest.mark.parametrize(("share", "disturbed"), [(0.05, False), (0.5, True)])
def test_who_computes_beside_it_disturbs_it(
    monkeypatch: pytest.MonkeyPatch, share: float, disturbed: bool
) -> None:
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: DEFAULT)
    monkeypatch.setattr(Others, "share", share)
    assert quick_profile._measure(1, 48 * MIB)["disturbed"] is disturbed
