"""Convolutions, and what all operators share that slide a window."""

from __future__ import annotations

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.maps.computed_weights import convolved
from ftdist.network.onnx.translators.maps.frames import of_frames, over_depth
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution

Given = list[Value | None]


def sides(node: Node, kernel: tuple[int, ...], shape: tuple[int, int]) -> tuple[Window, Window]:
    """The windows of a node over a map of that height and width; one dim means columns."""
    count = len(kernel)
    found = [side(node, kernel, axis, length) for axis, length in enumerate(shape[-count:])]
    return (found[0], found[1]) if count == 2 else (Window(1), found[0])


def side(node: Node, kernel: tuple[int, ...], axis: int, length: int) -> Window:
    """The window of a node over one of its axes, which is so long."""
    count = len(kernel)
    strides = node.integers("strides", (1,) * count)
    dilations = node.integers("dilations", (1,) * count)
    pads = node.integers("pads", (0,) * 2 * count)
    if len(pads) != 2 * count or len(strides) != count or len(dilations) != count:
        raise Unsupported("pads, strides and kernel_shape: they differ in length")
    if min((*kernel, *strides, *dilations)) < 1 or min(pads) < 0:
        raise Unsupported("pads or strides: some are negative, or a stride is 0")
    size, stride, dilation = kernel[axis], strides[axis], dilations[axis]
    before, after = pads[axis], pads[count + axis]
    auto = node.word("auto_pad", "NOTSET")
    if auto == "VALID":
        before = after = 0
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        extent = (size - 1) * dilation + 1
        total = max(0, (-(-length // stride) - 1) * stride + extent - length)
        before = total // 2 if auto == "SAME_UPPER" else total - total // 2
        after = total - before
    elif auto != "NOTSET":
        raise Unsupported(f"auto_pad: {auto}")
    return Window(size, stride, dilation, before, after)


def as_map(building: Building, value: Tensor) -> int:
    """The step whose map is (1, channels, height, width), or (1, channels, columns)."""
    if value.rank == 3:
        value = Tensor(value.step, (*value.dims[:2], (), value.dims[2]))
    return building.map(value)


def as_before(building: Building, step: int, rank: int) -> Tensor:
    """A map as a tensor of the rank that the operator's input had."""
    found = building.planar(step)
    return found if rank == 4 else Tensor(step, (*found.dims[:2], found.dims[3]))


def _kernel(weights: Array, rank: int) -> tuple[int, ...]:
    if weights.ndim != rank or rank not in (3, 4, 5):
        raise Unsupported(f"convolutions over {rank - 2} axes are not supported, 1 to 3 are")
    return tuple(weights.shape[2:])


@translates("Conv")
def _convolution(building: Building, node: Node, given: Given) -> Value:
    if isinstance(given[1], Tensor):
        return convolved(building, node, given, given[1])
    value = tensor(given[0])
    weights = constant(given[1], "the weight")
    kernel = _kernel(weights, value.rank)
    bias = np.zeros(len(weights), np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = constant(given[2], "the bias").reshape(-1)
    groups, channels = node.integer("group", 1), value.shape[1]
    if groups < 1 or weights.shape[1] * groups != channels or len(bias) != len(weights):
        raise Unsupported(f"weights of {weights.shape} do not suit {channels} channels")
    if value.rank == 5:
        all_sides = [side(node, kernel, axis, each) for axis, each in enumerate(value.shape[2:])]
        return over_depth(building, value, groups, (weights, bias), all_sides)
    named = {"weights": lambda: weights, "bias": lambda: bias}
    size = (value.shape[2] if value.rank == 4 else 1), value.shape[-1]
    window = Sliding(*sides(node, kernel, size))
    if value.shape[0] > 1:
        return of_frames(building, value, len(weights), groups, window, named)
    operation = Convolution(len(weights), window, groups)
    step = building.add(operation, [as_map(building, value)], named)
    return as_before(building, step, value.rank)
