"""Spans of positions, shapes of maps and regions of them: half-open, (height, width, channels)."""

from __future__ import annotations

import itertools
from typing import NamedTuple


class Span(NamedTuple):
    """The half-open range of positions [start, stop) on one axis; empty when stop <= start."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return max(0, self.stop - self.start)

    def clipped(self, size: int) -> Span:
        """The part that lies on a map of the given size."""
        start = min(max(self.start, 0), size)
        return Span(start, max(start, min(self.stop, size)))

    def common(self, other: Span) -> Span:
        """The positions in both; some empty span where there are none."""
        return Span(max(self.start, other.start), min(self.stop, other.stop))

    def hull(self, other: Span) -> Span:
        """The smallest span that covers both; an empty span covers nothing."""
        if self.size == 0:
            return other
        if other.size == 0:
            return self
        return Span(min(self.start, other.start), max(self.stop, other.stop))


class Shape(NamedTuple):
    """The size of a feature map: (height, width, channels), channels innermost."""

    height: int
    width: int
    channels: int

    @property
    def elements(self) -> int:
        return self.height * self.width * self.channels

    @property
    def bytes(self) -> int:
        """Bytes of the map as float32."""
        return 4 * self.elements

    @property
    def position_bytes(self) -> int:
        """Bytes of one position, all its channels, as float32."""
        return 4 * self.channels

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"


class Region(NamedTuple):
    """The half-open rectangle rows [top, bottom) x columns [left, right) of a feature map."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> Span:
        return Span(self.top, self.bottom)

    @property
    def columns(self) -> Span:
        return Span(self.left, self.right)

    @property
    def size(self) -> int:
        """Positions in it; 0 when it has no rows or no columns."""
        return max(0, self.bottom - self.top) * max(0, self.right - self.left)

    def hull(self, other: Region) -> Region:
        """The smallest region that covers both; an empty region covers nothing."""
        if self.size == 0:
            return other
        if other.size == 0:
            return self
        return Region(*self.rows.hull(other.rows), *self.columns.hull(other.columns))


def partition(size: int, parts: int) -> tuple[Span, ...]:
    """Cuts [0, size) into `parts` non-empty spans whose sizes differ by at most one.

    Needs 1 <= parts <= size.
    """
    if not 1 <= parts <= size:
        raise ValueError(f"cannot cut {size} positions into {parts} parts")
    cuts = [index * size // parts for index in range(parts + 1)]
    return tuple(Span(*pair) for pair in itertools.pairwise(cuts))
