"""Rectangles against masks of the same positions, and values cut out of pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.protocol.mapvalues import marked, seed_of, values

from ftdist.geometry import Region
from ftdist.protocol import regions
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.regions import Collector, MapForm

SIDE = 9
WHOLE = Region(0, SIDE, 0, SIDE)
FORM = {4: MapForm(2, np.dtype(np.float32))}


@st.composite
def rectangles(draw: st.DrawFn) -> Region:
    top, left = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return Region(top, draw(st.integers(top + 1, SIDE)), left, draw(st.integers(left + 1, SIDE)))


def piece(region: Region, source: int = 4, seed: int = 3) -> Piece:
    return Piece(source, region, values(seed, source, region, 2, np.float32))


@given(rectangles(), rectangles())
def test_common_is_what_both_cover(one: Region, other: Region) -> None:
    found = regions.common(one, other)
    expected = (marked(WHOLE, [one]) & marked(WHOLE, [other])).sum()
    assert (found.size if found else 0) == expected


@given(rectangles(), rectangles())
def test_without_leaves_the_rest_once(region: Region, hole: Region) -> None:
    rest = regions.without(region, hole)
    expected = marked(WHOLE, [region]) & ~marked(WHOLE, [hole]) & 1
    np.testing.assert_array_equal(marked(WHOLE, rest), expected)


@given(st.lists(rectangles(), max_size=6))
def test_disjoint_covers_the_same_once(given_: list[Region]) -> None:
    found = regions.disjoint(given_)
    np.testing.assert_array_equal(marked(WHOLE, found), marked(WHOLE, given_) > 0)


def test_disjoint_joins_bands_of_the_same_columns() -> None:
    bands = [Region(4, 6, 0, 5), Region(0, 2, 0, 5), Region(2, 4, 0, 5)]
    assert regions.disjoint(bands) == [Region(0, 6, 0, 5)]


@given(st.lists(rectangles(), max_size=5), rectangles())
def test_gather_takes_each_position_once(held: list[Region], wanted: Region) -> None:
    found: list[Piece] = []
    lacking = regions.gather([piece(each) for each in held], Place(4, wanted), found)
    covered = [each.region for each in found]
    np.testing.assert_array_equal(marked(WHOLE, [*covered, *lacking]), marked(WHOLE, [wanted]))
    assert marked(WHOLE, held)[marked(WHOLE, covered) > 0].all()
    assert {seed_of(each) for each in found} <= {3}


def test_gather_leaves_other_maps_alone() -> None:
    found: list[Piece] = []
    assert regions.gather([piece(WHOLE, source=5)], Place(4, WHOLE), found) == [WHOLE]
    assert not found


def test_a_cut_is_a_view() -> None:
    whole = piece(WHOLE)
    part = regions.cut(whole, Region(2, 4, 1, 9))
    assert np.shares_memory(part.data, whole.data)
    assert seed_of(part) == 3
    assert regions.cut(whole, WHOLE) is whole


@given(st.lists(rectangles(), min_size=1, max_size=6))
def test_joined_pieces_hold_the_same_values_in_fewer_pieces(held: list[Region]) -> None:
    found: list[Piece] = []
    for region in held:
        regions.gather([piece(region)], Place(4, region), found)
    joined = regions.joined(found)
    assert len(joined) <= len(regions.disjoint(held))
    np.testing.assert_array_equal(
        marked(WHOLE, [each.region for each in joined]), marked(WHOLE, held) > 0
    )
    assert {seed_of(each) for each in joined} == {3}


def test_joined_pieces_still_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "FRAME_BYTES", 3 * SIDE * 2 * 4)
    columns = [piece(Region(0, SIDE, left, left + 1)) for left in range(SIDE)]
    joined = regions.joined(columns)
    assert [each.region.rows.size for each in joined] == [3, 3, 3]
    assert {seed_of(each) for each in joined} == {3}


# ---- collecting what was asked for


def collector(*asked: Region) -> Collector:
    return Collector([Place(4, region) for region in asked], FORM)


@given(st.lists(rectangles(), min_size=1, max_size=3), st.randoms())
def test_a_collector_takes_all_in_any_pieces(asked: list[Region], chance: object) -> None:
    places = regions.disjoint(asked)
    collecting = collector(*places)
    rows = [
        Region(row, row + 1, left, right)
        for top, bottom, left, right in places
        for row in range(top, bottom)
    ]
    chance.shuffle(rows)  # type: ignore[attr-defined]
    for number, region in enumerate(rows):
        assert not collecting.whole
        assert collecting.take([piece(region)]) == "", number
    assert collecting.whole
    assert len(collecting.pieces) == len(rows)


@pytest.mark.parametrize(
    "wrong",
    [
        piece(Region(0, 3, 0, SIDE)),
        piece(Region(1, 3, 0, SIDE)),
        piece(Region(5, 6, 0, SIDE)),
        piece(Region(2, 4, 0, SIDE), source=5),
        Piece(4, Region(2, 2, 0, 0), np.zeros((0, 0, 2), np.float32)),
        Piece(4, Region(2, 4, 0, SIDE), np.zeros((2, SIDE, 3), np.float32)),
        Piece(4, Region(2, 4, 0, SIDE), np.zeros((SIDE, 2, 2), np.float32)),
        Piece(4, Region(2, 4, 0, SIDE), np.zeros((2, SIDE, 2), np.uint8)),
    ],
    ids=["too much", "overlaps", "elsewhere", "map", "empty", "channels", "turned", "dtype"],
)
def test_a_collector_refuses_what_was_not_asked_for(wrong: Piece) -> None:
    collecting = collector(Region(0, 4, 0, SIDE))
    assert collecting.take([piece(Region(0, 2, 0, SIDE))]) == ""
    assert collecting.take([wrong])
    assert not collecting.whole


def test_a_collector_takes_nothing_twice() -> None:
    collecting = collector(Region(0, 2, 0, SIDE), Region(4, 6, 0, SIDE))
    assert collecting.take([piece(Region(0, 2, 0, SIDE))]) == ""
    assert "not asked for" in collecting.take([piece(Region(0, 2, 0, SIDE))])
