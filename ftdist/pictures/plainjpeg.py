"""Small JPEGs of the plainest kind, decoded with as little as possible around the decoder.

Most of what a data set has is such: a thumbnail, a frame of a camera. Their pixels take the decoder
a fraction of a millisecond, and what goes for all pictures (``reading``) takes three times as long:
a file that is read piece by piece, a header that is walked twice, places for whatever may be wrong.
Here the file is read at once, and decoded at once. Wherever something is not as it should be the
picture is none of these, and ``reading`` reads it, and says why not.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.extras import needing
from ftdist.pictures.footprint import decoding_whole_bytes
from ftdist.pictures.jpegheader import JpegHeader
from ftdist.pictures.picture import PictureBytes, Size, Source
from ftdist.pictures.streaming import END_MARKER, FILLING, MARK_BYTES, is_small, pixel_bytes

_BEGINNING = b"\xff\xd8"
_PIXEL_BYTES = 4
_MOST_FILE_BYTES = 512 << 10
_MOST_PIXEL_BYTES = 10
"""Larger files are read piece by piece: so a small picture's takes no more than its bands would."""


class PlainJpeg(NamedTuple):
    """Such a picture; `content` is its whole file, whose scan's data end at `end`."""

    content: bytes
    header: JpegHeader
    end: int

    @property
    def size(self) -> Size:
        return self.header[:2]

    @property
    def decoding_bytes(self) -> int:
        """What ``rows`` holds at most, beside what the process holds now."""
        return len(self.content) + decoding_whole_bytes(self.size, self.header, _PIXEL_BYTES)

    def rows(self, mode: str) -> NDArray[np.uint8] | None:
        """All rows at once, (height, width, channels) with gaps between pixels; None where they
        are not all there."""
        core, size = _core(), self.size
        width, height = size
        stride = width * pixel_bytes(mode)
        memory = np.empty(height * stride, np.uint8)
        decoder = core.jpeg_decoder(mode, mode, "")
        try:
            pixels = core.map_buffer(memory, size, "raw", 0, (mode, stride, 1))
            decoder.setimage(pixels, (0, 0, width, height))
            whole = self._decode(decoder, memory, stride)
        finally:
            decoder.cleanup()
        rows = memory.reshape(height, width, -1)
        return rows[:, :, : 1 if mode == "L" else 3] if whole else None

    def _decode(self, decoder: Any, memory: NDArray[np.uint8], stride: int) -> bool:
        """Decodes all of it; that the last row is there before the end is told by a mark."""
        mark, marking = _mark()
        row = memory[(self.header.height - 1) * stride :][:MARK_BYTES]
        row[:] = marking
        left = self.content[: self.end]
        used, failure = decoder.decode(left)  # less than nothing: it has ended
        if used >= 0:
            left = left[used:] + FILLING
            used, failure = decoder.decode(left)
        if row.tobytes() == mark:
            return False
        if used >= 0:
            used, failure = decoder.decode(left[used:] + END_MARKER)
        whole: bool = used < 0 and failure >= 0
        return whole


def plain_jpeg(source: Source, mode: str) -> PlainJpeg | None:
    """The picture, if it seems to be such a JPEG and its decoder makes pixels in that mode."""
    from ftdist.pictures import _decoding  # a look at a picture's size needs none of it

    if isinstance(source, PictureBytes):
        content = source.content if len(source.content) <= _MOST_FILE_BYTES else None
    else:
        content = _decoding.small_file(source, _BEGINNING, _MOST_FILE_BYTES)
    found = None if content is None else _decoding.plain_jpeg(content)
    if content is None or found is None:
        return None
    width, height, sampling, begin, end = found
    if not is_small((width, height)) or len(content) > _MOST_PIXEL_BYTES * width * height:
        return None
    if width < MARK_BYTES or (len(sampling) == 1 and mode != "L"):
        return None
    return PlainJpeg(content, JpegHeader(width, height, sampling, True, 0, begin), end)


@cache
def _core() -> Any:
    with needing("reading pictures", "Pillow", "image"):
        import PIL.Image
    library: Any = PIL.Image
    return library.core


@cache
def _mark() -> tuple[bytes, NDArray[np.uint8]]:
    """What no picture has on purpose, for nobody is told of it."""
    mark = os.urandom(MARK_BYTES)
    return mark, np.frombuffer(mark, np.uint8)
