"""A JPEG that Pillow decodes as its data go in, so that rows are there before the last byte.

How many rows a piece of data can make at most is known: a block takes two bits at least. Before
each piece so many rows are marked with random bytes; the first one whose mark is still there is the
first that has not been decoded. Where a JPEG's data ends too early libjpeg would make up all rows
that are missing, so we look for markers in the data, and pass on the end marker only when all rows
are there.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ftdist.pictures.jpegheader import JpegHeader

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

PIECE_BYTES, _MOST_PIECE_BYTES = 256, 16 << 10
"""How much data a decoder is given at once; more of a wide JPEG, yet no more than a row of its
blocks may be. Of a small picture all rows may come at once."""

_SMALL_PIXELS = 1 << 19

_HEADER_PIECE_BYTES = 64 << 10
END_MARKER = b"\xff\xd9"
FILLING = b"\xff\x00" * 8
"""What a decoder is given behind the data, to have as many bits as it looks at before it decodes a
block: with them all rows are there before the end, or some are missing. They are ones, for which
there is no code, so that a decoder makes a block of them or two, and not a row."""

_MAP_NORESERVE = 0x4000  # Linux, x86-64 and aarch64
MARK_BYTES = 16
_BITS_AT_ONCE = 64
_MOST_INTERVAL_ROWS = 4
RAW_BITS = {
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


def streams(image: ImageFile, jpeg: JpegHeader | None) -> bool:
    """Whether rows come out in order, in bounded number, as data goes in."""
    if image.size[0] * pixel_bytes(image.mode) < MARK_BYTES or len(image.tile) != 1:
        return False
    if image.tile[0][0] != "jpeg" or jpeg is None or not jpeg.sequential:
        return False
    return jpeg.restart_interval <= _MOST_INTERVAL_ROWS * jpeg.mcus_across


def is_small(size: tuple[int, int]) -> bool:
    """Whether all rows of a picture of that size may be decoded at once."""
    return math.prod(size) <= _SMALL_PIXELS


def piece_bytes(image: ImageFile, jpeg: JpegHeader) -> int:
    """How much data a decoder is given at once."""
    if is_small(image.size):
        return _MOST_PIECE_BYTES
    # with the MCU that the piece before began, and those of an interval
    row = (jpeg.mcus_across - 1 - jpeg.restart_interval) * jpeg.blocks * 2 // 8
    return min(max(PIECE_BYTES, row), _MOST_PIECE_BYTES)


def burst_rows(image: ImageFile, jpeg: JpegHeader) -> int:
    """The most rows that a piece of data can complete in a picture that streams."""
    mcus = 1 + 8 * piece_bytes(image, jpeg) // (2 * jpeg.blocks) + jpeg.restart_interval
    rows = math.ceil(mcus / jpeg.mcus_across) * jpeg.mcu_height + 2
    return 1 + rows * image.size[1] // jpeg.height


def undecided_rows(height: int, jpeg: JpegHeader) -> int:
    """The most rows of `height` that a decoder may still have to make of a JPEG's data, all given.

    Two rows of MCUs wait for the ones below, and as many MCUs as the last bits can hold for more.
    """
    mcu = jpeg.mcu
    across = -(-jpeg.width // mcu.width)
    waiting = 2 + math.ceil(_BITS_AT_ONCE / (2 * mcu.blocks) / across)
    return 1 + waiting * mcu.height * height // jpeg.height


class Stream:
    """A decoder that writes into a mapping, whose pages go when their rows have been passed on.

    Rows come as far as they are asked for: ``decoded`` of them, of which ``passed`` are gone.
    """

    def __init__(self, image: ImageFile, jpeg: JpegHeader, *, whole: bool = False) -> None:
        """`whole`: all rows are passed on at once, in memory that others have before and after."""
        import PIL.Image

        self._image = image
        self._piece = piece_bytes(image, jpeg)
        self._ahead = burst_rows(image, jpeg) + undecided_rows(image.size[1], jpeg)
        self._stride = image.size[0] * pixel_bytes(image.mode)
        self._height = image.size[1]
        size = self._stride * self._height
        self._pages = None if whole else _mapping(size, populated=is_small(image.size))
        memory = np.empty(size, np.uint8) if self._pages is None else self._pages
        library: Any = PIL.Image
        layout = (image.mode, self._stride, 1)
        self._pixels: Any = library.core.map_buffer(memory, image.size, "raw", 0, layout)
        self._rows = np.frombuffer(memory, np.uint8).reshape(self._height, self._stride)
        self._begins = self._rows[:, :MARK_BYTES]
        self._mark = np.frombuffer(os.urandom(MARK_BYTES), np.uint8)
        self._marked = self.decoded = self.passed = 0
        self._pieces = self._jpeg_pieces(jpeg)
        codec, extents, self._offset, arguments = image.tile[0]
        configuration: Any = image.decoderconfig
        self._decoder: Any = library._getdecoder(image.mode, codec, arguments, configuration)
        self._decoder.setimage(self._pixels, extents)
        self._data = b""

    def decode_to(self, stop: int) -> None:
        """Decodes until so many rows are there; raises OSError where they are not."""
        while self.decoded < stop:
            piece = next(self._pieces, b"")
            if not piece:
                raise OSError("image file is truncated")
            self._data += piece
            used, failure = self._decoder.decode(self._data)
            if used >= 0:
                self._data = self._data[used:]
                continue
            self._end()
            if failure < 0:
                raise OSError("its data are damaged")
            self.decoded = self._height

    def _end(self) -> None:
        """Lets the decoder go; what it holds would go with nobody else."""
        if self._decoder is not None:
            self._decoder.cleanup()
            self._decoder = None

    def close(self) -> None:
        self._end()
        self._pixels = None
        self._pieces.close()  # it refers to us: we would stay until somebody looks for such
        self._pieces = _nothing()

    def take(self, stop: int) -> Image:
        """Rows from ``passed`` to `stop`, all of them decoded, as a picture; their pages go."""
        pixels = self._pixels.crop((0, self.passed, self._image.size[0], stop))
        self.let_go(stop)
        return dressed(self._image, pixels)

    def samples(self, stop: int) -> NDArray[np.uint8]:
        """The same rows where they lie, (rows, width, channels), until they are let go."""
        pixel = self._stride // self._image.size[0]
        found = self._rows[self.passed : stop].reshape(stop - self.passed, -1, pixel)
        return found[:, :, : len(self._image.getbands())]

    def let_go(self, stop: int) -> None:
        """Rows up to `stop` have been passed on: their pages go."""
        page = mmap.PAGESIZE
        gone, kept = (row * self._stride // page * page for row in (self.passed, stop))
        if (
            kept > gone and stop < self._height and self._pages is not None
        ):  # else all go at the end
            self._pages.madvise(mmap.MADV_DONTNEED, gone, kept - gone)
        self.passed = stop

    def _jpeg_pieces(self, jpeg: JpegHeader) -> Generator[bytes, None, None]:
        """The file's data up to the end of the scan, and the end marker if all rows are there."""
        file: Any = self._image.fp
        file.seek(self._offset)
        left = jpeg.data_offset - self._offset
        while left > 0 and (piece := file.read(min(left, _HEADER_PIECE_BYTES))):
            left -= len(piece)
            yield piece
        for piece in _scan_pieces(file, self._piece, restarts=jpeg.restart_interval > 0):
            self._look()
            yield piece
        self._look()
        if self.decoded >= self._height - undecided_rows(self._height, jpeg):
            self._mark_to(self._height)
            yield FILLING
            self._look()
        if self.decoded < self._height:
            raise OSError(f"the file is cut off: {self.decoded} of {self._height} rows are there")
        yield END_MARKER

    def _look(self) -> None:
        """Counts what has been decoded, and marks what the next piece may decode."""
        made = (self._begins[self.decoded : self._marked] != self._mark).any(axis=1)
        self.decoded += len(made) if made.all() else int(made.argmin())
        if 0 < self._marked == self.decoded < self._height:
            raise ValueError("its decoder made more rows than its data can hold")
        self._mark_to(min(self.decoded + self._ahead, self._height))

    def _mark_to(self, stop: int) -> None:
        if stop > self._marked:
            self._begins[self._marked : stop] = self._mark
            self._marked = stop


