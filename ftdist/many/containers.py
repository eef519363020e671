"""Whether a video's file ends before what its own headers say: a copy that was broken off, or a
recording that never ended. Decoders take such a file's end for the video's.

Three kinds say it: MP4 and MOV (ISO 14496-12), Matroska and WebM (RFC 9559), AVI.
"""

from __future__ import annotations

import os
from typing import IO

_EBML = b"\x1a\x45\xdf\xa3"
_INDEX = b"moov"
_FIRST_BOXES = (b"ftyp", b"wide", b"free", b"skip", b"mdat", _INDEX)
_OPEN = (0, 0xFFFFFFFF)
"""Sizes in an AVI of which nobody knew the end when they were written."""


def is_cut(name: str) -> bool:
    """Whether a file is shorter than it says; False for what does not say it, or is no file."""
    if not os.path.isfile(name):
        return False
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(12)
            if head[4:8] in _FIRST_BOXES:
                return _boxes_are_cut(file, size)
            if head.startswith(_EBML):
                return _elements_are_cut(file, size)
            return head[:4] == b"RIFF" and head[8:] == b"AVI " and _chunks_are_cut(file, size)
    except OSError:
        return False


def _boxes_are_cut(file: IO[bytes], size: int) -> bool:
    """The boxes of an MP4, one of which tells where its frames are."""
    at, has_index = 0, False
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        has_index = has_index or kind == _INDEX
        if length == 0:
            return not has_index  # it goes to the end of the file
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:
            return False
        at += length
    return at != size or not has_index


def _elements_are_cut(file: IO[bytes], size: int) -> bool:
    """The elements of a Matroska file: a header, and a segment that holds all else."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        name_bytes = _vint_bytes(head)
        length_bytes = _vint_bytes(head[name_bytes:])
        end = name_bytes + length_bytes
        if not name_bytes or not length_bytes or len(head) < end:
            return False
        bits = 7 * length_bytes
        length = int.from_bytes(head[name_bytes:end], "big") & ((1 << bits) - 1)
        if length == (1 << bits) - 1:
            return False  # its end was not known when it was written
        at += end + length
    return at > size


def _vint_bytes(data: bytes) -> int:
    """How many bytes a number of EBML has, by its first one; 0 where that begins none."""
    return 9 - data[0].bit_length() if data and data[0] else 0


def _chunks_are_cut(file: IO[bytes], size: int) -> bool:
    """The chunks of an AVI."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in _OPEN:
            return False
        at += 8 + length + length % 2
    return at > size + 1
