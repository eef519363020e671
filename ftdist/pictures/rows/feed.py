"""A picture's rows as a network reads them, from the top down: its samples, its size, its numbers.

Pictures of 8 bits stay as they are, for kernels turn them into the network's numbers; those of 16
bits become these numbers here, in full. Fractions are the network's own numbers already. Where the
network is larger than the picture, because it wants whole strides, the picture's edges are
repeated below and to the right, as pictures enter networks that make pictures.

Rows that the next band needs too are kept here, so that the source is read once in a pass. It is
read in pieces: what a source gives is turned and then let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.ports import Pixels
from ftdist.pictures.rows.protocol import Rows, RowSource, Tags
from ftdist.pictures.rows.tiff.tags import EXTRA_SAMPLES

PIECE_BYTES = 128 << 10
"""How much of a source is read and turned at once, about; no less than a row."""

_OPACITY_BYTES, _MIXED_BYTES, _GREY_BYTES = 8, 12, 24
"""What a pixel takes while it is laid on white, in 32 bits: its opacity and what that leaves; of
each colour beside it; and what one in colours takes while it becomes grey."""

_SIXTEEN_IN_EIGHT = 257.0
_UNSPECIFIED, _MULTIPLIED, _OPACITY = 0, 1, 2
"""What a TIFF says of a band beside grey or colours: as near infrared, it is no transparency; or
it is one that the others have been multiplied by."""

_RED, _GREEN, _BLUE, _HALF, _BITS = 19595, 38470, 7471, 0x8000, 16
"""Of grey, in 65536ths (ITU-R BT.601), rounded as Pillow rounds."""


class Feed:
    """Gives bands of a network's input; tops never descend but after ``rewind``.

    `listener` hears of all rows that are read, with the number of the first, as the file has them.
    What the picture leaves free is `fill`, 0 to 255, instead of its edges repeated.
    """

    def __init__(
        self,
        source: RowSource,
        shape: Shape,
        pixels: Pixels,
        listener: Callable[[int, Rows], None] | None = None,
        fill: int | None = None,
    ) -> None:
        own = source.shape
        if own.height > shape.height or own.width > shape.width:
            raise InputError(
                f"a picture of {own.height}x{own.width} does not fit a network of "
                f"{shape.height}x{shape.width}"
            )
        _refuse_channels(source, shape)
        self.shape = shape
        self._source, self._pixels, self._listener = source, pixels, listener
        self._fill_value = fill
        self._buffer: NDArray[Any] = np.empty((0, shape.width, shape.channels), self.dtype)
        self._top = self._bottom = self._read = 0
        self._edge: NDArray[Any] | None = None
        """The picture's last row."""

    @property
    def is_picture(self) -> bool:
        """Whether bands are uint8, to be seen by kernels."""
        return self._source.dtype == np.uint8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the bands: uint8, or float32."""
        return np.dtype(np.uint8 if self.is_picture else np.float32)

    def band(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows [top, bottom) of the network's input, good until the next call."""
        kept = max(0, self._bottom - max(top, self._top))
        if bottom - top > len(self._buffer):
            held = self._held(top, kept).copy()
            self._buffer = held[:0]  # before the larger one is taken
            self._buffer = np.empty((bottom - top, *self.shape[1:]), self.dtype)
            self._buffer[:kept] = held
        elif kept:
            self._buffer[:kept] = self._held(top, kept)
        self._top, self._bottom = top, max(bottom, top + kept)
        self._fill(top + kept, bottom)
        return self._buffer[: bottom - top]

    def reach(self, bottom: int) -> None:
        """Reads on to a row, for the listener."""
        if bottom > self._bottom:
            self.band(self._top, bottom)

    def rewind(self) -> None:
        """Begins again with the first row."""
        self._source.rewind()
        self._top = self._bottom = self._read = 0

    def rehearse(self) -> None:
        """Reads and turns a little, and begins again: the code for it is in memory then."""
        self._source.rehearse()
        own = self._source.shape
        self._wide(np.zeros((1, own.width, own.channels), self._source.dtype))
        self.rewind()

    def _held(self, top: int, count: int) -> NDArray[Any]:
        start = max(top, self._top) - self._top
        return self._buffer[start : start + count]

    def _fill(self, start: int, bottom: int) -> None:
        """Reads rows [start, bottom) behind those that are held."""
        height = self._source.shape.height
        step = piece_rows(self._source.shape, self._source.dtype)
        for first in range(start, min(bottom, height), step):
            rows = self._source.rows(first, min(first + step, bottom, height))
            if self._listener is not None:
                self._listener(first, rows)
            self._buffer[first - self._top : first - self._top + len(rows)] = self._wide(rows)
            self._read = first + len(rows)
            if self._read == height:
                self._edge = self._below(rows[-1:]).copy()
            del rows  # before the next ones are read
        if bottom > height:
            if self._read < height:  # nothing of the picture is wanted but its edge
                self._edge = self._below(self._source.rows(height - 1, height))
                self._read = height
            self._buffer[max(height, start) - self._top : bottom - self._top] = self._edge

    def _below(self, last: Rows) -> NDArray[Any]:
        """What rows behind the picture's last one are."""
        if self._fill_value is None:
            return self._wide(last)
        grey = self._seen(self._grey(last.dtype))
        return np.broadcast_to(grey, (1, self.shape.width, self.shape.channels))

    def _wide(self, rows: Rows) -> NDArray[Any]:
        """Rows as the network reads them, in its width."""
        found = self._seen(rows)
        beside = self.shape.width - found.shape[1]
        if not beside:
            return found
        wide = np.pad(found, ((0, 0), (0, beside), (0, 0)), mode="edge")
        if self._fill_value is not None:
            wide[:, found.shape[1] :] = self._seen(self._grey(rows.dtype))
        return wide

    def _grey(self, dtype: np.dtype[Any]) -> Rows:
        """One pixel of what fills the rest."""
        most = np.iinfo(dtype).max if dtype.kind == "u" else 0
        value = (self._fill_value or 0) * (most // 255)
        pixel = np.full((1, 1, self._source.shape.channels), value, dtype)
        if pixel.shape[2] in (2, 4):
            pixel[:, :, -1] = most
        return pixel

    def _seen(self, rows: Rows) -> NDArray[Any]:
        """Rows with the network's channels, in its numbers where they are not uint8."""
        if rows.dtype == np.float32:
            return rows
        found = _with_tags(rows, self._source.tags, self.shape.channels)
        return found if found.dtype == np.uint8 else self._pixels.numbers(found, _SIXTEEN_IN_EIGHT)


def as_colours(rows: Rows, tags: Tags) -> NDArray[np.uint8]:
    """Rows of a picture with such tags as they are seen: red, green and blue of 8 bits."""
    return as_seen(rows, tags, 3)


def as_seen(rows: Rows, tags: Tags, channels: int) -> NDArray[np.uint8]:
    """The same in grey or in colours."""
    found = _with_tags(rows, tags, channels)
    return found if found.dtype == np.uint8 else (found >> 8).astype(np.uint8)


def _with_tags(rows: Rows, tags: Tags, channels: int) -> Rows:
    """Samples as grey or in colours, by what is said of a band beside these."""
    (meaning,) = tags.get(EXTRA_SAMPLES, (_OPACITY,))[:1]
    if meaning == _UNSPECIFIED:
        rows = rows[:, :, : rows.shape[2] - (rows.shape[2] in (2, 4))]
    return with_channels(rows, channels, multiplied=meaning == _MULTIPLIED)


def with_channels(rows: Rows, channels: int, *, multiplied: bool = False) -> Rows:
    """Samples of a picture as grey or in colours: on white where they are transparent.

    `multiplied`: they have been multiplied by their opacity already.
    """
    if rows.shape[2] in (2, 4):
        rows = _on_white(rows, multiplied=multiplied)
    if rows.shape[2] == channels:
        return rows
    if channels == 1:
        wide = rows.astype(np.uint32)
        mixed = wide[:, :, :1] * _RED + wide[:, :, 1:2] * _GREEN + wide[:, :, 2:3] * _BLUE
        return ((mixed + _HALF) >> _BITS).astype(rows.dtype)
    return np.broadcast_to(rows, (*rows.shape[:2], channels))


def piece_rows(shape: Shape, dtype: np.dtype[Any]) -> int:
    """Rows of a source that are read at once."""
    return max(1, PIECE_BYTES // (shape.width * shape.channels * dtype.itemsize))


def feeding_bytes(source: Shape, dtype: np.dtype[Any], wanted: Shape) -> int:
    """What reading a piece of a source for a network's input holds beside the band: as the source
    gives it, and turned."""
    rows = min(piece_rows(source, dtype), source.height)
    return rows * source.width * (source.channels * dtype.itemsize + _turned(source, dtype, wanted))


def _turned(source: Shape, dtype: np.dtype[Any], wanted: Shape) -> int:
    """Bytes a pixel of a source takes while it is turned."""
    made, beside = wanted.channels * 4, source.width < wanted.width
    if dtype == np.float32:
        return made if beside else 0
    colours, taken = source.channels, 0
    if colours in (2, 4):
        colours -= 1
        taken += _OPACITY_BYTES + colours * (_MIXED_BYTES + dtype.itemsize)
    if colours > wanted.channels:
        taken += _GREY_BYTES
    if dtype != np.uint8:
        return taken + made * (2 if beside else 1)
    return taken + (wanted.channels if beside else 0)


def _refuse_channels(source: RowSource, shape: Shape) -> None:
    found, wanted = source.shape.channels, shape.channels
    is_numbers = source.dtype == np.float32
    if found != wanted and (is_numbers or found > 4 or wanted not in (1, 3)):
        kind = "an array" if is_numbers else "a picture"
        raise InputError(f"{kind} of {found} channels, and the network reads {wanted}")


def _on_white(rows: Rows, *, multiplied: bool) -> Rows:
    most = np.iinfo(rows.dtype).max
    if multiplied:  # white shows through beside them; a sample cannot be more than its opacity
        opacity = rows[:, :, -1:]
        seen: Rows = np.minimum(rows[:, :, :-1], opacity) + (most - opacity)
        return seen
    alpha = rows[:, :, -1:].astype(np.uint32)
    mixed = rows[:, :, :-1] * alpha + (most - alpha) * most
    return ((mixed + most // 2) // most).astype(rows.dtype)
