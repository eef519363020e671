"""Turns a picture whose rows are stored lying or upside down: it lies on the disk meanwhile.

A mirrored picture is mirrored row by row. Of all others the first row to be seen may be the last
one that is stored, so all rows are read once, and written to a file without a name in such an order
that a row to be seen is read from few places: upright rows as they are, and lying ones in bands of
columns.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.exif import TURNS
from ftdist.pictures.nameless import nameless_file, write_all
from ftdist.pictures.rows.partial import writing
from ftdist.pictures.rows.protocol import RowMemory, Rows, RowSource, Tags
from ftdist.pictures.rows.tiff.tags import turned

_BAND_BYTES, _MOST_BAND_ROWS = 1 << 20, 256
_COPIES = 3


class UprightSource:
    """What `source` shows, the way up that it is to be seen; `folder` has room for it."""

    def __init__(self, source: RowSource, orientation: int, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._turn = TURNS[orientation]
        stored = source.shape
        sideways = Shape(stored.width, stored.height, stored.channels)
        self.shape = sideways if self._turn.sideways else stored
        self.dtype: np.dtype[Any] = source.dtype
        self.tags: Tags = turned(source.tags, self._turn, stored.width, stored.height)
        self._handle = -1

    @property
    def _row_bytes(self) -> int:
        return self._source.shape.width * self.shape.channels * self.dtype.itemsize

    @property
    def _band_rows(self) -> int:
        """Stored rows that are turned at a time."""
        return max(1, min(_MOST_BAND_ROWS, _BAND_BYTES // self._row_bytes))

    def memory(self) -> RowMemory:
        """What it and its source hold beside the rows that it gives."""
        band = min(self._band_rows, self._source.shape.height) * self._row_bytes
        kept, at_work = self._source.memory()
        return RowMemory(kept, at_work + _COPIES * band)

    def rows(self, top: int, bottom: int) -> Rows:
        """Rows [top, bottom) as they are to be seen."""
        if not self._turn.sideways and not self._turn.rows_reversed:
            return np.ascontiguousarray(self._source.rows(top, bottom)[:, ::-1])
        if self._handle < 0:
            self._put_aside()
        found = np.empty((bottom - top, self.shape.width, self.shape.channels), self.dtype)
        height, step = self._source.shape.height, self._band_rows
        for first in range(0, height, step):
            stop = min(first + step, height)
            if self._turn.sideways:
                self._columns(found, top, first, stop)
            else:
                begin, end = max(top, height - stop), min(bottom, height - first)
                if begin < end:
                    found[begin - top : end - top] = self._read(
                        begin * self._row_bytes, end - begin
                    )
        return found

    def _columns(self, found: Rows, top: int, first: int, stop: int) -> None:
        """Puts rows from `top` on together, of the columns that were rows [first, stop)."""
        pixel = self.shape.channels * self.dtype.itemsize
        at = first * self._row_bytes + top * (stop - first) * pixel
        size = len(found) * (stop - first) * pixel
        part = np.frombuffer(os.pread(self._handle, size, at), self.dtype)
        height = self._source.shape.height
        left = height - stop if self._turn.rows_reversed else first
        into = found[:, left : left + stop - first]
        into[...] = part.reshape(into.shape)

    def _read(self, at: int, rows: int) -> Rows:
        content = os.pread(self._handle, rows * self._row_bytes, at)
        return np.frombuffer(content, self.dtype).reshape(rows, -1, self.shape.channels)

    def _put_aside(self) -> None:
        """Reads all rows, and writes them turned."""
        height, step = self._source.shape.height, self._band_rows
        with writing(self._folder / "picture"):
            self._handle = nameless_file(self._folder)
        for first in range(0, height, step):
            stop = min(first + step, height)
            band = self._source.rows(first, stop)
            if self._turn.rows_reversed:
                band = band[::-1]
            if self._turn.columns_reversed:
                band = band[:, ::-1]
            if self._turn.sideways:
                band, at = band.transpose(1, 0, 2), first * self._row_bytes
            else:
                at = (height - stop) * self._row_bytes
            with writing(self._folder / "picture"):
                write_all(self._handle, np.ascontiguousarray(band), at)

    def rewind(self) -> None:
        """Begins again with the first row."""
        if self._handle < 0:
            self._source.rewind()

    def rehearse(self) -> None:
        """Without putting anything aside."""
        self._source.rehearse()

    def close(self) -> None:
        self._source.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
