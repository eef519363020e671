"""Suppression against the definition, in exact arithmetic, one pair at a time."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftdist.answers.decode import Detection
from ftdist.answers.suppress import suppress
from ftdist.errors import InputError
from ftdist.pictures.fitting import Box


def overlap_of(first: Box, second: Box) -> Fraction:
    """Intersection over union, exactly; 0 for two empty boxes."""
    one, two = ([Fraction(value) for value in box] for box in (first, second))
    width = max(Fraction(0), min(one[2], two[2]) - max(one[0], two[0]))
    height = max(Fraction(0), min(one[3], two[3]) - max(one[1], two[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    common = width * height
    return common / (areas - common) if areas > common else Fraction(0)


def by_definition(detections: list[Detection], overlap: float) -> list[Detection]:
    left = list(detections)
    kept = []
    while left:
        best = left[0]
        for each in left:
            if each.score > best.score:
                best = each
        left.remove(best)
        kept.append(best)
        left = [
            each
            for each in left
            if each.label != best.label or overlap_of(each.box, best.box) <= Fraction(overlap)
        ]
    return kept


@some.composite
def boxes(draw: some.DrawFn) -> Box:
    left, top = draw(some.integers(-4, 8)), draw(some.integers(-4, 8))
    width, height = draw(some.integers(0, 6)), draw(some.integers(0, 6))
    return Box(left, top, left + width, top + height)


DETECTIONS = some.lists(
    some.builds(
        Detection,
        label=some.integers(0, 2),
        score=some.sampled_from([0.25, 0.5, 0.5, 0.75, 1.0]),
        box=boxes(),
    ),
    max_size=25,
)


@given(DETECTIONS, some.sampled_from([0.0, 0.25, 0.375, 0.5, 0.75, 1.0]))
def test_equals_the_definition(detections: list[Detection], overlap: float) -> None:
    assert suppress(detections, overlap) == by_definition(detections, overlap)


def test_equal_scores_keep_their_order() -> None:
    far = [Detection(0, 0.5, Box(place, 0, place + 1, 1)) for place in (6, 2, 4)]
    assert suppress(far, 0.5) == far
    same = [Detection(0, 0.5, Box(0, 0, 2, 2)), Detection(0, 0.5, Box(0, 0, 2, 2.1))]
    assert suppress(same, 0.5) == same[:1]
    assert suppress(same[::-1], 0.5) == same[1:]


def test_suppressed_boxes_suppress_nothing() -> None:
    """A chain: the middle box goes because of the first, so the last stays."""
    chain = [Detection(0, 0.9 - 0.1 * i, Box(i, 0, i + 3, 1)) for i in range(3)]
    assert suppress(chain, 0.4) == [chain[0], chain[2]]


def test_huge_boxes_do_not_overflow() -> None:
    huge = Detection(0, 0.9, Box(-3e38, -3e38, 3e38, 3e38))
    small = Detection(0, 0.8, Box(0, 0, 1, 1))
    assert suppress([small, huge, huge], 0.5) == [huge, small]


@pytest.mark.parametrize("overlap", [-0.1, 1.5, float("nan")])
def test_an_overlap_out_of_range_is_refused(overlap: float) -> None:
    with pytest.raises(InputError, match=r"0\.\.1"):
        suppress([], overlap)
