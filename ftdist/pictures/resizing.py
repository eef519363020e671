"""Darknet's bilinear resizing, of a picture that comes in bands of rows.

A pixel of the result is a mixture of the four pixels of the picture around its place; corners lie
on corners. Nothing is averaged beyond those four, as the networks saw it in training. Per axis::

    scale = (m - 1) / (n - 1)        m pixels become n
    at    = t * scale                where pixel t of the result lies; the last one on the last
    value = (1 - d) * p[i] + d * p[i + 1]        i = int(at), d = at - i

Source: resize_image of Darknet (image.c), in float32, first along rows, then along columns. It
differs in nothing but this: the last row is the picture's last, where Darknet's may come out black
by a rounding of `at`. The result is rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 32
"""Rows that are made at once where the result is a view that lies otherwise."""


class Taps(NamedTuple):
    """For pixels of the result the pixel before their place, the one after it, and its share; and
    how many pixels the axis has, of the picture and of the whole result."""

    before: NDArray[np.int32]
    after: NDArray[np.int32]
    share: NDArray[np.float32]
    source: int
    target: int


def taps(source: int, target: int, wanted: Sequence[int] | NDArray[np.intp]) -> Taps:
    """What the `wanted` pixels of an axis of `target` pixels are made of, out of `source` ones."""
    from ftdist.pictures import _decoding

    index = np.ascontiguousarray(wanted, dtype=np.int64)
    before, after = np.empty(len(index), np.int32), np.empty(len(index), np.int32)
    share = np.empty(len(index), np.float32)
    _decoding.taps(source, target, index, before, after, share)
    return Taps(before, after, share, source, target)


def _in_steps_of_one(taps: Taps) -> bool:
    """Whether pixels are those of the picture, one after the other, and no mixtures."""
    if taps.source != taps.target or not len(taps.before):
        return False
    return not taps.share.any() and bool((np.diff(taps.before) == 1).all())


class Resizer:
    """Makes the pixels that `rows` and `columns` stand for, as bands of the picture come by.

    `out` is uint8 (rows, columns, channels), maybe a view; it is complete when the picture is.
    """

    def __init__(self, rows: Taps, columns: Taps, out: NDArray[np.uint8]) -> None:
        self._rows = rows
        self._columns = columns
        self._out = out
        self._last_row = np.empty((0, 1, 1), np.uint8)
        self._along = columns.before, columns.after, columns.share
        self._as_it_is = _in_steps_of_one(rows) and _in_steps_of_one(columns)
        self._tight = out.strides[1:] == (out.shape[2], 1)

    @cached_property
    def _needed(self) -> NDArray[np.int32]:
        """The last row of the picture that each row needs."""
        return np.where(self._rows.share > 0, self._rows.after, self._rows.before)

    def take(self, first: int, band: NDArray[np.uint8]) -> None:
        """Rows of the picture from `first` on, (height, width, channels); bands follow in order.

        Between pixels and rows of a band may be gaps.
        """
        rows = self._rows
        if len(band) == rows.source and self._tight and not self._as_it_is and len(rows.before):
            from ftdist.pictures import _decoding

            down = rows.before, rows.after, rows.share
            _decoding.mix(band, self._last_row, *down, *self._along, self._out)
            return
        ready = np.flatnonzero((self._needed >= first) & (self._needed < first + len(band)))
        if self._as_it_is:
            if len(ready):
                top, bottom = rows.before[ready[0]] - first, rows.before[ready[-1]] - first
                columns = self._columns.before
                self._out[ready[0] : ready[-1] + 1] = band[
                    top : bottom + 1, columns[0] : columns[-1] + 1
                ]
            return
        if len(ready) and self._tight:
            self._mix(ready, first, band, self._out[ready[0] : ready[-1] + 1])
        else:
            for start in range(0, len(ready), ROWS_AT_ONCE):
                part = ready[start : start + ROWS_AT_ONCE]
                made = np.empty((len(part), *self._out.shape[1:]), np.uint8)
                self._mix(part, first, band, made)
                self._out[part] = made
        self._last_row = band[-1:].copy()

    def _mix(
        self,
        part: NDArray[np.intp],
        first: int,
        band: NDArray[np.uint8],
        made: NDArray[np.uint8],
    ) -> None:
        """Makes rows of the result, of a band and the last row before it."""
        from ftdist.pictures import _decoding

        share = self._rows.share[part]
        upper, lower = (
            np.minimum(each - first, len(band) - 1).astype(np.int32)  # below is what has no share
            for each in (self._rows.before[part], self._rows.after[part])
        )
        _decoding.mix(band, self._last_row, upper, lower, share, *self._along, made)
