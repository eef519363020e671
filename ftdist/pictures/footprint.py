"""What decoding a picture holds at most, said from its header alone.

The bytes are those of the decoders' own buffers, by their sources, and were compared with the peaks
of fresh processes over formats, modes and sizes (tests/pictures/test_footprint.py does it again).
They come on top of what the process holds once the header has been read.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

from ftdist.pictures.bands import band_rows, raw_stride
from ftdist.pictures.jpegheader import JpegHeader
from ftdist.pictures.streaming import (
    burst_rows,
    pixel_bytes,
    streams,
    undecided_rows,
)

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

CODE_BYTES = 2_000_000
"""A decoder's code, its small buffers, and numpy's code for picking samples: what a picture that
is decoded again finds in memory. 1.4 MB with Python 3.11, up to 1.9 with 3.13."""

_BAND_COPIES, _CONVERTED_COPIES = 10, 14
"""Bytes a pixel of a band: cut out (4), in another mode (8), as an array (6), not all at once."""

_SHOWN_COPIES, _SHOWN_CONVERTED_COPIES = 4, 12
"""As above, of a band that becomes no array."""

_ARRAY_COPIES, _CONVERTED_PIXEL_BYTES = 2, 4
"""Of rows that become an array, by channel: Pillow's pieces of them, and these put together; and
what they are in another mode before."""

Sizes = tuple[int, int]

_WEBP_PIXEL_BYTES = 16
"""Two canvases of libwebp's animation decoder, Pillow's copy of one, its picture: 4 bytes each."""

_SLOW_PIXEL_BYTES = {"ppm": 10}
_SLOWEST_PIXEL_BYTES = 16
"""Decoders written in Python (plain and 16-bit PPM, run-length BMP) hold several copies."""

_WIDTH, _HEIGHT, _BITS_PER_SAMPLE = 256, 257, 258
_ORIENTATION, _ROWS_PER_STRIP, _TILE_LENGTH = 274, 278, 323


def decoding_bytes(
    image: ImageFile, jpeg: JpegHeader | None, *, shown: bool = False, beside: int = 0
) -> int:
    """What ``decode`` holds at most, its bands and their conversion to L or RGB included.

    Bands are sampled as arrays, or `shown` as they are; `beside` is what is held beside them. By
    then the coefficients of a JPEG that was decoded whole are free.
    """
    width, height = image.size
    rows = min(band_rows(image), height)
    plain, converted = _BAND_COPIES, _CONVERTED_COPIES
    if shown:
        plain, converted = _SHOWN_COPIES, _SHOWN_CONVERTED_COPIES
    bands = rows * width * (plain if image.mode == "RGB" else converted) + beside
    kept, decoding = _decoder_bytes(image, jpeg, rows)
    if raw_stride(image):
        return CODE_BYTES + bands + decoding
    return CODE_BYTES + kept + max(bands, decoding)


def row_bytes(image: ImageFile, jpeg: JpegHeader | None, rows: int, channels: int) -> Sizes:
    """The same where `rows` become an array of so many channels at a time, without code: what is
    kept all the time, and what at work beside it."""
    width, height = image.size
    rows = min(rows, height)
    plain = image.mode in ("L", "RGB")
    cut = pixel_bytes(image.mode) + (0 if plain else _CONVERTED_PIXEL_BYTES)
    bands = rows * width * (cut + _ARRAY_COPIES * channels)
    kept, decoding = _decoder_bytes(image, jpeg, rows)
    if raw_stride(image):
        return kept, bands + decoding
    return kept, max(bands, decoding)


def _decoder_bytes(image: ImageFile, jpeg: JpegHeader | None, rows: int) -> Sizes:
    """What a decoder keeps, and what it holds beside that until the first rows are there; of rows
    that lie in the file as they are what is read of each band."""
    width, height = image.size
    if raw_stride(image):
        return 0, 2 * rows * raw_stride(image)
    whole = width * height * pixel_bytes(image.mode)
    if jpeg is not None and streams(image, jpeg):
        return min(whole, _streamed(image, jpeg, rows)) + _jpeg_rows(width, jpeg), 0
    if jpeg is not None:
        return whole, 2 * jpeg.coefficients + _jpeg_rows(width, jpeg)
    if image.format == "WEBP":
        return _WEBP_PIXEL_BYTES * width * height + 2 * _file_bytes(image), 0
    if image.format == "TIFF":
        return _tiff_bytes(image, whole), 0
    codec = image.tile[0][0] if image.tile else ""
    if codec in ("zip", "gif", "raw"):
        return whole, 0
    return _SLOW_PIXEL_BYTES.get(codec, _SLOWEST_PIXEL_BYTES) * width * height, 0


def decoding_whole_bytes(size: tuple[int, int], jpeg: JpegHeader, pixel_bytes: int) -> int:
    """What decoding a small JPEG at once holds at most."""
    return CODE_BYTES + size[0] * size[1] * pixel_bytes + _jpeg_rows(size[0], jpeg)


def _streamed(image: ImageFile, jpeg: JpegHeader, band: int) -> int:
    """Rows that are decoded and not passed on, and the pages where rows to come are marked."""
    stride = image.size[0] * pixel_bytes(image.mode)
    marked = undecided_rows(image.size[1], jpeg) + 1
    rows = burst_rows(image, jpeg) + band - 1
    return rows * stride + marked * min(stride, mmap.PAGESIZE + 64)


def _jpeg_rows(width: int, jpeg: JpegHeader) -> int:
    """libjpeg's rows of samples, and Pillow's one of pixels.

    Source: jdmainct.c has ten eighths of a row of MCUs where colours are interpolated, jdsample.c
    as many full rows of each colour as an MCU has blocks above each other.
    """
    mcu = jpeg.mcu
    samples = mcu.blocks * 64 * 10 // (8 * mcu.width)
    return (width + mcu.width) * (samples + len(jpeg.sampling) * mcu.height // 8 + 4)


def _tiff_bytes(image: Any, whole: int) -> int:
    """The pixels, one strip decoded, and the file, which libtiff maps; or the pixels turned."""
    tags: dict[int, Any] = image.tag_v2
    bits = sum(tags.get(_BITS_PER_SAMPLE, (8,)))
    rows = tags.get(_TILE_LENGTH, tags.get(_ROWS_PER_STRIP, tags[_HEIGHT]))
    strip: int = tags[_WIDTH] * min(rows, tags[_HEIGHT]) * bits // 8
    turned = whole if tags.get(_ORIENTATION, 1) != 1 else 0
    return whole + max(strip + _file_bytes(image), turned)


def _file_bytes(image: ImageFile) -> int:
    """The size of the picture's file."""
    file = image.fp
    assert file is not None
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size
