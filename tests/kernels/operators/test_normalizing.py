"""Normalizations, softmax along any axes, gathers and joins of positions, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wholemaps import check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.normalizing import Normalize, SoftmaxAlong
from ftdist.network.operators.tensors import ConcatenatePositions, Gather
from ftdist.network.operators.views import AXES, AxisName

sides = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 4, 16, 20, 36]))


@settings(max_examples=30)
@given(sides, st.booleans(), st.sampled_from([1, 2, 4, 0]), st.booleans())
def test_means_and_variances(shape: Any, spatial: bool, groups: int, far: bool) -> None:
    channels = shape[2]
    groups = channels if groups == 0 or channels % groups else groups
    x = random_map(shape) + np.float32(100 * far)
    scale, bias = random_map((channels,), 1), random_map((channels,), 2)
    values = x.astype(np.float64).reshape(*shape[:2], groups, -1)
    axes = (3,) if spatial else (0, 1, 3)
    mean, variance = (f(values, axis=axes, keepdims=True) for f in (np.mean, np.var))
    expected = ((values - mean) / np.sqrt(variance + 1e-3)).reshape(shape) * scale + bias
    weights = {"scale": scale, "bias": bias}
    operation = Normalize(groups, 1e-3, spatial)
    check(operation, [x], expected, 1e-4 if far else 1e-6, weights)


@settings(max_examples=30)
@given(sides, st.sets(st.sampled_from(range(3)), min_size=1), st.booleans())
def test_softmax_along_axes(shape: Any, axes: set[int], logarithm: bool) -> None:
    x = random_map(shape) * 5
    over = tuple(sorted(axes))
    away = x.astype(np.float64) - x.max(axis=over, keepdims=True)
    total = np.exp(away).sum(axis=over, keepdims=True)
    expected = away - np.log(total) if logarithm else np.exp(away) / total
    operation = SoftmaxAlong(0 in axes, 1 in axes, 2 in axes, logarithm)
    check(operation, [x], expected, 1e-6)


@pytest.mark.parametrize("axis", AXES)
def test_constant_indices(axis: AxisName) -> None:
    """Those beside the map, and what is no number, count for the nearest that is on it."""
    x, number = random_map((5, 6, 19)), AXES.index(axis)
    indices = np.array([4, 0, 0, 2, 3, 1, 4], np.float32)
    check(Gather(axis, 7), [x], x.take(indices.astype(int), number), 0, {"indices": indices})
    strange = np.array([-3, 1e30, np.nan], np.float32)
    expected = x.take([0, x.shape[number] - 1, 0], number)
    check(Gather(axis, 3), [x], expected, 0, {"indices": strange})


@settings(max_examples=20)
@given(
    st.sampled_from([0, 1]),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(1, 5),
    st.sampled_from([1, 4, 17]),
)
def test_maps_below_each_other_and_side_by_side(
    axis: int, lengths: list[int], other: int, channels: int
) -> None:
    shapes = [(n, other, channels) if axis == 0 else (other, n, channels) for n in lengths]
    maps = [random_map(shape, n) for n, shape in enumerate(shapes)]
    operation = ConcatenatePositions(AXES[axis])
    check(operation, maps, np.concatenate(maps, axis))


def test_what_does_not_suit_is_refused() -> None:
    shape = Shape(2, 3, 10)
    for operation, said in (
        (Normalize(3), "split into 3 groups"),
        (Normalize(1, -1.0), "epsilon is at least 0"),
        (SoftmaxAlong(), "there must be an axis"),
    ):
        with pytest.raises(InputError, match=said):
            operation.output_shape((shape,))
    with pytest.raises(InputError, match="the maps differ"):
        ConcatenatePositions("rows").output_shape((shape, Shape(2, 4, 10)))
    with pytest.raises(InputError, match="operator of their own"):
        ConcatenatePositions("channels").output_shape((shape, shape))
