"""A TIFF's directory: which tags it has and where their values lie, of classic TIFF and BigTIFF.

Values are read when they are asked for, and no more of them than is asked for: the list of a large
picture's strips may be megabytes, and a damaged file may claim any number.

Source: TIFF 6.0; BigTIFF as libtiff has it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_KINDS = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4",
          11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}  # fmt: skip
"""How numbers of a type lie in the file; fractions of two whole numbers are apart."""

_RATIONALS = {5: "u4", 10: "i4"}
_TEXT, _UNDEFINED = 2, 7
_MOST_ENTRIES = 4096
_MOST_DIRECTORIES = 64
_MOST_NUMBERS, _MOST_BYTES = 1 << 16, 4 << 20
_NEW_SUBFILE_TYPE = 254
_SMALLER_OR_MASK = 5
_CANON = b"CR"
_RAW_DATA = "a camera's raw data; develop it to .tif or .jpg first"


@dataclass(frozen=True, slots=True)
class Entry:
    """The type and number of a tag's values, and where in the file they begin."""

    kind: int
    count: int
    at: int


class Directory:
    """The tags of one picture of a file that lies open."""

    def __init__(self, file: int, order: str, entries: dict[int, Entry]) -> None:
        self._file, self.order, self.entries = file, order, entries

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def numbers(self, tag: int, first: int = 0, count: int | None = None) -> list[int | float]:
        """Values [first, first + count) of a tag; ValueError where the file does not hold them."""
        entry = self.entries[tag]
        kind = _KINDS.get(entry.kind) or _RATIONALS.get(entry.kind)
        if kind is None:
            raise ValueError(f"its tag {tag} has a type that TIFF does not have ({entry.kind})")
        size = np.dtype(kind).itemsize * (2 if entry.kind in _RATIONALS else 1)
        count = entry.count - first if count is None else count
        if not 0 <= first <= first + count <= entry.count or count > _MOST_NUMBERS:
            raise ValueError(f"its tag {tag} has {entry.count} values")
        content = os.pread(self._file, count * size, entry.at + first * size)
        if len(content) < count * size:
            raise ValueError(f"the file is cut off: the values of its tag {tag} are missing")
        found = np.frombuffer(content, self.order + kind)
        if entry.kind in _RATIONALS:
            return [float(a) / float(b) if b else 0.0 for a, b in found.reshape(-1, 2)]
        return found.tolist()  # type: ignore[no-any-return]

    def number(self, tag: int, default: int | None = None) -> int:
        """A tag's only value, or first one; ValueError where it is missing without a default."""
        if tag not in self.entries or not self.entries[tag].count:
            if default is None:
                raise ValueError(f"its tag {tag} is missing")
            return default
        return int(self.numbers(tag, 0, 1)[0])

    def value(self, tag: int) -> object:
        """All of it: text, bytes, or a tuple of numbers."""
        entry = self.entries[tag]
        if entry.kind not in (_TEXT, _UNDEFINED):
            return tuple(self.numbers(tag))
        if entry.count > _MOST_BYTES:
            raise ValueError(f"its tag {tag} has {entry.count} bytes")
        content = os.pread(self._file, entry.count, entry.at)
        if entry.kind == _TEXT:
            return content.partition(b"\x00")[0].decode("latin-1")
        return content


def directories(file: int) -> Iterator[Directory]:
    """Those of a file in their order; ValueError where it is no TIFF, or damaged."""
    head = os.pread(file, 16, 0)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise ValueError("it is no TIFF")
    (version,) = struct.unpack_from(order + "H", head, 2)
    if version == 42:
        big, (at,) = False, struct.unpack_from(order + "I", head, 4)
    elif version == 43 and len(head) == 16 and struct.unpack_from(order + "HH", head, 4) == (8, 0):
        big, (at,) = True, struct.unpack_from(order + "Q", head, 8)
    else:
        raise ValueError("it is no TIFF")
    if head[8:10] == _CANON:
        raise ValueError(f"it is {_RAW_DATA}")
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(at)
        directory, at = _directory(file, order, at, big=big)
        yield directory


def _directory(file: int, order: str, at: int, *, big: bool) -> tuple[Directory, int]:
    """The directory at a place, and the place of the next one, 0 for none."""
    counting, size, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    width = struct.calcsize("=" + counting)
    head = os.pread(file, width, at) if at < 1 << 62 else b""
    if len(head) < width:
        raise ValueError("the file is cut off: its directory is missing")
    (count,) = struct.unpack(order + counting, head)
    if not 0 < count <= _MOST_ENTRIES:
        raise ValueError(f"its directory is damaged: it claims {count} tags")
    content = os.pread(file, count * size, at + width)
    if len(content) < count * size:
        raise ValueError("the file is cut off within its directory")
    entries: dict[int, Entry] = {}
    for number in range(count):
        tag, kind, values = struct.unpack_from(order + "HH" + pointer, content, number * size)
        if kind in _KINDS or kind in _RATIONALS:
            inline = number * size + 4 + struct.calcsize("=" + pointer)
            taken = values * np.dtype(_KINDS.get(kind, "u8")).itemsize
            place = at + width + inline
            if taken > size - (inline - number * size):
                (place,) = struct.unpack_from(order + pointer, content, inline)
            if place < 1 << 62:
                entries.setdefault(tag, Entry(kind, values, place))
    length = struct.calcsize("=" + pointer)
    tail = os.pread(file, length, at + width + count * size)
    following: int = struct.unpack(order + pointer, tail)[0] if len(tail) == length else 0
    return Directory(file, order, entries), following


def first_picture(file: int) -> tuple[Directory, int]:
    """The first picture in full size, and how many such pictures there are (pages).

    Smaller versions and masks, as GIS programs store them with a picture, do not count.
    """
    found = [each for each in directories(file)
             if not each.number(_NEW_SUBFILE_TYPE, 0) & _SMALLER_OR_MASK]  # fmt: skip
    if not found:
        raise ValueError(f"it has no picture in full size; it may be {_RAW_DATA}")
    return found[0], len(found)
