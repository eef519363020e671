"""A process of its own: wake-up calls between its threads."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType


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


def stopping_signals() -> list[signal.Signals]:
    """The signals that end a program that serves; SIGHUP only where it is not ignored (nohup)."""
    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


class StopRequest:
    """A request to end, which can be polled for; made by a signal or by another thread.

    `why`: the signal's name, of the first request.
    """

    def __init__(self) -> None:
        self._wake_up = WakeUp()
        self.count = 0
        self.why = ""

    @property
    def requested(self) -> bool:
        """Whether it was made; ``count`` says how often."""
        return self.count > 0

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """A handler of signals."""
        self.request(signal.Signals(number).name)

    def fileno(self) -> int:
        """Readable from the first request on."""
        return self._wake_up.fileno()

    def request(self, why: str = "") -> None:
        """May be called from any thread and from a signal handler; `why`: what is to be said."""
        self.count += 1
        self.why = self.why or why
        self._wake_up.call()
