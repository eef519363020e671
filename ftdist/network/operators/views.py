"""Views: dense maps read as arrays of any rank, by factors of flat memory.

An array that was reshaped, permuted, cut with steps, turned round or repeated still has each of
its elements at ``first + sum(index * step)``, one index and step a *factor*. A view says, for the
rows, columns and channels of an output, which factors they are made of, outermost first; and which
factors (`terms`) are put together for one output element. Steps count floats of a whole map
(height, width, channels), so they may be negative, and 0 where values repeat.

Example: the transposed of a map of 4 rows, 6 columns, 8 channels, channels first, is
``View(((8, 1),), ((4, 48),), ((6, 8),))``, each factor written as (count, step).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ftdist.errors import InputError
from ftdist.geometry import Shape

MOST_FACTORS = 12
"""Factors of a view, after neighbours are put together, that kernels have room for."""

MOST_COUNT = 1 << 31
"""Kernels count factors in 32 bits."""

AxisName = Literal["rows", "columns", "channels"]
AXES: tuple[AxisName, ...] = ("rows", "columns", "channels")

_SIGNED = {"signed": True}


@dataclass(frozen=True, slots=True)
class Factor:
    """An index from 0 to before `count`, and what it moves in the first and in the second map."""

    count: int = field(metadata=_SIGNED)
    step: int = field(default=0, metadata=_SIGNED)
    step2: int = field(default=0, metadata=_SIGNED)


Factors = tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the elements of an output read; `first` and `first2` are where index 0 lies."""

    rows: Factors
    columns: Factors
    channels: Factors
    terms: Factors = ()
    first: int = field(default=0, metadata=_SIGNED)
    first2: int = field(default=0, metadata=_SIGNED)

    @property
    def shape(self) -> Shape:
        """The output's."""
        return Shape(*(length(each) for each in (self.rows, self.columns, self.channels)))

    @property
    def term_count(self) -> int:
        return length(self.terms)

    @property
    def factors(self) -> Factors:
        return (*self.rows, *self.columns, *self.channels, *self.terms)

    def merged(self) -> View:
        """The same with neighbours put together that step on evenly, and without factors of 1."""
        return View(
            merged(self.rows),
            merged(self.columns),
            merged(self.channels),
            merged(self.terms),
            self.first,
            self.first2,
        )

    def check(self, what: str, first: Shape, second: Shape | None = None) -> None:
        """InputError when it reads beside its maps, or has more factors than kernels can hold."""
        factors = self.factors
        if any(not 1 <= each.count < MOST_COUNT for each in factors):
            raise InputError(f"{what}: a factor of a view counts less than 1, or too far")
        steps = [(each.count, each.step) for each in factors]
        _check_reach(what, self.first, steps, first)
        if second is not None:
            steps = [(each.count, each.step2) for each in factors]
            _check_reach(what, self.first2, steps, second)
        if len(self.merged().factors) > MOST_FACTORS:
            raise InputError(f"{what}: a view has more than {MOST_FACTORS} factors")


def length(factors: Factors) -> int:
    return math.prod(each.count for each in factors)


def merged(factors: Factors) -> Factors:
    found: list[Factor] = []
    for each in factors:
        if each.count == 1:
            continue
        last = found[-1] if found else None
        evenly = last is not None and (last.step, last.step2) == (
            each.count * each.step,
            each.count * each.step2,
        )
        if last is not None and evenly:
            found[-1] = Factor(last.count * each.count, each.step, each.step2)
        else:
            found.append(each)
    return tuple(found)


def whole_axes(source: Shape) -> dict[AxisName, Factors]:
    """Each axis of a map as a factor of it."""
    _, width, channels = source
    steps = width * channels, channels, 1
    return {
        name: (Factor(count, step),) for name, count, step in zip(AXES, source, steps, strict=True)
    }


def permuted(source: Shape, order: tuple[AxisName, AxisName, AxisName]) -> View:
    """The view in which rows, columns and channels are these axes of a map."""
    axes = whole_axes(source)
    rows, columns, channels = (axes[each] for each in order)
    return View(rows, columns, channels)


def reduced(source: Shape, over: tuple[AxisName, ...]) -> View:
    """The view that puts whole axes together, the outermost first, and keeps the others."""
    axes = whole_axes(source)
    rows, columns, channels = (() if name in over else axes[name] for name in AXES)
    terms = tuple(axes[name][0] for name in AXES if name in over)
    return View(rows, columns, channels, terms)


def _check_reach(what: str, first: int, steps: list[tuple[int, int]], shape: Shape) -> None:
    far = [(count - 1) * step for count, step in steps]
    start = first + sum(each for each in far if each < 0)
    last = first + sum(each for each in far if each > 0)
    if start < 0 or last >= shape.elements:
        raise InputError(
            f"{what}: a view reads elements {start} to {last} of a map of {shape}, "
            f"which has {shape.elements}"
        )
