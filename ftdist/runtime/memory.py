"""What a process may hold and what it does hold: sizes, resident memory, and one block of pages.

Peaks are VmHWM, the high-water mark that the kernel keeps of this process's resident memory.
``getrusage`` is no substitute: its maximum is inherited from the parent.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError

_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

KIB, MIB = 1 << 10, 1 << 20
_SIZE = re.compile(
    r"([0-9]{1,18})(\.[0-9]{1,18})?\s*(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE | re.ASCII
)
_UNITS = {"K": KIB, "M": MIB, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Bytes from a SIZE: a number of bytes, or one with K, M or G (powers of 1024)."""
    size = 0
    if match := _SIZE.fullmatch(text.strip()):
        unit = _UNITS[match[3].upper()] if match[3] else 1
        size = int(match[1]) * unit + int(float(match[2] or 0) * unit)
    if size < 1:
        raise InputError(f"'{text}' is no size: write bytes, or a number with K, M or G, as 64M")
    return size


def format_size(size: int) -> str:
    """Bytes as a person reads them, in MiB."""
    return f"{size / MIB:.1f} MiB"


def ceil_size(size: int) -> str:
    """The smallest SIZE in whole K that holds so many bytes, for use after --mem."""
    return f"{-(-size // KIB)}K" if size < 10 * MIB else f"{-(-size // MIB)}M"


def resident_bytes() -> int:
    """Resident memory of this process now (VmRSS)."""
    return _status(b"VmRSS")[0]


def peak_resident_bytes() -> int:
    """The most resident memory this process ever had (VmHWM)."""
    return _status(b"VmHWM")[0]


def resident_and_peak_bytes() -> tuple[int, int]:
    """Both at once."""
    resident, peak = _status(b"VmRSS", b"VmHWM")
    return resident, peak


def _status(*fields: bytes) -> tuple[int, ...]:
    """Figures of /proc/self/status, read with few calls: workers ask for them with every task."""
    handle = os.open("/proc/self/status", os.O_RDONLY)
    try:
        text = os.read(handle, mmap.PAGESIZE)
    finally:
        os.close(handle)
    found = []
    for field in fields:
        _, there, rest = text.partition(b"\n" + field + b":")
        if not there:
            raise OSError(f"/proc/self/status lacks {field.decode()}")
        found.append(int(rest.split(None, 1)[0]) * KIB)
    return tuple(found)


def bring_in(
    mapped: NDArray[np.uint8],
    spans: Sequence[tuple[int, int]],
    touch: Callable[[NDArray[np.uint8], int, int], None],
) -> None:
    """Makes these spans [start, stop) of a mapped file resident, and everything else of it not.

    Spans ascend and do not overlap. `touch` reads every page of one. What else there is goes first,
    for both might be too much at once, and what faults mapped beside the spans goes at the end.
    """
    _let_go_between(mapped, spans)
    for start, stop in spans:
        touch(mapped, start, stop)
    _let_go_between(mapped, spans)


def _let_go_between(mapped: NDArray[np.uint8], spans: Sequence[tuple[int, int]]) -> None:
    page, memory = mmap.PAGESIZE, _mapping(mapped)
    edges = [0, *(edge for span in spans for edge in span), len(mapped)]
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        first, last = -(-start // page) * page, stop // page * page
        if first < last:
            memory.madvise(mmap.MADV_DONTNEED, first, last - first)


def _mapping(array: NDArray[np.uint8]) -> mmap.mmap:
    """The mapping whose bytes an array is a view of."""
    owner: Any = array
    while not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else owner.base
    return owner


def page_block(size: int) -> NDArray[np.uint8]:
    """A zeroed block of whole pages of its own, given back when the array is gone.

    Pages become resident when they are first touched.
    """
    return np.frombuffer(mmap.mmap(-1, max(size, 1), flags=_ANONYMOUS), np.uint8)
