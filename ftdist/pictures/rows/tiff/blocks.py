"""A TIFF's strips and tiles: their data, decoded as far as is asked for, as samples.

A column is all the blocks below each other; it decodes one of them at a time. Where columns decode
side by side, each holds a decoder and a piece of data, and never a whole block.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.pictures.rows.codings import (
    DEFLATED_MOST,
    INFLATE_BYTES,
    LZW_MOST,
    PACKED_MOST,
    Bytes,
    Decoder,
    Inflate,
    Stored,
    Stream,
    crossing,
    spread,
    undo_differences,
    undo_float_differences,
    unpacked,
)
from ftdist.pictures.rows.protocol import Rows
from ftdist.pictures.rows.tiff.directory import Directory
from ftdist.pictures.rows.tiff.layout import (
    CMYK,
    DEFLATE,
    JPEG,
    JPEG_TABLES,
    LZW,
    NONE,
    OLD_DEFLATE,
    PACKBITS,
    WHITE_IS_ZERO,
    Layout,
)

PIECE_BYTES = 16 << 10
"""How much of a block's data is read at a time."""

DECODER_BYTES = PIECE_BYTES + INFLATE_BYTES
"""What a column holds: the largest decoder, and a piece of data."""

_MIRRORED = bytes(int(f"{each:08b}"[::-1], 2) for each in range(256))
_MOST_JPEG_BYTES = 64 << 20
_MOST = {LZW: LZW_MOST, DEFLATE: DEFLATED_MOST, OLD_DEFLATE: DEFLATED_MOST, PACKBITS: PACKED_MOST}
"""How many bytes one byte of a block can become."""


class Blocks:
    """Opens blocks of a file; `fill` stands for those that the file leaves out."""

    def __init__(self, file: int, directory: Directory, layout: Layout, fill: float) -> None:
        self._file, self._directory, self._layout, self._fill = file, directory, layout, fill
        tables = JPEG_TABLES in directory
        self._tables = directory.value(JPEG_TABLES) if tables else b""

    def place(self, number: int) -> tuple[int, int]:
        """Where a block's data begin, and how many bytes they are."""
        layout = self._layout
        at = int(self._directory.numbers(layout.offsets, number, 1)[0])
        if layout.counts is None:
            return at, layout.line_bytes * layout.block_height
        return at, int(self._directory.numbers(layout.counts, number, 1)[0])

    def refuse_impossible(self) -> None:
        """A first block that cannot hold its rows, however well they pack, is not begun with."""
        layout = self._layout
        most = _MOST.get(layout.compression)
        at, size = self.place(0)
        rows = min(layout.block_height, layout.height)
        there = min(size, max(0, os.fstat(self._file).st_size - at))
        if most is not None and (at or size) and layout.line_bytes * rows > most * (there + 1):
            raise ValueError(
                f"the file is cut off: {there} bytes cannot hold {rows} rows of its "
                f"{layout.width}x{layout.height} pixels"
            )

    def open(self, number: int) -> Stream | None:
        """A block's bytes, decompressed; None for a block that is left out."""
        at, size = self.place(number)
        if not at and not size:
            return None
        return Stream(self._pieces(at, size), self._decoder(at))

    def jpeg(self, number: int, rows: int) -> Bytes | None:
        """A block that is a JPEG, as rows of bytes; None for a block that is left out."""
        from ftdist.pictures.rows.tiff.jpegblocks import decoded

        at, size = self.place(number)
        if not at and not size:
            return None
        if size > _MOST_JPEG_BYTES:
            raise ValueError("one of its strips or tiles is a JPEG of an impossible length")
        content = os.pread(self._file, size, at) if at < 1 << 62 else b""
        tables = self._tables if isinstance(self._tables, bytes) else b""
        return decoded(content, tables, self._layout, rows)

    def _pieces(self, at: int, size: int) -> Iterator[bytes]:
        while size > 0 and at < 1 << 62:
            piece = os.pread(self._file, min(size, PIECE_BYTES), at)
            if not piece:
                return
            at, size = at + len(piece), size - len(piece)
            yield piece.translate(_MIRRORED) if self._layout.reversed_bits else piece

    def _decoder(self, at: int) -> Decoder:
        kind = self._layout.compression
        if kind == NONE:
            return Stored()
        if kind not in (LZW, PACKBITS):
            return Inflate()
        from ftdist.pictures import _decoding

        if kind == PACKBITS:
            return _decoding.PackBits()
        head = os.pread(self._file, 2, at)
        if len(head) == 2 and head[0] == 0 and head[1] & 1:
            raise ValueError(
                "its compression is LZW of before 1992, which is not read; "
                "convert it: tiffcp -c zip:2 IN.tif OUT.tif"
            )
        return _decoding.Lzw()

    def samples(self, lines: Bytes | None, out: Rows) -> None:
        """Writes what rows of a block mean, cut to the columns that `out` has."""
        if lines is None:
            out[...] = self._fill
            return
        layout = self._layout
        found = _numbers(layout, lines)[:, : out.shape[1]]
        if layout.palette is not None:
            np.take(layout.palette, found[:, :, 0], axis=0, out=out, mode="clip")
        elif layout.photometric == CMYK and layout.compression != JPEG:
            _without_inks(found, out)
        elif layout.is_spread:
            out[...] = spread(found, layout.bits)
        elif layout.bits < 8:
            np.multiply(found, np.uint8(255 // ((1 << layout.bits) - 1)), out=out)
        else:
            out[...] = found
        if layout.photometric == WHITE_IS_ZERO and layout.given.kind == "u":
            np.subtract(np.iinfo(layout.given).max, out, out=out)


def _numbers(layout: Layout, lines: Bytes) -> NDArray[Any]:
    """(rows, columns of a block, samples) in the machine's byte order, differences undone."""
    shape = len(lines), layout.block_width, layout.samples
    if layout.is_spread:
        return crossing(lines, layout.bits, shape[1] * shape[2]).reshape(shape)
    if layout.bits < 8:
        return unpacked(lines, layout.bits, shape[1] * shape[2]).reshape(shape)
    if layout.predictor == 3:
        made = undo_float_differences(lines, layout.stored.itemsize, layout.samples)
        return made.view(layout.stored.newbyteorder("=")).reshape(shape)
    if layout.compression == JPEG:
        return lines.reshape(shape)
    values = lines.reshape(-1).view(layout.stored)
    if not layout.stored.isnative:
        values.byteswap(inplace=True)
        values = values.view(layout.stored.newbyteorder("="))
    if layout.predictor == 2:
        undo_differences(values.view(np.uint8).reshape(lines.shape), layout.stored, layout.samples)
    return values.reshape(shape)


def _without_inks(inks: NDArray[Any], out: Rows) -> None:
    """Four inks as red, green and blue, as Pillow has them."""
    light = 255 - inks[:, :, 3:].astype(np.int32)
    product = inks[:, :, :3].astype(np.int32) * light + 128
    out[...] = np.clip(light - ((product + (product >> 8)) >> 8), 0, 255)
