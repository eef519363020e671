"""Small JPEGs of the plainest kind, decoded with as little as possible around the decoder.

Most of what a data set has is such: a thumbnail, a frame of a camera. Their pixels take the decoder
a fraction of a millisecond, and what goes for all pictures (``reading``) takes three times as long:
a file that is read piece by piece, a header that is walked twice, places for whatever may be wrong.
Here the file is read at once, and decoded at once. Wherever something is not as it should be the
picture is none of these, and ``reading`` reads it, and says why not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.extras import needing
from ftdist.pictures.bands import Take, TakeSamples
from ftdist.pictures.footprint import decoding_whole_bytes
from ftdist.pictures.jpegheader import JpegHeader
from ftdist.pictures.picture import Picture, PictureBytes, Size, Source
from ftdist.pictures.streaming import END_MARKER, MARK_BYTES, is_small, pixel_bytes, undecided_rows

_BEGINNING = b"\xff\xd8"
_PIXEL_BYTES = 4
_MOST_FILE_BYTES = 512 << 10
_MOST_PIXEL_BYTES = 10
"""Larger files are read piece by piece: so a small picture's takes no more than its bands would."""


class NotPlain(Exception):
    """It is not what it seemed to be."""


@dataclass(slots=True)
class PlainJpeg(Picture):
    """Such a picture; `content` is its whole file, whose scan's data end at `end`."""

    content: bytes
    full: Size
    header: JpegHeader
    end: int
    orientation: int = 1

    @property
    def named(self) -> str:
        return f"a JPEG of {self.full[0]}x{self.full[1]}"

    @property
    def decoding_bytes(self) -> int:
        return len(self.content) + decoding_whole_bytes(self.full, self.header, _PIXEL_BYTES)

    def shown_bytes(self, beside: int = 0) -> int:
        return self.decoding_bytes + beside

    def samples(self, mode: str, take: TakeSamples) -> None:
        """All rows at once; NotPlain where they are not all there."""
        (width, height), core = self.full, _library().core
        stride = width * pixel_bytes(mode)
        memory = np.empty(height * stride, np.uint8)
        pixels = core.map_buffer(memory, self.full, "raw", 0, (mode, stride, 1))
        decoder = core.jpeg_decoder(mode, mode, "")
        try:
            decoder.setimage(pixels, (0, 0, width, height))
            self._decode(decoder, memory, stride)
        finally:
            decoder.cleanup()
        rows = memory.reshape(height, width, -1)
        take(0, rows[:, :, : 1 if mode == "L" else 3])

    def _decode(self, decoder: Any, memory: NDArray[np.uint8], stride: int) -> None:
        """Decodes all of it; the last row that must be there before the end is told by a mark."""
        mark, marking = _mark()
        last = self.full[1] - undecided_rows(self.full[1], self.header) - 1
        row = memory[max(0, last) * stride :][:MARK_BYTES]
        row[:] = marking
        used, _ = decoder.decode(self.content[: self.end])
        if used < 0 or (last >= 0 and row.tobytes() == mark):
            raise NotPlain
        used, failure = decoder.decode(self.content[used : self.end] + END_MARKER)
        if used >= 0 or failure < 0:
            raise NotPlain

    def bands(self, mode: str, take: Take) -> None:
        raise NotPlain

    def close(self) -> None:
        pass


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
    header = JpegHeader(width, height, sampling, True, 0, begin)
    return PlainJpeg(content, (width, height), header, end)


@cache
def _library() -> Any:
    with needing("reading pictures", "Pillow", "image"):
        import PIL.Image
    return PIL.Image


@cache
def _mark() -> tuple[bytes, NDArray[np.uint8]]:
    """What no picture has on purpose, for nobody is told of it."""
    mark = os.urandom(MARK_BYTES)
    return mark, np.frombuffer(mark, np.uint8)
