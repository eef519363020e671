"""Numbers as people say them."""

from __future__ import annotations

import pytest

from ftdist.wording import counted


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 frames"), (1, "1 frame"), (22, "22 frames")],
)
def test_one_is_one(number: int, expected: str) -> None:
    assert counted(number, "frame") == expected


def test_other_plurals_are_given() -> None:
    assert (counted(1, "copy", "copies"), counted(3, "copy", "copies")) == ("1 copy", "3 copies")
