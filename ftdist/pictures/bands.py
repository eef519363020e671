"""Decodes a picture by bands of rows, so that it need not be in memory as a whole.

Three ways, by what the format allows:

- *streamed*, JPEG whose rows come out in order as its data goes in: the picture lies in a mapping
  of its own, data goes in by small pieces, and pages of rows that were passed on are given back to
  the system at once;
- *raw*, rows that lie uncompressed in the file: each band is read where it is;
- *whole*, all else (progressive JPEG, interlaced PNG, GIF, WebP, TIFF by fax): Pillow decodes
  the picture, and bands are cut out of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ftdist.pictures.exif import ORIENTATION_TAG
from ftdist.pictures.jpegheader import JpegHeader
from ftdist.pictures.streaming import RAW_BITS, Stream, dressed, is_small, streams

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Take = Callable[[int, "Image"], None]
"""Is given bands in order, each with the number of its first row."""

TakeSamples = Callable[[int, NDArray[Any]], None]
"""Is given bands as uint8 (rows, width, channels) in order, each with the number of its first row.
It may keep nothing of them."""

BAND_PIXELS = 1 << 16
"""How much of a decoded picture a band is, about; no less than a row."""


def band_rows(image: ImageFile) -> int:
    """Rows of a band, of which the last one of the picture may have fewer."""
    return max(1, BAND_PIXELS // image.size[0])


def raw_stride(image: ImageFile) -> int:
    """Bytes of a row in the file where rows lie there uncompressed, 0 where they do not."""
    if len(image.tile) != 1 or image.tile[0][0] != "raw" or image.format in ("GIF", "WEBP"):
        return 0
    if image.format == "TIFF" and image.getexif().get(ORIENTATION_TAG, 1) != 1:
        return 0  # load() turns it
    rawmode, stride, _ = _raw_layout(image)
    return stride or -(-image.size[0] * RAW_BITS.get(rawmode, 0) // 8)


def _raw_layout(image: ImageFile) -> tuple[str, int, int]:
    """How rows lie in the file: bits, bytes a row (0: as the bits have it), 1 or -1 for upwards."""
    arguments: Any = image.tile[0][3]
    return (arguments, 0, 1) if isinstance(arguments, str) else arguments


def decode(image: ImageFile, jpeg: JpegHeader | None, take: Take) -> None:
    """Passes the picture on, by bands in its own mode; raises what Pillow raises."""
    stream: Stream | None = None
    if not raw_stride(image):
        if jpeg is not None and streams(image, jpeg):
            stream = Stream(image, jpeg)
        else:
            load(image)
    height = band_rows(image)
    try:
        for first in range(0, image.size[1], height):
            stop = min(first + height, image.size[1])
            if stream is not None:
                stream.decode_to(stop)
                take(first, stream.take(stop))
            elif image.tile:
                take(first, raw_rows(image, first, stop))
            else:
                take(first, image.crop((0, first, image.size[0], stop)))
    finally:
        if stream is not None:
            stream.close()


def decode_samples(image: ImageFile, jpeg: JpegHeader, take: TakeSamples) -> None:
    """Passes a JPEG that streams on as arrays, where its rows lie: nothing is copied."""
    stream = Stream(image, jpeg, whole=is_small(image.size))
    total = image.size[1]
    height = total if is_small(image.size) else band_rows(image)
    try:
        for first in range(0, total, height):
            stop = min(first + height, total)
            stream.decode_to(stop)
            take(first, stream.samples(stop))
            stream.let_go(stop)
    finally:
        stream.close()


def load(image: ImageFile) -> None:
    """Decodes all of it; OSError, where Pillow would ask for memory, if data lie behind the end."""
    file = image.fp
    assert file is not None
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    if any(tile[2] > size for tile in image.tile):
        raise OSError("the file is cut off")
    image.load()


def raw_rows(image: ImageFile, first: int, stop: int) -> Image:
    """Rows [first, stop) of a picture that lies uncompressed in its file."""
    from PIL.Image import frombytes

    (rawmode, _, direction), stride = _raw_layout(image), raw_stride(image)
    file, offset = image.fp, image.tile[0][2]
    assert file is not None
    width, height = image.size
    file.seek(offset + stride * (first if direction > 0 else height - stop))
    data = file.read(stride * (stop - first))
    if len(data) < stride * (stop - first):
        raise OSError(f"image file is truncated: it ends before row {stop} of {height}")
    size = width, stop - first
    band = frombytes(image.mode, size, data, "raw", rawmode, stride, direction)
    return dressed(image, band.im)
