"""A process of its own: wake-up calls between its threads."""

from __future__ import annotations

import contextlib
import os


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
