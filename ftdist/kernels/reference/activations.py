"""The activation functions in NumPy: the definition of what kernels apply."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def activate(kind: str, slope: float, x: Array) -> Array:
    """The activation functions; NaN passes through each."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(_ACTIVATIONS[kind](x, np.float32(slope)), np.float32)


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _mish(x: Array) -> Array:
    return np.asarray(x * np.tanh(np.logaddexp(np.float32(0), x)), np.float32)


def _elu(x: Array) -> Array:
    return np.where(x >= 0, x, np.expm1(np.minimum(x, 0)))


def _gelu(x: Array) -> Array:
    inner = np.float32(0.797885) * x + np.float32(0.035677) * x * x * x
    return np.asarray(x * _logistic(2 * inner))


def erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x), np.float32)


def _gelu_exact(x: Array) -> Array:
    return np.asarray(np.float32(0.5) * x * (1 + erf(x / np.float32(math.sqrt(2)))))


def _hard_mish(x: Array) -> Array:
    return np.where(x > 0, x, np.where(x <= -2, 0, x * x / 2 + x))


def _lhtan(x: Array) -> Array:
    slope = np.float32(0.001)
    return np.where(x < 0, slope * x, np.where(x > 1, slope * (x - 1) + 1, x))


def _plse(x: Array) -> Array:
    steep, flat = np.float32(0.125), np.float32(0.01)
    outside = np.where(x < -4, flat * (x + 4), flat * (x - 4) + 1)
    return np.where((x < -4) | (x > 4), outside, steep * x + np.float32(0.5))


def _stair(x: Array) -> Array:
    n, half = np.floor(x), np.floor(x / 2)
    return np.where(n == 2 * half, half, (x - n) + half)


_ACTIVATIONS: dict[str, Callable[[Array, np.float32], Any]] = {
    "linear": lambda x, _: x,
    "leaky": lambda x, slope: np.where(x > 0, x, x * slope),
    "relu": lambda x, _: np.where(x < 0, 0, x),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "logistic": lambda x, _: _logistic(x),
    "swish": lambda x, _: x * _logistic(x),
    "mish": lambda x, _: _mish(x),
    "hardswish": lambda x, _: x * np.clip(x + 3, 0, 6) / 6,
    "tanh": lambda x, _: np.tanh(x),
    "elu": lambda x, _: _elu(x),
    "selu": lambda x, _: _elu(x) * np.where(x >= 0, np.float32(1.0507), np.float32(1.75803124)),
    "gelu": lambda x, _: _gelu(x),
    "hardmish": lambda x, _: _hard_mish(x),
    "hardtan": lambda x, _: np.clip(x, -1, 1),
    "lhtan": lambda x, _: _lhtan(x),
    "loggy": lambda x, _: np.tanh(x / 2),
    "plse": lambda x, _: _plse(x),
    "ramp": lambda x, _: np.where(x > 0, x, 0 * x) + np.float32(0.1) * x,
    "stair": lambda x, _: _stair(x),
    "gelu_exact": lambda x, _: _gelu_exact(x),
    "softplus": lambda x, _: np.logaddexp(np.float32(0), x),
}
