"""Operators that look at lists in another way: shapes, reshapes, other orders of dims."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, Lengths, List, most_of
from ftdist.network.onnx.nodes import Node, Open, Unsupported, Value, tensor
from ftdist.network.onnx.registry import OPERATORS, translates_lists
from ftdist.network.onnx.translators.lists import lengths
from ftdist.network.onnx.translators.lists.entries import as_value
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor

Given = list[Open | None]


def listed(given: Given) -> List:
    """The first input, which must be a list."""
    if not given or not isinstance(given[0], List):
        raise Unsupported("its first input is of fixed length, and another is not")
    return given[0]


def fixed(given: Open | None, what: str) -> Value:
    """A value of known length; Unsupported where it is open."""
    if given is None or isinstance(given, List | Lengths):
        raise Unsupported(f"{what} is of open length")
    return given


def row_by_row(building: Building, node: Node, given: Given) -> list[Tensor]:
    """What the operator makes of a list as of a tensor, entry by entry."""
    lists = [each.tensor if isinstance(each, List) else each for each in given]
    return [tensor(each) for each in of_fixed(building, node, lists)]


def of_fixed(building: Building, node: Node, given: Sequence[Open | None]) -> list[Value]:
    """What the operator makes of values of known length."""
    known = [fixed(each, "its input") if each is not None else None for each in given]
    found = OPERATORS[node.kind](building, node, known)
    return found if isinstance(found, list) else [found]


@translates_lists("Shape")
def _shape(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        return np.array(given[0].shape, np.int64)
    return lengths.shape(node, listed(given))


@translates_lists("Size")
def _size(building: Building, node: Node, given: Given) -> Open:
    return lengths.size(building, listed(given))


@translates_lists("Transpose")
def _transpose(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        return lengths.moved(node, given)
    value = listed(given)
    (moved,) = row_by_row(building, node, given)
    order = node.integers("perm") or tuple(range(value.rank))[::-1]
    return List(moved, order.index(value.axis), value.count)


@translates_lists("Unsqueeze")
def _unsqueeze(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        return lengths.moved(node, given)
    value = listed(given)
    (moved,) = row_by_row(building, node, given)
    axes = _axes(node, given, moved.rank)
    left = [axis for axis in range(moved.rank) if axis not in axes]
    return List(moved, left[value.axis], value.count)


@translates_lists("Squeeze")
def _squeeze(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        return lengths.moved(node, given)
    value = listed(given)
    axes = _axes(node, given, value.rank) or [
        axis for axis, length in enumerate(value.shape) if length == 1 and axis != value.axis
    ]
    if value.axis in axes:
        raise Unsupported("axes: the dim that is of open length goes")
    dims = [axis for axis in range(value.rank) if axis not in axes]
    if any(value.shape[axis] != 1 for axis in axes):
        raise Unsupported("axes: some are longer than 1")
    moved = Tensor(value.tensor.step, tuple(value.tensor.dims[axis] for axis in dims))
    return List(moved, dims.index(value.axis), value.count)


def _axes(node: Node, given: Given, rank: int) -> list[int]:
    axes = node.integers("axes")
    if len(given) > 1 and isinstance(given[1], np.ndarray):
        axes = tuple(int(each) for each in given[1].ravel())
    return [axis % rank for axis in axes]


@translates_lists("Flatten")
def _flatten(building: Building, node: Node, given: Given) -> Open:
    value, axis = listed(given), node.integer("axis", 1)
    axis = axis + value.rank if axis < 0 else axis
    before, behind = math.prod(value.shape[:axis]), math.prod(value.shape[axis:])
    return reshaped(building, value, (before, -1) if value.axis >= axis else (-1, behind))


@translates_lists("Reshape")
def _reshape(building: Building, node: Node, given: Given) -> Open:
    if isinstance(given[0], Lengths):
        return lengths.moved(node, given)
    wanted = node.integers("shape") or dims_of(given[1], "the shape")
    value = given[0]
    if not isinstance(value, List):
        plain = most_of(wanted)
        raise Unsupported(f"shape: {tensor(fixed(value, 'its input')).shape} to open {plain}")
    if not node.integer("allowzero"):
        wanted = tuple(
            each if each != 0 else value.count if at == value.axis else value.shape[at]
            for at, each in enumerate(wanted)
        )
    if all(isinstance(each, int) and each > 0 for each in wanted):
        return _known(building, value, most_of(wanted))
    return reshaped(building, value, wanted)


def _known(building: Building, value: List, wanted: tuple[int, ...]) -> Tensor:
    """A list in a shape that says how long it is."""
    count, rest = divmod(math.prod(wanted) * value.capacity, math.prod(value.shape))
    if rest or not 1 <= count <= value.capacity:
        raise Unsupported(f"shape: {wanted} of a list of {value.shape}")
    return building.reshaped(part(building, value.tensor, value.axis, range(count)), wanted)


def dims_of(given: Open | None, what: str) -> tuple[int | Count, ...]:
    """A list of whole numbers, some of which may be counts."""
    if isinstance(given, Lengths):
        return tuple(given.numbers.ravel().tolist())
    if isinstance(given, np.ndarray):
        return tuple(int(each) for each in given.ravel())
    raise Unsupported(f"{what} depends on the input")


def reshaped(building: Building, value: List, wanted: Sequence[int | Count]) -> List:
    """The list in another shape: the dim that is open stays one, and takes in others whole."""
    opened = [at for at, each in enumerate(wanted) if isinstance(each, Count) or each == -1]
    inner = math.prod(value.shape[value.axis + 1 :])
    before = math.prod(value.shape[: value.axis])
    known = [at for at in opened if isinstance(wanted[at], Count)]
    at = known[0] if known else opened[0] if len(opened) == 1 else -1
    if at < 0 or len(known) > 1:
        raise Unsupported("shape: it does not say which dim is of open length")
    dims = [1 if isinstance(each, Count) else int(each) for each in wanted]
    if -1 in dims and dims.index(-1) != at:
        own = math.prod(each for each in dims if each > 0)
        dims[dims.index(-1)] = before * inner // own
    behind = math.prod(dims[at + 1 :])
    ahead = math.prod(dims[:at])
    suits = behind and before == ahead and value.capacity * inner % behind == 0
    if not suits or (inner % behind and behind % inner):
        raise Unsupported(f"shape: {tuple(dims)} of a list of {value.shape}")
    dims[at] = value.capacity * inner // behind
    count = value.count
    if inner > behind:
        factor = np.array(inner // behind, np.float32)
        count = Count(paired(building, "multiply", count.value, factor), dims[at])
    if inner < behind:
        factor = np.array(behind // inner, np.float32)
        count = Count(paired(building, "divide", count.value, factor), dims[at])
    return List(building.reshaped(value.tensor, dims), at, count)


@translates_lists("Identity", "Cast", "CastLike", "Dropout")
def _same(building: Building, node: Node, given: Given) -> Open | list[Open]:
    if isinstance(given[0], Lengths):
        if node.kind not in ("Cast", "CastLike"):
            return given[0]
        kept = lengths.cast(node, given[0])
        if kept is not None:
            return kept
        return of_fixed(building, node, [as_value(building, given[0])])[0]
    value = listed(given)
    (found, *_) = row_by_row(building, node, [value, *map(_plain, given[1:])])
    return List(found, value.axis, value.count)


def _plain(given: Open | None) -> Open | None:
    return given.tensor if isinstance(given, List) else given
