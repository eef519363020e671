"""How random networks come by operators on arrays: see ``growth``, which has all others.

Only those whose values are continuous, so that rounding cannot change which element is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

from hypothesis import strategies as st

from ftdist.network.operators.functions import Function
from ftdist.network.operators.normalizing import SoftmaxAlong
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.placing import Pad, PadMode
from ftdist.network.operators.reducing import Reduce
from ftdist.network.operators.tensors import ConcatenatePositions, Rearrange
from ftdist.network.operators.views import AXES, Factor, View, permuted, reduced

if TYPE_CHECKING:
    from support.growth import Growth


def pair(growth: Growth) -> None:
    """With another map, either of which may count for all rows, columns or channels."""
    source = growth.source()
    shape = growth.builder.shape(source)
    fitting = [
        number
        for number in range(growth.first, len(growth.builder))
        if all(
            a == b or 1 in (a, b) for a, b in zip(shape, growth.builder.shape(number), strict=True)
        )
    ]
    how = growth.draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]))
    other = growth.draw(st.sampled_from(fitting))
    growth.builder.add(Pair(how, growth.draw(growth.activations)), [source, other])


def rearrange(growth: Growth) -> None:
    """Axes in another order, one of them backwards, or in steps, or split in two."""
    source = growth.source()
    shape = growth.builder.shape(source)
    view = permuted(shape, growth.draw(st.sampled_from(list(itertools.permutations(AXES)))))
    (rows,) = view.rows
    kind = growth.draw(st.sampled_from(["plain", "backwards", "steps", "split"]))
    first = 0
    axis: tuple[Factor, ...] = (rows,)
    if kind == "backwards":
        first, axis = (rows.count - 1) * rows.step, (Factor(rows.count, -rows.step),)
    elif kind == "steps":
        axis = (Factor(-(-rows.count // 2), 2 * rows.step),)
    elif kind == "split" and rows.count % 2 == 0:
        half = rows.count // 2
        axis = (Factor(half, rows.step), Factor(2, half * rows.step))
    growth.builder.add(Rearrange(View(axis, view.columns, view.channels, first=first)), [source])


def reduce(growth: Growth) -> None:
    source = growth.source()
    over = growth.draw(st.lists(st.sampled_from(AXES), min_size=1, unique=True))
    how = growth.draw(st.sampled_from(["sum", "mean", "max", "min"]))
    view = reduced(growth.builder.shape(source), tuple(over))
    growth.builder.add(Reduce(how, view), [source])


def softmax_along(growth: Growth) -> None:
    along = growth.draw(st.lists(st.booleans(), min_size=3, max_size=3).filter(any))
    growth.builder.add(SoftmaxAlong(*along), [growth.source()])


def concatenate_positions(growth: Growth) -> None:
    source = growth.source()
    axis = growth.draw(st.sampled_from(["rows", "columns"]))
    other = 1 if axis == "rows" else 0
    shape = growth.builder.shape(source)
    fitting = [
        number
        for number in range(growth.first, len(growth.builder))
        if growth.builder.shape(number)[other] == shape[other]
        and growth.builder.shape(number).channels == shape.channels
    ]
    others = growth.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))
    growth.builder.add(ConcatenatePositions(axis), [source, *others])


def function(growth: Growth) -> None:
    how = growth.draw(st.sampled_from(["clip", "abs", "softsign", "hard_sigmoid", "celu", "erf"]))
    growth.builder.add(Function(how, 0.3, 0.6), [growth.source()])


def pad(growth: Growth) -> None:
    """Also by more than the map has."""
    mode = growth.draw(st.sampled_from(get_args(PadMode)))
    top, bottom, left, right = (growth.draw(st.sampled_from([0, 1, 2, 5])) for _ in range(4))
    growth.builder.add(Pad(mode, top, bottom, left, right, 0.5), [growth.source()])


TENSOR_KINDS: tuple[Callable[[Growth], None], ...] = (
    pair,
    rearrange,
    reduce,
    softmax_along,
    concatenate_positions,
    function,
    pad,
)
