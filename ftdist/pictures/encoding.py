"""Writes a picture file by bands of rows, so that the picture need not be in memory as a whole.

Pillow encodes whole pictures only. Of the formats here all but JPEG are simple enough to be written
row by row; a JPEG is put together from pieces that Pillow made: each band is encoded as a picture
of its own, with the tables that all have in common, and the bands' data become one scan's restart
intervals (ITU-T T.81, E.1.4), one a band. What is decoded from it is, to the bit, what a JPEG
encoded in one go gives: with colours in full resolution, rows of blocks know nothing of each other.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from ftdist.pictures.bands import BAND_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 92
"""With colours in full resolution, which keeps small letters on coloured plates legible."""

_BLOCK = 8
_BAND_COPIES, _JPEG_COPIES = 12, 8
_ZLIB_BYTES = 320 << 10
_LARGEST_JPEG = 65500
_LARGEST_FILE = (1 << 32) - 1024
_START_OF_FRAME, _START_OF_SCAN, _RESTART_INTERVAL = b"\xff\xc0", b"\xff\xda", b"\xff\xdd"
_END = b"\xff\xd9"


class Writer(Protocol):
    """Is given bands in mode RGB, from the top down; `rows` in each but the last."""

    rows: int

    def take(self, band: Image) -> None: ...

    def end(self) -> None: ...


def writer(file: IO[bytes], file_format: str, width: int, height: int) -> Writer:
    """What writes a picture of that size; ValueError when the format has no such pictures."""
    kinds: dict[str, Callable[[IO[bytes], int, int], Writer]]
    kinds = {"JPEG": _Jpeg, "PNG": _Png, "BMP": _Bmp, "PPM": _Ppm, "TIFF": _Tiff}
    return kinds[file_format](file, width, height)


def band_rows(width: int) -> int:
    """Rows of a band that is written: whole rows of a JPEG's blocks."""
    return max(1, BAND_PIXELS // width // _BLOCK) * _BLOCK


def encoding_bytes(file_format: str, width: int, height: int) -> int:
    """What writing holds at most: a band, the band in the file's form, twice, and zlib's tables."""
    copies = _JPEG_COPIES if file_format == "JPEG" else _BAND_COPIES
    tables = _ZLIB_BYTES if file_format == "PNG" else 0
    return copies * min(band_rows(width), height) * width + tables


class _Jpeg:
    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        if max(width, height) > _LARGEST_JPEG:
            raise ValueError(f"a JPEG has at most {_LARGEST_JPEG} rows and columns; write a .png")
        self._file = file
        self._height = height
        self.rows = band_rows(width)
        self._interval = self.rows // _BLOCK * -(-width // _BLOCK)
        self._bands = 0

    def take(self, band: Image) -> None:
        encoded = io.BytesIO()
        band.save(encoded, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        content = encoded.getvalue()
        scan = content.index(_START_OF_SCAN)
        data = scan + 2 + int.from_bytes(content[scan + 2 : scan + 4], "big")
        if self._bands == 0:
            self._file.write(self._header(content[:scan]) + content[scan:data])
        else:
            self._file.write(bytes((0xFF, 0xD0 + (self._bands - 1) % 8)))
        self._file.write(memoryview(content)[data : -len(_END)])
        self._bands += 1

    def _header(self, header: bytes) -> bytes:
        """A band's header, with the whole picture's height and the restart interval."""
        frame = header.index(_START_OF_FRAME) + 5
        height = struct.pack(">H", self._height)
        interval = _RESTART_INTERVAL + struct.pack(">HH", 4, self._interval)
        return header[:frame] + height + header[frame + 2 :] + interval

    def end(self) -> None:
        self._file.write(_END)


class _Png:
    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        self._file = file
        self.rows = band_rows(width)
        self._deflate = zlib.compressobj(6)
        self._above = np.zeros((1, width * 3), np.uint8)
        file.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))

    def take(self, band: Image) -> None:
        """Each row as differences to the row above (filter 2), which most pictures suit."""
        rows: Any = np.asarray(band).reshape(band.size[1], -1)
        lines = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
        lines[:, 0] = 2
        np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
        np.subtract(rows[:1], self._above, out=lines[:1, 1:])
        self._above = rows[-1:].copy()
        self._chunk(b"IDAT", self._deflate.compress(lines.data))

    def end(self) -> None:
        self._chunk(b"IDAT", self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, name: bytes, content: bytes) -> None:
        check = zlib.crc32(content, zlib.crc32(name))
        for part in (struct.pack(">I", len(content)) + name, content, struct.pack(">I", check)):
            self._file.write(part)


class _Ppm:
    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        self._file = file
        self.rows = band_rows(width)
        file.write(b"P6\n%d %d\n255\n" % (width, height))

    def take(self, band: Image) -> None:
        self._file.write(band.tobytes())

    def end(self) -> None:
        pass


class _Bmp:
    """Rows from the bottom up, blue first, each padded to whole words."""

    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        self._stride = -(-width * 3 // 4) * 4
        size = self._stride * height
        _check_size(size)
        self._file = file
        self.rows = band_rows(width)
        self._at = 54 + size
        file.write(b"BM" + struct.pack("<IHHI", 54 + size, 0, 0, 54))
        file.write(struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 2835, 2835, 0, 0))

    def take(self, band: Image) -> None:
        content = band.tobytes("raw", "BGR", self._stride, -1)
        self._at -= len(content)
        self._file.seek(self._at)
        self._file.write(content)

    def end(self) -> None:
        pass


class _Tiff(_Ppm):
    """One uncompressed strip, with its directory in front."""

    def __init__(self, file: IO[bytes], width: int, height: int) -> None:
        size = 3 * width * height
        _check_size(size)
        self._file = file
        self.rows = band_rows(width)
        entries = [(256, width), (257, height), (258, 0), (259, 1), (262, 2), (273, 0), (277, 3)]
        entries += [(278, height), (279, size)]
        bits = 8 + 2 + 12 * len(entries) + 4
        values = dict(entries) | {258: bits, 273: bits + 6}
        file.write(b"II*\x00" + struct.pack("<IH", 8, len(entries)))
        for tag, value in values.items():
            kind, count = (3, 3) if tag == 258 else (4, 1)
            file.write(struct.pack("<HHII", tag, kind, count, value))
        file.write(struct.pack("<IHHH", 0, 8, 8, 8))


def _check_size(size: int) -> None:
    if size > _LARGEST_FILE:
        raise ValueError("its file would have 4 GiB and more; write a .png or .ppm")
