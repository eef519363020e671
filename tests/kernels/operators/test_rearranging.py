"""Maps read as arrays of any rank: against NumPy's own reshapes, transposes and slices."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wholemaps import around, check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.tensors import Rearrange
from ftdist.network.operators.views import AXES, Factor, View, permuted
from ftdist.network.serialise import from_json, to_json


def factors(array: np.ndarray, axes: tuple[int, ...]) -> tuple[Factor, ...]:
    return tuple(Factor(array.shape[n], array.strides[n] // 4) for n in axes)


def view_of(array: np.ndarray, base: np.ndarray, cuts: tuple[int, int]) -> View:
    """The view that an array is of a map: its axes before the cuts, between them, after them."""
    first = (array.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // 4
    axes = tuple(range(array.ndim))
    parts = axes[: cuts[0]], axes[cuts[0] : cuts[1]], axes[cuts[1] :]
    rows, columns, channels = (factors(array, each) for each in parts)
    return View(rows, columns, channels, first=first)


@st.composite
def views(draw: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """(a map, an array that is a view of it, how its axes become rows, columns and channels)."""
    sides = [draw(st.sampled_from([1, 2, 4, 6, 12, 20])) for _ in range(3)]
    base = random_map(sides, draw(st.integers(0, 9)))
    array: np.ndarray = base
    for _ in range(draw(st.integers(0, 2))):
        axis = draw(st.integers(0, array.ndim - 1))
        size = array.shape[axis]
        part = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
        split = (*array.shape[:axis], size // part, part, *array.shape[axis + 1 :])
        array = np.lib.stride_tricks.as_strided(
            array,
            split,
            (
                *array.strides[:axis],
                array.strides[axis] * part,
                *array.strides[axis:],
            ),
        )
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    cuts = [
        draw(st.sampled_from([slice(None), slice(None, None, -1), slice(0, None, 2)]))
        for _ in range(array.ndim)
    ]
    array = array[tuple(cuts)]
    if draw(st.booleans()):
        array = np.broadcast_to(array, (draw(st.integers(2, 3)), *array.shape))
    first = draw(st.integers(0, array.ndim))
    return base, array, (first, draw(st.integers(first, array.ndim)))


@settings(max_examples=60)
@given(views())
def test_a_view_is_copied_as_numpy_copies_it(case: Any) -> None:
    base, array, cuts = case
    view = view_of(array, base, cuts)
    expected = np.ascontiguousarray(array).reshape(view.shape)
    check(Rearrange(view), [base], expected)


def test_axes_are_permuted() -> None:
    base = random_map((5, 7, 18))
    view = permuted(Shape(5, 7, 18), ("channels", "rows", "columns"))
    check(Rearrange(view), [base], base.transpose(2, 0, 1))


def test_neighbours_that_step_on_evenly_are_one_factor() -> None:
    view = View((Factor(2, 24), Factor(3, 8), Factor(1, 5)), (), (Factor(8, 1),))
    assert view.merged().rows == (Factor(6, 8),)
    assert view.merged().shape == view.shape == (6, 1, 8)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View((Factor(5, 6),), (), ()), "reads elements 0 to 24"),
        (View((Factor(2, -1),), (), ()), "reads elements -1 to 0"),
        (View((Factor(0, 1),), (), ()), "counts less than 1"),
        (View((Factor(2, 1),) * 6, (), (Factor(2, 1),) * 7), "more than 12"),
    ],
)
def test_a_view_beside_its_map_is_refused(view: View, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Rearrange(view).output_shape((Shape(4, 3, 2),))


def test_a_model_file_holds_a_view() -> None:
    view = View((Factor(4, -6),), (Factor(3, 2),), (Factor(2, 1),), first=18)
    network = around(Rearrange(view), [Shape(4, 3, 2)])
    value = json.loads(json.dumps(to_json(network)))
    assert from_json(value) == network
    value["layers"][1]["view"]["first"] = 10**15
    with pytest.raises(InputError, match="fewer than 16 digits"):
        from_json(value)


def test_every_factor_counts() -> None:
    """A step of a factor that were left out would give other values."""
    base = random_map((4, 6, 8))
    view = permuted(Shape(4, 6, 8), ("rows", "columns", "channels"))
    for name in AXES:
        (factor,) = getattr(view, name)
        still: dict[str, Any] = {name: (dataclasses.replace(factor, step=0),)}
        changed = dataclasses.replace(view, **still)
        axis = AXES.index(name)
        expected = np.broadcast_to(base.take([0], axis), base.shape)
        check(Rearrange(changed), [base], expected)
