"""Writes TIFFs by strips, deflated, of 8, 16 and 32 bits and any number of bands.

The directory stands at the end, when it is known how long the strips are; the file's first bytes
say where. A picture whose rows are 4 GiB and more becomes a BigTIFF: that is decided before it is
known how well they pack.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.rows.pngwriter import LEVEL
from ftdist.pictures.rows.protocol import Rows, Tags
from ftdist.pictures.rows.strips import Put, packed, strip_rows
from ftdist.pictures.rows.tiff import layout
from ftdist.pictures.rows.tiff.tags import CARRIED, EXTRA_SAMPLES, GEO_TEXT, NO_DATA, ORIENTATION

_SHORT, _LONG, _RATIONAL, _UNDEFINED, _DOUBLE, _LONG8, _TEXT = 3, 4, 5, 7, 12, 16, 2
_LETTERS = {_SHORT: "H", _LONG: "I", _DOUBLE: "d", _LONG8: "Q"}
_CARRIED_KINDS = {282: _RATIONAL, 283: _RATIONAL, 296: _SHORT, 338: _SHORT, 34675: _UNDEFINED,
                  34735: _SHORT, GEO_TEXT: _TEXT, NO_DATA: _TEXT}  # fmt: skip
_CLASSIC_BYTES = (1 << 32) - (64 << 20)
_MOST_BANDS = 4096
_MOST_SIDE = (1 << 31) - 1
_DENOMINATOR = 10_000
_TRANSPARENT = 2

Entry = tuple[int, int, bytes]
"""Type, number and bytes of a tag's values."""


class TiffEncoder:
    """ValueError where a TIFF has no such pictures."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any], tags: Tags) -> None:
        if dtype not in (np.uint8, np.uint16, np.float32) or shape.channels > _MOST_BANDS:
            raise ValueError(f"a TIFF is not written of {shape.channels} channels of {dtype}")
        if max(shape.height, shape.width) > _MOST_SIDE:
            raise ValueError(f"a TIFF has at most {_MOST_SIDE} rows and columns")
        self._shape, self._dtype, self._tags = shape, dtype, tags
        self._big = shape.elements * dtype.itemsize > _CLASSIC_BYTES
        self.strip_rows = strip_rows(shape, dtype)
        self._sizes: list[int] = []

    def head(self) -> bytes:
        """With a directory at 0, none yet, which ``patch`` puts right."""
        return struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if self._big else b"II*\0\0\0\0\0"

    def strip(self, rows: Rows, put: Put) -> None:
        size = 0
        for part in packed(self._differences(rows), zlib.compressobj(LEVEL), zlib.Z_FINISH):
            size += len(part)
            put(part)
        self._sizes.append(size)

    def _differences(self, rows: Rows) -> memoryview:
        """Predictor 2, or of fractions 3, with the lowest byte first."""
        if self._dtype.kind == "f":
            planes = rows.astype(">f4").view(np.uint8).reshape(len(rows), -1, 4)
            lines = planes.transpose(0, 2, 1).reshape(len(rows), -1)
            del planes
            made = lines.copy()
            step = self._shape.channels
            np.subtract(lines[:, step:], lines[:, :-step], out=made[:, step:])
            return made.reshape(-1).data
        values = rows.astype(rows.dtype.newbyteorder("<"))
        np.subtract(rows[:, 1:], rows[:, :-1], out=values[:, 1:], casting="unsafe")
        return values.reshape(-1).view(np.uint8).data

    def note(self) -> Sequence[int]:
        return (self._sizes[-1],)

    def go_on(self, notes: Sequence[Sequence[int]]) -> None:
        self._sizes = [size for (size,) in notes]

    @property
    def _end(self) -> int:
        """Where the strips end, and the directory begins, at an even place."""
        return len(self.head()) + sum(self._sizes)

    def tail(self) -> bytes:
        start = self._end + self._end % 2
        entries = self._entries()
        counting, entry, pointer = ("<Q", "<HHQ", "<Q") if self._big else ("<H", "<HHI", "<I")
        room = struct.calcsize(pointer)
        beyond = start + struct.calcsize(counting) + len(entries) * (4 + 2 * room) + room
        directory, values = struct.pack(counting, len(entries)), bytearray()
        for tag, (kind, count, content) in sorted(entries.items()):
            directory += struct.pack(entry, tag, kind, count)
            if len(content) <= room:
                directory += content.ljust(room, b"\0")
            else:
                directory += struct.pack(pointer, beyond + len(values))
                values += content + b"\0" * (len(content) % 2)
        return b"\0" * (start - self._end) + directory + bytes(room) + bytes(values)

    def patch(self) -> tuple[int, bytes]:
        start = self._end + self._end % 2
        return (8, struct.pack("<Q", start)) if self._big else (4, struct.pack("<I", start))

    def _entries(self) -> dict[int, Entry]:
        height, width, bands = self._shape
        numbers = _LONG8 if self._big else _LONG
        places = np.cumsum([len(self.head()), *self._sizes])[:-1].tolist()
        floats = self._dtype.kind == "f"
        colours = 3 if bands in (3, 4) and not (bands == 4 and floats) else 1
        found = {
            layout.WIDTH: _entry(_LONG, width),
            layout.HEIGHT: _entry(_LONG, height),
            layout.BITS: _entry(_SHORT, *[8 * self._dtype.itemsize] * bands),
            layout.COMPRESSION: _entry(_SHORT, layout.DEFLATE),
            layout.PHOTOMETRIC: _entry(
                _SHORT, layout.RGB if colours == 3 else layout.BLACK_IS_ZERO
            ),
            layout.STRIP_OFFSETS: _entry(numbers, *places),
            layout.SAMPLES: _entry(_SHORT, bands),
            layout.ROWS_PER_STRIP: _entry(_LONG, self.strip_rows),
            layout.STRIP_COUNTS: _entry(numbers, *self._sizes),
            layout.PLANAR: _entry(_SHORT, 1),
            layout.PREDICTOR: _entry(_SHORT, 3 if floats else 2),
            layout.SAMPLE_FORMAT: _entry(_SHORT, *[3 if floats else 1] * bands),
        }
        for tag in CARRIED:
            if tag in self._tags and tag not in (ORIENTATION, EXTRA_SAMPLES):
                with suppress(struct.error, TypeError):  # what no such tag can hold stays behind
                    found[tag] = _carried(tag, self._tags[tag])
        if extra := bands - colours:
            meanings = self._tags.get(EXTRA_SAMPLES, ())
            if len(meanings) != extra:
                meanings = (_TRANSPARENT if extra == 1 and bands in (2, 4) else 0,) * extra
            found[EXTRA_SAMPLES] = _entry(_SHORT, *meanings)
        return found


def _entry(kind: int, *values: float) -> Entry:
    return kind, len(values), struct.pack(f"<{len(values)}{_LETTERS[kind]}", *values)


def _carried(tag: int, value: Any) -> Entry:
    """A tag of the picture that this one was made of."""
    kind = _CARRIED_KINDS.get(tag, _DOUBLE)
    if kind == _TEXT:
        if not isinstance(value, str):
            raise TypeError("no text")
        content = value.encode("latin-1", "replace") + b"\0"
        return kind, len(content), content
    if kind == _UNDEFINED:
        return kind, len(value), bytes(value)
    if kind == _RATIONAL:
        content = b"".join(
            struct.pack("<II", min(round(each * _DENOMINATOR), (1 << 32) - 1), _DENOMINATOR)
            for each in value
        )
        return kind, len(value), content
    return _entry(kind, *value)
