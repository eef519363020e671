"""Operators that choose among values, and places that other values name."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, List
from ftdist.network.onnx.nodes import Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import OF_LISTS, made, translates
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import scaled
from ftdist.network.onnx.translators.values.reductions import reduced
from ftdist.network.onnx.views import Tensor, full, spread, transposed
from ftdist.network.operators.placing import RoiAlign, RoiPool
from ftdist.network.operators.selecting import (
    CumulateChannels,
    GridSample,
    Suppress,
    TopChannels,
)

Given = list[Value | None]


@translates("TopK")
def _top(building: Building, node: Node, given: Given) -> list[Value]:
    value = tensor(given[0])
    axis = node.integer("axis", -1) % value.rank
    if value.shape[axis] > LARGEST_SIDE and math.prod(value.shape) == value.shape[axis]:
        return _top_of_many(building, node, value, axis, given[1:])
    count = whole(given[1], "K")[0] if len(given) > 1 else node.integer("k")
    value = building.by_channels(value, axis)
    step = building.add(TopChannels(count, not node.integer("largest", 1)), [value.step])
    dims = list(value.dims)
    dims[axis] = full("c", 2 * count)
    both = Tensor(step, tuple(dims))
    parts = range(count), range(count, 2 * count)
    found: list[Value] = [part(building, both, axis, each) for each in parts]
    return found[: len(node.outputs)]


def _top_of_many(
    building: Building, node: Node, value: Tensor, axis: int, rest: Given
) -> list[Value]:
    """Of more values than a map has channels, as the places of all classes are: a full list's."""
    length = value.shape[axis]
    count = Count(building.constant(np.array(length, np.float32)), length)
    found = OF_LISTS["TopK"](building, node, [List(value, axis, count), *rest])
    return [each for each in found if isinstance(each, Tensor)] if isinstance(found, list) else []


