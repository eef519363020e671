"""Values by index, and updates by index; indices are constants, or what the network computes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import whole_axis
from ftdist.network.onnx.views import Tensor, full, spread
from ftdist.network.operators.placing import Scatter, ScatterBy, ScatterKind
from ftdist.network.operators.selecting import GatherBy
from ftdist.network.operators.tensors import Gather
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.rearranging import Reorder
from ftdist.network.rewriting.scaling import ONE_TAP

Given = list[Value | None]


@translates("Gather")
def _gather(building: Building, node: Node, given: Given) -> Value:
    """Evenly spaced positions are a part; others are copied by their numbers."""
    value, indices = building.tensor(given[0], "data"), given[1]
    axis = node.integer("axis") % value.rank
    if isinstance(indices, Tensor):
        return _slices_by(building, value, [axis], indices)
    length, numbers = value.shape[axis], constant(indices, "indices")
    places = [int(each) for each in numbers.ravel()]
    if any(not -length <= each < length for each in places):
        raise Unsupported(f"indices: some are not among {length}")
    if not places:
        shape = (*value.shape[:axis], *numbers.shape, *value.shape[axis + 1 :])
        return np.zeros(shape, np.float32)
    places = [each % length for each in places]
    steps = {b - a for a, b in itertools.pairwise(places)} or {1}
    step = steps.pop()
    if numbers.ndim < 2 and not steps and step:
        last = places[-1] + (1 if step > 0 else -1)
        chosen = range(places[0], last, step) if last >= 0 else range(length)[places[0] :: step]
        found = part(building, value, axis, chosen)
        return found if numbers.ndim else _without(found, axis)
    if numbers.ndim == 1 and whole_axis(building, value, axis, "c"):
        dims = list(value.dims)
        dims[axis] = full("c", len(places))
        if sorted(places) == list(range(length)):
            return Tensor(building.add(Reorder(tuple(places)), [value.step]), tuple(dims))
        return Tensor(_taken(building, value.step, "channels", np.array(places)), tuple(dims))
    return _slices(building, value, [axis], np.array(places).reshape(numbers.shape))


def _without(value: Tensor, axis: int) -> Tensor:
    return Tensor(value.step, value.dims[:axis] + value.dims[axis + 1 :])


def _taken(building: Building, step: int, axis: Literal["rows", "channels"], places: Array) -> int:
    weights = {"indices": lambda: places.astype(np.float32)}
    return building.add(Gather(axis, len(places)), [step], weights)


def _slices(building: Building, value: Tensor, axes: Sequence[int], numbers: Array) -> Tensor:
    """Slices by their numbers among those of these (neighbouring) dims: rows of a map, or columns
    where they are more than a map has rows."""
    if max(math.prod(value.shape[axis] for axis in axes), numbers.size) > LARGEST_SIDE:
        return taken(building, value, axes, building.constant(numbers.astype(np.float32)))
    value = _by_rows(building, value, axes)
    step = _taken(building, value.step, "rows", numbers.ravel())
    return _with_dims(value, step, axes[0], len(axes), numbers.shape)


def _slices_by(building: Building, value: Tensor, axes: Sequence[int], numbers: Tensor) -> Tensor:
    """The same by numbers that the network computes."""
    count = math.prod(numbers.shape)
    if max(math.prod(value.shape[axis] for axis in axes), count) > LARGEST_SIDE:
        return taken(building, value, axes, numbers)
    value = _by_rows(building, value, axes)
    listed = building.grouped(numbers, range(numbers.rank), [], [])
    step = building.add(GatherBy("rows"), [value.step, listed.step])
    return _with_dims(value, step, axes[0], len(axes), numbers.shape)


def taken(building: Building, value: Tensor, axes: Sequence[int], by: Tensor) -> Tensor:
    """Entries of a tensor by their numbers among those of these (neighbouring) dims, in columns."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    value = building.grouped(value, [], axes, rest)
    numbers = building.grouped(by, [], range(by.rank), [])
    step = building.add(GatherBy("columns"), [value.step, numbers.step])
    first = axes[0]
    dims = *value.dims[:first], *spread("w", by.shape), *value.dims[first + len(axes) :]
    return Tensor(step, dims)


