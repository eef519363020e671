"""Decodes a picture by bands of rows, so that it need not be in memory as a whole.

Three ways, by what the format allows:

- *streamed*, JPEG and PNG whose rows come out in order as their data goes in: the picture lies in a
  mapping of its own, data goes in by small pieces, and pages of rows that were passed on are given
  back to the system at once;
- *raw*, rows that lie uncompressed in the file: each band is read where it is;
- *whole*, all else (progressive JPEG, interlaced PNG, GIF, WebP, compressed TIFF): Pillow decodes
  the picture, and bands are cut out of it.

How many rows a piece of data can make at most is known: a byte of deflated data makes 1032, a block
of a JPEG takes two bits at least. Before each piece so many rows are marked with random bytes; the
first one whose mark is still there is the first that has not been decoded. Where a JPEG's data ends
too early libjpeg would make up all rows that are missing, so we look for markers in the data, and
pass on the end marker only when all rows are there.
"""

from __future__ import annotations

import math
import mmap
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ftdist.pictures.jpegheader import JpegHeader

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Take = Callable[[int, "Image"], None]
"""Is given bands in order, each with the number of its first row."""

BAND_PIXELS = 1 << 16
"""How much of a decoded picture a band is, about; no less than a row."""

PIECE_BYTES = 256
"""How much data a decoder is given at once."""

ORIENTATION_TAG = 0x0112
"""Where EXIF says how stored rows are to be turned."""

_HEADER_PIECE_BYTES = 64 << 10
_END_MARKER = b"\xff\xd9"
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_MARK_BYTES = 16
_BITS_AT_ONCE = 64
_DEFLATED = 1032
_MOST_INTERVAL_ROWS = 4
_RAW_BITS = {
    **dict.fromkeys(("1", "1;I", "P;1"), 1),
    **dict.fromkeys(("L;2", "P;2"), 2),
    **dict.fromkeys(("L;4", "P;4"), 4),
    **dict.fromkeys(("L", "P"), 8),
    **dict.fromkeys(("LA", "I;16", "I;16B", "BGR;15", "BGR;16"), 16),
    **dict.fromkeys(("RGB", "BGR"), 24),
    **dict.fromkeys(("RGBA", "BGRA", "RGBX", "BGRX", "LA;16B"), 32),
    "RGB;16B": 48,
    "RGBA;16B": 64,
}
"""Bits of a pixel in the file, by Pillow's name of how it lies there."""


def pixel_bytes(mode: str) -> int:
    """Bytes that Pillow holds a pixel in."""
    if mode.startswith("I;16"):
        return 2
    return 1 if mode in ("1", "L", "P") else 4


def mapped_pixel_bytes(mode: str) -> int:
    """Bytes a pixel of a mapping that is to hold a picture: Pillow wants more for bits."""
    return 4 if mode == "1" else pixel_bytes(mode)


