"""Files whose rows lie where one can say beforehand: arrays (.npy) and plain pictures (PNM).

Each is read by positioned reads and written by positioned writes, not mapped: pages of a mapping
would count as memory of the process. An array of numbers is (channels, height, width) or with a
leading 1, as networks take them, unless it is said to hold pixels, and read as float32; one of
samples (uint8, uint16) is (height, width[, channels]). One in columns' order lies as a picture does
that is stored lying, and is read as such. PNM is the binary kind, P5, P6 and P7 (PAM), in
8 or 16 bits.

A sink notes its position only when the rows before it are on the disk, so that what it says after
a power cut is true.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.beginnings import PAM
from ftdist.pictures.rows.partial import PartialFile
from ftdist.pictures.rows.protocol import RowMemory, Rows, RowSource, Tags

PNM_SUFFIXES = (".pgm", ".ppm", ".pnm")
_SAMPLES = ("u1", "u2")
_NUMBERS = "biuf"
"""Kinds of numbers that can be fractions."""

_MOST_HEADER_BYTES = 1 << 16
_MOST_SIDE = 1 << 30
_TURNED_AT_ONCE = 1 << 14
"""How many values are brought into other numbers at a time, about; no less than a row."""

_SPREAD_BYTES = 24
"""What a sample takes while it is spread: three times in 64 bits."""

_LYING = 5
"""The orientation of a picture whose rows are stored as columns."""


class PlainSource:
    """Rows at known places of a file: in one block, or in one plane for each channel."""

    def __init__(
        self,
        path: Path,
        shape: Shape,
        stored: np.dtype[Any],
        offset: int,
        *,
        planes: bool,
        given: np.dtype[Any],
        most: int = 0,
    ) -> None:
        """`given` are the numbers that rows have; `most` is the value that means white, where that
        is not the largest that there is."""
        self._most = most
        self.shape, self.tags, self.dtype = shape, _NO_TAGS, given
        self._path, self._stored, self._offset, self._planes = path, stored, offset, planes
        self._handle = os.open(path, os.O_RDONLY)
        held, needed = os.fstat(self._handle).st_size, shape.elements * stored.itemsize
        if held - offset < needed:
            os.close(self._handle)
            raise InputError(
                f"{path}: the file is cut off: {shape} needs {needed} bytes, {held - offset} follow"
            )

    def rows(self, top: int, bottom: int) -> Rows:
        if not self._is_turned:
            return self._as_stored(top, bottom)
        found = np.empty((bottom - top, self.shape.width, self.shape.channels), self.dtype)
        step = self._turned_rows
        for first in range(top, bottom, step):
            stored = self._as_stored(first, min(first + step, bottom))
            if self._most:
                stored = _spread(stored, self._most)
            with np.errstate(over="ignore"):  # beyond float32 is infinite
                found[first - top : first - top + len(stored)] = stored
        return found

    def _as_stored(self, top: int, bottom: int) -> Rows:
        height, width, channels = bottom - top, self.shape.width, self.shape.channels
        if not self._planes:
            found = np.empty((height, width, channels), self._stored)
            self._read(found, top * width * channels)
            return found
        planes = np.empty((channels, height, width), self._stored)
        for channel, plane in enumerate(planes):
            self._read(plane, (channel * self.shape.height + top) * width)
        return planes.transpose(1, 2, 0)

    @property
    def _is_turned(self) -> bool:
        """Whether rows are given in other numbers than they are stored in."""
        return bool(self._most) or self._stored != self.dtype

    @property
    def _turned_rows(self) -> int:
        return max(1, _TURNED_AT_ONCE // (self.shape.width * self.shape.channels))

    def memory(self) -> RowMemory:
        if not self._is_turned:
            return RowMemory(0, 0)
        rows = min(self._turned_rows, self.shape.height)
        value = self._stored.itemsize + (_SPREAD_BYTES if self._most else 0)
        return RowMemory(0, rows * self.shape.width * self.shape.channels * value)

    def rehearse(self) -> None:
        self.rows(0, 1)

    def _read(self, into: Rows, element: int) -> None:
        view = into.reshape(-1).view(np.uint8).data
        at, got = self._offset + element * self._stored.itemsize, 0
        while got < len(view):
            count = os.preadv(self._handle, [view[got:]], at + got)
            if not count:
                raise InputError(f"{self._path}: the file has become shorter while it was read")
            got += count

    def rewind(self) -> None:
        pass

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _spread(rows: Rows, most: int) -> Rows:
    """Samples of which `most` is white, spread over all that their type has, to the nearest."""
    full = int(np.iinfo(rows.dtype).max)
    wide = np.minimum(rows, most).astype(np.uint64) * full
    return ((wide + most // 2) // most).astype(rows.dtype)


_NO_TAGS: Tags = {}


def open_array(path: Path, *, planes: bool = True, folder: Path | None = None) -> RowSource:
    """An array of a .npy file; numbers are `planes`, or pixels as samples are. `folder` has room
    for one in columns' order."""
    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            dims, in_columns, dtype = read(file)
        except MemoryError:
            raise
        except Exception:  # numpy raises nearly anything on damaged headers
            raise InputError(f"{path}: is not a .npy file, or is damaged") from None
        offset = file.tell()
    if dtype.kind not in _NUMBERS:
        raise InputError(f"{path}: rows are read of numbers, this is {dtype}")
    if len(dims) == 4 and dims[0] == 1:
        dims = dims[1:]
    is_samples = dtype.str[1:] in _SAMPLES
    given = dtype.newbyteorder("=") if is_samples else np.dtype(np.float32)
    planes = planes and not is_samples
    if len(dims) == 2:
        dims, planes = (*dims, 1), False
    if len(dims) != 3 or not all(0 < each < _MOST_SIDE for each in dims):
        raise InputError(f"{path}: an array of {dims} is no picture of rows, columns and channels")
    shape = Shape(dims[1], dims[2], dims[0]) if planes else Shape(*dims)
    if not in_columns:
        return PlainSource(path, shape, dtype, offset, planes=planes, given=given)
    from ftdist.pictures.rows.upright import UprightSource  # for the few that lie so

    lying = Shape(shape.width, shape.height, shape.channels)
    together = planes or shape.channels == 1
    source = PlainSource(path, lying, dtype, offset, planes=not together, given=given)
    return UprightSource(source, _LYING, folder or Path(os.path.realpath(path)).parent)


