"""What operators on arrays say they compute, in double precision: the oracle's part of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ftdist.network.operators.base import Operation
from ftdist.network.operators.functions import Function
from ftdist.network.operators.normalizing import SoftmaxAlong
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.placing import Pad
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
_FUNCTIONS: dict[str, Callable[[Map, float, float], Map]] = {
    "clip": np.clip,
    "abs": lambda x, a, b: np.abs(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "celu": lambda x, a, b: np.maximum(x, 0) + a * np.expm1(np.minimum(x, 0) / a),
    "erf": lambda x, a, b: np.vectorize(math.erf, otypes=[float])(x),
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
        case Function(how=how, first=a, second=b):
            return _FUNCTIONS[how](first, a, b)
        case Pad(mode=mode, value=value):
            widths = (operation.top, operation.bottom), (operation.left, operation.right), (0, 0)
            more = {"constant_values": value} if mode == "constant" else {}
            return np.pad(first, widths, mode, **more)  # type: ignore[call-overload, no-any-return]
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