def _by_rows(building: Building, value: Tensor, axes: Sequence[int]) -> Tensor:
    """The tensor on a map whose rows are these dims."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    return building.grouped(value, axes, rest[:-1], rest[-1:])


def _with_dims(value: Tensor, step: int, axis: int, count: int, shape: Sequence[int]) -> Tensor:
    """Rows in another shape in place of `count` dims from `axis` on."""
    dims = value.dims
    return Tensor(step, (*dims[:axis], *spread("h", shape), *dims[axis + count :]))


@translates("GatherElements")
def _gather_elements(building: Building, node: Node, given: Given) -> Value:
    value, indices = tensor(given[0]), building.tensor(given[1], "indices")
    axis = node.integer("axis") % value.rank
    for other, length in enumerate(indices.shape):
        if other != axis:
            value = part(building, value, other, range(length))
    if value.shape[axis] == math.prod(value.shape) > LARGEST_SIDE:  # more than a map has channels
        rest = [each for each in range(value.rank) if each != axis]
        value, indices = (building.grouped(each, [], [axis], rest) for each in (value, indices))
        return Tensor(building.add(GatherBy("columns"), [value.step, indices.step]), indices.dims)
    value, indices = (building.by_channels(each, axis) for each in (value, indices))
    step = building.add(GatherBy("channels"), [value.step, indices.step])
    return Tensor(step, indices.dims)


@translates("GatherND")
def _gather_slices(building: Building, node: Node, given: Given) -> Value:
    value, batch = tensor(given[0]), node.integer("batch_dims")
    if isinstance(given[1], Tensor):
        axes = range(batch + given[1].shape[-1])
        return _slices_by(building, value, axes, slice_places(building, value, given[1], batch))
    indices = constant(given[1], "indices")
    numbers = _slice_numbers(value.shape, indices, batch)
    return _slices(building, value, range(batch + indices.shape[-1]), numbers)


def _slice_numbers(shape: Sequence[int], indices: Array, batch: int = 0) -> Array:
    """The number of each slice that indices (..., k) name, of those of the first dims."""
    depth = indices.shape[-1]
    if not depth or batch + depth > len(shape):
        raise Unsupported(f"indices: {depth} of {len(shape)} dims")
    lengths = shape[batch : batch + depth]
    numbers = np.zeros(indices.shape[:-1], np.int64)
    for at, length in enumerate(lengths):
        own = indices[..., at].astype(np.int64)
        if (own < -length).any() or (own >= length).any():
            raise Unsupported(f"indices: some are not among {length}")
        numbers = numbers * length + own % length
    if batch:
        count = math.prod(shape[:batch])
        first = np.arange(count).reshape(*shape[:batch], *[1] * (numbers.ndim - batch))
        numbers = numbers + first * math.prod(lengths)
    return numbers


def slice_places(building: Building, value: Tensor, indices: Tensor, batch: int = 0) -> Tensor:
    """Indices that the network computes become numbers of slices by a product."""
    depth, last = indices.shape[-1], indices.rank - 1
    if not depth or batch + depth > value.rank:
        raise Unsupported(f"indices: {depth} of {value.rank} dims")
    lengths = value.shape[batch : batch + depth]
    strides = np.cumprod([1, *lengths[:0:-1]])[::-1].astype(np.float32)
    indices = from_front(building, indices, np.array(lengths, np.float32))
    listed = building.grouped(indices, [], range(last), [last])
    numbers = Tensor(listed.step, listed.dims[:-1])
    if depth > 1:
        weights = {
            "weights": lambda: strides.reshape(1, depth, 1, 1),
            "bias": lambda: np.zeros(1, np.float32),
        }
        step = building.add(Convolution(1, ONE_TAP), [listed.step], weights)
        numbers = Tensor(step, listed.dims[:-1])
    if math.prod(value.shape[:batch]) == 1:
        return numbers
    first = np.arange(math.prod(value.shape[:batch]), dtype=np.float32) * math.prod(lengths)
    first = first.reshape(*value.shape[:batch], *[1] * (numbers.rank - batch))
    return paired(building, "add", numbers, first)


def from_front(building: Building, indices: Tensor, lengths: Array) -> Tensor:
    """Indices, of which those below zero count from the end of dims of these lengths."""
    is_below = paired(building, "less", indices, np.zeros((), np.float32))
    return paired(building, "add", indices, paired(building, "multiply", is_below, lengths))


def replaced(
    building: Building,
    value: Tensor,
    numbers: Tensor,
    updates: Tensor,
    axes: Sequence[int],
    how: ScatterKind = "set",
) -> Tensor:
    """A tensor with updates (entries, ...) put to places, or put together with what is there, by
    their numbers (entries,) among those of its first dims; a number below zero is none. They come
    one after another."""
    count, rest = math.prod(value.shape[axis] for axis in axes), value.shape[axes[-1] + 1 :]
    if value.shape[: axes[0]] != (1,) * axes[0]:
        raise Unsupported("axis: the first one that is longer than 1 is supported")
    each = math.prod(rest)
    entries = math.prod(updates.shape) // each
    columns = [
        building.reshaped(numbers, (entries, 1)),
        building.reshaped(updates, (entries, each)),
    ]
    together = made(building, "Concat", [*columns], {"axis": 1})
    maps = [building.reshaped(value, (count, each)), together]
    steps = [building.grouped(one, [], [0], [1]).step for one in maps]
    found = Tensor(building.add(ScatterBy(how), steps), (full("w", count), full("c", each)))
    return building.reshaped(found, value.shape)


_REDUCTIONS: dict[str, ScatterKind] = {
    "none": "set",
    "add": "add",
    "mul": "multiply",
    "max": "max",
    "min": "min",
}


def reduction(node: Node) -> ScatterKind:
    """How what is put to places is put together with what is there."""
    how = node.word("reduction", "none")
    if how not in _REDUCTIONS:
        raise Unsupported(f"reduction: {how}")
    return _REDUCTIONS[how]


@translates("ScatterND", "ScatterElements", "Scatter")
def _scatter(building: Building, node: Node, given: Given) -> Value:
    how = reduction(node)
    value, updates = (building.tensor(given[at], "an operand") for at in (0, 2))
    if isinstance(given[1], Tensor):
        return _scattered_by(building, node, value, given[1], updates)
    indices = constant(given[1], "indices")
    if node.kind == "ScatterND":
        numbers = _slice_numbers(value.shape, indices).ravel()
        size = math.prod(value.shape[indices.shape[-1] :])
    else:
        numbers, size = _element_numbers(value.shape, indices, node.integer("axis")), 1
    value, updates = building.listed(value), building.listed(updates)
    weights = {"indices": lambda: numbers.astype(np.float32)}
    operation = Scatter(len(numbers), size, how)
    return Tensor(building.add(operation, [value.step, updates.step], weights), value.dims)


def _scattered_by(
    building: Building, node: Node, value: Tensor, indices: Tensor, updates: Tensor
) -> Tensor:
    """By indices that the network computes."""
    if node.kind == "ScatterND":
        numbers = slice_places(building, value, indices)
        rest = value.shape[indices.shape[-1] :]
        flat = building.reshaped(value, (math.prod(value.shape) // math.prod(rest), *rest))
        many = math.prod(numbers.shape)
    else:
        axis = node.integer("axis") % value.rank
        stride = np.array(math.prod(value.shape[axis + 1 :]), np.float32)
        first = _element_numbers(value.shape, np.zeros(_but(indices.shape, axis)), axis)
        others = first.reshape(_but(indices.shape, axis)).astype(np.float32)
        own = from_front(building, indices, np.array(value.shape[axis], np.float32))
        numbers = paired(building, "multiply", own, stride)
        numbers = paired(building, "add", numbers, others)
        flat, many, rest = (
            building.reshaped(value, (math.prod(value.shape),)),
            math.prod(numbers.shape),
            (),
        )
    flat_updates = building.reshaped(updates, (many, *rest))
    numbers = building.reshaped(numbers, (many,))
    found = replaced(building, flat, numbers, flat_updates, [0], reduction(node))
    return building.reshaped(found, value.shape)


def _but(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    """A shape whose dim is 1."""
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _element_numbers(shape: Sequence[int], indices: Array, axis: int) -> Array:
    places: list[Array] = list(np.indices(indices.shape))
    length = shape[axis]
    if (indices < -length).any() or (indices >= length).any():
        raise Unsupported(f"indices: some are not among {length}")
    places[axis] = indices.astype(np.int64) % length
    return np.ravel_multi_index(places, tuple(shape)).ravel()
