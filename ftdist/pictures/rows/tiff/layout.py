"""How a TIFF's pixels lie in its file, and what they become; what cannot be read is refused here.

Whole numbers of 8 and 16 bits stay what they are, fewer bits are spread over 8, 9 to 15 over 16,
and a palette becomes its colours. All else becomes float32: signed numbers and fractions of 16 bits
exactly, 32 and 64 bits by rounding, which networks would do anyway.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.pictures.rows.tiff.directory import Directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = (
    317,
    320,
    322,
    323,
    324,
    325,
)
ORIENTATION, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 274, 338, 339, 347

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 7, 8, 32946, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6

_COMPRESSIONS = {
    2: "CCITT", 3: "CCITT (fax)", 4: "CCITT (fax)", 6: "old-style JPEG", 34661: "JBIG",
    34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "ZSTD", 50001: "WebP",
    50002: "JPEG XL",
}  # fmt: skip
_VIEWED = (2, 3, 4, 6, 34925, 50000)
"""What Pillow's library for TIFF undoes, wherever it comes from."""

_RAW = 32803
_COLOURS = {8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", _RAW: "a camera's raw data"}
_CONVERT = "convert it: tiffcp -c zip:2 IN.tif OUT.tif, or gdal_translate -co COMPRESS=DEFLATE"
_MOST_SIDE = (1 << 31) - 1
_MOST_BANDS = 4096
_UNSIGNED, _SIGNED, _FLOAT, _UNKNOWN = 1, 2, 3, 4
_FORMATS = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f", _UNKNOWN: "u"}
_CALLED = {_SIGNED: "signed numbers", _FLOAT: "fractions", 5: "complex numbers",
           6: "complex numbers"}  # fmt: skip


class Unread(ValueError):
    """A kind of TIFF that is sound and not read by rows; `viewed`: Pillow may show it rightly."""

    def __init__(self, said: str, *, viewed: bool = True) -> None:
        super().__init__(said)
        self.viewed = viewed


@dataclass(frozen=True)
class Layout:
    """`block_width` and `block_height` are those of a tile, or of a strip as wide as the picture.

    `stored` is how a sample lies in the file; `bits` of it where they are fewer. `planes`:
    each band has blocks of its own. `given` is the type that is handed out, in `channels`.
    """

    width: int
    height: int
    bands: int
    bits: int
    stored: np.dtype[Any]
    given: np.dtype[Any]
    channels: int
    planes: bool
    block_width: int
    block_height: int
    compression: int
    predictor: int
    photometric: int
    palette: NDArray[np.uint8] | None
    reversed_bits: bool
    offsets: int
    counts: int | None

    @property
    def across(self) -> int:
        return -(-self.width // self.block_width)

    @property
    def down(self) -> int:
        return -(-self.height // self.block_height)

    @property
    def samples(self) -> int:
        """Samples of a pixel in one block."""
        return 1 if self.planes else self.bands

    @property
    def is_spread(self) -> bool:
        """Whether samples lie across bytes, and are spread over 8 or 16 bits to the nearest."""
        return self.bits < 16 and self.bits not in (1, 2, 4, 8)

    @property
    def line_bytes(self) -> int:
        """Bytes of a block's row."""
        return -(-self.block_width * self.samples * self.bits // 8)

    @property
    def blocks(self) -> int:
        return self.across * self.down * (self.bands if self.planes else 1)


def read_layout(directory: Directory) -> Layout:
    """ValueError where the file is damaged, or holds what is not read, with what to do."""
    width, height = directory.number(WIDTH), directory.number(HEIGHT)
    bands, compression = directory.number(SAMPLES, 1), directory.number(COMPRESSION, 1)
    if not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE and 0 < bands <= _MOST_BANDS):
        raise ValueError(f"it claims {width}x{height} pixels of {bands} bands")
    _refuse_compression(compression)
    bits, stored = _stored(directory)
    photometric = directory.number(PHOTOMETRIC, RGB if bands in (3, 4) else BLACK_IS_ZERO)
    if photometric in _COLOURS:
        told = f"its colours are {_COLOURS[photometric]}, which is not read; save it as RGB"
        raise Unread(told, viewed=photometric != _RAW)
    if photometric == YCBCR and compression != JPEG:
        raise Unread("its colours are YCbCr without JPEG, which is not read; save it as RGB")
    if compression == JPEG and bits != 8:
        raise Unread(f"it is a JPEG of {bits} bits, which is not read", viewed=False)
    if photometric == CMYK and (bands != 4 or stored != np.uint8):
        raise Unread("its colours are inks of other than 4 times 8 bits; save it as RGB")
    palette = _palette(directory, bits) if photometric == PALETTE else None
    if palette is not None and bands != 1:
        raise Unread("its palette has more than one band, which is not read; save it as RGB")
    tiled = TILE_OFFSETS in directory
    block_width, block_height = width, min(directory.number(ROWS_PER_STRIP, height), height)
    if tiled:
        block_width, block_height = directory.number(TILE_WIDTH), directory.number(TILE_LENGTH)
    if not (0 < block_width <= _MOST_SIDE and 0 < block_height <= _MOST_SIDE):
        raise ValueError("its strips or tiles have no size")
    counts = TILE_COUNTS if tiled else STRIP_COUNTS
    whole = stored.kind == "u" and stored.itemsize <= 2
    layout = Layout(
        width=width, height=height, bands=bands, bits=bits, stored=stored,
        given=stored.newbyteorder("=") if whole else np.dtype(np.float32),
        channels=3 if palette is not None or photometric == CMYK else bands,
        planes=bands > 1 and directory.number(PLANAR, 1) == 2,
        block_width=block_width, block_height=block_height,
        compression=compression, predictor=_predictor(directory, compression, stored, bits),
        photometric=photometric, palette=palette,
        reversed_bits=directory.number(FILL_ORDER, 1) == 2,
        offsets=TILE_OFFSETS if tiled else STRIP_OFFSETS,
        counts=counts if counts in directory else None,
    )  # fmt: skip
    _refuse_missing_blocks(directory, layout)
    return layout


def _refuse_compression(compression: int) -> None:
    if compression not in (NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS):
        named = _COMPRESSIONS.get(compression, f"number {compression}")
        told = f"its compression is {named}, which is not read; {_CONVERT}"
        raise Unread(told, viewed=compression in _VIEWED)


def _stored(directory: Directory) -> tuple[int, np.dtype[Any]]:
    """Bits of a sample, and how it lies in the file; all bands have the same."""
    bits, kind = 1, _UNSIGNED
    if BITS in directory:
        every = {int(each) for each in directory.numbers(BITS)}
        if len(every) != 1:
            raise Unread("its bands have different numbers of bits, which is not read")
        (bits,) = every
    if SAMPLE_FORMAT in directory:
        kinds = {int(each) for each in directory.numbers(SAMPLE_FORMAT)}
        kind = kinds.pop() if len(kinds) == 1 else 0
    if 0 < bits < 8 and kind in (_UNSIGNED, _UNKNOWN):
        return bits, np.dtype(np.uint8)
    if 8 < bits < 16 and kind in (_UNSIGNED, _UNKNOWN):
        return bits, np.dtype(np.uint16)
    letter = _FORMATS.get(kind)
    sizes = (16, 32, 64) if letter == "f" else (8, 16, 32, 64)
    if letter is None or bits not in sizes:
        told = f"its samples are {_CALLED.get(kind, 'numbers')} of {bits} bits, which are not read"
        raise Unread(told, viewed=False)
    return bits, np.dtype(f"{directory.order}{letter}{bits // 8}")


def _predictor(directory: Directory, compression: int, stored: np.dtype[Any], bits: int) -> int:
    if compression in (NONE, PACKBITS, JPEG):
        return 1
    predictor = directory.number(PREDICTOR, 1)
    floats = stored.kind == "f"
    unknown = predictor not in (1, 2, 3) or bits % 8 or (predictor == 3 and not floats)
    if predictor != 1 and unknown:
        raise Unread(f"its predictor is {predictor} of {bits} bits, which is not read")
    if predictor == 2 and stored.itemsize == 8:
        raise Unread("its predictor is 2 of 64 bits, which is not read; write it with 3")
    return predictor


def _palette(directory: Directory, bits: int) -> NDArray[np.uint8]:
    if bits > 8 or COLOUR_MAP not in directory:
        raise ValueError("its palette is missing or damaged")
    colours: NDArray[Any] = np.array(directory.numbers(COLOUR_MAP), np.uint32)
    if len(colours) != 3 << bits:
        raise ValueError("its palette is damaged")
    if colours.max() > 255:  # some programs write 8 bits
        colours = colours >> 8
    return np.ascontiguousarray(colours.astype(np.uint8).reshape(3, -1).T)


def _refuse_missing_blocks(directory: Directory, layout: Layout) -> None:
    """A file that claims more strips or tiles than it lists is not begun with."""
    for tag in (layout.offsets, layout.counts):
        if tag is None:
            continue
        listed = directory.entries[tag].count if tag in directory else 0
        if listed < layout.blocks:
            raise ValueError(
                f"the file is damaged: {layout.blocks} strips or tiles make "
                f"{layout.width}x{layout.height} pixels, and it lists {listed}"
            )
        directory.numbers(tag, layout.blocks - 1, 1)
    if layout.counts is None and (layout.compression != NONE or layout.blocks > 1):
        raise ValueError("the file is damaged: it does not say how long its strips are")


def block_bytes(layout: Layout) -> int:
    """Bytes of a whole block, decoded."""
    return math.prod((layout.line_bytes, layout.block_height))
