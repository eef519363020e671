"""Where maxima lie, and values that are put back there; against loops, whole and cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import written_model
from support.wholemaps import alone, check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.unpooling import MaxPlaces, Unpool
from ftdist.planning.plan import parse_notation, untiled
from ftdist.runtime.local import Session

WINDOWS = {
    "2x2": Sliding.square(2, 2),
    "padded": Sliding.square(3, 2, padding=1),
    "dilated": Sliding(Window(2, 1, 3, 1, 2), Window(3, 2, 2, 2, 2)),
    "apart": Sliding(Window(2, 3), Window(1, 2)),
}


def places_of(x: np.ndarray, window: Sliding) -> np.ndarray:
    height, width, channels = x.shape
    size = window.output_size(Shape(*x.shape), "pool")
    found = np.zeros((*size, channels), np.float32)
    for row, column, channel in np.ndindex(*found.shape):
        taps = [
            (i, j)
            for i in _taps(window.vertical, row)
            for j in _taps(window.horizontal, column)
            if i in range(height) and j in range(width)
        ]
        best = max(taps, key=lambda at: x[at][channel])  # the first of equal ones
        found[row, column, channel] = best[0] * width + best[1]
    return found


def _taps(window: Window, position: int) -> range:
    first = position * window.stride - window.pad_before
    return range(first, first + window.extent, window.dilation)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("alike", [False, True])
def test_places_of_maxima(name: str, alike: bool) -> None:
    x = random_map((7, 9, 5))
    x = np.round(x) if alike else x
    check(MaxPlaces(WINDOWS[name]), [x], places_of(x, WINDOWS[name]))


def test_what_is_no_number_is_the_largest() -> None:
    x = random_map((2, 4, 1))
    x[1, 0] = np.nan
    x[0, 2] = -np.inf
    x[0, 3] = x[1, 2] = x[1, 3] = -np.inf
    check(MaxPlaces(WINDOWS["2x2"]), [x], np.array([4, 2]).reshape(1, 2, 1))


@pytest.mark.parametrize("name", ["2x2", "apart"])
@pytest.mark.parametrize("size", [(7, 9), (8, 12)])
def test_values_return_to_their_places(name: str, size: tuple[int, int]) -> None:
    window = WINDOWS[name]
    places = places_of(random_map((*size, 5)), window)
    values = random_map(places.shape, 1)
    expected = np.zeros((*size, 5), np.float32)
    for row, column, channel in np.ndindex(*places.shape):
        expected.reshape(-1, 5)[int(places[row, column, channel]), channel] = values[
            row, column, channel
        ]
    check(Unpool(window, *size), [values, places], expected)


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from(["1x1s1", "2x3", "3x2s2", "4x1s1"]))
def test_no_cut_changes_a_bit(seed: int, notation: str) -> None:
    x = random_map((11, 13, 3), seed)
    window = WINDOWS["2x2"]
    places = places_of(x, window)
    values = random_map(places.shape, seed + 1)
    cases: list[tuple[Any, list[np.ndarray]]] = [
        (MaxPlaces(WINDOWS["padded"]), [x]),
        (Unpool(window, 11, 13), [values, places]),
    ]
    for operation, maps in cases:
        network = alone(operation, [Shape(*each.shape) for each in maps])
        model = written_model(network, [])
        given_maps = {f"in{n}": each.transpose(2, 0, 1).copy() for n, each in enumerate(maps)}
        found: list[np.ndarray] = []
        for plan in (untiled(network), parse_notation(notation, network)):
            for kernels in ("native", "reference"):
                with Session(model, plan, kernels) as session:
                    found += session.run(given_maps).values()
        for each in found[1:]:
            np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        (MaxPlaces(Sliding.square(2, 2)), [Shape(5000, 5000, 1)]),
        (Unpool(Sliding.square(3, 2), 4, 4), [Shape(2, 2, 1)] * 2),
        (Unpool(Sliding.square(2, 2), 4, 4), [Shape(2, 2, 1), Shape(2, 2, 2)]),
        (Unpool(Sliding.square(2, 2), 0, 4), [Shape(2, 2, 1)] * 2),
        (Unpool(Sliding.square(2, 2), 5000, 5000), [Shape(2500, 2500, 1)] * 2),
    ],
)
def test_what_does_not_suit_is_refused(operation: Any, shapes: list[Shape]) -> None:
    with pytest.raises(InputError):
        operation.output_shape(tuple(shapes))
