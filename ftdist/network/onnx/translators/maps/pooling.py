"""Pools over windows and over whole maps.

Pools over three axes are pools over two and then over the third: maxima of maxima, sums of sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value, tensor
from ftdist.network.onnx.registry import channel_by_channel, translates
from ftdist.network.onnx.translators.maps.padding import padded
from ftdist.network.onnx.translators.maps.windows import as_before, as_map, side
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import scaled
from ftdist.network.onnx.translators.values.reductions import reduced, reduced_axes
from ftdist.network.onnx.views import Tensor, full
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution, Pool

Given = list[Value | None]


def pool_windows(node: Node, value: Tensor) -> tuple[list[Window], list[Window]]:
    """The windows of a pool, as they are said and with as much behind them as it takes."""
    kernel = node.integers("kernel_shape")
    if len(kernel) != value.rank - 2 or len(kernel) not in (1, 2, 3):
        raise Unsupported(f"kernel_shape: pools over {len(kernel)} axes are not supported")
    windows = [side(node, kernel, axis, length) for axis, length in enumerate(value.shape[2:])]
    if not node.integer("ceil_mode"):
        return windows, windows
    lengths = value.shape[2:]
    return windows, [_ceiled(each, length) for each, length in zip(windows, lengths, strict=True)]


@translates("MaxPool", "AveragePool", "LpPool")
@channel_by_channel
def _pool(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    own, windows = pool_windows(node, value)
    if node.kind == "LpPool":
        return _powers(building, value, windows, float(node.integer("p", 2)))
    mode: Literal["max", "average"] = "max" if node.kind == "MaxPool" else "average"
    counted = mode == "average" and bool(node.integer("count_include_pad"))
    if counted and windows != own:
        # What a last window has behind the padding counts nothing: the padding becomes positions.
        pairs = list(zip(own, windows, strict=True))
        around = {
            at + 2: (given.pad_before, min(given.pad_after, wide.pad_after))
            for at, (given, wide) in enumerate(pairs)
        }
        value = padded(building, value, around, "constant", 0.0)
        windows = [
            Window(w.kernel, w.stride, w.dilation, 0, max(0, w.pad_after - given.pad_after))
            for given, w in pairs
        ]
        counted = False
    return _pooled(building, value, windows, mode, counted)


def _pooled(
    building: Building,
    value: Tensor,
    windows: Sequence[Window],
    mode: Literal["max", "average"],
    counted: bool,
) -> Tensor:
    if len(windows) == 3:
        first, *others = windows
        value = _over_slices(building, value, [2], [first], mode, counted)
        return _over_slices(building, value, [3, 4], others, mode, counted)
    step = as_map(building, value)
    operation = Pool(mode, _sliding(windows), counted)
    return as_before(building, building.add(operation, [step]), value.rank)


def _over_slices(
    building: Building,
    value: Tensor,
    axes: list[int],
    windows: Sequence[Window],
    mode: Literal["max", "average"],
    counted: bool,
) -> Tensor:
    """A pool over some dims, all others being channels."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    value = building.grouped(value, axes[:-1], axes[-1:], rest)
    step = building.add(Pool(mode, _sliding(windows), counted), [value.step])
    dims = list(value.dims)
    shape = building.shape(step)
    sizes = (shape.height, shape.width)[-len(axes) :]
    for axis, name, length in zip(axes, "hw"[-len(axes) :], sizes, strict=True):
        dims[axis] = full(name, length)  # type: ignore[arg-type]
    return Tensor(step, tuple(dims))


def _sliding(windows: Sequence[Window]) -> Sliding:
    return Sliding(windows[0] if windows[1:] else Window(1), windows[-1])


def _powers(building: Building, value: Tensor, windows: Sequence[Window], p: float) -> Tensor:
    """The p-th root of the sum of p-th powers."""
    if not 1 <= p <= 64:
        raise Unsupported(f"p: {p:g}; 1 to 64 are supported")
    raised = _raised(building, applied(building, value, "abs"), p)
    if len(windows) == 3:
        mean = _pooled(building, raised, windows, "average", counted=True)
        count = windows[0].kernel * windows[1].kernel * windows[2].kernel
        return _raised(building, scaled(building, mean, count), 1 / p)
    step = as_map(building, raised)
    channels = building.shape(step).channels
    sliding = _sliding(windows)
    taps = channels, 1, sliding.vertical.kernel, sliding.horizontal.kernel
    weights = {
        "weights": lambda: np.ones(taps, np.float32),
        "bias": lambda: np.zeros(channels, np.float32),
    }
    made = building.add(Convolution(channels, sliding, channels), [step], weights)
    return _raised(building, as_before(building, made, value.rank), 1 / p)


def _raised(building: Building, value: Tensor, power: float) -> Tensor:
    if power == 1:
        return value
    if power == 0.5:
        return applied(building, value, "sqrt")
    return paired(building, "power", value, np.array(power, np.float32))


@translates("GlobalLpPool")
def _global_power(building: Building, node: Node, given: Given) -> Value:
    value, p = tensor(given[0]), float(node.integer("p", 2))
    raised = _raised(building, applied(building, value, "abs"), p)
    total = reduced(building, raised, "sum", tuple(range(2, value.rank)), keep=True)
    return _raised(building, total, 1 / p)


def _ceiled(window: Window, length: int) -> Window:
    """With as much padding after as a last window needs that begins on the map."""
    total = length + window.pad_before + window.pad_after - window.extent
    count = -(-total // window.stride) + 1
    if (count - 1) * window.stride >= length + window.pad_before:
        count -= 1
    after = (count - 1) * window.stride + window.extent - length - window.pad_before
    return Window(window.kernel, window.stride, window.dilation, window.pad_before, max(0, after))


@translates("GlobalAveragePool", "GlobalMaxPool")
@channel_by_channel
def _global(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    mode: Literal["max", "average"] = "max" if "Max" in node.kind else "average"
    if value.rank > 4:
        axes = tuple(range(2, value.rank))
        return reduced(building, value, "max" if mode == "max" else "mean", axes, keep=True)
    step = as_map(building, value)
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
