"""Writes PNGs by strips, of 8 and 16 bits, grey or in colours, with transparency or without.

Each strip is deflated by itself and ends at a whole byte; together they are one stream, as zlib's
full flushes make it (RFC 1951: blocks that refer to nothing before them). What goes from strip to
strip is the checksum. Rows are differences to the row above (filter 2), the first one of a strip to
the pixel on the left (filter 1).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.rows.pngheader import SIGNATURE
from ftdist.pictures.rows.protocol import Rows, Tags
from ftdist.pictures.rows.strips import Put, packed, strip_rows
from ftdist.pictures.rows.tiff.tags import ICC_PROFILE, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION

COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
"""What PNG calls pictures of so many channels."""

LEVEL = 1
"""Of zlib: a photo becomes a twentieth larger than by its usual level, in a third of the time."""

_MOST_SIDE = (1 << 31) - 1
_STREAM_HEAD, _STREAM_END = b"\x78\x01", b"\x03\x00"
_METRES = {2: 1 / 0.0254, 3: 100.0}
_MOST_DENSITY = (1 << 32) - 1


class PngEncoder:
    """ValueError where a PNG has no such pictures."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any], tags: Tags) -> None:
        if shape.channels not in COLOURS or dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"a PNG has 1 to 4 channels of 8 or 16 bits, not {shape.channels} of {dtype}; "
                "write a .tif"
            )
        if max(shape.height, shape.width) > _MOST_SIDE:
            raise ValueError(f"a PNG has at most {_MOST_SIDE} rows and columns; write a .tif")
        self._shape, self._dtype, self._tags = shape, dtype, tags
        self.strip_rows = strip_rows(shape, dtype)
        self._checksum, self._begun = 1, False

    def head(self) -> bytes:
        height, width, channels = self._shape
        kind = (8 * self._dtype.itemsize, COLOURS[channels], 0, 0, 0)
        header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *kind))
        return SIGNATURE + header + b"".join(_told(self._tags))

    def strip(self, rows: Rows, put: Put) -> None:
        stored = rows.astype(rows.dtype.newbyteorder(">"), copy=False)
        samples = stored.view(np.uint8).reshape(len(rows), -1)
        del stored
        step = self._shape.channels * self._dtype.itemsize
        lines = np.empty((len(rows), samples.shape[1] + 1), np.uint8)
        lines[0, 0], lines[1:, 0] = 1, 2
        lines[0, 1 : 1 + step] = samples[0, :step]
        np.subtract(samples[0, step:], samples[0, :-step], out=lines[0, 1 + step :])
        np.subtract(samples[1:], samples[:-1], out=lines[1:, 1:])
        del samples
        flat = lines.reshape(-1).data
        self._checksum = zlib.adler32(flat, self._checksum)
        content = packed(flat, zlib.compressobj(LEVEL, zlib.DEFLATED, -15), zlib.Z_FULL_FLUSH)
        begin = [] if self._begun else [_STREAM_HEAD]
        self._begun = True
        for part in _chunk_parts(b"IDAT", [*begin, *content]):
            put(part)

    def note(self) -> Sequence[int]:
        return (self._checksum,)

    def go_on(self, notes: Sequence[Sequence[int]]) -> None:
        (self._checksum,) = notes[-1]
        self._begun = True

    def tail(self) -> bytes:
        end = _chunk(b"IDAT", _STREAM_END + struct.pack(">I", self._checksum))
        return end + _chunk(b"IEND", b"")

    def patch(self) -> tuple[int, bytes]:
        return 0, b""


def _chunk_parts(name: bytes, content: Sequence[bytes]) -> Sequence[bytes]:
    check = zlib.crc32(name)
    for each in content:
        check = zlib.crc32(each, check)
    return struct.pack(">I", sum(map(len, content))), name, *content, struct.pack(">I", check)


def _chunk(name: bytes, content: bytes) -> bytes:
    return b"".join(_chunk_parts(name, [content]))


def _told(tags: Tags) -> list[bytes]:
    """Chunks for the colour profile and the resolution."""
    found = []
    if profile := tags.get(ICC_PROFILE):
        found.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    metres = _METRES.get(tags.get(RESOLUTION_UNIT, (0,))[0])
    if metres and X_RESOLUTION in tags and Y_RESOLUTION in tags:
        density = [round(tags[each][0] * metres) for each in (X_RESOLUTION, Y_RESOLUTION)]
        if all(0 < each <= _MOST_DENSITY for each in density):
            found.append(_chunk(b"pHYs", struct.pack(">IIB", *density, 1)))
    return found
