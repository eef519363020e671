"""Reads PNGs by rows, of all depths and colours; interlaced ones by way of the disk.

Rows come as numbers of the file: 8 bits, or 16 where it has 16; fewer bits are spread over 8, a
palette becomes its colours, and transparency, however it is said, one channel more. Pillow would
bring 16 bits of colours down to 8, and decodes whole pictures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.geometry import Shape
from ftdist.pictures.nameless import nameless_file, write_all
from ftdist.pictures.rows.codings import (
    INFLATE_BYTES,
    PIECE_BYTES,
    Bytes,
    Inflate,
    Stream,
    unpacked,
)
from ftdist.pictures.rows.pngheader import DataChunks, PngHeader, read_header
from ftdist.pictures.rows.protocol import RowMemory, Rows
from ftdist.pictures.rows.sequential import STEP_SAMPLES, Sequential, cut_off, reading

_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Adam7: first column, first row, columns apart, rows apart."""


_PLACE_BYTES = 8


class _Lines:
    """Rows of one width as they are stored, their filters undone."""

    def __init__(self, stream: Stream, header: PngHeader, width: int) -> None:
        self._stream, self._pixel = stream, header.filter_bytes
        self._size = header.line_bytes(width)
        self._above = np.zeros(self._size, np.uint8)

    def next(self, rows: int) -> Bytes:
        """So many rows, or those that are there."""
        from ftdist.pictures._decoding import unfilter

        lines = np.empty((rows, self._size + 1), np.uint8)
        whole = self._stream.fill(lines.reshape(-1)) // (self._size + 1)
        made = lines[:whole].reshape(-1)
        if whole and unfilter(made, self._size, self._pixel, self._above) < whole:
            raise ValueError("its pixels are damaged")
        return lines[:whole, 1:]


def samples(header: PngHeader, lines: Bytes, width: int, out: Rows) -> None:
    """What stored rows become."""
    stored = header.stored_samples
    if header.depth == 16:
        found = np.ascontiguousarray(lines).view(">u2").reshape(len(lines), width, stored)
    elif header.depth < 8:
        found = unpacked(np.ascontiguousarray(lines), header.depth, width * stored)
        found = found.reshape(len(lines), width, stored)
    else:
        found = lines.reshape(len(lines), width, stored)
    if header.palette is not None:
        if int(found.max(initial=0)) >= len(header.palette):
            raise ValueError("a pixel has a colour beyond its palette")
        np.take(header.palette, found[:, :, 0], axis=0, out=out)
        return
    if header.key is not None:
        opaque = (found != np.array(header.key, found.dtype)).any(axis=2)
        out[:, :, stored] = np.where(opaque, np.iinfo(out.dtype).max, 0)
        out = out[:, :, :stored]
    if header.depth < 8:
        np.multiply(found, np.uint8(255 // ((1 << header.depth) - 1)), out=out)
    else:
        out[...] = found


def _pixel_bytes(header: PngHeader) -> int:
    """What ``samples`` holds for a pixel beside the stored rows: bits in bytes of their own, places
    in a palette, what is transparent."""
    taken = 3 * header.stored_samples if header.depth < 8 else 0
    if header.palette is not None:
        taken += _PLACE_BYTES
    if header.key is not None:
        taken += _PLACE_BYTES + header.stored_samples + 2
    return taken


class _Passes:
    """The seven pictures of which an interlaced one consists, in a file without a name."""

    def __init__(self, header: PngHeader, folder: Path, dtype: np.dtype[Any]) -> None:
        self._header, self._dtype = header, dtype
        self._file = nameless_file(folder)
        self._begins: list[int] = []

    def read(self, stream: Stream) -> None:
        """Decodes all of them, a few rows at a time."""
        header, at = self._header, 0
        for left, top, across, down in _PASSES:
            self._begins.append(at)
            width = len(range(left, header.width, across))
            height = len(range(top, header.height, down)) if width else 0
            lines = _Lines(stream, header, width) if height else None
            step = max(1, STEP_SAMPLES // max(1, width * header.channels))
            for first in range(0, height, step):
                made = np.empty((min(step, height - first), width, header.channels), self._dtype)
                assert lines is not None
                found = lines.next(len(made))
                if len(found) < len(made):
                    raise ValueError("the file is cut off: not all pixels are there")
                samples(header, found, width, made)
                write_all(self._file, made, at)
                at += made.nbytes

    def rows(self, first: int, out: Rows) -> None:
        """Rows of the picture from `first` on."""
        size = self._header.channels * self._dtype.itemsize
        for number, row in enumerate(out, first):
            for begin, (left, top, across, down) in zip(self._begins, _PASSES, strict=True):
                part = row[left::across]
                if number % down == top and len(part):
                    line = len(part) * size
                    content = os.pread(self._file, line, begin + (number - top) // down * line)
                    part[...] = np.frombuffer(content, self._dtype).reshape(part.shape)

    def close(self) -> None:
        os.close(self._file)


class PngSource(Sequential):
    """A PNG by rows. `folder` is where an interlaced one lies while it is put in order."""

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        super().__init__(path)
        self._file = os.open(path, os.O_RDONLY)
        try:
            with reading(path):
                self._header = header = read_header(self._file)
        except BaseException:
            os.close(self._file)
            raise
        self.shape = Shape(header.height, header.width, header.channels)
        self.dtype = np.dtype(np.uint16 if header.depth == 16 else np.uint8)
        self.tags = header.tags
        self._lines: _Lines | None = None
        self._folder = folder or Path(os.path.realpath(path)).parent
        self._passes: _Passes | None = None

    def memory(self) -> RowMemory:
        header, width = self._header, self.shape.width
        line = 1 + header.line_bytes(width)
        copies = 1 if header.depth == 8 else 2
        row = copies * line + width * _pixel_bytes(header)
        # the piece of data; a new one beside it, and what was inflated of the old one
        kept = line + PIECE_BYTES + INFLATE_BYTES
        return RowMemory(kept, self.step_rows * row + 3 * PIECE_BYTES)

    @property
    def _begins_small(self) -> bool:
        return not self._header.interlaced

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._passes is not None:
            self._passes.close()
            self._passes = None

    def _begin(self) -> None:
        self._lines = None

    def _stream(self) -> Stream:
        return Stream(iter(DataChunks(self._file, self._header.data_at)), Inflate())

    def _fill(self, out: Rows) -> None:
        header = self._header
        if header.interlaced:
            if self._passes is None:
                self._passes = _Passes(header, self._folder, self.dtype)
                self._passes.read(self._stream())
            self._passes.rows(self._next, out)
            return
        if self._lines is None:
            self._lines = _Lines(self._stream(), header, self.shape.width)
        found = self._lines.next(len(out))
        if len(found) < len(out):
            raise cut_off(self._next + len(found), self.shape.height)
        samples(header, found, self.shape.width, out)
