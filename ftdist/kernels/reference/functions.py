"""Definitions of the functions of one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ftdist.kernels.program import KINDS
from ftdist.kernels.reference.activations import erf
from ftdist.kernels.reference.views import Array, Views


class Functions(Views):
    """Whatever reads just the value that it replaces."""

    def function(self) -> Array:
        x = self.same("in").astype(np.float64)
        how = KINDS["functions"][int(self.k["kind"])]
        with np.errstate(all="ignore"):
            found = FUNCTIONS[how](x, float(self.k["factor"]), float(self.k["shift"]))
            return np.asarray(found, np.float32)


def _below(x: Any, scale: float) -> Any:
    """scale * (e^x - 1) below zero, x above."""
    return np.where(x >= 0, x, scale * np.expm1(np.minimum(x, 0)))


def _celu(x: Any, a: float) -> Any:
    return np.where(x >= 0, x, a * np.expm1(np.minimum(x / a, 0)))


FUNCTIONS: dict[str, Callable[[Any, float, float], Any]] = {
    "clip": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "abs": lambda x, a, b: np.abs(x),
    "negative": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "truncate": lambda x, a, b: np.trunc(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "reciprocal": lambda x, a, b: 1 / x,
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "erf": lambda x, a, b: erf(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "elu": lambda x, a, b: _below(x, a),
    "selu": lambda x, a, b: b * _below(x, a),
    "celu": lambda x, a, b: _celu(x, a),
    "threshold": lambda x, a, b: np.where(x <= a, 0, x),
    "swish": lambda x, a, b: x / (1 + np.exp(-a * x)),
    "shrink": lambda x, a, b: np.where(x < -a, x + b, np.where(x > a, x - b, 0 * x)),
    "truth": lambda x, a, b: x != 0,
    "not": lambda x, a, b: x == 0,
    "divide": lambda x, a, b: x / a,
    "power": lambda x, a, b: np.power(x, a),
    "sin": lambda x, a, b: np.sin(x),
    "cos": lambda x, a, b: np.cos(x),
    "tan": lambda x, a, b: np.tan(x),
    "asin": lambda x, a, b: np.arcsin(x),
    "acos": lambda x, a, b: np.arccos(x),
    "atan": lambda x, a, b: np.arctan(x),
    "sinh": lambda x, a, b: np.sinh(x),
    "cosh": lambda x, a, b: np.cosh(x),
    "asinh": lambda x, a, b: np.arcsinh(x),
    "acosh": lambda x, a, b: np.arccosh(x),
    "atanh": lambda x, a, b: np.arctanh(x),
}