def open_pnm(path: Path) -> PlainSource:
    """A binary PNM, or a PAM of up to four channels."""
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER_BYTES)
    numbers, at = _pam_numbers(head) if head.startswith(PAM) else _pnm_numbers(head)
    if len(numbers) < 4 or not 0 < numbers[2] < 1 << 16 or 0 in numbers or numbers[3] > 4:
        raise InputError(f"{path}: not a binary PNM (P5, P6, P7), or its header is damaged")
    dtype = np.dtype("|u1" if numbers[2] < 256 else ">u2")
    shape = Shape(numbers[1], numbers[0], numbers[3])
    given, most = dtype.newbyteorder("="), numbers[2]
    if most == np.iinfo(given).max:
        most = 0
    return PlainSource(path, shape, dtype, at, planes=False, given=given, most=most)


def _pnm_numbers(head: bytes) -> tuple[list[int], int]:
    """Width, height, the value of white and channels, as far as they are said; where rows begin."""
    numbers: list[int] = []
    at = 2
    while len(numbers) < 3 and head[:2] in (b"P5", b"P6"):
        token, at = _token(head, at)
        if not token.isdigit() or len(token) > 10:
            return [], at
        numbers.append(int(token))
    return [*numbers, 1 if head[:2] == b"P5" else 3], at + 1


def _pam_numbers(head: bytes) -> tuple[list[int], int]:
    """The same of a PAM, whose header has a name and a value on each line."""
    header, end, _ = head.partition(b"\nENDHDR\n")
    said = dict(line.split(None, 1) for line in header.splitlines() if len(line.split()) > 1)
    values = [said.get(name, b"").strip() for name in (b"WIDTH", b"HEIGHT", b"MAXVAL", b"DEPTH")]
    if not end or not all(each.isdigit() and len(each) <= 10 for each in values):
        return [], 0
    return [int(each) for each in values], len(header) + len(end)


def _token(head: bytes, at: int) -> tuple[bytes, int]:
    """The next word of a PNM's header, and where it ends; comments are passed over."""
    while at < len(head) and (head[at : at + 1].isspace() or head[at : at + 1] == b"#"):
        if head[at : at + 1] == b"#":
            at = (head.find(b"\n", at) + 1) or len(head)
        else:
            at += 1
    end = at
    while end < len(head) and not head[end : end + 1].isspace():
        end += 1
    return head[at:end], end


