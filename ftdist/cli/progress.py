"""How far a job is: a bar on a terminal, plain lines elsewhere; both on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from ftdist.cli.console import complain
from ftdist.cli.terminal import PassingLine
from ftdist.protocol.client_messages import JobProgress
from ftdist.wording import counted

_WIDTH = 24
_LINES_S = 5.0
"""How often a plain line is written while nothing but numbers changes."""


class Progress:
    """Shows what it is told; a context manager that takes its bar away at the end."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bar = PassingLine(stream)
        self._clock = clock
        self._text = ""
        self._said_s = clock()
        self.last: JobProgress | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, progress: JobProgress) -> None:
        """The job is so far now."""
        self.last = progress
        if self._bar.is_terminal:
            self._bar.show(_bar(progress))
            return
        changed = progress.text != self._text
        if changed or self._clock() - self._said_s >= _LINES_S:
            self._text, self._said_s = progress.text, self._clock()
            complain(_line(progress))

    def complain(self, text: str) -> None:
        """A line for people, with the bar out of its way."""
        self.clear()
        complain(f"ftdist: {text}")

    def clear(self) -> None:
        """Takes the bar away, so that something else can be written."""
        self._bar.clear()


def _bar(progress: JobProgress) -> str:
    full = _WIDTH * progress.finished // max(1, progress.frames)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {_line(progress)}"


def _line(progress: JobProgress) -> str:
    workers = counted(progress.workers, "worker")
    text = f"; {progress.text}" if progress.text else ""
    return f"{progress.finished} of {counted(progress.frames, 'frame')}, {workers}{text}"
