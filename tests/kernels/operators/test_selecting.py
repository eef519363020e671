"""What chooses among values, against NumPy and plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wholemaps import check, outputs, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.selecting import (
    CumulateChannels,
    GatherBy,
    GridSample,
    Suppress,
    TopChannels,
)

sides = st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 9, 40]))


@settings(max_examples=20)
@given(sides, st.integers(1, 40), st.booleans(), st.booleans())
def test_the_largest_come_first(shape: Any, count: int, smallest: bool, alike: bool) -> None:
    x = random_map(shape)
    x = np.round(x) if alike else x  # equal values: the first comes first
    count = min(count, shape[2])
    order = np.argsort(x if smallest else -x, axis=-1, kind="stable")[..., :count]
    expected = np.concatenate([np.take_along_axis(x, order, -1), order.astype(np.float32)], -1)
    check(TopChannels(count, smallest), [x], expected)


def test_nan_is_larger_than_all() -> None:
    x = np.array([1, np.nan, 3, 2], np.float32).reshape(1, 1, 4)
    expected = np.array([np.nan, 3, 1, 2], np.float32).reshape(1, 1, 4)
    check(TopChannels(2), [x], expected)
    check(TopChannels(4, True), [x], np.array([[[1, 2, 3, np.nan, 0, 3, 2, 1]]], np.float32))


@settings(max_examples=15)
@given(sides, st.booleans(), st.booleans())
def test_sums_so_far(shape: Any, exclusive: bool, reverse: bool) -> None:
    x = random_map(shape).astype(np.float64)
    turned = x[..., ::-1] if reverse else x
    sums = np.stack([turned[..., : n + (not exclusive)].sum(-1) for n in range(shape[2])], -1)
    expected = sums[..., ::-1] if reverse else sums
    check(CumulateChannels(exclusive, reverse), [x.astype(np.float32)], expected, 1e-6)


def test_rows_and_channels_by_indices() -> None:
    x = random_map((5, 3, 18))
    by = np.array([4, -1, 0, -5, 9, -9], np.float32).reshape(-1, 1, 1)
    check(GatherBy("rows"), [x, by], x[[4, 4, 0, 0, 4, 0]])
    indices = np.random.default_rng(0).integers(-18, 18, (5, 3, 7))
    expected = np.take_along_axis(x, indices % 18, -1)
    check(GatherBy("channels"), [x, indices.astype(np.float32)], expected)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(height, 0) * max(width, 0)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (a, b)]
    return float(shared / (sum(areas) - shared))


@settings(max_examples=20)
@given(
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(1, 50),
    st.sampled_from([0.0, 0.3, 0.7]),
    st.booleans(),
    st.integers(0, 99),
)
def test_boxes_that_do_not_overlap(
    count: int, classes: int, most: int, limit: float, centered: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    low, size = random.random((count, 2)) * 2, random.random((count, 2)) + 0.1
    corners = np.concatenate([low, low + size], 1).astype(np.float32)
    scores = random.integers(0, 20, (classes, count)).astype(np.float32)
    boxes = corners[:, [2, 1, 0, 3]]  # opposite corners, any two
    if centered:
        middle = (low + size / 2)[:, ::-1]
        boxes = np.concatenate([middle, size[:, ::-1]], 1).astype(np.float32)
    chosen = []
    for label in range(classes):
        kept: list[int] = []
        for each in sorted(range(count), key=lambda n: (-scores[label, n], n)):
            near = any(overlap(corners[each], corners[other]) > limit for other in kept)
            if scores[label, each] > 2 and not near and len(kept) < most:
                kept.append(each)
        chosen += [(0, label, each) for each in kept]
    expected = np.full((1, classes * min(most, count), 3), -1, np.float32)
    if chosen:
        expected[0, : len(chosen)] = chosen
    operation = Suppress(most, limit, 2.0, centered)
    check(operation, [boxes[None], scores[None]], expected)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("beside", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_samples_on_a_grid(mode: Any, beside: Any, align_corners: bool) -> None:
    height, width = 5, 7
    x = random_map((height, width, 18))
    grid = (random_map((6, 4, 2), 1) * 1.5).astype(np.float32)
    expected = np.zeros((6, 4, 18))

    def value(row: int, column: int) -> Any:
        if not (0 <= row < height and 0 <= column < width):
            return np.zeros(18)
        return x[row, column].astype(np.float64)

    def place(at: float, size: int) -> float:
        found = (at + 1) / 2 * (size - 1) if align_corners else ((at + 1) * size - 1) / 2
        low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        while beside == "reflection" and not low <= found <= high:
            found = 2 * low - found if found < low else 2 * high - found
        return found if beside == "zeros" else min(max(found, 0), size - 1)

    for row in range(6):
        for column in range(4):
            across, down = (place(float(grid[row, column, n]), (width, height)[n]) for n in (0, 1))
            if mode == "nearest":
                expected[row, column] = value(round(down), round(across))
                continue
            top, left = int(np.floor(down)), int(np.floor(across))
            for n in range(2):
                for m in range(2):
                    weight = abs(1 - n - (down - top)) * abs(1 - m - (across - left))
                    expected[row, column] += weight * value(top + n, left + m)
    check(GridSample(mode, beside, align_corners), [x, grid], expected, 1e-5)


@pytest.mark.parametrize("beside", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_cubic_samples_on_a_grid(beside: Any, align_corners: bool) -> None:
    """Each of the 4 x 4 taps is brought back to the map by itself."""
    height, width = 5, 7
    x = random_map((height, width, 18))
    grid = (random_map((6, 4, 2), 1) * 1.5).astype(np.float32)
    expected = np.zeros((6, 4, 18))

    def brought(tap: int, size: int) -> int | None:
        low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        while beside == "reflection" and not low <= tap <= high:
            tap = int(2 * low - tap if tap < low else 2 * high - tap)
        inside = 0 <= tap < size
        return tap if inside else None if beside == "zeros" else min(max(tap, 0), size - 1)

    def weight(away: float) -> float:
        away, a = abs(away), -0.75
        if away > 1:
            return a * (away**3 - 5 * away**2 + 8 * away - 4)
        return (a + 2) * away**3 - (a + 3) * away**2 + 1

    for row, column in np.ndindex(6, 4):
        place = []
        for at, size in zip(grid[row, column].astype(np.float64), (width, height), strict=True):
            whole = (at + 1) / 2 * (size - 1) if align_corners else ((at + 1) * size - 1) / 2
            place.append(float(whole))
        left, top = (int(np.floor(each)) for each in place)
        for n, m in np.ndindex(4, 4):
            down, across = brought(top - 1 + n, height), brought(left - 1 + m, width)
            if down is not None and across is not None:
                part = weight(place[1] - (top - 1 + n)) * weight(place[0] - (left - 1 + m))
                expected[row, column] += part * x[down, across]
    check(GridSample("cubic", beside, align_corners), [x, grid], expected, 1e-5)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_frames_are_sampled_each_by_itself(mode: Any) -> None:
    frames, grids = random_map((3, 5, 7, 18)), random_map((3, 4, 6, 2), 1) * np.float32(1.5)
    pairs = zip(frames, grids, strict=True)
    alone = [outputs(GridSample(mode), [x, grid])[0][1] for x, grid in pairs]
    x, grid = frames.reshape(15, 7, 18), grids.reshape(12, 6, 2)
    check(GridSample(mode, frames=3), [x, grid], np.concatenate(alone), 1e-5)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("beside", ["zeros", "border"])
def test_samples_of_a_volume(mode: Any, beside: Any) -> None:
    sizes = 3, 4, 5
    volume, grid = random_map((12, 5, 18)), (random_map((6, 4, 3), 1) * 1.5).astype(np.float32)
    slices = volume.reshape(*sizes, 18).astype(np.float64)
    expected = np.zeros((6, 4, 18))
    for at in np.ndindex(6, 4):
        places = [((grid[at][2 - n] + 1) * size - 1) / 2 for n, size in enumerate(sizes)]
        if beside == "border":
            places = [min(max(each, 0), size - 1) for each, size in zip(places, sizes, strict=True)]
        if mode == "nearest":
            places = [round(float(each)) for each in places]
        for z, y, x in np.ndindex(*sizes):
            parts = [max(0, 1 - abs(p - q)) for p, q in zip(places, (z, y, x), strict=True)]
            expected[at] += np.prod(parts) * slices[z, y, x]
    check(GridSample(mode, beside, slices=3), [volume, grid], expected, 1e-5)


def test_what_does_not_suit_is_refused() -> None:
    shape, boxes = Shape(2, 3, 10), Shape(1, 5, 4)
    for operation, shapes, said in (
        (TopChannels(11), [shape], "11 of 10 channels"),
        (GatherBy("rows"), [shape, shape], "one column"),
        (GatherBy("channels"), [shape, Shape(3, 3, 4)], "differ in size"),
        (Suppress(1), [boxes, Shape(1, 2, 6)], "6 scores for 5 boxes"),
        (Suppress(1), [shape, shape], "boxes are"),
        (GridSample(), [shape, shape], "not 10 channels"),
        (GridSample(slices=2), [Shape(6, 3, 8), Shape(5, 3, 2)], "x, y and z, not 2"),
        (GridSample(slices=4), [Shape(6, 3, 8), Shape(5, 3, 3)], "not 4 slices"),
        (GridSample("cubic", slices=2), [Shape(6, 3, 8), Shape(5, 3, 3)], "not cubically"),
        (GridSample(frames=2), [Shape(6, 3, 8), Shape(5, 3, 2)], "rows are not those of 2 frames"),
    ):
        with pytest.raises(InputError, match=said):
            operation.output_shape(tuple(shapes))