class PlainSink:
    """Writes rows to their places; the file has its whole size from the beginning."""

    def __init__(
        self, path: Path, shape: Shape, stored: np.dtype[Any], head: bytes, *, planes: bool
    ) -> None:
        self._shape, self._stored, self._head, self._planes = shape, stored, head, planes
        order = "planes" if planes else "pixels"
        about = f"ftdist rows 1: {path.suffix.lower()}, {shape} {stored.str} in {order}"
        self._file = PartialFile(path, about)
        self.position = 0

    def begin(self, *, resume: bool) -> PlainSink:
        """Opens the partial file: of an earlier attempt where that is `resume`d, else a new one."""
        size = len(self._head) + self._shape.elements * self._stored.itemsize
        notes = self._file.begin(resume=resume)
        if notes and self._file.size != size:
            notes = self._file.begin(resume=False)
        self.position = max((int(line) for line in notes if line.isdigit()), default=0)
        self.position = min(self.position, self._shape.height)
        if not notes:
            self._file.put(self._head, 0)
            self._file.resize(size)
        return self

    def write(self, rows: Rows) -> None:
        """The next rows."""
        stored = rows.astype(self._stored, copy=False)
        width, channels = self._shape.width, self._shape.channels
        if self._planes:
            for channel in range(channels):
                first = (channel * self._shape.height + self.position) * width
                self._put(stored[:, :, channel], first)
        else:
            self._put(stored, self.position * width * channels)
        self.position += len(rows)
        self._file.note(str(self.position), stored.nbytes)

    def _put(self, values: Rows, element: int) -> None:
        at = len(self._head) + element * self._stored.itemsize
        self._file.put(np.ascontiguousarray(values), at)

    def finish(self) -> None:
        """The file appears; all rows were written."""
        self._file.finish()

    def abandon(self, *, keep: bool) -> None:
        """Ends without an output: keeps what was written, or leaves nothing."""
        self._file.abandon(keep=keep)


def create_array(
    path: Path, shape: Shape, dtype: np.dtype[Any], *, planes: bool, resume: bool
) -> PlainSink:
    """Writes a .npy file: (channels, height, width) where it is `planes`, else pixels, (height,
    width) where they are single integers."""
    height, width, channels = shape.height, shape.width, shape.channels
    dims: tuple[int, ...] = (channels, height, width) if planes else (height, width, channels)
    if not planes and channels == 1 and np.dtype(dtype).kind == "u":
        dims = (height, width)
    stored = np.dtype(dtype).newbyteorder("<")
    written = _Bytes()
    npy.write_array_header_1_0(
        written, {"descr": stored.str, "fortran_order": False, "shape": dims}
    )
    return PlainSink(path, shape, stored, written.content, planes=planes).begin(resume=resume)


def create_pnm(path: Path, shape: Shape, dtype: np.dtype[Any], *, resume: bool) -> PlainSink:
    """Writes a PNM, grey or in colours, of 8 or 16 bits."""
    if shape.channels not in (1, 3) or dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{path}: a PNM has 1 or 3 channels of 8 or 16 bits, not {shape.channels} of {dtype}"
        )
    kind, most = (b"P5", b"P6")[shape.channels == 3], np.iinfo(dtype).max
    head = b"%s\n%d %d\n%d\n" % (kind, shape.width, shape.height, most)
    stored = np.dtype(dtype).newbyteorder(">")
    return PlainSink(path, shape, stored, head, planes=False).begin(resume=resume)


class _Bytes:
    """A file that keeps what is written: numpy's header."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, more: bytes) -> int:
        self.content += more
        return len(more)


def plain_memory(
    shape: Shape, dtype: np.dtype[Any], *, planes: bool, piece_bytes: int
) -> RowMemory:
    """What writing about `piece_bytes` at a time, no less than a row, holds beside the caller's:
    them once more in the file's order, or a plane of them."""
    row = shape.width * shape.channels * np.dtype(dtype).itemsize
    copied = max(piece_bytes, row)
    return RowMemory(0, -(-copied // shape.channels) if planes else copied)
