"""Reductions and matrix products over whole maps, against NumPy in double precision."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wholemaps import check, random_map

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.reducing import Product, Reduce, ReductionKind
from ftdist.network.operators.views import AXES, AxisName, Factor, View, reduced


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    most = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - most).sum(axis=axis, keepdims=keepdims)) + most


EXPECTED: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "product": np.prod,
    "l1": lambda x, **how: np.abs(x).sum(**how),
    "l2": lambda x, **how: np.sqrt((x * x).sum(**how)),
    "sum_of_squares": lambda x, **how: (x * x).sum(**how),
    "log_sum": lambda x, **how: np.log(x.sum(**how)),
    "log_sum_exp": _log_sum_exp,
}

OVER: list[tuple[AxisName, ...]] = [
    over for count in (1, 2, 3) for over in combinations(AXES, count)
]


@pytest.mark.parametrize("how", EXPECTED)
@settings(max_examples=6)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 5, 16, 37])),
    st.sampled_from(OVER),
    st.integers(0, 9),
)
def test_axes_are_reduced(
    how: ReductionKind, sides: tuple[int, int, int], over: tuple[AxisName, ...], seed: int
) -> None:
    x = random_map(sides, seed)
    if how in ("log_sum", "product"):
        x = np.abs(x) + np.float32(0.5)
    if how == "product":
        x = x / np.float32(1.2)
    axes = tuple(AXES.index(each) for each in over)
    expected = EXPECTED[how](x.astype(np.float64), axis=axes, keepdims=True)
    check(Reduce(how, reduced(Shape(*sides), over)), [x], expected, 1e-6)


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("how", [h for h in get_args(ReductionKind) if h.startswith("arg")])
def test_places_count_through_the_terms(how: ReductionKind, over: tuple[AxisName, ...]) -> None:
    """Values come several times, so that first and last differ."""
    shape = (4, 5, 18)
    x = np.random.default_rng(1).integers(0, 4, shape).astype(np.float32)
    kept = [n for n in range(3) if AXES[n] not in over]
    terms = x.transpose(*kept, *(AXES.index(each) for each in over))
    terms = terms.reshape(*(shape[n] for n in kept), -1)
    find = np.argmax if "max" in how else np.argmin
    places = find(terms[..., ::-1] if how.endswith("last") else terms, axis=-1)
    if how.endswith("last"):
        places = terms.shape[-1] - 1 - places
    expected = places.reshape([1 if AXES[n] in over else shape[n] for n in range(3)])
    check(Reduce(how, reduced(Shape(*shape), over)), [x], expected.astype(np.float32))


def test_nan_comes_first_and_infinity_stays() -> None:
    x = random_map((1, 3, 5))
    x[0, 1, 3], x[0, 2, 0], x[0, 0, 0] = np.nan, np.inf, -np.inf
    view = reduced(Shape(1, 3, 5), ("channels",))
    with np.errstate(all="ignore"):
        check(Reduce("max", view), [x], x.max(axis=2, keepdims=True))
        places = x.argmax(axis=2, keepdims=True).astype(np.float32)
        check(Reduce("arg_max", view), [x], places)
        most = [x[0, 0, 1:].astype(np.float64), np.array([np.nan]), np.array([np.inf])]
        expected = np.array([[[np.log(np.exp(each).sum())] for each in most]])
        check(Reduce("log_sum_exp", view), [x], expected, 1e-6)


def test_a_long_sum_is_right_to_rounding() -> None:
    """Added in single precision, 60,000 terms of one sign would be wrong in the fifth digit."""
    x = np.abs(random_map((150, 400, 1))) + np.float32(1)
    expected = x.astype(np.float64).sum(axis=(0, 1), keepdims=True)
    check(Reduce("sum", reduced(Shape(150, 400, 1), ("rows", "columns"))), [x], expected, 1e-7)


def matrices(b: int, i: int, k: int, j: int) -> View:
    """Maps (b, i, k) and (b, k, j) multiplied to (b, i, j)."""
    return View(
        (Factor(b, i * k, k * j),),
        (Factor(i, k, 0),),
        (Factor(j, 0, 1),),
        (Factor(k, 1, j),),
    )


@settings(max_examples=25)
@given(
    st.integers(1, 3),
    st.sampled_from([1, 2, 5, 13, 14, 15, 30]),
    st.sampled_from([1, 3, 64, 256, 257, 600]),
    st.sampled_from([1, 3, 15, 16, 17, 33]),
)
def test_matrices_are_multiplied(b: int, i: int, k: int, j: int) -> None:
    first, second = random_map((b, i, k)), random_map((b, k, j), 1)
    expected = first.astype(np.float64) @ second.astype(np.float64)
    check(Product(matrices(b, i, k, j)), [first, second], expected, 1e-5)


@settings(max_examples=10)
@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 7, 20]), st.sampled_from([3, 4]))
def test_attention_reads_maps_as_they_lie(heads: int, depth: int, side: int) -> None:
    """q and k as (rows, columns, heads x depth): each position times each, head by head."""
    width, all_channels = side + 1, heads * depth
    q, k = (random_map((side, width, all_channels), seed) for seed in (0, 1))
    step = width * all_channels
    view = View(
        (Factor(heads, depth, depth),),
        (Factor(side, step, 0), Factor(width, all_channels, 0)),
        (Factor(side, 0, step), Factor(width, 0, all_channels)),
        (Factor(depth, 1, 1),),
    )
    split = (side * width, heads, depth)
    expected = np.einsum(
        "phd,qhd->hpq", q.reshape(split).astype(np.float64), k.reshape(split).astype(np.float64)
    )
    check(Product(view), [q, k], expected, 1e-5)


def test_sums_are_fused_in_the_order_of_terms() -> None:
    """2^24 + 1 - 2^24 in this order is 0 where each step rounds, whatever is done in blocks."""
    terms = np.zeros((1, 1, 520), np.float32)
    terms[0, 0, [0, 300, 519]] = 2.0**24, 1, -(2.0**24)
    ones = np.ones((1, 520, 3), np.float32)
    for how, output in _native(Product(matrices(1, 1, 520, 3)), [terms, ones]):
        assert not output.any(), how


def test_sums_of_more_than_256_terms_are_put_together_of_partial_sums() -> None:
    """1 + 1 is added to 2^24 as 2, which counts; each by itself is lost."""
    terms = np.zeros((1, 1, 520), np.float32)
    terms[0, 0, [0, 300, 400, 519]] = 2.0**24, 1, 1, -(2.0**24)
    ones = np.ones((1, 520, 3), np.float32)
    for how, output in _native(Product(matrices(1, 1, 520, 3)), [terms, ones]):
        assert (output == 2).all(), how


def _native(operation: Product, maps: list[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    from support.wholemaps import outputs

    return [each for each in outputs(operation, maps) if each[0].startswith("native")]


def test_a_product_whose_channels_move_in_the_first_map_is_refused() -> None:
    view = View((), (Factor(2, 3, 0),), (Factor(3, 1, 1),), (Factor(2, 0, 3),))
    with pytest.raises(InputError, match="move in the first map"):
        Product(view).output_shape((Shape(1, 2, 3), Shape(1, 2, 3)))
