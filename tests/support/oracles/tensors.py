"""What operators on arrays say they compute, in double precision: the oracle's part of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ftdist.network.operators.base import Operation
from ftdist.network.operators.normalizing import SoftmaxAlong
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.reducing import Reduce
from ftdist.network.operators.tensors import ConcatenatePositions, Rearrange
from ftdist.network.operators.views import Factors, View

Map = np.ndarray
"""float64 (height, width, channels)"""

_PAIRS: dict[str, Callable[[Map, Map], Map]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
_REDUCTIONS: dict[str, Callable[..., Map]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
}


def computed(operation: Operation, inputs: list[Map]) -> Map | None:
    """The map before any activation; None for what is no operator on arrays."""
    first = inputs[0]
    match operation:
        case Pair(how=how):
            return _PAIRS[how](first, inputs[1])
        case Rearrange(view=view):
            return _read(first, view)[..., 0]
        case Reduce(how=how, view=view):
            return _REDUCTIONS[how](_read(first, view), axis=-1)
        case SoftmaxAlong(rows=rows, columns=columns, channels=channels):
            axes = tuple(n for n, along in enumerate((rows, columns, channels)) if along)
            terms = np.exp(first - first.max(axis=axes, keepdims=True))
            return terms / terms.sum(axis=axes, keepdims=True)
        case ConcatenatePositions(axis=axis):
            return np.concatenate(inputs, axis=("rows", "columns").index(axis))
    return None


def _read(x: Map, view: View) -> Map:
    """(rows, columns, channels, terms): each element where its factors say that it lies."""
    place = np.full((1, 1, 1, 1), view.first)
    for axis, factors in enumerate((view.rows, view.columns, view.channels, view.terms)):
        sides = [1, 1, 1, 1]
        sides[axis] = -1
        place = place + _steps(factors).reshape(sides)
    return x.ravel()[place]


def _steps(factors: Factors) -> np.ndarray:
    steps = np.zeros(1, int)
    for each in factors:
        steps = (steps[:, None] + np.arange(each.count) * each.step).ravel()
    return steps
