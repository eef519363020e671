"""Where a map that a network makes lies on its input.

Mostly their edges coincide, and how large the map is says all. Networks whose convolutions are not
padded lose a border: of 900 columns waifu2x's upconv7 makes 1772, not 1800, and the first of them
shows what is at 7.25, not at 0.25.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np

from ftdist.geometry import Axis, Between, Shape, Span
from ftdist.network.graph import Network

_LOOKED_AT = 720
"""So many positions are looked at of those that repeat."""


class AxisAlignment(NamedTuple):
    """On one axis: what is at `y` of a map, 0 being its edge, is at `start + over * y / by`."""

    start: float
    over: int = 1
    by: int = 1

    @property
    def step(self) -> float:
        """How far apart positions of the map lie."""
        return self.over / self.by

    def of(self, other: AxisAlignment) -> AxisAlignment:
        """The same for what has the alignment `other` with such a map."""
        over, by = self.over * other.over, self.by * other.by
        common = gcd(over, by)
        return AxisAlignment(self.start + self.step * other.start, over // common, by // common)


class Alignment(NamedTuple):
    """How a map lies on another one."""

    rows: AxisAlignment
    columns: AxisAlignment


@lru_cache(maxsize=4)
def aligned(network: Network, output: int) -> Alignment:
    """The alignment of an output with the network's first input.

    It is what positions read in the middle, on the shortest way. Edges that are less than a
    position apart coincide, for a stride may leave a rest; so do they where there is no such way,
    and where a single position stands for all.
    """
    made, whole = network.shape(output), network.input
    found = _way(network, network.source(output))
    if found is None:
        return stretched(made, whole)
    return Alignment(
        _settled(found.rows, made.height, whole.height),
        _settled(found.columns, made.width, whole.width),
    )


def stretched(made: Shape, whole: Shape) -> Alignment:
    """How a map lies on one that has the same edges."""
    rows = AxisAlignment(0.0, whole.height, made.height)
    return Alignment(rows, AxisAlignment(0.0, whole.width, made.width))


def _way(network: Network, output: int) -> Alignment | None:
    same = AxisAlignment(0.0)
    found, waiting = {output: Alignment(same, same)}, deque([output])
    while waiting:
        number = waiting.popleft()
        if number == -1:
            return found[number]
        for source in network.reads(number) if number >= 0 else ():
            axes, made, read = network.axes(number, source), *map(network.shape, (number, source))
            rows = _along(axes.rows, made.height, read.height)
            columns = _along(axes.columns, made.width, read.width)
            if source not in found and rows is not None and columns is not None:
                upper = found[number]
                found[source] = Alignment(rows.of(upper.rows), columns.of(upper.columns))
                waiting.append(source)
    return None


def _along(axis: Axis, size: int, whole: int) -> AxisAlignment | None:
    """How a map's axis of that size lies on the `whole` that it reads; None where all positions
    read all. What is resized has the same edges, though its corners may have been laid on corners.
    """
    if isinstance(axis, Between) and axis.multiplier != axis.divisor:
        return AxisAlignment(0.0, whole, size)
    term, *_ = axis.terms()
    if term.whole or term.multiplier <= 0:
        return None
    count = max(1, min(size, _LOOKED_AT) // term.divisor) * term.divisor
    positions = np.arange(count)
    read = axis.receptive(Span(positions, positions + 1))  # type: ignore[arg-type]
    middle = float(np.mean(np.add(read.start, read.stop))) / 2
    found = AxisAlignment(0.0, term.unit * term.multiplier, term.divisor)
    return found._replace(start=middle - found.step * count / 2)


def _settled(along: AxisAlignment, size: int, whole: int) -> AxisAlignment:
    rest = abs(whole - size * along.step)
    return AxisAlignment(0.0, whole, size) if rest < max(along.step, 1) or size == 1 else along
