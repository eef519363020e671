"""Turns a picture that comes by in bands: it lies on the disk meanwhile, for memory is short.

Bands as stored are pieces of the upright picture: rows from the bottom up, or columns. Each piece
is written, turned, to a file without a name beside the result; then upright bands are put together
from the rows that each piece has of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ftdist.pictures.exif import Turn
from ftdist.pictures.nameless import nameless_file, write_all

if TYPE_CHECKING:
    from PIL.Image import Image

_PIXEL_BYTES = 3


class _Piece(NamedTuple):
    """A part of the upright picture, in RGB, and where it begins in the file."""

    left: int
    top: int
    width: int
    height: int
    at: int


@dataclass
class Turning:
    """Takes bands as stored, of a picture of `size` (upright), gives upright ones."""

    size: tuple[int, int]
    turn: Turn
    folder: Path

    def __post_init__(self) -> None:
        self._handle = nameless_file(self.folder)
        self._pieces: list[_Piece] = []
        self._end = 0

    def __enter__(self) -> Turning:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def take(self, first: int, band: Image) -> None:
        piece = turned(band, self.turn)
        width, height = piece.size
        along = self.size[0] if self.turn.sideways else self.size[1]
        place = along - first - band.size[1] if self.turn.rows_reversed else first
        left, top = (place, 0) if self.turn.sideways else (0, place)
        self._pieces.append(_Piece(left, top, width, height, self._end))
        self._end = write_all(self._handle, piece.tobytes(), self._end)

    def bands(self, rows: int) -> Iterator[tuple[int, Image]]:
        """The upright picture, by bands of so many rows, each with the number of its first."""
        from PIL.Image import frombytes, new

        width, height = self.size
        for first in range(0, height, rows):
            stop = min(first + rows, height)
            band = new("RGB", (width, stop - first))
            for piece in self._pieces:
                top, bottom = max(first, piece.top), min(stop, piece.top + piece.height)
                if top < bottom:
                    line = piece.width * _PIXEL_BYTES
                    at = piece.at + (top - piece.top) * line
                    content = os.pread(self._handle, (bottom - top) * line, at)
                    part = frombytes("RGB", (piece.width, bottom - top), content)
                    band.paste(part, (piece.left, top - first))
            yield first, band


def turned(band: Image, turn: Turn) -> Image:
    """Rows as stored, or a whole picture, the way up that it is to be seen."""
    from PIL.Image import Transpose

    if turn.rows_reversed:
        band = band.transpose(Transpose.FLIP_TOP_BOTTOM)
    if turn.columns_reversed:
        band = band.transpose(Transpose.FLIP_LEFT_RIGHT)
    return band.transpose(Transpose.TRANSPOSE) if turn.sideways else band
