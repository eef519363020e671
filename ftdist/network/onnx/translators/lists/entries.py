"""What is done to lists wherever they are read: their entries as columns, those behind them masked,
entries by their places, one list behind another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, Lengths, List, most_of
from ftdist.network.onnx.nodes import Open, Unsupported, Value
from ftdist.network.onnx.registry import made
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor, flat_order, full
from ftdist.network.operators.lists import Fill, NonZero
from ftdist.network.operators.reducing import Reduce
from ftdist.network.operators.selecting import GatherBy
from ftdist.network.operators.tensors import ConcatenatePositions
from ftdist.network.operators.views import Factor, View
from ftdist.network.ports import Layout


def in_columns(building: Building, value: Tensor, axes: Sequence[int]) -> Tensor:
    """The tensor on a map of one row: these dims are columns, the others channels."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    return building.grouped(value, [], axes, rest)


def number(building: Building, value: Count | int) -> Value:
    """A count, or a number, as an operand."""
    return value.value if isinstance(value, Count) else np.array(value, np.float32)


def as_value(building: Building, given: Open | None) -> Open | None:
    """Numbers of which some are counts as a tensor; all else as it is."""
    if not isinstance(given, Lengths):
        return given
    flat: list[Value | None] = []
    for each in given.numbers.ravel():
        value = number(building, each)
        dims = ((), *value.dims) if isinstance(value, Tensor) else ()
        flat.append(Tensor(value.step, dims) if isinstance(value, Tensor) else value.reshape(1))
    tensor = made(building, "Concat", flat, {"axis": 0})
    return building.reshaped(tensor, given.shape)


def filled(building: Building, given: List, value: float) -> Tensor:
    """A list's tensor with a value in place of what stands behind its entries."""
    tensor = in_columns(building, given.tensor, [given.axis])
    step = building.add(Fill(value), [tensor.step, given.count.value.step])
    return Tensor(step, tensor.dims)


def shortened(building: Building, given: List, capacity: int) -> List:
    """The list with no more capacity than that."""
    if given.capacity <= capacity:
        return given
    return List(
        part(building, given.tensor, given.axis, range(capacity)),
        given.axis,
        Count(given.count.value, min(given.count.most, capacity)),
    )


def counted(building: Building, value: Tensor) -> Tensor:
    """How many values of a tensor are not zero."""
    truths = applied(building, value, "truth")
    every = (Factor(building.shape(truths.step).elements, 1),)
    return Tensor(building.add(Reduce("sum", View((), (), (), every)), [truths.step]), ())


def places(building: Building, value: Tensor) -> tuple[Tensor, Count]:
    """The places of all values that are not zero (n,), in the order of the array."""
    listed = (
        value if _lies_in_order(building, value) else in_columns(building, value, range(value.rank))
    )
    step = building.add(NonZero(), [listed.step])
    size = building.shape(step).width
    return Tensor(step, (full("w", size),)), Count(counted(building, listed), size)


def _lies_in_order(building: Building, value: Tensor) -> bool:
    """Whether the values of a map lie in memory as those of the array."""
    height, width, channels = building.shape(value.step)
    return flat_order(value) == (*full("h", height), *full("w", width), *full("c", channels))


def repeated(building: Building, value: Tensor, shape: Sequence[int]) -> Tensor:
    """A single value, as often as a shape says."""
    behind = math.prod(shape[1:]) if math.prod(shape[1:]) <= LARGEST_SIDE else 1
    flat = building.expanded(Tensor(value.step, ()), (math.prod(shape) // behind, behind))
    return building.reshaped(flat, shape)


def widened(building: Building, value: Tensor, axis: int, shape: Sequence[int]) -> Tensor:
    """A list of single values (its other dims are 1), each as often as a shape says."""
    columns = in_columns(building, value, [axis])
    count = value.shape[axis]
    narrow = Tensor(columns.step, (full("w", count), ()))
    return building.reshaped(building.expanded(narrow, (count, math.prod(shape) // count)), shape)


def one_after_another(building: Building, given: Sequence[Open | None], axis: int) -> List:
    """Lists, and tensors among them, as one list along the dim that is open."""
    found = [_as_list(building, each, axis) for each in given]
    lists = [each for each in found if each is not None]
    if len(lists) == 1:
        return lists[0]
    columns = [in_columns(building, each.tensor, [axis]) for each in lists]
    if len({each.shape[:axis] + each.shape[axis + 1 :] for each in columns}) > 1:
        raise Unsupported("its inputs differ in other dims than the axis")
    masks = [_mask(building, each.count, each.capacity) for each in lists]
    joined, mask = (
        building.add(ConcatenatePositions("columns"), [each.step for each in maps])
        for maps in (columns, masks)
    )
    size = building.shape(mask).width
    by, count = places(building, Tensor(mask, (full("w", size),)))
    step = building.add(GatherBy("columns"), [joined, by.step])
    dims = list(columns[0].dims)
    dims[axis] = full("w", size)
    return List(Tensor(step, tuple(dims)), axis, count)


def _mask(building: Building, count: Count, capacity: int) -> Tensor:
    """What is not zero for each entry and zero behind them: (1, capacity, 1)."""
    many = building.expanded(count.value, (capacity, 1))
    return Tensor(building.add(Fill(), [many.step, count.value.step]), many.dims)


def _as_list(building: Building, given: Open | None, axis: int) -> List | None:
    """A value as a list; None for one that is known to be empty."""
    value = as_value(building, given)
    if isinstance(value, List):
        if value.axis != axis:
            raise Unsupported("its inputs are of open length along other dims than the axis")
        return value
    if isinstance(value, np.ndarray):
        if not value.size:
            return None
        value = building.constant(value.astype(np.float32))
    if not isinstance(value, Tensor):
        raise Unsupported("its input is missing")
    length = value.shape[axis]
    count = building.constant(np.full(1, length, np.float32))
    return List(value, axis, Count(Tensor(count.step, ()), length))


def with_count(building: Building, given: List) -> tuple[int, Layout]:
    """A list as an output: its count in the first column, its entries in those behind."""
    entries = in_columns(building, given.tensor, [given.axis])
    channels = building.shape(entries.step).channels
    count = building.expanded(given.count.value, (1, channels))
    step = building.add(ConcatenatePositions("columns"), [count.step, entries.step])
    return step, Layout(False, given.shape, given.axis + 1)


def least(building: Building, first: Count | int, second: Count | int) -> Count | int:
    """The smaller of two lengths."""
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    known = [each for each in (first, second) if isinstance(each, int)]
    counts = [each for each in (first, second) if isinstance(each, Count)]
    if known and counts[0].most <= known[0]:
        return counts[0]
    most = min(most_of((first, second)))
    value = paired(building, "minimum", number(building, first), number(building, second))
    return Count(value, most)