def band_rows(image: ImageFile) -> int:
    """Rows of a band, of which the last one of the picture may have fewer."""
    return max(1, BAND_PIXELS // image.size[0])


def streams(image: ImageFile, jpeg: JpegHeader | None) -> bool:
    """Whether rows come out in order, in bounded number, as data goes in."""
    if image.size[0] * pixel_bytes(image.mode) < _MARK_BYTES or len(image.tile) != 1:
        return False
    codec = image.tile[0][0]
    if codec == "zip":
        return not image.info.get("interlace")
    if codec != "jpeg" or jpeg is None or not jpeg.sequential:
        return False
    return jpeg.restart_interval <= _MOST_INTERVAL_ROWS * jpeg.mcus_across


def raw_stride(image: ImageFile) -> int:
    """Bytes of a row in the file where rows lie there uncompressed, 0 where they do not."""
    if len(image.tile) != 1 or image.tile[0][0] != "raw" or image.format in ("GIF", "WEBP"):
        return 0
    if image.format == "TIFF" and image.getexif().get(ORIENTATION_TAG, 1) != 1:
        return 0  # load() turns it
    rawmode, stride, _ = _raw_layout(image)
    return stride or -(-image.size[0] * _RAW_BITS.get(rawmode, 0) // 8)


def _raw_layout(image: ImageFile) -> tuple[str, int, int]:
    """How rows lie in the file: bits, bytes a row (0: as the bits have it), 1 or -1 for upwards."""
    arguments: Any = image.tile[0][3]
    return (arguments, 0, 1) if isinstance(arguments, str) else arguments


def burst_rows(image: ImageFile, jpeg: JpegHeader | None) -> int:
    """The most rows that a piece of data can complete in a picture that streams.

    A deflated byte holds 1032 at most; a block of a JPEG takes two bits at least.
    """
    if jpeg is None:
        rawmode: Any = image.tile[0][3]
        bits = image.size[0] * _RAW_BITS.get(rawmode, 1)
        return 1 + PIECE_BYTES * _DEFLATED * 8 // bits
    mcus = 1 + 8 * PIECE_BYTES // (2 * jpeg.blocks) + jpeg.restart_interval
    rows = math.ceil(mcus / jpeg.mcus_across) * jpeg.mcu_height + 2
    return 1 + rows * image.size[1] // jpeg.height


def undecided_rows(image: ImageFile, jpeg: JpegHeader) -> int:
    """The most rows that may still be missing when all of a JPEG's data has been given.

    Two rows of MCUs wait for the ones below, and as many MCUs as the last bits can hold for more.
    """
    waiting = 2 + math.ceil(_BITS_AT_ONCE / (2 * jpeg.blocks) / jpeg.mcus_across)
    return 1 + waiting * jpeg.mcu_height * image.size[1] // jpeg.height


def decode(image: ImageFile, jpeg: JpegHeader | None, take: Take) -> None:
    """Passes the picture on, by bands in its own mode; raises what Pillow raises."""
    if raw_stride(image):
        _decode_raw(image, take)
    elif streams(image, jpeg):
        _Stream(image, jpeg, take).run()
    else:
        image.load()
        height = band_rows(image)
        for first in range(0, image.size[1], height):
            stop = min(first + height, image.size[1])
            take(first, image.crop((0, first, image.size[0], stop)))


def _decode_raw(image: ImageFile, take: Take) -> None:
    from PIL.Image import frombytes

    (rawmode, _, direction), stride = _raw_layout(image), raw_stride(image)
    file, offset = image.fp, image.tile[0][2]
    assert file is not None
    width, height = image.size
    step = band_rows(image)
    for first in range(0, height, step):
        rows = min(step, height - first)
        file.seek(offset + stride * (first if direction > 0 else height - first - rows))
        data = file.read(stride * rows)
        if len(data) < stride * rows:
            raise OSError(f"image file is truncated: it ends before row {first + rows} of {height}")
        band = frombytes(image.mode, (width, rows), data, "raw", rawmode, stride, direction)
        take(first, _dressed(image, band.im))


def _dressed(image: ImageFile, pixels: Any) -> Image:
    """Rows of a picture as a picture of their own, with its palette and transparency."""
    plain: Any = image
    dressed: Image = plain._new(pixels)
    return dressed


class _Stream:
    """A decoder that writes into a mapping, whose pages go when their rows have been passed on."""

    def __init__(self, image: ImageFile, jpeg: JpegHeader | None, take: Take) -> None:
        import PIL.Image

        self._image = image
        self._take = take
        self._ahead = burst_rows(image, jpeg) + (undecided_rows(image, jpeg) if jpeg else 1)
        self._band = band_rows(image)
        self._stride = image.size[0] * mapped_pixel_bytes(image.mode)
        self._height = image.size[1]
        size = self._stride * self._height
        self._memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        library: Any = PIL.Image
        layout = (image.mode, self._stride, 1)
        self._pixels: Any = library.core.map_buffer(self._memory, image.size, "raw", 0, layout)
        rows = np.frombuffer(self._memory, np.uint8).reshape(self._height, self._stride)
        self._begins = rows[:, :_MARK_BYTES]
        self._mark = np.frombuffer(os.urandom(_MARK_BYTES), np.uint8)
        self._marked = self._decoded = self._passed = 0
        self._pieces = self._jpeg_pieces(jpeg) if jpeg else self._png_pieces()

    def run(self) -> None:
        image: Any = self._image
        image.im = self._pixels  # in place of the one that load() would make
        image.load_read = lambda _: next(self._pieces, b"")
        image.load()
        self._decoded = self._height
        self._pass_on()

    def _png_pieces(self) -> Iterator[bytes]:
        image: Any = self._image
        read = type(image).load_read
        while piece := read(image, PIECE_BYTES):
            self._look()
            yield piece

    def _jpeg_pieces(self, jpeg: JpegHeader) -> Iterator[bytes]:
        """The file's data up to the end of the scan, and the end marker if all rows are there."""
        file: Any = self._image.fp
        left = jpeg.data_offset - file.tell()
        while left > 0 and (piece := file.read(min(left, _HEADER_PIECE_BYTES))):
            left -= len(piece)
            yield piece
        for piece in _scan_pieces(file, restarts=jpeg.restart_interval > 0):
            self._look()
            yield piece
        self._look()
        if self._decoded < self._height - undecided_rows(self._image, jpeg):
            raise OSError(f"the file is cut off: {self._decoded} of {self._height} rows are there")
        self._mark_to(self._height)
        yield _END_MARKER

    def _look(self) -> None:
        """Passes on what has been decoded, and marks what the next piece may decode."""
        while self._decoded < self._marked:
            if np.array_equal(self._begins[self._decoded], self._mark):
                break
            self._decoded += 1
        if 0 < self._marked == self._decoded < self._height:
            raise ValueError("its decoder made more rows than its data can hold")
        if self._decoded - self._passed >= self._band:
            self._pass_on()
        self._mark_to(min(self._decoded + self._ahead, self._height))

    def _mark_to(self, stop: int) -> None:
        if stop > self._marked:
            self._begins[self._marked : stop] = self._mark
            self._marked = stop

    def _pass_on(self) -> None:
        page = mmap.PAGESIZE
        while self._passed < self._decoded:
            first, stop = self._passed, min(self._passed + self._band, self._decoded)
            pixels = self._pixels.crop((0, first, self._image.size[0], stop))
            self._take(first, _dressed(self._image, pixels))
            gone, kept = first * self._stride // page * page, stop * self._stride // page * page
            if kept > gone:
                self._memory.madvise(mmap.MADV_DONTNEED, gone, kept - gone)
            self._passed = stop


def _scan_pieces(file: Any, *, restarts: bool) -> Iterator[bytes]:
    """The entropy-coded data at the file's position, up to the marker that ends it or the file.

    A piece has one restart marker at most, at its end: at each of them a decoder that finds
    nothing before it makes up what an interval lacks.
    """
    held = b""
    while data := file.read(PIECE_BYTES):
        data = held + data
        start = 0
        for found in _MARKER.finditer(data):
            restart = 0xD0 <= found[0][-1] <= 0xD7
            stop = found.end() if restart and restarts else found.start()
            if start < stop:  # an empty piece would be the file's end
                yield data[start:stop]
            start = stop
            if stop == found.start():
                return
        keep = len(data) - len(data.rstrip(b"\xff"))
        held = data[len(data) - keep :]
        if start < len(data) - keep:
            yield data[start : len(data) - keep]
