"""Darknet's bilinear resizing, of a picture that comes in bands of rows.

A pixel of the result is a mixture of the four pixels of the picture around its place; corners lie
on corners. Nothing is averaged beyond those four, as the networks saw it in training. Per axis::

    scale = (m - 1) / (n - 1)        m pixels become n
    at    = t * scale                where pixel t of the result lies; the last one on the last
    value = (1 - d) * p[i] + d * p[i + 1]        i = int(at), d = at - i

Source: resize_image of Darknet (image.c), in float32, first along rows, then along columns. It
differs in nothing but this: the last row is the picture's last, where Darknet's may come out black
by a rounding of `at`. The result is rounded to 8 bits. The loops are in src/mixing.cpp.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Axis(NamedTuple):
    """Some of the `target` pixels that the `source` ones of an axis become: `length` of them, from
    number `first` on, `step` (1 or -1) apart. Beside the axis the pixel at its end is repeated.
    """

    source: int
    target: int
    first: int
    length: int
    step: int = 1


class Resizer:
    """Makes the pixels that `rows` and `columns` stand for, as bands of the picture come by.

    `out` is uint8 (rows, columns, channels), maybe a view; it is complete when the picture is.
    """

    def __init__(self, rows: Axis, columns: Axis, out: NDArray[np.uint8]) -> None:
        self._rows = rows
        self._columns = columns
        self._out = out
        self._last_row = _NO_ROW

    def take(self, first: int, band: NDArray[np.uint8]) -> None:
        """Rows of the picture from `first` on, (height, width, channels); bands follow in order.

        Between pixels and rows of a band may be gaps.
        """
        from ftdist.pictures import _decoding  # a look at a picture's size needs none of it

        _decoding.resize(band, first, self._last_row, self._rows, self._columns, self._out)
        if first + len(band) < self._rows.source:
            self._last_row = band[-1:].copy()


_NO_ROW = np.empty((0, 1, 1), np.uint8)
