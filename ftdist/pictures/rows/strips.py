"""Writes a picture strip by strip, each packed by itself, so that a crash costs one strip.

A strip is a few rows, always the same ones whoever writes them: a file that was written in several
attempts is, to the byte, the one that is written in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.rows.partial import PartialFile
from ftdist.pictures.rows.protocol import RowMemory, Rows

STRIP_PIXELS, STRIP_BYTES, _BLOCK = 1 << 16, 512 << 10, 8
"""How much a strip is, about; a JPEG's are whole rows of blocks."""

_COPIES = {1: 2, 2: 3, 4: 3}
"""Of a strip that is packed, by the bytes of a sample: as differences, and packed. Numbers of
several bytes are put in the file's order."""

_PICTURE_PIXEL_BYTES = 4
"""What a strip that is one of Pillow's pictures takes a pixel; nothing copies it."""

_DATA_BYTES, _DATA_COLUMN_BYTES = 64 << 10, 4
"""A piece of a JPEG's data, as Pillow hands it on: so much, or so much for each column."""

_JPEG_COLUMN_BYTES = 44
"""What libjpeg holds for each column: a row of blocks of three colours (8 rows each, in jcmainct.c
and again, a little more, in jcprepct.c)."""

_DEFLATE_BYTES = 288 << 10
_PACKED_AT_ONCE = 64 << 10


class Deflate(Protocol):
    """zlib's ``compressobj``."""

    def compress(self, content: memoryview, /) -> bytes: ...

    def flush(self, mode: int, /) -> bytes: ...


Put = Callable[[bytes | memoryview], object]
"""Takes the next bytes of a file."""


class Encoder(Protocol):
    """Makes a file's bytes of strips that come in order."""

    strip_rows: int

    def head(self) -> bytes:
        """What stands before the first strip."""
        ...

    def strip(self, rows: Rows, put: Put) -> None:
        """The next strip, handed on in parts: ``strip_rows``, of the last one maybe fewer."""
        ...

    def note(self) -> Sequence[int]:
        """What of the last strip is to be known for going on behind it."""
        ...

    def go_on(self, notes: Sequence[Sequence[int]]) -> None:
        """Behaves as if all strips of these notes had been made."""
        ...

    def tail(self) -> bytes:
        """What stands behind the last strip."""
        ...

    def patch(self) -> tuple[int, bytes]:
        """What is put in its place at the end, and that place."""
        ...


def strip_rows(shape: Shape, dtype: np.dtype[Any]) -> int:
    """Rows of a strip, of which the last one may have fewer."""
    blocks = max(1, STRIP_PIXELS // shape.width // _BLOCK) * _BLOCK
    return max(1, min(blocks, STRIP_BYTES // (shape.width * shape.channels * dtype.itemsize)))


class StripSink:
    """Gathers rows to strips and writes these."""

    def __init__(
        self, path: Path, shape: Shape, dtype: np.dtype[Any], encoder: Encoder, about: str
    ) -> None:
        self._shape, self._dtype, self._encoder = shape, dtype, encoder
        about = f"ftdist rows 1: {about}, {shape} {dtype} in strips of {encoder.strip_rows}"
        self._file = PartialFile(path, about)
        self._strip: Rows = np.empty((0, *shape[1:]), dtype)
        self.position = self._held_rows = self._written = self._end = 0

    def begin(self, *, resume: bool) -> StripSink:
        notes = _understood(self._file.begin(resume=resume))
        size = self._file.size
        while notes and (notes[-1][1] > size or notes[-1][0] > self._shape.height):
            notes.pop()
        if notes:
            self._encoder.go_on([each[2:] for each in notes])
            self._written, self._end = notes[-1][:2]
            self.position = self._written
        else:
            self._end = self._file.put(self._encoder.head(), 0)
        self._file.resize(self._end)
        return self

    def write(self, rows: Rows) -> None:
        """The next rows."""
        if rows.shape[1:] != self._shape[1:] or self.position + len(rows) > self._shape.height:
            raise ValueError(f"rows of {rows.shape} for a picture of {self._shape}")
        self.position += len(rows)
        height = self._encoder.strip_rows
        while len(rows):
            taken = rows[: height - self._held_rows]
            rows = rows[len(taken) :]
            if not self._held_rows and len(taken) == height and taken.flags.c_contiguous:
                self._put(taken.astype(self._dtype, copy=False))
                continue
            self._gather(taken)
            if self._held_rows == height or self._written + self._held_rows == self._shape.height:
                self._put(self._strip[: self._held_rows])
                self._held_rows = 0

    def _gather(self, rows: Rows) -> None:
        """Puts rows behind those that are no strip yet."""
        if not len(self._strip):
            height = min(self._encoder.strip_rows, self._shape.height)
            self._strip = np.empty((height, *self._shape[1:]), self._dtype)
        stop = self._held_rows + len(rows)
        self._strip[self._held_rows : stop] = rows
        self._held_rows = stop

    def _put(self, strip: Rows) -> None:
        self._encoder.strip(strip, self._append)
        self._written += len(strip)
        numbers = (self._written, self._end, *self._encoder.note())
        self._file.note(" ".join(map(str, numbers)), strip.nbytes)

    def _append(self, content: bytes | memoryview) -> None:
        self._end = self._file.put(content, self._end)

    def finish(self) -> None:
        """The file appears; all rows were written."""
        if self._written != self._shape.height:
            raise ValueError(f"{self._written} of {self._shape.height} rows were written")
        self._file.put(self._encoder.tail(), self._end)
        at, content = self._encoder.patch()
        self._file.put(content, at)
        self._file.finish()

    def abandon(self, *, keep: bool) -> None:
        """Ends without an output; what was gathered and is no strip yet is lost."""
        self._file.abandon(keep=keep)


def packed(content: memoryview, deflate: Deflate, flush: int) -> Iterator[bytes]:
    """Packed by zlib in pieces: of one call's data it would hold two copies."""
    for at in range(0, len(content), _PACKED_AT_ONCE):
        if part := deflate.compress(content[at : at + _PACKED_AT_ONCE]):
            yield part
    yield deflate.flush(flush)


def strip_memory(shape: Shape, dtype: np.dtype[Any], *, jpeg: bool = False) -> RowMemory:
    """What writing by strips holds: a strip gathered; at work it as differences and packed, and
    zlib's tables."""
    strip = _strip_height(shape, dtype) * shape.width * shape.channels * dtype.itemsize
    if jpeg:
        return RowMemory(strip, jpeg_memory(shape).most)
    return RowMemory(strip, _COPIES[dtype.itemsize] * strip + _DEFLATE_BYTES)


def jpeg_memory(shape: Shape) -> RowMemory:
    """What writing a JPEG of 8 bits by strips holds that are Pillow's pictures, or become such: one
    of them, and at work what libjpeg holds and the data that it makes."""
    strip = _PICTURE_PIXEL_BYTES * _strip_height(shape, np.dtype(np.uint8)) * shape.width
    data = max(_DATA_BYTES, _DATA_COLUMN_BYTES * shape.width)
    return RowMemory(strip, _JPEG_COLUMN_BYTES * shape.width + data)


def _strip_height(shape: Shape, dtype: np.dtype[Any]) -> int:
    return min(strip_rows(shape, dtype), shape.height)


def _understood(notes: list[str]) -> list[tuple[int, ...]]:
    """The notes' numbers, up to the first that is none of ours."""
    found: list[tuple[int, ...]] = []
    for line in notes:
        numbers = line.split()
        if len(numbers) < 2 or not all(each.isdigit() for each in numbers):
            break
        found.append(tuple(int(each) for each in numbers))
    return found
