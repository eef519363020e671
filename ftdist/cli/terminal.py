"""One line on a terminal that says how far something is, and goes away when it is done.

It is written to standard error, and only where that is a terminal: logs and pipes never see it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from ftdist.cli.console import one_line

_WIDTH = 80
"""Of a terminal that does not say how wide it is."""

_PATIENCE_S = 1.0
"""What is done sooner is not talked about."""


class PassingLine:
    """A line that is replaced by the next one; a context manager that takes it away at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.is_terminal = self._stream is not None and self._stream.isatty()
        self._shown = ""

    def __enter__(self) -> PassingLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Shows this instead of what is there."""
        if self.is_terminal:
            self._draw(one_line(text)[: self._columns() - 1])

    def share(
        self, what: str, clock: Callable[[], float] = time.monotonic
    ) -> Callable[[float], None]:
        """Shows what share, 0 to 1, of something is done: of what takes longer than a moment."""
        started_s = clock()

        def show(done: float) -> None:
            if clock() - started_s > _PATIENCE_S:
                self.show(f"{what}: {done:.0%}")

        return show

    def clear(self) -> None:
        """Takes the line away, so that something else can be written."""
        if self._shown:
            self._draw("")

    def _columns(self) -> int:
        """How wide the terminal is now: a longer line would begin another, and stay there."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text + " " * (len(self._shown) - len(text)))
        if not text:
            self._stream.write("\r")
        self._stream.flush()
        self._shown = text
