"""Lists of layers are short as text, and the same when they are read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.planning.layer_lists import as_text, from_text


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([7], "7"),
        ([2, 4], "2,4"),
        ([2, 4, 6], "2-6:2"),
        ([1, 3, 4, 5, 6, 9], "1,3-6,9"),
        ([0, 1, 2, 4, 6, 8], "0-2,4-8:2"),
        (list(range(1, 300)), "1-299"),
    ],
)
def test_equal_distances_are_runs(layers: list[int], text: str) -> None:
    assert as_text(layers) == text
    assert from_text(text, 300) == layers


@given(st.sets(st.integers(0, 60), min_size=1))
def test_what_is_read_is_what_was_written(layers: set[int]) -> None:
    assert from_text(as_text(sorted(layers)), 61) == sorted(layers)


def test_a_run_ends_at_its_last_step() -> None:
    assert from_text("2-7:2", 10) == [2, 4, 6]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no list of layers"),
        ("2-", "no list of layers"),
        ("4,4", "must ascend"),
        ("5-3", "must ascend"),
        ("2-6:0", "must ascend"),
        ("2-10", "no layer 10; the last one is 9"),
        ("2-999999", "no layer 999999"),
    ],
)
def test_other_text_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        from_text(text, 10)
