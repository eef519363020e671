"""Transposed convolutions: of each input position all taps are added to the output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import frame_by_frame, made, translates
from ftdist.network.onnx.translators.maps.computed_weights import spread_out
from ftdist.network.onnx.translators.maps.frames import of_frames
from ftdist.network.onnx.translators.maps.windows import as_before, as_map
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.views import Tensor, full, spread, transposed
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.resampling import Crop, DepthToSpace
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.draft import Read

Given = list[Value | None]


@translates("ConvTranspose")
def _transposed_batch(building: Building, node: Node, given: Given) -> Value:
    """Where windows neither overlap nor are cut, frames may lie one below the other."""
    if isinstance(given[1], Tensor):
        return spread_out(building, node, given, given[1])
    value, kernel = tensor(given[0]), constant(given[1], "the weight").shape[2:]
    if value.rank == 5:
        return _over_three_axes(building, node, value, given)
    strides = node.integers("strides", (1,) * len(kernel))
    known = {*node.attributes} <= {"strides", "kernel_shape", "group", "opset", "pads", "dilations"}
    alone = known and kernel == strides and not any(node.integers("pads"))
    frames = value.shape[0]
    if frames > 1 and value.rank == 4 and not alone:
        maps = _of_frames(building, node, value, given)
        if maps is not None:
            return maps
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


def _weights(node: Node, value: Tensor, given: Given) -> tuple[Array, Array, int]:
    """Weights, bias and groups."""
    weights, channels = constant(given[1], "the weight"), value.shape[1]
    groups, count = node.integer("group", 1), weights.ndim - 2
    if weights.ndim != value.rank or count not in (1, 2, 3):
        raise Unsupported(f"over {count} axes; 1 to 3 are supported")
    if len(weights) != channels or groups < 1 or len(weights) % groups:
        raise Unsupported(f"weights of {weights.shape} do not suit {channels} channels")
    bias = np.zeros(weights.shape[1] * groups, np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = constant(given[2], "the bias").reshape(-1)
    return weights, bias, groups


def _transposed(building: Building, node: Node, given: Given) -> Value:
    """Of one stride, without dilation and groups it is a convolution that makes all phases of the
    stride as channels, which become positions; else an operator of its own.
    """
    value = tensor(given[0])
    weights, bias, groups = _weights(node, value, given)
    count = weights.ndim - 2
    step = as_map(building, value)
    shape = building.shape(step)
    sides = [_spread_side(node, axis, shape[2 - count + axis], weights) for axis in range(count)]
    if count == 1:
        weights = weights.reshape(*weights.shape[:2], 1, -1)
        sides.insert(0, _Side(Window(1), 0, 1))
    rows, columns = sides
    if groups == 1 and _is_by_phases(rows.window, columns.window):
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


def _is_by_phases(rows: Window, columns: Window) -> bool:
    return rows.stride == columns.stride and rows.dilation == columns.dilation == 1


def _of_frames(building: Building, node: Node, value: Tensor, given: Given) -> Tensor | None:
    """Of all frames of a batch within the network as one layer; None where it has no phases."""
    weights, bias, groups = _weights(node, value, given)
    rows, columns = (_spread_side(node, axis, value.shape[2 + axis], weights) for axis in (0, 1))
    stride, filters = rows.window.stride, len(bias)
    if groups > 1 or not _is_by_phases(rows.window, columns.window):
        return None
    window, named = _phase_layer(weights, bias, [rows, columns], value.shape[2:])
    found = of_frames(building, value, stride * stride * filters, 1, window, named)
    frames, _, height, width = found.shape
    split = building.reshaped(found, (frames, stride, stride, filters, height, width))
    moved = transposed(split, (0, 3, 4, 1, 5, 2))
    found = building.reshaped(moved, (frames, filters, height * stride, width * stride))
    for axis, each in ((2, rows), (3, columns)):
        found = part(building, found, axis, range(each.before, each.before + each.length))
    return found


def _over_three_axes(building: Building, node: Node, value: Tensor, given: Given) -> Tensor:
    """Places of the first axis that read by the same taps are frames, and what these taps read lies
    side by side as channels: one layer over two axes for each phase of the first axis's stride."""
    if value.shape[0] > 1:
        raise Unsupported(f"its input is {value.shape}; a batch of one is needed")
    weights, bias, groups = _weights(node, value, given)
    deep = _spread_side(node, 0, value.shape[2], weights)
    sides = [_spread_side(node, axis, value.shape[2 + axis], weights) for axis in (1, 2)]
    around = np.array([0, 0, 0, 0, 0, 0, 0, 1, 0, 0])  # a frame of zeros behind all others
    padded = made(building, "Pad", [value, around])
    window, flat = deep.window, _over_two(sides, value.shape[3:], groups)
    parts: list[Value | None] = []
    order: list[int] = []
    for phase in range(min(window.stride, deep.length)):
        places = range((phase - deep.before) % window.stride, deep.length, window.stride)
        taps = [k for k in range(window.kernel) if k * window.dilation % window.stride == phase]
        frames = _met(building, padded, deep, places, taps)
        own = weights[:, :, taps].swapaxes(1, 2) if taps else np.zeros_like(weights[:, :, :1])
        own = own.reshape(-1, weights.shape[1], *weights.shape[3:])
        parts.append(made(building, "ConvTranspose", [frames, own, bias], flat))
        order += places
    joined = made(building, "Concat", parts, {"axis": 0})
    joined = made(building, "Gather", [joined, np.argsort(order)], {"axis": 0})
    frame, channel, *sizes = joined.dims
    return Tensor(joined.step, ((), channel, frame, *sizes))


