"""Functions of two maps with broadcasting in both, against NumPy in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import model_of
from support.wholemaps import around, check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.base import Activation
from ftdist.network.operators.pairs import Pair, PairKind
from ftdist.planning.plan import parse_notation, untiled
from ftdist.runtime.local import Session

EXPECTED: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": lambda a, b: np.abs(a) ** b,
    "equal": lambda a, b: a == b,
    "greater": lambda a, b: a > b,
    "greater_or_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_or_equal": lambda a, b: a <= b,
    "and": lambda a, b: (a != 0) & (b != 0),
    "or": lambda a, b: (a != 0) | (b != 0),
    "xor": lambda a, b: (a != 0) ^ (b != 0),
    "modulo": lambda a, b: a - np.floor(a / b) * b,
    "remainder": lambda a, b: a - np.trunc(a / b) * b,
    "where": lambda a, b: np.where(b != 0, a, 0),
    "unless": lambda a, b: np.where(b != 0, 0, a),
}


def operands(how: str, first: list[int], second: list[int]) -> tuple[np.ndarray, np.ndarray]:
    a, b = random_map(first), random_map(second, 1)
    if how == "power":
        return np.abs(a) + np.float32(0.1), b * 3
    if how in ("divide", "modulo", "remainder"):
        return a * 4, b + np.copysign(np.float32(0.5), b)
    if how in get_args(PairKind)[7:]:
        return np.round(a), np.round(b)
    return a, b


@st.composite
def two_shapes(draw: Any) -> tuple[list[int], list[int]]:
    sides = [
        draw(st.integers(1, 7)),
        draw(st.integers(1, 7)),
        draw(st.sampled_from([1, 3, 16, 21])),
    ]
    first, second = ([draw(st.sampled_from([1, n, n])) for n in sides] for _ in range(2))
    return first, second


@pytest.mark.parametrize("how", get_args(PairKind))
@settings(max_examples=8)
@given(two_shapes())
def test_two_maps_are_put_together(how: PairKind, shapes: tuple[list[int], list[int]]) -> None:
    a, b = operands(how, *shapes)
    expected = np.asarray(EXPECTED[how](a.astype(np.float64), b.astype(np.float64)), np.float64)
    check(Pair(how), [a, b], expected, 1e-5 if how == "power" else 1e-6)


def test_powers_at_the_edges() -> None:
    bases = [-2, -2, -2, 0, 0, 0, 2, 2, 9, -1.5, np.inf, 1, 3, 10, 10]
    exponents = [2, 3, 0.5, 2, -1, 0, -2, 0, 0.5, -3, 2, np.nan, 70, 40, -60]
    a, b = (np.array(each, np.float32).reshape(1, 1, -1) for each in (bases, exponents))
    with np.errstate(all="ignore"):
        expected = np.power(a, b)
        for value, base, exponent in zip(expected.flat, a.flat, b.flat, strict=True):
            one = [np.full((1, 1, 1), each, np.float32) for each in (base, exponent)]
            check(Pair("power"), one, np.full((1, 1, 1), value), 1e-5)


def test_nan_goes_through_extremes() -> None:
    a = np.array([np.nan, 1, np.nan], np.float32).reshape(1, 1, 3)
    b = np.array([1, np.nan, np.nan], np.float32).reshape(1, 1, 3)
    for how in ("maximum", "minimum"):
        check(Pair(how), [a, b], np.full((1, 1, 3), np.nan))


@settings(max_examples=15)
@given(two_shapes(), st.sampled_from(["2x1", "1x2s1", "2x2s3", "1x1s1"]))
def test_it_is_local(shapes: tuple[list[int], list[int]], notation: str) -> None:
    """It is no whole-map step, and tiles and strips of it give the same bits."""
    operation = Pair("subtract", Activation("relu"))
    network = around(operation, [Shape(*each) for each in shapes])
    assert not network.whole_layers
    try:
        plan = parse_notation(notation, network)
    except InputError:
        return  # more tiles than positions
    model = model_of(network)
    given = {f"in{n}": random_map(each, n).transpose(2, 0, 1) for n, each in enumerate(shapes)}
    found = []
    for each in (plan, untiled(network)):
        with Session(model, each) as session:
            (output,) = session.run(given).values()
            found.append(output.tobytes())
    assert found[0] == found[1]


def test_maps_that_do_not_suit_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="do not suit"):
        Pair("add").output_shape((Shape(2, 3, 4), Shape(2, 2, 4)))
