"""Convolutions whose weights the network computes: trackers' templates, modulated and dynamic ones.

What lies under the window is spread into channels by a convolution of single ones, and the rest is
a product of two maps, (groups, filters, taps) times (groups, taps, positions).
"""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, tensor
from ftdist.network.onnx.registry import made
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor, transposed

Given = list[Value | None]


def convolved(building: Building, node: Node, given: Given, weights: Tensor) -> Tensor:
    """The convolution of a node by weights (filters, channels / groups, taps ...) of a map."""
    value, groups = as_tensor(building, given[0]), node.integer("group", 1)
    filters, channels, *kernel = weights.shape
    suits = value.rank == weights.rank and value.shape[0] == 1
    if not suits or groups < 1 or value.shape[1] != channels * groups or filters % groups:
        raise Unsupported(f"weights of {weights.shape} do not suit a value of {value.shape}")
    spread = _spread(building, node, value, tuple(kernel))
    taps = channels * int(np.prod(kernel))
    columns = _reshaped(building, spread, (groups, taps, -1))
    rows = _reshaped(building, weights, (groups, filters // groups, taps))
    product = made(building, "MatMul", [rows, columns])
    found = _reshaped(building, product, (1, filters, *spread.shape[2:]))
    return _with_bias(building, found, given[2] if len(given) > 2 else None)


def _with_bias(building: Building, found: Tensor, bias: Value | None) -> Tensor:
    if bias is None:
        return found
    lying = (1, found.shape[1], *(1 for _ in found.shape[2:]))
    if isinstance(bias, Tensor):
        return paired(building, "add", found, _reshaped(building, bias, lying))
    return paired(building, "add", found, bias.astype(np.float32).reshape(lying))


def spread_out(building: Building, node: Node, given: Given, weights: Tensor) -> Tensor:
    """The transposed convolution by weights (channels, filters / groups, taps ...) of a map: what
    each tap adds is a product, and is put to its place by a transposed convolution of ones."""
    value, groups = as_tensor(building, given[0]), node.integer("group", 1)
    channels, own, *kernel = weights.shape
    suits = value.rank == weights.rank and value.shape[:2] == (1, channels)
    if not suits or groups < 1 or channels % groups:
        raise Unsupported(f"weights of {weights.shape} do not suit a value of {value.shape}")
    taps = int(np.prod(kernel))
    columns = _reshaped(building, value, (groups, channels // groups, -1))
    rows = _reshaped(building, weights, (groups, channels // groups, own * taps))
    product = made(building, "MatMul", [transposed(rows, (0, 2, 1)), columns])
    maps = _reshaped(building, product, (1, groups * own * taps, *value.shape[2:]))
    ones = np.tile(np.eye(taps, dtype=np.float32), (groups * own, 1)).reshape(-1, 1, *kernel)
    attributes = {**node.attributes, "group": groups * own, "kernel_shape": tuple(kernel)}
    found = made(building, "ConvTranspose", [maps, ones], attributes)
    return _with_bias(building, found, given[2] if len(given) > 2 else None)


def _spread(building: Building, node: Node, value: Tensor, kernel: tuple[int, ...]) -> Tensor:
    """All that a window sees at a position, as channels: channel by channel, tap by tap."""
    taps, channels = int(np.prod(kernel)), value.shape[1]
    ones: Array = np.eye(taps, dtype=np.float32).reshape(taps, 1, *kernel)
    attributes = {**node.attributes, "group": channels, "kernel_shape": kernel}
    return made(building, "Conv", [value, np.concatenate([ones] * channels)], attributes)


def _reshaped(building: Building, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    return made(building, "Reshape", [value, np.array(shape, np.int64)])


def as_tensor(building: Building, value: Value | None) -> Tensor:
    """An operand as a tensor, where it may be a constant."""
    if isinstance(value, np.ndarray):
        return building.constant(value.astype(np.float32))
    return tensor(value)
