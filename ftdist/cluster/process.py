"""A worker's own process: an allocator that gives memory back, wake-up calls between threads."""

from __future__ import annotations

import contextlib
import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 << 10


def give_memory_back() -> None:
    """Makes glibc's allocator return what is freed: messages come and go, the budget stays.

    By itself it moves the size from which blocks are maps of their own up to 32 MiB, and keeps a
    heap a thread. Another C library may have no such settings.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_ARENA_MAX, 1)


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
