"""Plans that are kept: what is the answer to what, and what becomes of damage."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from ftdist.planning.profile import DEFAULT
from ftdist.runtime.budget.sizes import MIB, SPREAD_BYTES
from ftdist.runtime.plans import plan_cache
from ftdist.runtime.plans.plan_cache import Entry, PlanCache

FREE = Entry("1x1", 1.0, 40 * MIB, None)
SMALL = Entry("1x1s4", 2.0, 10 * MIB, 20 * MIB)
NAMED = Entry("2x2", 3.0, 5 * MIB, 0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ftdist" / "plans"


def cache(model: str = "a" * 32, threads: int = 1) -> PlanCache:
    return PlanCache(model, threads, DEFAULT)


def test_an_entry_is_the_answer_from_what_it_needs_to_what_it_was_sought_in() -> None:
    kept = cache()
    assert kept.fastest(100 * MIB) is None
    for each in (FREE, SMALL, NAMED):
        kept.keep(each)
    for left, answer in (
        (1 << 60, FREE),
        (40 * MIB - SPREAD_BYTES, FREE),
        (40 * MIB - SPREAD_BYTES - 1, None),  # nobody knows what is the fastest there
        (20 * MIB + SPREAD_BYTES, SMALL),  # processes differ by so much
        (10 * MIB - SPREAD_BYTES, SMALL),
        (10 * MIB - SPREAD_BYTES - 1, None),  # a plan that was named is no answer
    ):
        assert cache().fastest(left) == answer
    assert cache().named("2x2") == NAMED
    assert cache().named("3x3") is None


def test_what_was_asked_differently_has_another_answer() -> None:
    cache().keep(FREE)
    slower = dataclasses.replace(DEFAULT, call_s=1.0)
    for other in (cache("b" * 32), cache(threads=2), PlanCache("a" * 32, 1, slower)):
        assert other.fastest(1 << 40) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"\xff",
        b"null",
        b"[1, [], {}, null]",
        b'[{"notation": 1, "seconds": 1.0, "needs_bytes": 0, "within_bytes": null}]',
        b'[{"notation": "1x1", "seconds": NaN, "needs_bytes": 0, "within_bytes": null}]',
        b'[{"notation": "1x1", "seconds": 1, "needs_bytes": -1, "within_bytes": null}]',
        b'[{"notation": "1x1", "seconds": 1, "needs_bytes": "1", "within_bytes": null}]',
        b'[{"notation": "1x1", "seconds": 1, "needs_bytes": 1, "within_bytes": null, "more": 1}]',
    ],
)
def test_damage_is_no_plan_and_is_mended(folder: Path, content: bytes) -> None:
    cache().keep(FREE)
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert cache().fastest(1 << 40) is None
    cache().keep(FREE)
    assert cache().fastest(1 << 40) == FREE


def test_a_cache_that_cannot_be_written_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ftdist").write_text("no folder")
    cache().keep(FREE)
    assert cache().fastest(1 << 40) is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    cache().keep(FREE)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "relative")
    cache().keep(FREE)
    assert cache().fastest(1 << 40) is None


def test_entries_and_files_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(1, 40):
        cache().keep(Entry(f"1x1s{size}", 1.0, size, size))
    assert cache().named("1x1s39") and not cache().named("1x1s1")
    monkeypatch.setattr(plan_cache, "_MOST_FILES", 3)
    for number in range(5):
        cache(f"{number:032}").keep(FREE)
        os.utime(folder / f"{cache(f'{number:032}').key}.json", (number, number))
    cache("f" * 32).keep(FREE)
    assert len(list(folder.iterdir())) == 3
    assert cache("f" * 32).fastest(1 << 40) == FREE
    assert cache(f"{0:032}").fastest(1 << 40) is None
