"""Entries of lists by their places: gathered, cut off, split, and lists one behind another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, Lengths, List, most_of
from ftdist.network.onnx.nodes import Array, Node, Open, Unsupported, Value, tensor
from ftdist.network.onnx.registry import made, translates_lists
from ftdist.network.onnx.translators.lists import lengths
from ftdist.network.onnx.translators.lists.entries import (
    as_value,
    filled,
    in_columns,
    least,
    number,
    one_after_another,
    shortened,
)
from ftdist.network.onnx.translators.lists.shaping import (
    dims_of,
    fixed,
    listed,
    of_fixed,
    row_by_row,
)
from ftdist.network.onnx.translators.places.gathering import (
    from_front,
    reduction,
    replaced,
    slice_places,
    taken,
)
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.views import Tensor

Given = list[Open | None]


def _tensor(building: Building, given: Open | None, what: str) -> Tensor:
    """The values of a list, a tensor or a constant."""
    value = as_value(building, given)
    return value.tensor if isinstance(value, List) else building.tensor(fixed(value, what), what)


@translates_lists("Gather")
def _gather(building: Building, node: Node, given: Given) -> Open:
    data, by = given[0], given[1]
    if isinstance(data, Lengths) and isinstance(by, np.ndarray):
        return lengths.moved(node, given)
    if isinstance(by, List) and isinstance(data, np.ndarray) and not data.size:
        axis = node.integer("axis") % data.ndim
        return np.zeros((*data.shape[:axis], *by.shape, *data.shape[axis + 1 :]), np.float32)
    value, by = _tensor(building, data, "data"), as_value(building, by)
    axis = node.integer("axis") % value.rank
    if isinstance(by, List):
        if isinstance(data, List) and data.axis != axis:
            raise Unsupported("both its data and its indices are of open length")
        return List(taken(building, value, [axis], by.tensor), axis + by.axis, by.count)
    by = fixed(by, "indices")
    if not isinstance(data, List):
        return of_fixed(building, node, [value, by])[0]
    if data.axis == axis:
        if isinstance(by, np.ndarray) and (by < 0).any():
            raise Unsupported("indices: from the end of a list of open length")
        return of_fixed(building, node, [value, by])[0]
    found = tensor(of_fixed(building, node, [value, by])[0])
    more = found.rank - value.rank
    return List(found, data.axis + (more if axis < data.axis else 0), data.count)


@translates_lists("GatherElements")
def _gather_of_one_dim(building: Building, node: Node, given: Given) -> Open | list[Open]:
    """Of one dim it is a Gather; by others it is asked for where lengths are fixed."""
    if any(len(each.shape) != 1 for each in given if each is not None):
        raise Unsupported("of lists of several dims; flatten them first")
    return _gather(building, node, given)


@translates_lists("GatherND")
def _gather_slices(building: Building, node: Node, given: Given) -> Open:
    """Indices of several dims become numbers of slices by a product."""
    data, by, batch = given[0], given[1], node.integer("batch_dims")
    if not isinstance(by, Tensor | List) or (isinstance(by, List) and by.axis == by.rank - 1):
        raise Unsupported("indices: a list of places is supported")
    depth = by.shape[-1]
    if batch and isinstance(data, List):
        if isinstance(by, Tensor):
            raise Unsupported("batch_dims: of lists of one number for each entry")
        return _of_own_entry(building, node, data, by)
    if isinstance(data, np.ndarray) and not data.size:
        return np.zeros((*by.shape[:-1], *data.shape[batch + depth :]), np.float32)
    value = _tensor(building, data, "data")
    if isinstance(data, List) and data.axis > 0 and data.axis < depth:
        raise Unsupported("data: the first dim may be of open length")
    whole = by.tensor if isinstance(by, List) else by
    numbers = slice_places(building, value, whole, batch)
    found = taken(building, value, range(batch + depth), numbers)
    return List(found, by.axis, by.count) if isinstance(by, List) else found


def _of_own_entry(building: Building, node: Node, data: List, by: List) -> Open:
    """Of each entry of one list the value that the same entry of another names."""
    if (data.axis, data.rank, by.axis, by.shape[1:]) != (0, 2, 0, (1,)):
        raise Unsupported("batch_dims: of lists of one number for each entry")
    shortest = min(data.capacity, by.capacity)
    pair: list[Value | None] = [
        in_columns(building, shortened(building, each, shortest).tensor, [0]) for each in (data, by)
    ]
    chosen = tensor(made(building, "GatherElements", pair, {"axis": 1}))
    return List(Tensor(chosen.step, chosen.dims[:1]), 0, by.count)


@translates_lists("CumSum")
def _sums_so_far(building: Building, node: Node, given: Given) -> Open:
    value = listed(given)
    (found,) = row_by_row(building, node, [filled(building, value, 0.0), *given[1:]])
    return List(found, value.axis, value.count)


@translates_lists("Concat")
def _concatenate(building: Building, node: Node, given: Given) -> Open:
    if not any(isinstance(each, Tensor | List) for each in given):
        return lengths.moved(node, given)
    given = [as_value(building, each) for each in given]
    lists = [each for each in given if isinstance(each, List)]
    rank = _rank(lists[0] if lists else given[0])
    axis = node.integer("axis") % rank
    if not lists:
        return of_fixed(building, node, given)[0]
    if all(each.axis == axis for each in lists):
        return one_after_another(building, given, axis)
    given = [each for each in given if not isinstance(each, np.ndarray) or each.size]
    if len(lists) < len(given) or len({each.axis for each in lists}) > 1:
        raise Unsupported("some of its inputs are of open length along another dim than the axis")
    shortest = min(lists, key=lambda each: each.capacity)
    same: Given = [shortened(building, each, shortest.capacity) for each in lists]
    (joined,) = row_by_row(building, node, same)
    return List(joined, shortest.axis, shortest.count)


def _rank(given: Open | None) -> int:
    assert given is not None
    return len(given.shape)


@translates_lists("Slice")
def _slice(building: Building, node: Node, given: Given) -> Open:
    if len(given) < 2:
        raise Unsupported("starts and ends: export it with opset 10 or newer")
    if isinstance(given[0], Lengths) and not any(isinstance(e, Lengths) for e in given[1:]):
        return lengths.moved(node, given)
    value = as_value(building, given[0])
    if isinstance(value, np.ndarray):
        value = building.constant(value.astype(np.float32))
    starts, ends = dims_of(given[1], "starts"), dims_of(given[2], "ends")
    axes: tuple[int | Count, ...] = tuple(range(len(starts)))
    if len(given) > 3 and given[3] is not None:
        axes = dims_of(given[3], "axes")
    steps: tuple[int | Count, ...] = (1,) * len(starts)
    if len(given) > 4 and given[4] is not None:
        steps = dims_of(given[4], "steps")
    if not isinstance(value, Tensor | List):
        raise Unsupported("its input is missing")
    for axis, start, end, step in zip(most_of(axes), starts, ends, most_of(steps), strict=True):
        if isinstance(value, np.ndarray):
            raise Unsupported("nothing is left of its input")
        value = _cut(building, value, axis % _rank(value), start, end, step)
    return value


def _cut(
    building: Building,
    value: Tensor | List,
    axis: int,
    start: int | Count,
    end: int | Count,
    step: int,
) -> Tensor | List | Array:
    """Some positions of one dim, of which the length or the end may be computed."""
    whole = value.tensor if isinstance(value, List) else value
    own = isinstance(value, List) and value.axis == axis
    if not own and not isinstance(start, Count) and not isinstance(end, Count):
        chosen = range(whole.shape[axis])[slice(start, end, step)]
        if not chosen:
            return np.zeros((*whole.shape[:axis], 0, *whole.shape[axis + 1 :]), np.float32)
        found = part(building, whole, axis, chosen)
        return List(found, value.axis, value.count) if isinstance(value, List) else found
    if isinstance(value, List) and not own:
        raise Unsupported("two dims are of open length")
    if isinstance(start, Count) or start < 0 or step != 1:
        raise Unsupported("starts and steps: of a list of open length the first are taken")
    length: Count | int = value.count if isinstance(value, List) else whole.shape[axis]
    if isinstance(end, int) and end < 0:
        length = _less(building, length, -end)
    else:
        length = least(building, length, end)
    length = _less(building, length, start)
    most = length.most if isinstance(length, Count) else length
    if most < 1:
        raise Unsupported("nothing is left of its input")
    found = part(building, whole, axis, range(start, start + most))
    return List(found, axis, length) if isinstance(length, Count) else found


def _less(building: Building, length: Count | int, by: int) -> Count | int:
    """A length without some; not below zero."""
    if by == 0:
        return length
    if isinstance(length, int):
        return max(0, length - by)
    most = max(0, length.most - by)
    value = paired(building, "subtract", number(building, length), np.array(by, np.float32))
    return Count(applied(building, value, "clip", 0.0, float(most)), most)


@translates_lists("Split")
def _split(building: Building, node: Node, given: Given) -> list[Open]:
    value = given[0]
    if not isinstance(value, List) or node.integer("axis") % value.rank == value.axis:
        raise Unsupported("a list of open length cannot be split")
    parts: list[Value] = list(row_by_row(building, node, given))
    return [List(tensor(each), value.axis, value.count) for each in parts]


@translates_lists("ScatterElements")
def _scatter(building: Building, node: Node, given: Given) -> Open:
    """Whole entries go to the places that a list says: each place finds out which entry is for
    it."""
    data, by, updates = (as_value(building, each) for each in given[:3])
    narrow = by.narrow if isinstance(by, List) else None
    axis = node.integer("axis") % _rank(data)
    if not isinstance(by, List) or narrow is None or by.axis != axis:
        raise Unsupported("indices: a list of numbers of whole entries is supported")
    if math.prod(narrow.shape) != by.capacity:
        raise Unsupported("indices: they differ within an entry")
    length = np.array(_tensor(building, data, "data").shape[axis], np.float32)
    narrow = from_front(building, narrow, length)
    numbers = filled(building, List(narrow, axis, by.count), -1.0)
    flat = building.reshaped(numbers, (by.capacity,))
    return _placed(building, node, data, flat, updates, [axis])


@translates_lists("ScatterND")
def _put(building: Building, node: Node, given: Given) -> Open:
    """Slices go to the places that a list says; or whole slices of a tensor are set to a list that
    was filled up to their length."""
    data, by, updates = (as_value(building, each) for each in given[:3])
    if isinstance(by, List):
        if by.axis != 0 or by.rank != 2:
            raise Unsupported("indices: a list of places is supported")
        value = _tensor(building, data, "data")
        numbers = slice_places(building, value, by.tensor)
        numbers = filled(building, List(numbers, 0, by.count), -1.0)
        return _placed(building, node, data, numbers, updates, range(by.shape[1]))
    if not isinstance(by, np.ndarray) or not isinstance(updates, List) or isinstance(data, List):
        raise Unsupported("indices: constants are supported where updates are of open length")
    value = building.tensor(fixed(data, "data"), "data")
    wanted = (*by.shape[:-1], *value.shape[by.shape[-1] :])
    if len(wanted) != updates.rank or updates.capacity < wanted[updates.axis]:
        raise Unsupported(f"updates: {updates.shape} where {wanted} are needed")
    whole = part(building, updates.tensor, updates.axis, range(wanted[updates.axis]))
    return of_fixed(building, node, [value, by, whole])[0]


def _placed(
    building: Building,
    node: Node,
    data: Open | None,
    numbers: Tensor,
    updates: Open | None,
    axes: Sequence[int],
) -> Open:
    """What is there, with entries of a list put to places by their numbers."""
    value, entries = _tensor(building, data, "data"), _tensor(building, updates, "updates")
    if entries.shape[axes[0] + 1 :] != value.shape[axes[-1] + 1 :]:
        raise Unsupported(f"updates: {entries.shape} for {value.shape}")
    result = replaced(building, value, numbers, entries, axes, reduction(node))
    return List(result, data.axis, data.count) if isinstance(data, List) else result


@translates_lists("RoiAlign", "MaxRoiPool")
def _regions(building: Building, node: Node, given: Given) -> Open:
    """Of each region of a list; behind them are regions of nothing."""
    regions = given[1]
    if not isinstance(regions, List) or regions.axis or isinstance(given[0], List):
        raise Unsupported("rois: their number may be of open length")
    (found,) = row_by_row(building, node, [given[0], filled(building, regions, 0.0)])
    return List(found, 0, regions.count)


@translates_lists("GridSample")
def _places(building: Building, node: Node, given: Given) -> Open:
    """At the places of a list, as descriptors of key points are taken from a map."""
    grid = given[1]
    if not isinstance(grid, List) or grid.axis not in (1, 2) or isinstance(given[0], List):
        raise Unsupported("grid: its places may be of open length")
    (found,) = row_by_row(building, node, [given[0], filled(building, grid, 0.0)])
    return List(found, grid.axis + 1, grid.count)
