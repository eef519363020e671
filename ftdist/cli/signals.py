"""What a signal does to a command: it stops as at Ctrl-C, tidies up, and says which one it was.

SIGINT, SIGTERM and SIGHUP become an exception, so that whatever stands in `finally` and `with` is
done: temporary files go away, a time line is closed, a client takes its job back. The exit status
is 128 plus the signal's number, as a shell reports a process that the signal ended. A signal that
was ignored when the process began (nohup, a shell's `trap ''`) stays ignored. Commands that serve,
worker and coordinator, take the signals over and end in order, with status 0.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_status(self) -> int:
        return 128 + self.number

    def __str__(self) -> str:
        if self.number == signal.SIGINT:
            return "interrupted"
        return f"stopped by {signal.Signals(self.number).name}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it signals raise Interrupted in the main thread; it puts back what was before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    taken = [each for each in _SIGNALS if before[each] is not signal.SIG_IGN]
    for each in taken:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in taken:
            signal.signal(each, before[each] or signal.SIG_DFL)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Raises once: while it is tidied up, only another Ctrl-C interrupts."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)
