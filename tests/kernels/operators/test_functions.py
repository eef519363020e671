"""Functions of one value, against NumPy in double precision and libm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from support.wholemaps import around, check, outputs, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.base import Activation
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.functions import Function, FunctionKind

EXPECTED: dict[str, Callable[[Any], Any]] = {
    "clip": lambda x: np.clip(x, -0.7, 0.4),
    "abs": np.abs,
    "negative": np.negative,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "truncate": np.trunc,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: 1 / x,
    "exp": np.exp,
    "log": np.log,
    "erf": np.vectorize(math.erf),
    "softsign": lambda x: x / (1 + abs(x)),
    "hard_sigmoid": lambda x: np.clip(0.3 * x + 0.4, 0, 1),
    "elu": lambda x: np.where(x >= 0, x, 1.7 * (np.exp(np.minimum(x, 0)) - 1)),
    "selu": lambda x: 1.05 * np.where(x >= 0, x, 1.67 * (np.exp(np.minimum(x, 0)) - 1)),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(0, 2 * (np.exp(x / 2) - 1)),
    "threshold": lambda x: np.where(x > 0.5, x, 0),
    "swish": lambda x: x / (1 + np.exp(-1.7 * x)),
    "shrink": lambda x: np.where(x < -0.5, x + 0.2, np.where(x > 0.5, x - 0.2, 0)),
    "truth": lambda x: x != 0,
    "not": lambda x: x == 0,
    "divide": lambda x: x / np.float32(0.3),
    "power": lambda x: x**2.5,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}

NUMBERS: dict[str, tuple[float, float]] = {
    "clip": (-0.7, 0.4),
    "hard_sigmoid": (0.3, 0.4),
    "elu": (1.7, 0),
    "selu": (1.67, 1.05),
    "celu": (2, 0),
    "threshold": (0.5, 0),
    "swish": (1.7, 0),
    "shrink": (0.5, 0.2),
    "divide": (0.3, 0),
    "power": (2.5, 0),
}


@pytest.mark.parametrize("how", get_args(FunctionKind))
@pytest.mark.parametrize("shape", [(3, 5, 1), (2, 3, 21), (1, 1, 64)])
def test_each_is_what_it_says(how: FunctionKind, shape: tuple[int, int, int]) -> None:
    x = random_map(shape) * 3
    if how in ("sqrt", "log", "power"):
        x = abs(x)
    x.flat[:2] = 2.5, 0.5  # the even neighbour is the nearest
    if how in ("truth", "not"):
        x = np.round(x)
    if how in ("asin", "acos", "atanh"):
        x = np.clip(x / 3, -0.999, 0.999)
    if how == "acosh":
        x = 1 + abs(x)
    expected = np.asarray(EXPECTED[how](x.astype(np.float64)), np.float64)
    check(Function(how, *NUMBERS.get(how, ())), [x], expected, 3e-7)


def test_the_whole_range_of_floats() -> None:
    """Zero, infinities, numbers that are too small to be normal, and NaN."""
    x = np.array([0, np.inf, -np.inf, np.nan, 1e-42, 1e38, 100, -100, -90, 88.6], np.float32)
    with np.errstate(all="ignore"):
        exponentials, logarithms = np.exp(x), np.log(np.where(x < 0, np.nan, x))
    for how, wanted in (("exp", exponentials), ("log", logarithms)):
        for value, expected in zip(x, wanted, strict=True):
            given, made = (np.full((1, 1, 1), each, np.float32) for each in (value, expected))
            check(Function(how), [given], made, 1e-6)  # type: ignore[arg-type]
    kept = x.reshape(1, 1, -1)
    check(Function("clip", -3e38, 3e38), [kept], np.clip(kept, -3e38, 3e38))
    check(Function("sign"), [kept], np.sign(kept))


ANGLES = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")


@pytest.mark.parametrize("how", ANGLES)
def test_functions_of_angles_are_near_libm_everywhere(how: FunctionKind) -> None:
    """Each value by itself, so that large results do not hide what is wrong with small ones."""
    few = [0, 1e-30, 1e-5, 1.5e-4, 0.3, 0.4142, 0.7, 0.9999999, 1, 1.5707964, 2, 30, 88, 89.3, 95]
    x = np.array([*few, 1e3, 123456.7, 1e8, 1e12, 3e38, np.inf, np.nan], np.float32)
    x = np.concatenate([x, -x, np.linspace(-7, 7, 301, dtype=np.float32)])
    if how in ("sin", "cos", "tan"):
        x = x[~((abs(x) > 1e12) & np.isfinite(x))]
    with np.errstate(all="ignore"):
        wanted = getattr(np, NUMPYS.get(how, how))(x.astype(np.float64)).astype(np.float32)
    for way, found in outputs(Function(how), [x.reshape(1, 1, -1)]):
        np.testing.assert_allclose(found.ravel(), wanted, rtol=2e-7, err_msg=way)


NUMPYS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


def test_the_error_function_is_near_libm() -> None:
    x = np.linspace(-12, 12, 4001, dtype=np.float32).reshape(1, 1, -1)
    check(Function("erf"), [x], np.vectorize(math.erf)(x.astype(np.float64)), 1.5e-7)
    exact = x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
    check(Activate(Activation("gelu_exact")), [x], exact, 1e-7)
    softplus = np.logaddexp(0, x.astype(np.float64))
    check(Activate(Activation("softplus")), [x], softplus, 1e-7)


def test_it_is_local_and_its_numbers_are_finite() -> None:
    assert not around(Function("abs"), [Shape(3, 4, 5)]).whole_layers
    with pytest.raises(InputError, match="finite"):
        Function("clip", float("nan")).output_shape((Shape(1, 1, 1),))
