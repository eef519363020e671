"""Padding, cubic resizing, updates of slices and regions of interest, against plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import model_of
from support.wholemaps import around, check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.base import Operation
from ftdist.network.operators.channels import NormalizeResponses
from ftdist.network.operators.normalizing import Normalize
from ftdist.network.operators.placing import (
    Pad,
    PadMode,
    RoiAlign,
    RoiPool,
    Scatter,
    ScatterBy,
)
from ftdist.network.operators.resampling import Resize
from ftdist.network.operators.selecting import GatherBy
from ftdist.planning.plan import parse_notation, untiled
from ftdist.runtime.local import Session

borders = st.integers(0, 6)
maps = st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3, 18]))


def local(operation: Operation, shape: Any, notations: tuple[str, ...]) -> None:
    """Tiles and strips give the same bits."""
    network = around(operation, [Shape(*shape)])
    model = model_of(network)
    x = random_map(shape).transpose(2, 0, 1)
    with Session(model, untiled(network)) as session:
        (whole,) = session.run(x).values()
    for notation in notations:
        try:
            plan = parse_notation(notation, network)
        except InputError:
            continue  # more tiles than positions
        with Session(model, plan) as session:
            (cut,) = session.run(x).values()
        np.testing.assert_array_equal(cut.view(np.uint32), whole.view(np.uint32), notation)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@settings(max_examples=12)
@given(maps, borders, borders, borders, borders)
def test_what_lies_beside_a_map(
    mode: PadMode, shape: Any, top: int, bottom: int, left: int, right: int
) -> None:
    x = random_map(shape)
    widths = ((top, bottom), (left, right), (0, 0))
    value = {"constant_values": 1.5} if mode == "constant" else {}
    expected = np.pad(x, widths, mode, **value)  # type: ignore[call-overload]
    operation = Pad(mode, top, bottom, left, right, 1.5)
    check(operation, [x], expected)
    local(operation, shape, ("1x1s1", "2x3", "3x1s2"))


def cubic_axis(places: Any, size: int, a: float, only_inside: bool) -> np.ndarray:
    """(outputs, inputs) weights, by Keys' formula at the distance of each tap."""
    found = np.zeros((len(places), size))
    for number, place in enumerate(places):
        first = math.floor(place) - 1
        for tap in range(first, first + 4):
            x = abs(place - tap)
            far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0
            weight = (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else far
            if only_inside and not 0 <= tap < size:
                continue
            found[number, min(max(tap, 0), size - 1)] += weight
    return found / found.sum(1, keepdims=True) if only_inside else found


@settings(max_examples=25)
@given(maps, st.integers(1, 12), st.integers(1, 12), st.sampled_from([-0.75, -0.5]), st.booleans())
def test_cubic_mixtures(shape: Any, height: int, width: int, a: float, only_inside: bool) -> None:
    x = random_map(shape)
    rows, columns = (
        cubic_axis((np.arange(made) + 0.5) * size / made - 0.5, size, a, only_inside)
        for made, size in ((height, shape[0]), (width, shape[1]))
    )
    expected = np.einsum("ay,bx,yxc->abc", rows, columns, x)
    operation = Resize(height, width, rounding="cubic", coefficient=a, only_inside=only_inside)
    check(operation, [x], expected, 1e-5 if only_inside else 1e-6)
    local(operation, shape, ("1x1s1", "2x3", "3x1s2"))


@settings(max_examples=20)
@given(
    st.sampled_from([(4, 3, 6), (12, 1, 2), (1, 1, 18)]),
    st.sampled_from([1, 2, 6]),
    st.integers(1, 9),
    st.sampled_from(["set", "add", "multiply", "max", "min"]),
    st.integers(0, 99),
)
def test_updates_of_slices(shape: Any, size: int, count: int, how: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    data, updates = random_map(shape), random_map((count, 1, size), 1)
    expected = data.copy().reshape(-1, size)
    numbers = random.integers(0, len(expected), count)
    for number, update in zip(numbers, updates[:, 0], strict=True):
        old = expected[number]
        expected[number] = UPDATES[how](old, update)
    operation = Scatter(count, size, how)
    weights = {"indices": numbers.astype(np.float32)}
    check(operation, [data, updates], expected.reshape(shape), 1e-6, weights)


UPDATES: dict[str, Any] = {
    "set": lambda old, update: update,
    "add": lambda old, update: old + update,
    "multiply": lambda old, update: old * update,
    "max": np.maximum,
    "min": np.minimum,
}


@settings(max_examples=30)
@given(
    st.integers(1, 30),
    st.sampled_from([1, 2, 17]),
    st.integers(1, 40),
    st.sampled_from(list(UPDATES)),
    st.booleans(),
)
def test_entries_of_a_list_update_columns(
    places: int, channels: int, count: int, how: Any, apart: bool
) -> None:
    random = np.random.default_rng(count)
    data, values = random_map((1, places, channels)), random_map((1, count, channels), 1)
    numbers = random.integers(-2, places + 2, (1, count, 1)).astype(np.float32)
    if apart:
        numbers[0, random.integers(count)] = np.nan
    expected = data.copy()
    for number, value in zip(numbers[0, :, 0], values[0], strict=True):
        if number in range(places):
            expected[0, int(number)] = UPDATES[how](expected[0, int(number)], value)
    entries = np.concatenate([numbers, values], axis=-1)
    check(ScatterBy(how), [data, entries], expected, 1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_regions_of_whole_positions(scale: float) -> None:
    """Against loops in double precision: edges are rounded, both belong to the region."""
    height, width = 7, 9
    x = random_map((height, width, 5))
    regions = np.array([[1, 2, 8, 6], [-4, 3, 20, 30], [5, 5, 4, 4], [20, 20, 30, 30]]) / scale
    regions[0, 0] += 0.4 / scale
    expected = np.zeros((len(regions), 3, 2, 5))
    for n, region in enumerate(regions):
        left, top, right, bottom = (math.floor(abs(e) + 0.5) * np.sign(e) for e in region * scale)
        high, wide = max(bottom - top + 1, 1) / 3, max(right - left + 1, 1) / 2
        for row, column in np.ndindex(3, 2):
            rows = range(math.floor(row * high + top), math.ceil((row + 1) * high + top))
            columns = range(math.floor(column * wide + left), math.ceil((column + 1) * wide + left))
            seen = [
                x[i, j] for i in rows for j in columns if i in range(height) and j in range(width)
            ]
            if seen:
                expected[n, row, column] = np.max(seen, axis=0)
    given_regions = regions.astype(np.float32).reshape(-1, 1, 4)
    check(RoiPool(3, 2, scale), [x, given_regions], expected.reshape(-1, 2, 5))


def test_regions_that_are_no_numbers_are_empty() -> None:
    x = random_map((4, 4, 3))
    regions = np.array([[np.nan, 0, 2, 2], [0, 0, np.inf, 2]], np.float32).reshape(2, 1, 4)
    check(RoiPool(2, 2), [x, regions], np.zeros((4, 2, 3)))


@pytest.mark.parametrize("samples", [0, 2])
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("half_pixel", [False, True])
def test_regions_of_interest(samples: int, largest: bool, half_pixel: bool) -> None:
    height, width, scale = 6, 8, 0.5
    x = random_map((height, width, 5))
    regions = np.array([[1, 2, 9, 11], [0, 0, 3, 2], [-4, 3, 20, 30], [5, 5, 4, 4]], np.float32)
    expected = np.zeros((4, 3, 2, 5))
    for n, (x1, y1, x2, y2) in enumerate(regions * scale - 0.5 * half_pixel):
        wide, high = (x2 - x1, y2 - y1) if half_pixel else (max(x2 - x1, 1), max(y2 - y1, 1))
        down, across = (samples or max(0, math.ceil(s)) for s in (high / 3, wide / 2))
        for row, column in np.ndindex(3, 2):
            terms = [np.zeros((0, 5))]
            for i, j in np.ndindex(down, across):
                y = y1 + high / 3 * (row + (i + 0.5) / down)
                left = x1 + wide / 2 * (column + (j + 0.5) / across)
                terms.append(mixture(x, y, left))
            if len(terms) > 1:
                all_terms = np.concatenate(terms)
                mean = all_terms.sum(0) / (down * across)
                expected[n, row, column] = all_terms.max(0) if largest else mean
    operation = RoiAlign(3, 2, scale, samples, largest, half_pixel)
    check(operation, [x, regions.reshape(4, 1, 4)], expected.reshape(12, 2, 5), 1e-6)


def mixture(x: np.ndarray, row: float, column: float) -> np.ndarray:
    height, width, channels = x.shape
    if not (-1 <= row <= height and -1 <= column <= width):
        return np.zeros((4, channels))
    row, column = (min(max(at, 0), n - 1) for at, n in ((row, height), (column, width)))
    found = []
    for y in (math.floor(row), math.floor(row) + 1):
        for left in (math.floor(column), math.floor(column) + 1):
            weight = (1 - abs(row - y)) * (1 - abs(column - left))
            found.append(weight * x[min(y, height - 1), min(left, width - 1)])
    return np.array(found)


def test_rows_that_no_index_names_are_zeros() -> None:
    x = random_map((5, 3, 18))
    by = np.array([4, -1, 0, 2], np.float32).reshape(-1, 1, 1)
    expected = x[[4, 4, 0, 2]]
    expected[1] = 0
    check(GatherBy("rows", empty=True), [x, by], expected)


def test_a_norm_around_zero() -> None:
    x = random_map((3, 4, 21))
    scale, bias = random_map((21,), 1), random_map((21,), 2)
    wide = x.astype(np.float64)
    weights = {"scale": scale, "bias": bias}
    for spatial, axes in ((True, (2,)), (False, (0, 1, 2))):
        root = np.sqrt((wide**2).mean(axes, keepdims=True) + 1e-5)
        operation = Normalize(spatial=spatial, centered=False)
        check(operation, [x], wide / root * scale + bias, 1e-6, weights)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 40])
def test_responses_are_normalized_by_all_neighbours(size: int) -> None:
    x = random_map((2, 3, 18))
    squares = np.pad(x.astype(np.float64) ** 2, ((0, 0), (0, 0), ((size - 1) // 2, size // 2)))
    sums = np.stack([squares[..., c : c + size].sum(-1) for c in range(18)], -1)
    expected = x * (2 + 0.3 * sums) ** -0.75
    check(NormalizeResponses(size, 0.3, 0.75, 2.0, complete=True), [x], expected, 1e-6)


def test_what_does_not_suit_is_refused() -> None:
    one = Shape(2, 3, 4)
    for operation, inputs, words in (
        (Pad("edge", -1, 0, 0, 0), (one,), "less than no rows"),
        (Scatter(2, 3), (one, Shape(1, 1, 7)), "not a map of"),
        (Scatter(1, 7), (one, Shape(1, 1, 7)), "no slices of 7"),
        (ScatterBy(), (Shape(1, 3, 4), Shape(1, 3, 4)), "entries for it"),
        (ScatterBy(), (one, Shape(1, 3, 5)), "a row and entries"),
        (RoiPool(2, 2), (one, Shape(3, 1, 5)), "regions are"),
        (RoiPool(0, 2), (one, Shape(3, 1, 4)), "0x2 positions"),
        (RoiAlign(2, 2), (one, Shape(3, 1, 5)), "regions are"),
        (RoiAlign(2, 2, samples=2000), (one, Shape(3, 1, 4)), "2000 samples"),
    ):
        with pytest.raises(InputError, match=words):
            operation.output_shape(inputs)  # type: ignore[attr-defined]
