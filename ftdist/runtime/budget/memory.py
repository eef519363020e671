"""What a process does hold: resident memory, and one block of pages.

Peaks are VmHWM, the high-water mark that the kernel keeps of this process's resident memory.
``getrusage`` is no substitute: its maximum is inherited from the parent.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.runtime.budget.sizes import KIB, MIB, ceil_size, format_size, parse_size

__all__ = [
    "KIB",
    "MIB",
    "bring_in",
    "ceil_size",
    "format_size",
    "page_block",
    "parse_size",
    "peak_resident_bytes",
    "resident_and_peak_bytes",
    "resident_bytes",
    "virtual_bytes",
]

_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def resident_bytes() -> int:
    """Resident memory of this process now (VmRSS)."""
    return _status(b"VmRSS")[0]


def peak_resident_bytes(process: int | None = None) -> int:
    """The most resident memory this process, or the one of that number, ever had (VmHWM)."""
    return _status(b"VmHWM", process=process)[0]


def virtual_bytes() -> int:
    """The address space of this process (VmSize)."""
    return _status(b"VmSize")[0]


def resident_and_peak_bytes() -> tuple[int, int]:
    """Both at once."""
    resident, peak = _status(b"VmRSS", b"VmHWM")
    return resident, peak


def _status(*fields: bytes, process: int | None = None) -> tuple[int, ...]:
    """Figures of /proc/self/status, read with few calls: workers ask for them with every task."""
    handle = os.open(f"/proc/{'self' if process is None else process}/status", os.O_RDONLY)
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