@translates("CumSum")
def _sums_so_far(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axis = whole(given[1], "axis")[0] % value.rank
    value = building.by_channels(value, axis)
    operation = CumulateChannels(bool(node.integer("exclusive")), bool(node.integer("reverse")))
    return Tensor(building.add(operation, [value.step]), value.dims)


@translates("Hardmax")
def _largest_only(building: Building, node: Node, given: Given) -> Value:
    """1 at the place of the first largest, 0 elsewhere."""
    value = tensor(given[0])
    old = node.integer("opset", 13) < 13
    axis = node.integer("axis", 1 if old else -1) % value.rank
    if old and math.prod(value.shape[axis + 1 :]) > 1:
        raise Unsupported("axis: of several dims; export it with opset 13 or newer")
    place = reduced(building, value, "arg_max", (axis,), keep=True)
    numbers = np.arange(value.shape[axis], dtype=np.float32)
    line = numbers.reshape([-1 if at == axis else 1 for at in range(value.rank)])
    return paired(building, "equal", place, building.constant(line))


@translates("OneHot")
def _one_hot(building: Building, node: Node, given: Given) -> Value:
    """Of numbers that the network computes; those below zero count from the end."""
    value, depth = tensor(given[0]), whole(given[1], "depth")[0]
    off, on = (float(each) for each in constant(given[2], "values").ravel())
    axis = node.integer("axis", -1) % (value.rank + 1)
    if not 0 < depth <= LARGEST_SIDE:
        raise Unsupported(f"depth: {depth}")
    beside = paired(building, "less", value, np.zeros((), np.float32))
    value = paired(building, "add", value, scaled(building, beside, float(depth)))
    wide = Tensor(value.step, (*value.dims[:axis], (), *value.dims[axis:]))
    line = np.arange(depth, dtype=np.float32).reshape(depth, *[1] * (value.rank - axis))
    hot = paired(building, "equal", wide, building.constant(line))
    return scaled(building, hot, on - off, off)


def suppressed(building: Building, node: Node, given: Given) -> Value:
    """What NonMaxSuppression makes, as many rows as there can be: behind those that are chosen all
    numbers are -1."""
    boxes, scores = building.tensor(given[0], "boxes"), building.tensor(given[1], "scores")
    if boxes.rank != 3 or scores.rank != 3 or boxes.dims[0] or scores.dims[0]:
        raise Unsupported(f"boxes {boxes.shape} and scores {scores.shape}; one batch is needed")
    found = (*given, None, None, None)[2:5]
    most, overlap, threshold = (
        default if each is None else float(constant(each, name).ravel()[0])
        for each, name, default in zip(
            found,
            ("max_output_boxes_per_class", "iou_threshold", "score_threshold"),
            (0.0, 0.0, -3e38),
            strict=True,
        )
    )
    if most < 1:
        return np.zeros((0, 3), np.int64)
    maps = [building.grouped(each, [0], [1], [2]).step for each in (boxes, scores)]
    centered = bool(node.integer("center_point_box"))
    most_boxes = min(int(most), boxes.shape[1])
    operation = Suppress(most_boxes, overlap, max(threshold, -3e38), centered)
    step = building.add(operation, maps)
    return Tensor(step, (full("w", building.shape(step).width), full("c", 3)))


@translates("GridSample")
def _grid_sample(building: Building, node: Node, given: Given) -> Value:
    value, grid = tensor(given[0]), building.tensor(given[1], "the grid")
    mode = node.word("mode", "linear").removeprefix("bi")
    beside = node.word("padding_mode", "zeros")
    alike = value.rank == grid.rank in (4, 5) and grid.shape[0] == value.shape[0]
    if not alike or (value.rank == 5 and value.shape[0] > 1):
        raise Unsupported(f"its inputs are {value.shape} and {grid.shape}; maps are needed")
    if mode not in ("linear", "nearest", "cubic") or beside not in _BESIDE:
        raise Unsupported(f"mode: {mode} with {beside}")
    align, frames = bool(node.integer("align_corners")), value.shape[0]
    if value.rank == 5:
        how = mode, beside, align
        return _of_volume(building, value, grid, GridSample(*how, slices=value.shape[2]))  # type: ignore[arg-type]
    is_list = frames == 1 and grid.shape[1] > LARGEST_SIDE  # of places, one below the other
    rows, columns = ([0], [1, 2]) if is_list else ([0, 1], [2])
    maps = building.grouped(value, [0, 2], [3], [1]), building.grouped(grid, rows, columns, [3])
    operation = GridSample(mode, beside, align, frames)  # type: ignore[arg-type]
    step = building.add(operation, [each.step for each in maps])
    _, channels, _, wide = building.planar(step).dims
    count, high = spread("h", [frames, grid.shape[1]]) if not is_list else ((), ())
    if is_list:
        high, wide = spread("w", grid.shape[1:3])
    return Tensor(step, (count, channels, high, wide))


def _of_volume(building: Building, value: Tensor, grid: Tensor, operation: GridSample) -> Tensor:
    """At places (1, slices, rows, columns, 3) of (1, channels, slices, rows, columns)."""
    maps = building.grouped(value, [0, 2, 3], [4], [1]), building.grouped(grid, [0, 1, 2], [3], [4])
    step = building.add(operation, [each.step for each in maps])
    slices, high = spread("h", grid.shape[1:3])
    _, channels, _, wide = building.planar(step).dims
    return Tensor(step, ((), channels, slices, high, wide))


@translates("AffineGrid")
def _affine_grid(building: Building, node: Node, given: Given) -> Value:
    """Places (x, y) of an output of that size, moved by matrices (batch, 2, 3)."""
    matrices, sizes = tensor(given[0], "the matrices"), whole(given[1], "size")[2:]
    count = len(sizes)
    if matrices.shape[1:] != (count, count + 1):
        raise Unsupported(f"matrices of {matrices.shape} for a size of {count} axes")
    if math.prod(sizes) > LARGEST_SIDE * LARGEST_SIDE:
        raise Unsupported(f"size: {sizes}")
    aligned = bool(node.integer("align_corners"))
    axes = [np.arange(size) for size in sizes]
    own = [
        2 * axis / max(1, size - 1) - 1 if aligned else (2 * axis + 1) / size - 1
        for axis, size in zip(axes, sizes, strict=True)
    ]
    places = np.meshgrid(*own, indexing="ij")
    base = np.stack([*reversed(places), np.ones(sizes)], -1).reshape(1, -1, count + 1)
    turned = transposed(matrices, (0, 2, 1))
    if matrices.shape[0] > 1:
        base = np.repeat(base, matrices.shape[0], 0)
    found = made(building, "MatMul", [base.astype(np.float32), turned])
    return building.reshaped(found, (matrices.shape[0], *sizes, count))


_BESIDE = ("zeros", "border", "reflection")


@translates("RoiAlign")
def _regions(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    regions = building.tensor(given[1], "rois")
    if value.rank != 4 or regions.rank != 2:
        raise Unsupported(f"its inputs are {value.shape} and {regions.shape}")
    default = "half_pixel" if node.integer("opset", 16) >= 16 else "output_half_pixel"
    transform = node.word("coordinate_transformation_mode", default)
    if transform not in ("half_pixel", "output_half_pixel"):
        raise Unsupported(f"coordinate_transformation_mode: {transform}")
    rows, columns = node.integer("output_height", 1), node.integer("output_width", 1)
    operation = RoiAlign(
        rows,
        columns,
        node.number("spatial_scale", 1.0),
        node.integer("sampling_ratio"),
        node.word("mode", "avg") == "max",
        transform == "half_pixel",
    )
    return _of_regions(building, value, regions, operation)


@translates("MaxRoiPool")
def _pooled_regions(building: Building, node: Node, given: Given) -> Value:
    """Regions stand behind the number of their frame, of which there is one."""
    value = tensor(given[0])
    regions = building.tensor(given[1], "rois")
    if value.rank != 4 or value.shape[0] > 1 or regions.rank != 2 or regions.shape[1] != 5:
        raise Unsupported(f"its inputs are {value.shape} and {regions.shape}")
    size = node.integers("pooled_shape")
    if len(size) != 2:
        raise Unsupported("pooled_shape: it has two numbers")
    operation = RoiPool(size[0], size[1], node.number("spatial_scale", 1.0))
    return _of_regions(building, value, part(building, regions, 1, range(1, 5)), operation)


def _of_regions(
    building: Building, value: Tensor, regions: Tensor, operation: RoiAlign | RoiPool
) -> Tensor:
    """(regions, channels, rows, columns) of a map."""
    listed = building.grouped(regions, [0], [], [1])
    step = building.add(operation, [building.map(value), listed.step])
    count, high = spread("h", [regions.shape[0], operation.rows])
    _, channels, _, wide = building.planar(step).dims
    return Tensor(step, (count, channels, high, wide))
