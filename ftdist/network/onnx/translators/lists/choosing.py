"""Operators that choose: what is not zero, the best, boxes apart, one of two branches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, Lengths, List
from ftdist.network.onnx.nodes import Node, Open, Unsupported, Value
from ftdist.network.onnx.registry import OF_LISTS, made, translates_lists
from ftdist.network.onnx.translators.lists.entries import (
    as_value,
    counted,
    filled,
    in_columns,
    one_after_another,
    places,
)
from ftdist.network.onnx.translators.lists.shaping import (
    dims_of,
    fixed,
    listed,
    reshaped,
    row_by_row,
)
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.places.selecting import suppressed
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import scaled
from ftdist.network.onnx.views import Dim, Tensor, spread
from ftdist.network.operators.lists import TopOfList

Given = list[Open | None]

_NEVER = -3e38
"""A score with which a box is never chosen."""


@translates_lists("NonZero")
def _non_zero(building: Building, node: Node, given: Given) -> Open:
    value = as_value(building, given[0])
    whole = filled(building, value, 0.0) if isinstance(value, List) else value
    known = building.tensor(whole, "its input")  # type: ignore[arg-type]
    if not known.rank:
        raise Unsupported("of a single value")
    flat, count = places(building, known)
    one = Tensor(flat.step, ((), *flat.dims))
    coordinates: list[Value | None] = [one]
    if known.rank > 1:
        coordinates = []
        for at, length in enumerate(known.shape):
            behind = np.array(np.prod(known.shape[at + 1 :]), np.float32)
            each = applied(building, paired(building, "divide", one, behind), "floor")
            if at:
                each = paired(building, "modulo", each, np.array(length, np.float32))
            coordinates.append(each)
    found = one if len(coordinates) == 1 else made(building, "Concat", coordinates, {"axis": 0})
    return List(found, 1, count)


@translates_lists("Compress")
def _compress(building: Building, node: Node, given: Given) -> Open:
    """The entries of one dim, or of all, for which a condition is true."""
    data, condition = (as_value(building, each) for each in given[:2])
    axis = node.integer("axis", 0)
    if "axis" not in node.attributes and isinstance(data, List):
        data = reshaped(building, data, (-1,))
    elif "axis" not in node.attributes:
        whole = building.tensor(fixed(data, "data"), "data")
        data = building.reshaped(whole, (math.prod(whole.shape),))
    if isinstance(condition, np.ndarray):
        where: Open = np.flatnonzero(condition)
    else:
        found = _non_zero(building, node, [condition])
        assert isinstance(found, List)
        where = List(Tensor(found.tensor.step, found.tensor.dims[1:]), 0, found.count)
    by = Node(node.name, "Gather", ("", ""), ("",), {"axis": axis})
    return OF_LISTS["Gather"](building, by, [data, where])  # type: ignore[return-value]


@translates_lists("TopK")
def _top(building: Building, node: Node, given: Given) -> list[Open]:
    value = listed(given)
    axis = node.integer("axis", -1) % value.rank
    if axis != value.axis:
        return [List(each, value.axis, value.count) for each in row_by_row(building, node, given)]
    if max(length for at, length in enumerate((*value.shape, 1)) if at != axis) > 1:
        raise Unsupported("of several lists of open length at once")
    wanted = dims_of(given[1], "K")[0] if len(given) > 1 else node.integer("k")
    most = min(wanted.most if isinstance(wanted, Count) else wanted, value.capacity)
    operation = TopOfList(most, not node.integer("largest", 1))
    columns = in_columns(building, value.tensor, [axis])
    step = building.add(operation, [columns.step, value.count.value.step])
    both = Tensor(step, (*spread("w", [most]), *spread("c", [2])))
    found: list[Open] = []
    for each in (0, 1):
        chosen = part(building, both, 1, range(each, each + 1))
        dims: list[Dim] = [()] * value.rank
        dims[axis] = chosen.dims[0]
        best = Tensor(chosen.step, tuple(dims))
        if isinstance(wanted, Count):
            found.append(List(best, axis, Count(wanted.value, most)))
        else:
            found.append(best)
    return found[: len(node.outputs)]


@translates_lists("NonMaxSuppression")
def _suppress(building: Building, node: Node, given: Given) -> Open:
    """The boxes that are chosen, class by class."""
    boxes, scores = (as_value(building, each) for each in given[:2])
    if isinstance(scores, List):
        if scores.axis != 2:
            raise Unsupported("scores: the boxes may be of open length")
        scores = filled(building, scores, _NEVER)
    if isinstance(boxes, List):
        if boxes.axis != 1:
            raise Unsupported("boxes: their number may be of open length")
        boxes = boxes.tensor
    settings = [None if each is None else _setting(each) for each in given[2:]]
    known = [building.tensor(fixed(each, "it"), "it") for each in (boxes, scores)]
    count = min(known[0].shape[1:2] + known[1].shape[2:3])
    pair = [part(building, known[0], 1, range(count)), part(building, known[1], 2, range(count))]
    found = suppressed(building, node, [*pair, *settings])
    if not isinstance(found, Tensor):
        return found
    # The number of the batch is 0, or -1 where no box was chosen.
    first = part(building, found, 1, range(1))
    return List(
        found, 0, Count(counted(building, scaled(building, first, 1.0, 1.0)), found.shape[0])
    )


def _setting(given: Open) -> Value:
    """A number; where it is a count, the most that it can be, as there are no more boxes."""
    if isinstance(given, Lengths):
        (number,) = given.numbers.ravel().tolist()
        return np.array(number.most if isinstance(number, Count) else number, np.int64)
    return fixed(given, "a setting")


def merged(building: Building, condition: Tensor, branches: Sequence[Open]) -> Open:
    """What an If makes, both of whose branches were computed: the one that it takes."""
    first, second = (as_value(building, each) for each in branches)
    known = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    if known and np.array_equal(first, second):  # type: ignore[arg-type]
        return first  # type: ignore[return-value]
    one = building.reshaped(condition, ())
    taken = applied(building, one, "truth"), applied(building, one, "not")
    axis = _open_axis(first, second)
    if axis is None:
        given: list[Value | None] = [one, *(fixed(each, "a branch") for each in (first, second))]
        if _shape(first) != _shape(second):
            raise Unsupported(f"its branches make {_shape(first)} and {_shape(second)}")
        return made(building, "Where", given)
    # The list of the branch that is not taken is empty.
    lists = [
        _where(building, each, axis, truth)
        for each, truth in zip((first, second), taken, strict=True)
    ]
    return one_after_another(building, lists, axis)


def _shape(given: Open | None) -> tuple[int, ...]:
    return () if given is None else given.shape


def _open_axis(*given: Open | None) -> int | None:
    """The dim along which what two branches make differs in length; None where it does not."""
    for each in given:
        if isinstance(each, List):
            return each.axis
    first, second = (_shape(each) for each in given)
    differ = [at for at, pair in enumerate(zip(first, second, strict=False)) if len(set(pair)) > 1]
    return differ[0] if len(first) == len(second) and len(differ) == 1 else None


def _where(building: Building, given: Open | None, axis: int, truth: Tensor) -> Open:
    """A list whose count is 0 where it is not meant."""
    if isinstance(given, np.ndarray):
        if not given.size:
            return given
        given = building.constant(given.astype(np.float32))
    if isinstance(given, Tensor):
        length = given.shape[axis]
        value = scaled(building, truth, float(length))
        return List(given, axis, Count(value, length))
    if not isinstance(given, List):
        raise Unsupported("one of its branches makes nothing")
    value = paired(building, "where", given.count.value, truth)
    return List(given.tensor, given.axis, Count(value, given.count.most))
