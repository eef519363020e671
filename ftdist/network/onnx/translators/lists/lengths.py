"""Arithmetic of shapes that have counts in them: what is known stays known, counts become steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.constants import computed, shape_of
from ftdist.network.onnx.lists import Count, Lengths, List, lengths, most_of
from ftdist.network.onnx.nodes import Array, Node, Open, Unsupported
from ftdist.network.onnx.translators.lists.entries import least, number
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.types import FLOAT

Given = list[Open | None]
Length = Count | int

_MOST_NUMBERS = 4096
"""Shapes have a few numbers; among more there are no counts."""


def moved(node: Node, given: Given) -> Open:
    """What an operator makes of numbers and counts that it moves and does not look at."""
    arrays = [each.numbers if isinstance(each, Lengths) else each for each in given]
    sizes = [each.size for each in arrays if isinstance(each, np.ndarray)]
    if sum(sizes) > _MOST_NUMBERS:
        raise Unsupported("counts among very many numbers")
    (found, *_) = computed(node, arrays)  # type: ignore[arg-type]
    return lengths(found)


def shape(node: Node, given: List) -> Open:
    """What Shape says of a list."""
    dims: list[Length] = list(given.shape)
    dims[given.axis] = given.count
    chosen = shape_of(node, tuple(range(len(dims))))
    return lengths([dims[each] for each in chosen])


def size(building: Building, given: List) -> Open:
    """What Size says of a list."""
    inner = int(np.prod(given.shape)) // given.capacity
    return lengths(_product(building, given.count, inner))


def _product(building: Building, first: Length, second: Length) -> Length:
    if isinstance(first, int) and isinstance(second, int):
        return first * second
    if 1 in (first, second):
        return second if first == 1 else first
    most = int(
        np.prod([each.most if isinstance(each, Count) else each for each in (first, second)])
    )
    value = paired(building, "multiply", number(building, first), number(building, second))
    return Count(value, most)


def longer(building: Building, first: Length, second: Length) -> Length:
    """A length and another one behind it; what is lacking behind what lacks it is known."""
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    if 0 in (first, second):
        return second if first == 0 else first
    for one, other in ((first, second), (second, first)):
        if isinstance(one, Count) and isinstance(other, Count) and one.lacking is not None:
            whole, part = one.lacking
            if part == other.value:
                return whole
    most = sum(most_of((first, second)))
    value = paired(building, "add", number(building, first), number(building, second))
    return Count(applied(building, value, "clip", 0.0, float(most)), most)


def _difference(building: Building, first: Length, second: Length) -> Length:
    """Of lengths, so it is not below zero."""
    if isinstance(first, int) and isinstance(second, int):
        return first - second
    (most,) = most_of((first,))
    value = paired(building, "subtract", number(building, first), number(building, second))
    rest = applied(building, value, "clip", 0.0, float(most))
    if isinstance(first, int) and isinstance(second, Count) and second.most <= first:
        return Count(rest, most, (first, second.value))
    return Count(rest, most)


def _greatest(building: Building, first: Length, second: Length) -> Length:
    if isinstance(first, int) and isinstance(second, int):
        return max(first, second)
    known = [each for each in (first, second) if isinstance(each, int)]
    if known and known[0] <= 0:
        return second if isinstance(first, int) else first
    most = max(most_of((first, second)))
    value = paired(building, "maximum", number(building, first), number(building, second))
    return Count(value, most)


_How = Callable[[Building, Length, Length], Length]

_PAIRS: dict[str, _How] = {
    "Add": longer,
    "Sub": _difference,
    "Mul": _product,
    "Min": least,
    "Max": _greatest,
}
_REDUCTIONS: dict[str, _How] = {
    "ReduceSum": longer,
    "ReduceProd": _product,
    "ReduceMin": least,
    "ReduceMax": _greatest,
}
ARITHMETIC = frozenset((*_PAIRS, *_REDUCTIONS, "Equal", "Where", "Relu"))

_FLOATS = (FLOAT, 11)
_OF_FLOATS = frozenset(("Min", "Max", "Relu", "ReduceMin", "ReduceMax"))
"""What keeps counts whole that exporters have cast to floats: before opset 12 Min and Max are of
floats alone, so "the best hundred, or as many as there are" is said by casts there and back."""


def arithmetic(building: Building, node: Node, given: Given) -> Open | None:
    """What arithmetic makes of whole numbers and counts; None where there is anything else."""
    is_real = any(each in _FLOATS for each in node.types)
    if is_real and node.kind not in _OF_FLOATS:
        return None
    arrays = [_numbers(each, is_real=is_real) for each in given if each is not None]
    if any(each is None for each in arrays):
        return None
    found = _computed(building, node, [each for each in arrays if each is not None])
    return _cast(found, float) if is_real and found is not None else found


def _computed(building: Building, node: Node, known: list[Array]) -> Open | None:
    if node.kind == "Relu":
        return lengths(known[0])
    if node.kind == "Equal":
        return _equal(*known)
    if node.kind == "Where":
        return lengths(np.where(known[0].astype(bool), *known[1:]))
    if node.kind in _PAIRS:
        combined = np.frompyfunc(partial(_PAIRS[node.kind], building), 2, 1)
        return lengths(reduce(combined, known))
    values = known[0].ravel().tolist()
    axes = known[1].ravel().tolist() if len(known) > 1 else list(node.integers("axes"))
    if axes not in ([], [0], [-1]) or known[0].ndim > 1:
        raise Unsupported("axes: a shape has one dim")
    found = reduce(partial(_REDUCTIONS[node.kind], building), values)
    return lengths([found] if node.integer("keepdims", 1) else found)


def _equal(first: Array, second: Array) -> Array | None:
    """Which lengths are equal, where that is known: no count is below zero, or above its most."""
    truths = []
    for one, other in zip(
        *(each.ravel() for each in np.broadcast_arrays(first, second)), strict=True
    ):
        counts = [each for each in (one, other) if isinstance(each, Count)]
        known = [each for each in (one, other) if not isinstance(each, Count)]
        if counts and known and 0 <= known[0] <= counts[0].most:
            return None
        if len(counts) > 1 and one != other:
            return None
        truths.append(one == other)
    return np.array(truths, bool).reshape(np.broadcast_shapes(first.shape, second.shape))


def _numbers(given: Open, *, is_real: bool) -> Array | None:
    """As whole numbers and counts; `is_real`: floats that are whole are taken, too."""
    values = given.numbers if isinstance(given, Lengths) else given
    kinds = "iubfO" if is_real else "iubO"
    if not isinstance(values, np.ndarray) or values.dtype.kind not in kinds:
        return None
    if values.size > _MOST_NUMBERS:
        return None
    known = [each for each in values.ravel().tolist() if not isinstance(each, Count)]
    if not all(math.isfinite(each) and each == int(each) for each in known):
        return None
    whole = [each if isinstance(each, Count) else int(each) for each in values.ravel().tolist()]
    found = np.empty(len(whole), object)
    found[:] = whole
    return found.reshape(values.shape)


def cast(node: Node, given: Lengths) -> Open | None:
    """Counts as floats, or as whole numbers again; None for other types."""
    to = node.integer("to", FLOAT) if node.kind == "Cast" else 0
    if to in _FLOATS:
        return _cast(given, float)
    return _cast(given, int) if to in (6, 7, 12, 13) else None


def _cast(given: Open, kind: type) -> Open:
    if not isinstance(given, Lengths):
        return np.asarray(given, np.float32 if kind is float else np.int64)
    numbers = given.numbers.copy()
    for at, each in np.ndenumerate(numbers):
        numbers[at] = each if isinstance(each, Count) else kind(each)
    return Lengths(numbers)
