"""The log of a program that serves: lines on standard output, each with the local time.

Under systemd's journal, which notes the time of each line itself, lines go without. It says so by
JOURNAL_STREAM, the device and inode of the stream that it reads (systemd.exec(5)); a log that was
directed elsewhere is not that stream, and has times.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from ftdist.cli.console import tell


class Log:
    """Writes a line when it is called; any thread may."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._has_times = _is_journal()

    def __call__(self, text: str) -> None:
        if self._has_times:
            tell(text)
        else:
            local = time.localtime(self._clock())
            tell(f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)} {text}")


def _is_journal() -> bool:
    """Whether the journal reads standard output."""
    try:
        about = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"
