"""A process of its own: an allocator that gives memory back, wake-up calls between threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
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
    mallopt = _of_c("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, free_bytes)
        mallopt(_M_TRIM_THRESHOLD, free_bytes)
        mallopt(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Gives back all pages of the heap that are free, also between others."""
    trim = _of_c("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_c(name: str) -> Callable[..., int] | None:
    """A function of the C library, if it has it."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return found


class WakeUp:
    """Ends another thread's wait: whoever polls ``fileno()`` sees it readable until ``clear``."""

    def __init__(self) -> None:
        self._handle = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._handle

    def call(self) -> None:
        """May be called from any thread and from a signal handler."""
        os.eventfd_write(self._handle, 1)

    def clear(self) -> None:
        """The call was heard."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._handle)

    def close(self) -> None:
        os.close(self._handle)


class Stop:
    """A request to end, which can be polled for; made by a signal or by another thread."""

    def __init__(self) -> None:
        self._wake_up = WakeUp()
        self.count = 0

    @property
    def requested(self) -> bool:
        """Whether it was made; ``count`` says how often."""
        return self.count > 0

    def fileno(self) -> int:
        """Readable from the first request on."""
        return self._wake_up.fileno()

    def request(self) -> None:
        """May be called from any thread and from a signal handler."""
        self.count += 1
        self._wake_up.call()
