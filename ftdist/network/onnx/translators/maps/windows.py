"""Operators that slide a window with weights: convolutions, and transposed ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import frame_by_frame, made, translates
from ftdist.network.onnx.translators.maps.computed_weights import convolved
from ftdist.network.onnx.translators.maps.frames import of_frames, over_depth
from ftdist.network.onnx.views import Tensor, full, spread
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.resampling import Crop, DepthToSpace
from ftdist.network.operators.transposed import TransposedConvolution
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


@translates("ConvTranspose")
def _transposed_batch(building: Building, node: Node, given: Given) -> Value:
    """Where windows neither overlap nor are cut, frames may lie one below the other."""
    value, kernel = tensor(given[0]), constant(given[1], "the weight").shape[2:]
    strides = node.integers("strides", (1,) * len(kernel))
    known = {*node.attributes} <= {"strides", "kernel_shape", "group", "opset", "pads", "dilations"}
    alone = known and kernel == strides and not any(node.integers("pads"))
    frames = value.shape[0]
    if not alone or value.rank != 4 or frames == 1:
        found = frame_by_frame(_transposed)(building, node, given)
        return found[0] if isinstance(found, list) else found
    step = building.grouped(value, [0, 2], [3], [1]).step
    found = tensor(_transposed(building, node, [building.planar(step), *given[1:]]))
    _, channels, rows, columns = found.shape
    found = building.grouped(found, [2], [3], [1])
    number, row = spread("h", [frames, rows // frames])
    return Tensor(found.step, (number, full("c", channels), row, full("w", columns)))


@translates("Col2Im")
def _blocks_to_map(building: Building, node: Node, given: Given) -> Value:
    """Blocks that may overlap are added where they lie: a transposed convolution each of whose taps
    takes a channel of its own."""
    value = tensor(given[0])
    image, block = (whole(given[at], name) for at, name in ((1, "image_shape"), (2, "block_shape")))
    if len(image) != 2 or value.rank != 3:
        raise Unsupported(f"over {len(image)} axes; 2 are supported")
    strides, dilations = (node.integers(name, (1, 1)) for name in ("strides", "dilations"))
    pads, taps = node.integers("pads", (0, 0, 0, 0)), math.prod(block)
    places, more = zip(
        *(
            divmod(size + before + behind - dilation * (kernel - 1) - 1, stride)
            for size, kernel, stride, dilation, before, behind in zip(
                image, block, strides, dilations, pads[:2], pads[2:], strict=True
            )
        ),
        strict=True,
    )
    counts = [each + 1 for each in places]
    channels = value.shape[1] // taps
    if (channels * taps, math.prod(counts)) != value.shape[1:]:
        raise Unsupported(f"blocks {value.shape} do not make a map of {image}")
    maps = building.reshaped(value, (*value.shape[:2], *counts))
    own = np.tile(np.eye(taps, dtype=np.float32), (channels, 1)).reshape(-1, 1, *block)
    how = {"strides": strides, "dilations": dilations, "pads": pads, "output_padding": more}
    return made(building, "ConvTranspose", [maps, own], {**how, "group": channels})


def _transposed(building: Building, node: Node, given: Given) -> Value:
    """Of one stride, without dilation and groups it is a convolution that makes all phases of the
    stride as channels, which become positions; else an operator of its own.
    """
    value = tensor(given[0])
    weights = constant(given[1], "the weight")
    groups, count = node.integer("group", 1), weights.ndim - 2
    if weights.ndim != value.rank or count not in (1, 2):
        raise Unsupported(f"over {count} axes; 1 and 2 are supported")
    step = as_map(building, value)
    shape = building.shape(step)
    if len(weights) != shape.channels or groups < 1 or len(weights) % groups:
        raise Unsupported(f"weights of {weights.shape} do not suit {shape.channels} channels")
    bias = np.zeros(weights.shape[1] * groups, np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = constant(given[2], "the bias").reshape(-1)
    sides = [_spread_side(node, axis, shape[2 - count + axis], weights) for axis in range(count)]
    if count == 1:
        weights = weights.reshape(*weights.shape[:2], 1, -1)
        sides.insert(0, _Side(Window(1), 0, 1))
    rows, columns = sides
    plain = rows.window.stride == columns.window.stride and groups == 1
    if plain and rows.window.dilation == columns.window.dilation == 1:
        return as_before(building, _by_phases(building, step, weights, bias, sides), value.rank)
    operation = TransposedConvolution(
        len(bias),
        Sliding(rows.cut(shape.height), columns.cut(shape.width)),
        groups,
        more_rows=rows.more(shape.height),
        more_columns=columns.more(shape.width),
    )
    named = {"weights": lambda: _turned(weights, groups), "bias": lambda: bias}
    return as_before(building, building.add(operation, [step], named), value.rank)


def _turned(weights: Array, groups: int) -> Array:
    """Weights (channels, filters / groups, ...) as (filters, channels / groups, ...)."""
    split = weights.reshape(groups, -1, *weights.shape[1:]).swapaxes(1, 2)
    return split.reshape(-1, *split.shape[2:])


@dataclass(frozen=True, slots=True)
class _Side:
    """One axis of a transposed convolution: of what its taps reach, `length` positions are left
    behind the first `before`; where it reaches less they are the bias."""

    window: Window
    before: int
    length: int

    def _reached(self, size: int) -> int:
        return (size - 1) * self.window.stride + self.window.extent - self.before

    def cut(self, size: int) -> Window:
        after = max(0, self._reached(size) - self.length)
        return replace(self.window, pad_before=self.before, pad_after=after)

    def more(self, size: int) -> int:
        return max(0, self.length - self._reached(size))


def _spread_side(node: Node, axis: int, length: int, weights: Array) -> _Side:
    count = weights.ndim - 2
    stride = node.integers("strides", (1,) * count)[axis]
    dilation = node.integers("dilations", (1,) * count)[axis]
    if min(stride, dilation) < 1:
        raise Unsupported("strides or dilations: some are below 1")
    window = Window(weights.shape[2 + axis], stride, dilation)
    extra = node.integers("output_padding", (0,) * count)[axis]
    pads = node.integers("pads", (0,) * 2 * count)
    full = (length - 1) * stride + window.extent + extra
    auto = node.word("auto_pad", "NOTSET")
    shape = node.integers("output_shape")
    if shape:
        made = shape[-count:][axis]
        if full - made > window.extent + stride:  # more than any padding
            raise Unsupported(f"output_shape: {made} is of another input's size, this makes {full}")
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        made = min(full, length * stride)
    elif auto == "VALID":
        made = full
    else:
        return _sound(window, pads[axis], full - pads[axis] - pads[count + axis])
    total = max(0, full - made)
    return _sound(window, total // 2 if auto == "SAME_UPPER" else total - total // 2, made)


def _sound(window: Window, before: int, length: int) -> _Side:
    if before < 0 or length < 1:
        raise Unsupported("pads: some are negative, or nothing would be left")
    return _Side(window, before, length)


def _by_phases(
    building: Building, step: int, weights: Array, bias: Array, sides: list[_Side]
) -> int:
    """Output position o = stride * i - pad + k; those of a phase (o + pad) % stride read k = phase
    + stride * t of position (o + pad) // stride - t: a window of ceil(kernel / stride) taps. What
    the padding takes off, and what output_padding adds, is a crop.
    """
    stride, shape = sides[0].window.stride, building.shape(step)
    taps = [-(-side.window.kernel // stride) for side in sides]
    windows = []
    for side, tap, length in zip(sides, taps, shape[:2], strict=True):
        reach = -(-(side.before + side.length) // stride)  # positions that are needed
        windows.append(Window(tap, 1, 1, tap - 1, max(0, reach - length)))
    operation = Convolution(stride * stride * len(bias), Sliding(windows[0], windows[1]))
    named = {
        "weights": lambda: _phases(weights, stride, 1, taps),
        "bias": lambda: np.tile(bias, stride * stride),
    }
    made = building.add(operation, [step], named)
    if stride > 1:
        made = building.add(DepthToSpace(stride), [made])
    rows, columns = sides
    if building.shape(made)[:2] != (rows.length, columns.length):
        crop = Crop(rows.length, columns.length, rows.before, columns.before)
        made = building.add(crop, [made])
    return made


def _phases(weights: Array, stride: int, groups: int, taps: list[int]) -> Array:
    """Weights (phases x filters, channels, taps, taps) of (channels, filters / groups, ky, kx)."""
    channels, own, height, width = weights.shape
    dense = np.zeros((channels, own * groups, taps[0] * stride, taps[1] * stride), weights.dtype)
    for group in range(groups):
        rows = slice(group * channels // groups, (group + 1) * channels // groups)
        dense[rows, group * own : (group + 1) * own, :height, :width] = weights[rows]
    split = dense.reshape(channels, own * groups, taps[0], stride, taps[1], stride)
    split = split[:, :, ::-1, :, ::-1]  # tap t reads t positions before
    return split.transpose(3, 5, 1, 0, 2, 4).reshape(
        stride * stride * own * groups, channels, taps[0], taps[1]
    )
