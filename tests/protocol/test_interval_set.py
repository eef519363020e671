"""IntervalSet of frame numbers against plain sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ftdist.protocol.interval_set import IntervalSet

NUMBERS = st.integers(0, 30)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_runs_are_sets(added: list[tuple[int, int]]) -> None:
    runs = IntervalSet(added)
    expected = {number for start, stop in added for number in range(start, stop)}
    assert runs.count == len(expected)
    assert [number in runs for number in range(32)] == [n in expected for n in range(32)]
    for number in range(32):
        missing = next(each for each in range(number, 64) if each not in expected)
        assert runs.first_missing(number) == missing


def test_neighbours_join() -> None:
    runs = IntervalSet((number, number + 1) for number in range(0, 1000, 2))
    for number in range(1, 1000, 2):
        runs.add(number, number + 1)
    assert runs.count == 1000
    assert runs.first_missing(0) == 1000
    assert len(runs._starts) == 1
