"""Lists that are made of a length: a value so many times, numbers one after another."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import Count, Lengths, List, most_of
from ftdist.network.onnx.nodes import Node, Open, Unsupported, constant, tensor
from ftdist.network.onnx.registry import made, translates_lists
from ftdist.network.onnx.translators.lists import lengths
from ftdist.network.onnx.translators.lists.entries import as_value, filled, repeated, widened
from ftdist.network.onnx.translators.lists.shaping import dims_of, fixed, listed, row_by_row
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.pointwise import scaled
from ftdist.network.onnx.views import Tensor

Given = list[Open | None]


def _open_dim(wanted: tuple[int | Count, ...]) -> tuple[int, Count]:
    counts = [(at, each) for at, each in enumerate(wanted) if isinstance(each, Count)]
    if len(counts) != 1:
        raise Unsupported("the shape: one dim of open length is supported")
    return counts[0]


@translates_lists("ConstantOfShape")
def _constant(building: Building, node: Node, given: Given) -> Open:
    wanted = dims_of(given[0], "the shape")
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    return _same_everywhere(building, float(value), wanted)


def _same_everywhere(building: Building, value: float, wanted: tuple[int | Count, ...]) -> List:
    """A number in all places of a shape of open length."""
    at, count = _open_dim(wanted)
    many = repeated(building, count.value, most_of(wanted))
    return List(scaled(building, many, 0.0, value), at, count)


@translates_lists("Range")
def _range(building: Building, node: Node, given: Given) -> Open:
    start, limit, step = (_only(each) for each in given)
    if start != 0 or step != 1 or not isinstance(limit, Count):
        raise Unsupported("a range of open length begins with 0 and goes on by 1")
    numbers = np.arange(limit.most, dtype=np.float32)
    return List(building.constant(numbers), 0, limit)


def _only(given: Open | None) -> object:
    if isinstance(given, np.ndarray):
        return float(given.ravel()[0])
    return given.numbers.ravel()[0] if isinstance(given, Lengths) else given


@translates_lists("Expand")
def _expand(building: Building, node: Node, given: Given) -> Open:
    value, wanted = as_value(building, given[0]), dims_of(given[1], "the shape")
    is_open = any(isinstance(each, Count) for each in wanted)
    if isinstance(value, np.ndarray) and value.size == 1 and is_open:
        return _same_everywhere(building, float(value.ravel()[0]), wanted)
    whole = value.tensor if isinstance(value, List) else value
    whole = building.tensor(whole, "its input")  # type: ignore[arg-type]
    rank = max(whole.rank, len(wanted))
    shape = list((1,) * (rank - len(wanted)) + most_of(wanted))
    if isinstance(value, List):
        at, count = rank - value.from_end, value.count
        shape[at] = value.capacity
    else:
        at, count = _open_dim(wanted)
        at += rank - len(wanted)
    try:
        result = np.broadcast_shapes(whole.shape, tuple(shape))
    except ValueError:
        raise Unsupported(f"shape: {whole.shape} cannot become {tuple(shape)}") from None
    narrow = whole if isinstance(value, List) and whole.rank == len(shape) else None
    if narrow is not None and math.prod(narrow.shape) == math.prod(shape[: at + 1]):
        return List(widened(building, narrow, at, result), at, count, narrow)
    return List(building.expanded(whole, result), at, count, narrow)


@translates_lists("Pad")
def _pad(building: Building, node: Node, given: Given) -> Open:
    """A list that is filled up, mostly to a known length: by as many entries as it lacks; or what
    lies around each entry."""
    value = listed(given)
    pads = dims_of(given[1], "pads") if len(given) > 1 else node.integers("pads")
    if len(pads) == 2 * value.rank and not any(pads[value.axis :: value.rank]):
        (around,) = row_by_row(building, node, given)
        return List(around, value.axis, value.count)
    number = 0.0
    if len(given) > 2 and given[2] is not None:
        number = float(constant(fixed(given[2], "the value"), "the value").ravel()[0])
    after = pads[value.rank + value.axis] if len(pads) == 2 * value.rank else -1
    ends = value.axis, value.rank + value.axis
    others = [each for at, each in enumerate(pads) if at not in ends]
    by_axes = len(given) > 3 and given[3] is not None
    if any(others) or by_axes or node.word("mode", "constant") != "constant":
        raise Unsupported("pads: entries may be added before and behind those of a list")
    before = pads[value.axis]
    if before:
        value = _behind(building, value, before, number)
    (most,) = most_of((after,))
    whole = filled(building, value, number)
    count = lengths.longer(building, value.count, after)
    if not most:
        return List(whole, value.axis, value.count)
    if isinstance(count, int):  # as long as said, however many entries there are
        return _of_length(building, whole, value.axis, count, number)
    joined = _of_length(building, whole, value.axis, value.capacity + most, number)
    return List(joined, value.axis, count)


def _behind(building: Building, value: List, before: int | Count, number: float) -> List:
    """The list behind so many entries of a number."""
    if not isinstance(before, int) or before < 0:
        raise Unsupported("pads: as many entries before those of a list as the file says")
    shape = (*value.shape[: value.axis], before, *value.shape[value.axis + 1 :])
    more = np.full(shape, number, np.float32)
    whole = tensor(made(building, "Concat", [more, value.tensor], {"axis": value.axis}))
    return List(whole, value.axis, lengths.longer(building, value.count, before))  # type: ignore[arg-type]


def _of_length(building: Building, value: Tensor, axis: int, length: int, number: float) -> Tensor:
    """The first so many entries, and behind them numbers where there are not as many."""
    if value.shape[axis] >= length:
        return part(building, value, axis, range(length))
    shape = list(value.shape)
    shape[axis] = length - value.shape[axis]
    more = building.constant(np.full(shape, number, np.float32))
    return tensor(made(building, "Concat", [value, more], {"axis": axis}))
