"""Outlines of what is above zero in a map: closed lines with corners between its positions.

Each two by two positions, some of them above zero, are passed by one or two pieces of a line, from
one of the four edges between neighbours to another, with what is above zero to the right; where on
an edge is interpolated. Every edge that is passed has one piece that ends there and one that
begins, so that following them closes each line: clockwise around what is above zero, against the
clock around a hole.

Source: marching squares (Lorensen and Cline 1987, in two dimensions).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outline = array  # of "f": x, y, x, y and so on
Floats = NDArray[np.float32]

MOST_CORNERS = 300
"""Corners of all lines around one object; more are thinned out."""

_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_PIECES = {
    1: ((_TOP, _LEFT),),
    2: ((_RIGHT, _TOP),),
    3: ((_RIGHT, _LEFT),),
    4: ((_BOTTOM, _RIGHT),),
    5: ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    6: ((_BOTTOM, _TOP),),
    7: ((_BOTTOM, _LEFT),),
    8: ((_LEFT, _BOTTOM),),
    9: ((_TOP, _BOTTOM),),
    10: ((_RIGHT, _TOP), (_LEFT, _BOTTOM)),
    11: ((_RIGHT, _BOTTOM),),
    12: ((_LEFT, _RIGHT),),
    13: ((_TOP, _RIGHT),),
    14: ((_LEFT, _TOP),),
}
"""From which edge to which, by who is above zero: 1 top left, 2 top right, 4 bottom right, 8 bottom
left."""


def outlines(values: Floats) -> tuple[Outline[float], ...]:
    """The lines around what is above zero in (height, width), the largest first.

    Corners are in positions: a position's middle is half a position from its edges. What lies
    beside the map is below zero.
    """
    beside = -np.abs(np.pad(values, 1, mode="edge"))
    beside[1:-1, 1:-1] = values
    found = [_corners(beside, line) for line in _lines(_next(beside > 0))]
    found.sort(key=lambda each: -abs(area(each)))
    found = [each for at, each in enumerate(found) if at == 0 or abs(area(each)) >= 1]
    step = -(-sum(map(len, found)) // MOST_CORNERS)
    thinned = [each[::step] for each in found if len(each) >= 3 * step]
    flat = (each.astype(np.float32).reshape(-1).tolist() for each in thinned[:MOST_CORNERS])
    return tuple(array("f", each) for each in flat)


def area(corners: NDArray[Any]) -> float:
    """The area that corners (n, 2) enclose; negative against the clock."""
    x, y = corners[:, 0], corners[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _next(above: NDArray[np.bool_]) -> NDArray[np.int32]:
    """By edge that is passed the next one, -1 for others.

    Edge i of (height, width) is that to the right of position i; those behind are those below.
    """
    height, width = above.shape
    bits = above.astype(np.uint8)
    code = bits[:-1, :-1] + 2 * bits[:-1, 1:] + 4 * bits[1:, 1:] + 8 * bits[1:, :-1]
    below, following = height * width, np.full(2 * height * width, -1, np.int32)
    place = (np.arange(height - 1)[:, np.newaxis] * width + np.arange(width - 1)).astype(np.int32)
    edges = {_TOP: 0, _RIGHT: below + 1, _BOTTOM: width, _LEFT: below}
    for number, pieces in _PIECES.items():
        there = place[code == number]
        for first, last in pieces:
            following[there + edges[first]] = there + edges[last]
    return following


def _lines(following: NDArray[np.int32]) -> Iterator[list[int]]:
    """The edges of each closed line."""
    rest = following.tolist()
    for start in np.flatnonzero(following >= 0).tolist():
        line, edge = [], start
        while rest[edge] >= 0:
            line.append(edge)
            rest[edge], edge = -1, rest[edge]
        if line:
            yield line


def _corners(values: Floats, line: list[int]) -> NDArray[np.float64]:
    """(n, 2) where a line passes its edges, in positions of the map without its border."""
    height, width = values.shape
    edges = np.array(line)
    down = edges >= height * width
    rows, columns = np.divmod(edges - down * height * width, width)
    own, other = values[rows, columns], values[rows + down, columns + ~down]
    part = (own / (own - other)).astype(np.float64)
    return np.stack([columns + part * ~down, rows + part * down], axis=1) - 0.5
