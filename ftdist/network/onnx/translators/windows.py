"""Operators that slide a window: convolutions, transposed ones, pools."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.registry import (
    Array,
    Node,
    Unsupported,
    Value,
    constant,
    tensor,
    translates,
)
from ftdist.network.onnx.translators.reductions import reduced, reduced_axes
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.resampling import Crop, DepthToSpace
from ftdist.network.operators.windows import Convolution, Pool

Given = list[Value | None]


def sides(node: Node, kernel: tuple[int, ...], shape: tuple[int, int]) -> tuple[Window, Window]:
    """The windows of a node over a map of that height and width; one dim means columns."""
    count = len(kernel)
    strides = node.integers("strides", (1,) * count)
    dilations = node.integers("dilations", (1,) * count)
    pads = node.integers("pads", (0,) * 2 * count)
    if len(pads) != 2 * count or len(strides) != count or len(dilations) != count:
        raise Unsupported("pads, strides and kernel_shape: they differ in length")
    if min((*kernel, *strides, *dilations)) < 1 or min(pads) < 0:
        raise Unsupported("pads or strides: some are negative")
    found = []
    for axis, length in enumerate(shape[-count:]):
        size, stride, dilation = kernel[axis], strides[axis], dilations[axis]
        before, after = pads[axis], pads[count + axis]
        extent = (size - 1) * dilation + 1
        auto = node.word("auto_pad", "NOTSET")
        if auto == "VALID":
            before = after = 0
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            total = max(0, (-(-length // stride) - 1) * stride + extent - length)
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
            after = total - before
        elif auto != "NOTSET":
            raise Unsupported(f"auto_pad: {auto}")
        found.append(Window(size, stride, dilation, before, after))
    return (found[0], found[1]) if count == 2 else (Window(1), found[0])


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
    if weights.ndim != rank or rank not in (3, 4):
        raise Unsupported(f"convolutions over {rank - 2} axes are not supported, 1 and 2 are")
    return tuple(weights.shape[2:])


@translates("Conv")
def _convolution(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    weights = constant(given[1], "the weight")
    kernel = _kernel(weights, value.rank)
    bias = np.zeros(len(weights), np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = constant(given[2], "the bias").reshape(-1)
    step = as_map(building, value)
    shape, groups = building.shape(step), node.integer("group", 1)
    if groups < 1 or weights.shape[1] * groups != shape.channels or len(bias) != len(weights):
        raise Unsupported(f"weights of {weights.shape} do not suit {shape.channels} channels")
    window = Sliding(*sides(node, kernel, shape[:2]))
    operation = Convolution(len(weights), window, groups)
    named = {"weights": lambda: weights, "bias": lambda: bias}
    return as_before(building, building.add(operation, [step], named), value.rank)


@translates("ConvTranspose")
def _transposed(building: Building, node: Node, given: Given) -> Value:
    """As a convolution that makes all phases of the stride as channels, which become positions.

    Output position o = stride * i - pad + k; those of one phase (o + pad) % stride read k = phase +
    stride * t of position (o + pad) // stride - t: a window of ceil(kernel / stride) taps. What the
    padding takes off, and what output_padding adds, is a crop.
    """
    value = tensor(given[0])
    weights = constant(given[1], "the weight")
    if weights.ndim != 4 or value.rank != 4:
        raise Unsupported("only transposed convolutions over two axes are supported")
    if set(node.integers("dilations", (1, 1))) != {1}:
        raise Unsupported("dilations: a transposed convolution of dilation 1 is needed")
    step = building.map(value)
    shape, groups = building.shape(step), node.integer("group", 1)
    strides = node.integers("strides", (1, 1))
    if len(strides) != 2 or strides[0] != strides[1] or strides[0] < 1:
        raise Unsupported("strides: the same is needed on both axes")
    if len(weights) != shape.channels or groups < 1 or len(weights) % groups:
        raise Unsupported(f"weights of {weights.shape} do not suit {shape.channels} channels")
    stride, filters = strides[0], weights.shape[1] * groups
    bias = np.zeros(filters, np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = constant(given[2], "the bias").reshape(-1)
    places = [_place(node, axis, shape[axis], weights.shape[2 + axis]) for axis in (0, 1)]
    taps = [-(-weights.shape[2 + axis] // stride) for axis in (0, 1)]
    windows = []
    for (before, length), tap, axis in zip(places, taps, (0, 1), strict=True):
        reach = -(-(before + length) // stride)  # positions of the convolution that are needed
        after = max(0, reach - shape[axis])
        windows.append(Window(tap, 1, 1, tap - 1, after))
    operation = Convolution(stride * stride * filters, Sliding(windows[0], windows[1]))
    named = {
        "weights": lambda: _phases(weights, stride, groups, taps),
        "bias": lambda: np.tile(bias, stride * stride),
    }
    made = building.add(operation, [step], named)
    if stride > 1:
        made = building.add(DepthToSpace(stride), [made])
    (top, height), (left, width) = places
    if building.shape(made)[:2] != (height, width):
        made = building.add(Crop(height, width, top, left), [made])
    return building.planar(made)


def _place(node: Node, axis: int, length: int, kernel: int) -> tuple[int, int]:
    """(positions cut off before, output positions) of a transposed convolution on an axis."""
    stride = node.integers("strides", (1, 1))[axis]
    extra = node.integers("output_padding", (0, 0))[axis]
    pads = node.integers("pads", (0, 0, 0, 0))
    full = (length - 1) * stride + kernel + extra
    auto = node.word("auto_pad", "NOTSET")
    shape = node.integers("output_shape")
    if shape:
        total = full - shape[-2:][axis]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        total = full - length * stride
    elif auto == "VALID":
        total = 0
    else:
        return _sound(pads[axis], full - pads[axis] - pads[2 + axis])
    total = max(0, total)
    half = total // 2 if auto == "SAME_UPPER" else total - total // 2
    if shape and auto != "SAME_UPPER":
        half = total - total // 2
    return _sound(half, full - total)


def _sound(before: int, length: int) -> tuple[int, int]:
    if before < 0 or length < 1:
        raise Unsupported("pads: nothing would be left")
    return before, length


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


@translates("MaxPool", "AveragePool")
def _pool(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    if len([name for name in node.outputs if name]) > 1:
        raise Unsupported("its second output (indices)")
    kernel = node.integers("kernel_shape")
    if len(kernel) != value.rank - 2 or len(kernel) not in (1, 2):
        raise Unsupported(f"kernel_shape: pools over {len(kernel)} axes are not supported")
    step = as_map(building, value)
    shape = building.shape(step)
    vertical, horizontal = sides(node, kernel, shape[:2])
    if node.integer("ceil_mode"):
        vertical = _ceiled(vertical, shape.height)
        horizontal = _ceiled(horizontal, shape.width)
    counted = bool(node.integer("count_include_pad"))
    padded = any(w.pad_before or w.pad_after for w in (vertical, horizontal))
    if counted and padded and node.integer("ceil_mode"):
        raise Unsupported("count_include_pad with ceil_mode")
    mode: Literal["max", "average"] = "max" if node.kind == "MaxPool" else "average"
    operation = Pool(mode, Sliding(vertical, horizontal), counted and mode == "average")
    return as_before(building, building.add(operation, [step]), value.rank)


def _ceiled(window: Window, length: int) -> Window:
    """With as much padding after as a last window needs that begins on the map."""
    total = length + window.pad_before + window.pad_after - window.extent
    count = -(-total // window.stride) + 1
    if (count - 1) * window.stride >= length + window.pad_before:
        count -= 1
    after = (count - 1) * window.stride + window.extent - length - window.pad_before
    return Window(window.kernel, window.stride, window.dilation, window.pad_before, max(0, after))


@translates("GlobalAveragePool", "GlobalMaxPool")
def _global(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    step = as_map(building, value)
    mode: Literal["max", "average"] = "max" if "Max" in node.kind else "average"
    return as_before(building, building.add(_whole(building.shape(step), mode), [step]), value.rank)


def _whole(shape: Shape, mode: Literal["max", "average"]) -> Pool:
    return Pool(mode, Sliding(Window(shape.height), Window(shape.width)))


@translates("ReduceMean", "ReduceMax")
def _reduce(building: Building, node: Node, given: Given) -> Value:
    return _over(building, node, given, "max" if node.kind == "ReduceMax" else "average")


def _over(building: Building, node: Node, given: Given, mode: Literal["max", "average"]) -> Tensor:
    """Over all rows and columns it is a pool of the whole map."""
    value = tensor(given[0])
    chosen = reduced_axes(node, given, value.rank)
    if not chosen and value.rank and node.integer("noop_with_empty_axes"):
        return value
    atoms = {atom for axis in chosen for atom in value.dims[axis]}
    shape = building.shape(value.step)
    rows_and_columns = {
        atom
        for name, length in (("h", shape.height), ("w", shape.width))
        for atom in ((name, length, 1),)
        if length > 1
    }
    keep = bool(node.integer("keepdims", 1))
    beside = atoms - rows_and_columns
    if rows_and_columns and beside and atoms > rows_and_columns:
        # Over channels too: those of the pool.
        pooled = building.add(_whole(shape, mode), [value.step])
        left = tuple(tuple(atom for atom in dim if atom.axis == "c") for dim in value.dims)
        return reduced(
            building, Tensor(pooled, left), "max" if mode == "max" else "mean", chosen, keep
        )
    if atoms != rows_and_columns:
        return reduced(building, value, "max" if mode == "max" else "mean", chosen, keep)
    step = building.add(_whole(shape, mode), [value.step])
    kept = [() if axis in chosen else dim for axis, dim in enumerate(value.dims)]
    if not keep:
        kept = [dim for axis, dim in enumerate(kept) if axis not in chosen]
    return Tensor(step, tuple(kept))