def _mapping(size: int, *, populated: bool) -> mmap.mmap:
    """Its own pages; `populated`: all at once, as asking for each takes longer than decoding."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    return mmap.mmap(-1, size, flags=flags | (mmap.MAP_POPULATE if populated else 0))


def _nothing() -> Generator[bytes, None, None]:
    yield from ()


def _scan_pieces(file: Any, size: int, *, restarts: bool) -> Iterator[bytes]:
    """The entropy-coded data at the file's position, up to the marker that ends it or the file.

    A piece has `size` bytes, about, and one restart marker at most, at its end: at each of them a
    decoder that finds nothing before it makes up what an interval lacks.
    """
    from ftdist.pictures._decoding import marker

    held = b""
    while data := file.read(size):
        data = held + data
        start, (begin, end) = 0, marker(data, 0)
        while begin < len(data):
            restart = 0xD0 <= data[end - 1] <= 0xD7
            stop = end if restart and restarts else begin
            if start < stop:  # an empty piece would be the file's end
                yield data[start:stop]
            start = stop
            if stop == begin:
                return
            begin, end = marker(data, end)
        keep = len(data) - len(data.rstrip(b"\xff"))
        held = data[len(data) - keep :]
        if start < len(data) - keep:
            yield data[start : len(data) - keep]


def dressed(image: ImageFile, pixels: Any) -> Image:
    """Rows of a picture as a picture of their own, with its palette and transparency."""
    plain: Any = image
    dressed: Image = plain._new(pixels)
    return dressed
