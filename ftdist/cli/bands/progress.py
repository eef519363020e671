"""How far a picture is, and how long the rest will take: a bar on a terminal, else lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from ftdist.cli.console import complain
from ftdist.cli.terminal import PassingLine

_WIDTH = 24
_LINES_S = 60.0
"""How often a plain line is written."""

_PATIENCE_S = 1.0
"""What is done sooner is not talked about."""


class RowProgress:
    """Is told how many of all rows are made; a context manager that takes its bar away."""

    def __init__(
        self,
        rows: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bar = PassingLine(stream)
        self._rows, self._clock = rows, clock
        self._began_s = self._said_s = clock()
        self._first = 0

    def __enter__(self) -> RowProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.clear()

    def begin(self, first: int) -> None:
        """The run begins, or goes on, at a row."""
        self._first, self._began_s = first, self._clock()

    def pass_over(self, number: int) -> None:
        """A pass is under way whose rows are not those of the result."""
        if self._clock() - self._began_s >= _PATIENCE_S:
            self._bar.show(f"pass {number} over the picture")

    def show(self, done: int) -> None:
        """All rows before row `done` are made."""
        now = self._clock()
        if now - self._began_s < _PATIENCE_S:
            return
        share = done / self._rows
        left_s = (now - self._began_s) * (self._rows - done) / max(1, done - self._first)
        text = f"{share:.0%}, {duration(left_s)} left"
        if self._bar.is_terminal:
            full = int(_WIDTH * share)
            self._bar.show(f"[{'#' * full}{'.' * (_WIDTH - full)}] {text}")
        elif now - self._said_s >= _LINES_S:
            self._said_s = now
            complain(f"ftdist: {text}")


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3:05 min, 2:10 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