def _over_two(sides: Sequence[_Side], sizes: Sequence[int], groups: int) -> dict[str, Any]:
    """The attributes of the same over the last two axes."""
    cut = [each.cut(size) for each, size in zip(sides, sizes, strict=True)]
    return {
        "strides": tuple(each.stride for each in cut),
        "dilations": tuple(each.dilation for each in cut),
        "pads": (*(each.pad_before for each in cut), *(each.pad_after for each in cut)),
        "output_padding": tuple(e.more(size) for e, size in zip(sides, sizes, strict=True)),
        "group": groups,
    }


def _met(building: Building, padded: Tensor, deep: _Side, places: range, taps: list[int]) -> Tensor:
    """The frames that taps of the first axis read for these places, those of a place side by side;
    the last one is all zeros."""
    window, count = deep.window, padded.shape[2] - 1
    found: list[Value | None] = []
    for tap in taps or [0]:
        numbers = [(each + deep.before - tap * window.dilation) // window.stride for each in places]
        inside = np.array([n if taps and 0 <= n < count else count for n in numbers])
        taken = made(building, "Gather", [padded, inside], {"axis": 2})
        found.append(building.reshaped(taken, (taken.shape[1], 1, *taken.shape[2:])))
    joined = made(building, "Concat", found, {"axis": 1})
    channels, own, frames, *sizes = joined.shape
    return transposed(building.reshaped(joined, (channels * own, frames, *sizes)), (1, 0, 2, 3))


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
    window, named = _phase_layer(weights, bias, sides, shape[:2])
    operation = Convolution(stride * stride * len(bias), window)
    made = building.add(operation, [step], named)
    if stride > 1:
        made = building.add(DepthToSpace(stride), [made])
    rows, columns = sides
    if building.shape(made)[:2] != (rows.length, columns.length):
        crop = Crop(rows.length, columns.length, rows.before, columns.before)
        made = building.add(crop, [made])
    return made


def _phase_layer(
    weights: Array, bias: Array, sides: Sequence[_Side], lengths: Sequence[int]
) -> tuple[Sliding, dict[str, Read]]:
    """The window of all phases over a map of these lengths, and their weights."""
    stride = sides[0].window.stride
    taps = [-(-side.window.kernel // stride) for side in sides]
    windows = []
    for side, tap, length in zip(sides, taps, lengths, strict=True):
        reach = -(-(side.before + side.length) // stride)  # positions that are needed
        windows.append(Window(tap, 1, 1, tap - 1, max(0, reach - length)))
    return Sliding(windows[0], windows[1]), {
        "weights": lambda: _phases(weights, stride, 1, taps),
        "bias": lambda: np.tile(bias, stride * stride),
    }


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
