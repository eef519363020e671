"""Lists of open length: what is not zero, the best, what stands behind entries; against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wholemaps import check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.lists import Fill, NonZero, TopOfList
from ftdist.network.operators.selecting import GatherBy

sides = st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 9, 40]))
lists = st.tuples(st.just(1), st.integers(1, 40), st.sampled_from([1, 2, 9]))


def count_map(count: float) -> Any:
    return np.full((1, 1, 1), count, np.float32)


@settings(max_examples=20)
@given(sides, st.floats(-2, 2))
def test_places_of_what_is_not_zero(shape: Any, threshold: float) -> None:
    x = random_map(shape)
    x[x < threshold] = 0
    places = np.flatnonzero(x)
    expected = np.full((1, x.size, 1), -1, np.float32)
    expected[0, : len(places), 0] = places
    check(NonZero(), [x], expected)


@settings(max_examples=20)
@given(lists, st.integers(-2, 45), st.sampled_from([0.0, -3e38]))
def test_what_is_behind_the_entries_is_filled(shape: Any, count: int, value: float) -> None:
    x = random_map(shape)
    expected = x.copy()
    expected[:, max(0, count) :] = value
    check(Fill(value), [x, count_map(count)], expected)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 45), st.integers(1, 40), st.booleans(), st.booleans())
def test_the_best_of_a_list(width: int, count: int, most: int, smallest: bool, alike: bool) -> None:
    x = random_map((1, width, 1))
    x = np.round(x) if alike else x  # equal values: the first comes first
    most = min(most, width)
    own = x[0, :count, 0]
    order = np.argsort(own if smallest else -own, kind="stable")[:most]
    expected = np.zeros((1, most, 2), np.float32)
    expected[0, : len(order)] = np.stack([own[order], order], -1)
    check(TopOfList(most, smallest), [x, count_map(count)], expected)


@pytest.mark.parametrize("count", [np.nan, -1.0, 0.0, np.inf])
def test_any_number_may_stand_where_a_count_should(count: float) -> None:
    x = random_map((1, 6, 2))
    expected = x if count == np.inf else np.full_like(x, 7)
    check(Fill(7.0), [x, count_map(count)], expected)


@settings(max_examples=20)
@given(sides, st.integers(1, 30))
def test_columns_by_numbers(shape: Any, length: int) -> None:
    x = random_map(shape)
    width = shape[1]
    by = np.random.default_rng(length).integers(-width, width, (1, length, 1))
    check(GatherBy("columns"), [x, by.astype(np.float32)], x[:, by[0, :, 0]])


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        (Fill(), [Shape(2, 3, 1), Shape(1, 1, 1)]),
        (Fill(), [Shape(1, 3, 1), Shape(1, 2, 1)]),
        (Fill(float("inf")), [Shape(1, 3, 1), Shape(1, 1, 1)]),
        (TopOfList(4), [Shape(1, 3, 1), Shape(1, 1, 1)]),
        (TopOfList(2), [Shape(1, 3, 2), Shape(1, 1, 1)]),
        (GatherBy("columns"), [Shape(1, 3, 2), Shape(2, 1, 1)]),
    ],
)
def test_what_is_no_list_is_refused(operation: Any, shapes: list[Shape]) -> None:
    with pytest.raises(InputError):
        operation.output_shape(tuple(shapes))
