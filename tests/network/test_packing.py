"""Packed weights: element by element where the layout says, zeros between, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftdist.geometry import Shape, Window
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.network.packing import BLOCKS

Case = tuple[Convolution, Shape, np.ndarray, np.ndarray]


def with_values(operation: Convolution, source: Shape) -> Case:
    """Weights and biases that all differ from each other, none of them zero."""
    shape = operation.weights(source)["weights"]
    count = int(np.prod(shape))
    weights = np.arange(1, count + 1, dtype=np.float32).reshape(shape)
    return operation, source, weights, -np.arange(1, operation.filters + 1, dtype=np.float32)


def pack(*case: Any) -> tuple[np.ndarray, np.ndarray]:
    operation, source, weights, bias = case
    packed = BLOCKS.pack(operation, source, {"weights": weights, "bias": bias})
    return packed["weights"], packed["bias"]


def packed_sizes(operation: Convolution, source: Shape) -> tuple[int, ...]:
    return tuple(BLOCKS.sizes(operation, source).values())


@some.composite
def cases(draw: some.DrawFn) -> Case:
    """Any number of groups, depthwise and one group most of all; windows need not be square."""
    groups = draw(some.sampled_from([1, 1, 2, 3, 7, 16, 33]))
    depth = draw(some.integers(1, 5))
    own = draw(some.sampled_from([1, 2, 15, 16, 17, 33]))
    if draw(some.booleans()):
        depth = own = 1
    size = some.integers(1, 3)
    window = Sliding(Window(draw(size)), Window(draw(size)))
    return with_values(Convolution(groups * own, window, groups), Shape(9, 9, groups * depth))


@given(cases())
def test_unpacking_gives_back_what_was_packed(case: Case) -> None:
    operation, source, weights, bias = case
    named = {"weights": weights, "bias": bias}
    unpacked = BLOCKS.unpack(operation, source, BLOCKS.pack(operation, source, named))
    np.testing.assert_array_equal(unpacked["weights"], weights)
    np.testing.assert_array_equal(unpacked["bias"], bias)


@given(cases())
def test_each_weight_lies_where_the_layout_says_and_zeros_between(case: Case) -> None:
    operation, source, weights, bias = case
    filters, depth, rows, columns = weights.shape
    depthwise = 1 < operation.groups == source.channels == filters
    groups = 1 if depthwise else operation.groups
    own = filters // groups
    blocks = (own + 15) // 16
    expected = np.zeros(groups * blocks * rows * columns * depth * 16, np.float32)
    expected_bias = np.zeros(groups * blocks * 16, np.float32)
    for oc in range(filters):
        group, within = divmod(oc, own)
        block, lane = group * blocks + within // 16, within % 16
        expected_bias[block * 16 + lane] = bias[oc]
        for ic in range(depth):
            for ky in range(rows):
                for kx in range(columns):
                    at = (((block * rows + ky) * columns + kx) * depth + ic) * 16 + lane
                    expected[at] = weights[oc, ic, ky, kx]
    packed = pack(operation, source, weights, bias)
    np.testing.assert_array_equal(packed[0], expected)
    np.testing.assert_array_equal(packed[1], expected_bias)
    assert packed_sizes(operation, source) == (expected.size, expected_bias.size)


def test_a_small_convolution_by_hand() -> None:
    """17 filters of 1x2 over 2 channels: two blocks, the second with one lane in use."""
    window = Sliding(Window(1), Window(2))
    operation, source, weights, bias = with_values(Convolution(17, window), Shape(4, 4, 2))
    packed, packed_bias = pack(operation, source, weights, bias)
    assert packed.size == 2 * 2 * 2 * 16
    blocks = packed.reshape(2, 2, 2, 16)
    assert blocks[0, 1, 0].tolist() == weights[:16, 0, 0, 1].tolist()
    assert blocks[1, 0, 1].tolist() == [weights[16, 1, 0, 0]] + [0] * 15
    assert packed_bias[16:].tolist() == [-17] + [0] * 15


def test_depthwise_filters_share_blocks_and_grouped_ones_do_not() -> None:
    window = Sliding.square(3)
    depthwise, source = Convolution(20, window, groups=20), Shape(8, 8, 20)
    assert packed_sizes(depthwise, source) == (2 * 9 * 16, 32)
    grouped = Convolution(40, window, groups=20)
    assert packed_sizes(grouped, source) == (20 * 9 * 16, 20 * 16)


@pytest.mark.parametrize(("outputs", "groups"), [(1040, 1), (1033, 1), (1040, 2), (7, 1)])
def test_pieces_are_what_is_packed(outputs: int, groups: int) -> None:
    operation = Convolution(outputs, Sliding.square(1), groups)
    source = Shape(1, 1, 2048 * groups)
    weights = np.random.default_rng(0).random((outputs, 2048, 1, 1), np.float32)
    named = {"weights": weights, "bias": weights[:, 0, 0, 0]}
    packed = BLOCKS.pack(operation, source, named)
    for whole, pieces in zip(packed.values(), BLOCKS.pieces(operation, source, named), strict=True):
        parts = list(pieces)
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert len(parts) == 1 or max(each.nbytes for each in parts) <= 2 << 20
    if outputs > 1000 and groups == 1:
        assert len(list(next(iter(BLOCKS.pieces(operation, source, named))))) == 5
