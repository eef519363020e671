"""Writes what is drawn, 8 bits in colours, by bands of rows into a file that is open.

Pictures are made strip by strip as those of networks are (``rows.strips``); BMP and PPM, which hold
nothing but pixels, are written here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.rows.jpegwriter import JpegEncoder
from ftdist.pictures.rows.pngwriter import PngEncoder
from ftdist.pictures.rows.protocol import RowMemory
from ftdist.pictures.rows.strips import Encoder, jpeg_memory, strip_memory, strip_rows
from ftdist.pictures.rows.tiff.writer import TiffEncoder

if TYPE_CHECKING:
    from PIL.Image import Image

_ENCODERS: dict[str, Callable[..., Encoder]]
_ENCODERS = {"PNG": PngEncoder, "TIFF": TiffEncoder}
_SAMPLE = np.dtype(np.uint8)
_LARGEST_FILE = (1 << 32) - 1024


class Writer(Protocol):
    """Is given bands in mode RGB, from the top down; `rows` in each but the last."""

    rows: int

    def take(self, band: Image) -> None: ...

    def end(self) -> None: ...


def writer(file: IO[bytes], file_format: str, width: int, height: int) -> Writer:
    """What writes a picture of that size; ValueError when the format has no such pictures."""
    shape = Shape(height, width, 3)
    if file_format == "JPEG":
        return _Jpeg(file, JpegEncoder(shape, _SAMPLE, {}))
    if file_format in _ENCODERS:
        return _Strips(file, _ENCODERS[file_format](shape, _SAMPLE, {}))
    kinds: dict[str, Callable[[IO[bytes], int, int], Writer]] = {"BMP": _Bmp, "PPM": _Ppm}
    return kinds[file_format](file, width, height)


def band_rows(width: int) -> int:
    """Rows of a band that is written."""
    return strip_rows(Shape(1, width, 3), _SAMPLE)


def encoding_memory(file_format: str, width: int, height: int) -> RowMemory:
    """What writing holds: a band, and at work the band in the file's form."""
    shape = Shape(height, width, 3)
    return jpeg_memory(shape) if file_format == "JPEG" else strip_memory(shape, _SAMPLE)


class _Strips:
    def __init__(self, file: IO[bytes], encoder: Encoder) -> None:
        self._file, self._encoder = file, encoder
        self.rows = encoder.strip_rows
        file.write(encoder.head())

    def take(self, band: Image) -> None:
        pixels: Any = np.asarray(band)
        self._encoder.strip(pixels, self._file.write)

    def end(self) -> None:
        self._file.write(self._encoder.tail())
        at, content = self._encoder.patch()
        self._file.seek(at)
        self._file.write(content)


class _Jpeg:
    """Bands are encoded as they are: as arrays they would be copied three times."""

    def __init__(self, file: IO[bytes], encoder: JpegEncoder) -> None:
        self._file, self._encoder = file, encoder
        self.rows = encoder.strip_rows

    def take(self, band: Image) -> None:
        self._encoder.picture(band, self._file.write)

    def end(self) -> None:
        self._file.write(self._encoder.tail())


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


def _check_size(size: int) -> None:
    if size > _LARGEST_FILE:
        raise ValueError("its file would have 4 GiB and more; write a .png or .ppm")
