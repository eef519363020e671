"""The C library's heap of a process: made to give back what is freed, and asked to."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

SPARING_BYTES, REUSING_BYTES = 128 << 10, 4 << 20
"""For ``settle_heap``: of a process that asks nobody before it takes memory, and of one that looks
at what it holds and can ``trim_heap``. Pages that come and go with every message and map were a
third of what a task cost a worker beside its kernels."""


def settle_heap(free_bytes: int) -> None:
    """Makes glibc's allocator give back what is freed, but for `free_bytes` at the heap's end.

    Blocks that are larger are maps of their own, which come and go. By itself it moves that limit
    up to 32 MiB, and keeps a heap a thread. Another C library may have no such settings.
    """
    mallopt = of_c("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, free_bytes)
        mallopt(_M_TRIM_THRESHOLD, free_bytes)
        mallopt(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Gives back all pages of the heap that are free, also between others."""
    trim = of_c("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def of_c(name: str) -> Callable[..., int] | None:
    """A function of the C library, if it has it."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return found
