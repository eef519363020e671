"""Operators that look at the same values in another way, mostly without moving them (``views``)."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value, tensor, whole
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.views import Tensor, transposed

Given = list[Value | None]


def viewed_as(building: Building, given: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor in another shape of as many values."""
    if math.prod(shape) != math.prod(given.shape):
        raise Unsupported(f"{given.shape} has not as many values as {shape}")
    return building.reshaped(given, shape)


@translates("Reshape")
def _reshape(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    asked = node.integers("shape") or whole(given[1], "the shape")
    shape = list(asked)
    if not node.integer("allowzero"):
        if any(each == 0 and at >= value.rank for at, each in enumerate(shape)):
            raise Unsupported("shape: a 0 stands where the input has no dim")
        shape = [value.shape[at] if each == 0 else each for at, each in enumerate(shape)]
    if shape.count(-1) > 1 or any(each < -1 for each in shape):
        raise Unsupported(f"shape: {tuple(asked)}")
    if -1 in shape:
        counts_frames = shape[0] > 0 and shape[0] % building.batch == 0
        values = math.prod(value.shape) * (building.batch if counts_frames else 1)
        known = math.prod(each for each in shape if each != -1)
        shape[shape.index(-1)] = values // known if known else 0
    return viewed_as(building, value, _for_one(value, tuple(shape)))


def _for_one(value: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that was written for a larger batch, for a batch of one."""
    excess, own = math.prod(shape), math.prod(value.shape)
    frames = excess // own if own and excess > own and excess % own == 0 else 0
    if shape and frames and shape[0] % frames == 0:
        return (shape[0] // frames, *shape[1:])
    return shape


@translates("Flatten")
def _flatten(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axis = node.integer("axis", 1)
    axis = axis + value.rank if axis < 0 else axis
    first, second = math.prod(value.shape[:axis]), math.prod(value.shape[axis:])
    return viewed_as(building, value, (first, second))


@translates("Transpose")
def _transpose(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    order = node.integers("perm") or tuple(range(value.rank))[::-1]
    if sorted(order) != list(range(value.rank)):
        raise Unsupported(f"perm: {order}")
    return transposed(value, order)


@translates("Squeeze")
def _squeeze(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axes = _axes(node, given)
    if axes:
        gone = {axis % value.rank for axis in axes}
    else:
        gone = {axis for axis, length in enumerate(value.shape) if length == 1}
    if any(value.shape[axis] != 1 for axis in gone):
        raise Unsupported("axes: some are longer than 1")
    return Tensor(value.step, tuple(d for axis, d in enumerate(value.dims) if axis not in gone))


@translates("Unsqueeze")
def _unsqueeze(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axes = _axes(node, given)
    rank = value.rank + len(axes)
    new = {axis % rank for axis in axes}
    dims = iter(value.dims)
    return Tensor(value.step, tuple(() if axis in new else next(dims) for axis in range(rank)))


def _axes(node: Node, given: Given) -> tuple[int, ...]:
    if len(given) > 1 and given[1] is not None:
        return whole(given[1], "axes")
    return node.integers("axes")


@translates("Expand")
def _expand(building: Building, node: Node, given: Given) -> Value:
    value, shape = tensor(given[0]), whole(given[1], "the shape")
    try:
        wanted = np.broadcast_shapes(value.shape, shape)
    except ValueError:
        raise Unsupported(f"shape: {value.shape} cannot become {shape}") from None
    if math.prod(wanted) != math.prod(value.shape):
        return building.expanded(value, wanted)
    return viewed_as(building, value, wanted)


@translates("Tile")
def _tile(building: Building, node: Node, given: Given) -> Value:
    """Each dim several times: a new dim before it, which is expanded."""
    value, repeats = tensor(given[0]), whole(given[1], "repeats")
    if len(repeats) != value.rank or min(repeats, default=1) < 0:
        raise Unsupported(f"repeats: {repeats} for {value.rank} dims")
    made = tuple(a * b for a, b in zip(value.shape, repeats, strict=True))
    if 0 in repeats:
        return np.zeros(made, np.float32)
    dims = tuple(each for dim in value.dims for each in ((), dim))
    pairs = zip(repeats, value.shape, strict=True)
    shape = tuple(length for pair in pairs for length in pair)
    return viewed_as(building, building.expanded(Tensor(value.step, dims), shape), made)


@translates("DepthToSpace")
def _depth_to_space(building: Building, node: Node, given: Given) -> Value:
    value, block = tensor(given[0]), node.integer("blocksize")
    batch, channels, height, width = _four(value)
    if block < 1 or channels % block**2:
        raise Unsupported(f"blocksize: {block} does not suit {channels} channels")
    rest = channels // block**2
    if node.word("mode", "DCR") == "DCR":
        split, order = (batch, block, block, rest, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (batch, rest, block, block, height, width), (0, 1, 4, 2, 5, 3)
    moved = transposed(viewed_as(building, value, split), order)
    return viewed_as(building, moved, (batch, rest, height * block, width * block))


@translates("SpaceToDepth")
def _space_to_depth(building: Building, node: Node, given: Given) -> Value:
    value, block = tensor(given[0]), node.integer("blocksize")
    batch, channels, height, width = _four(value)
    if block < 1 or height % block or width % block:
        raise Unsupported(f"blocksize: {block} does not divide {height}x{width}")
    split = (batch, channels, height // block, block, width // block, block)
    order = (0, 3, 5, 1, 2, 4) if node.word("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = transposed(viewed_as(building, value, split), order)
    return viewed_as(building, moved, (batch, channels * block**2, height // block, width // block))


def _four(value: Tensor) -> tuple[int, int, int, int]:
    if value.rank != 4:
        raise Unsupported(f"its input is {value.shape}; four dims are needed")
    batch, channels, height, width = value.shape
    return batch, channels, height, width
