"""Reads TIFFs and BigTIFFs by rows: strips, tiles, one and many bands, together or in planes.

Tiles beside each other are decoded side by side, a few rows of each, where that holds less than one
row of whole tiles would; so the memory is bounded by rows, or by one row of small tiles. Which of
the two, and how much it is, follows from the directory.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.footprint import CODE_BYTES
from ftdist.pictures.rows.codings import WIDE_BYTES, Bytes, Stream
from ftdist.pictures.rows.protocol import RowMemory, Rows, Tags
from ftdist.pictures.rows.sequential import Sequential, cut_off, reading
from ftdist.pictures.rows.tiff.blocks import DECODER_BYTES, Blocks
from ftdist.pictures.rows.tiff.directory import first_picture
from ftdist.pictures.rows.tiff.layout import JPEG, Unread, block_bytes, read_layout
from ftdist.pictures.rows.tiff.tags import ON_EARTH, carried, filling

_LINE_COPIES, _NUMBER_COPIES = 3, 2
_INK_BYTES = 24
_LISTED_BYTES = 4096

_SMALL_BYTES = 4 << 20
"""A row of blocks that is decoded before it is wanted, for its code."""


class TiffSource(Sequential):
    """The first picture of a TIFF; `pages` says how many there are in full size."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = os.open(path, os.O_RDONLY)
        try:
            with reading(path):
                directory, self.pages = first_picture(self._file)
                self._layout = layout = read_layout(directory)
                self.tags = carried(directory)
                self._blocks = Blocks(
                    self._file, directory, layout, filling(directory, layout.given)
                )
                self._blocks.refuse_impossible()
        except BaseException:
            os.close(self._file)
            raise
        self.shape = Shape(layout.height, layout.width, layout.channels)
        self.dtype = layout.given
        self._row = 0
        self._open: dict[int, Stream | None] = {}
        self._whole: Rows | None = None

    @property
    def _block_row_bytes(self) -> int:
        """Bytes of the rows that lie in one row of blocks."""
        rows = min(self._layout.block_height, self.shape.height)
        return rows * self.shape.width * self.channels * self.dtype.itemsize

    @property
    def _columns(self) -> int:
        return self._layout.across * (self._layout.bands if self._layout.planes else 1)

    @property
    def _by_block_rows(self) -> bool:
        """Whether rows of whole blocks are decoded, instead of blocks side by side."""
        if self._layout.compression == JPEG:
            return True
        transient = 3 * block_bytes(self._layout) + DECODER_BYTES
        return self._columns * DECODER_BYTES > self._block_row_bytes + transient

    def memory(self) -> RowMemory:
        layout = self._layout
        numbers = layout.block_width * layout.samples * layout.stored.itemsize
        inks = _INK_BYTES * layout.block_width if layout.channels != layout.bands else 0
        wide = WIDE_BYTES * layout.block_width * layout.samples if layout.is_spread else 0
        line = _LINE_COPIES * layout.line_bytes + _NUMBER_COPIES * numbers + inks + wide
        if self._by_block_rows:
            rows = min(layout.block_height, self.shape.height)
            kept = self._block_row_bytes + _LISTED_BYTES
            if layout.compression == JPEG and not self._begins_small:
                kept += CODE_BYTES
            return RowMemory(kept, DECODER_BYTES + rows * line)
        return RowMemory(self._columns * DECODER_BYTES + _LISTED_BYTES, self.step_rows * line)

    @property
    def _begins_small(self) -> bool:
        return not self._by_block_rows or self._block_row_bytes <= _SMALL_BYTES

    def close(self) -> None:
        self._open.clear()
        self._whole = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self) -> None:
        self._row = 0
        self._open.clear()
        self._whole = None

    def _pass_over(self, top: int) -> None:
        """Blocks that lie above a row are not decoded."""
        first = top - top % self._layout.block_height
        if first > self._row:
            self._open.clear()
            self._whole = None
            self._row = self._next = first
        super()._pass_over(top)

    def _fill(self, out: Rows) -> None:
        done, height = 0, self._layout.block_height
        while done < len(out):
            rows = min(len(out) - done, height - self._row % height)
            part = out[done : done + rows]
            if self._by_block_rows:
                part[...] = self._from_whole(rows)
            else:
                self._side_by_side(part)
            done, self._row = done + rows, self._row + rows

    def _from_whole(self, rows: int) -> Rows:
        inside = self._row % self._layout.block_height
        if self._whole is None or inside == 0:
            self._whole = None  # before the next one is made
            first = self._row - inside
            height = min(self._layout.block_height, self.shape.height - first)
            whole = self._empty(height)
            for plane, column, number in self._numbers(first):
                lines: Bytes | None
                if self._layout.compression == JPEG:
                    lines = self._blocks.jpeg(number, height)
                else:
                    lines = self._lines(self._blocks.open(number), height, first)
                self._blocks.samples(lines, self._part(whole, plane, column))
            self._whole = whole
        return self._whole[inside : inside + rows]

    def _side_by_side(self, out: Rows) -> None:
        for plane, column, number in self._numbers(self._row):
            place = plane * self._layout.across + column
            if self._row % self._layout.block_height == 0 or place not in self._open:
                self._open.pop(place, None)
                self._open[place] = self._blocks.open(number)
            lines = self._lines(self._open[place], len(out), self._row)
            self._blocks.samples(lines, self._part(out, plane, column))

    def _numbers(self, row: int) -> list[tuple[int, int, int]]:
        """(plane, column, number) of the blocks in which a row of the picture lies."""
        layout = self._layout
        down = row // layout.block_height
        return [
            (plane, column, (plane * layout.down + down) * layout.across + column)
            for plane in range(layout.bands if layout.planes else 1)
            for column in range(layout.across)
        ]

    def _part(self, rows: Rows, plane: int, column: int) -> Rows:
        """Where a block's columns and bands belong in rows of the picture."""
        left = column * self._layout.block_width
        found = rows[:, left : left + self._layout.block_width]
        return found[:, :, plane : plane + 1] if self._layout.planes else found

    def _lines(self, stream: Stream | None, rows: int, row: int) -> Bytes | None:
        """The next rows of a block, as they are stored."""
        if stream is None:
            return None
        lines = np.empty((rows, self._layout.line_bytes), np.uint8)
        there = stream.fill(lines.reshape(-1)) // self._layout.line_bytes
        if there < rows:
            raise cut_off(row + there, self.shape.height)
        return lines


def is_viewed(refused: InputError) -> bool:
    """Whether a TIFF that is not read by rows is a sound one, which Pillow may show rightly."""
    return isinstance(refused.__cause__, Unread) and refused.__cause__.viewed


def place_of(path: Path) -> Tags:
    """Where the picture of a file lies, which somebody else reads."""
    file = os.open(path, os.O_RDONLY)
    try:
        with reading(path):
            directory, _ = first_picture(file)
            return {tag: each for tag, each in carried(directory).items() if tag in ON_EARTH}
    finally:
        os.close(file)
