"""The log of a program that serves: lines on standard output, each with the local time.

With ``--log json`` each line is an object: when, how grave, which program, what happened in a word
that never changes, what it happened to, and the text.

Under systemd's journal, which notes the time of each line itself, lines go without. It says so by
JOURNAL_STREAM, the device and inode of the stream that it reads (systemd.exec(5)); a log that was
directed elsewhere is not that stream, and has times.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping

from ftdist.cli.console import tell

GRAVE = frozenset(
    {"job-failed", "task-failed", "over-budget", "page-ended", "page-fault", "trace-ended"}
)
NOTABLE = frozenset(
    {
        *("worker-lost", "worker-refused", "job-refused", "job-dropped", "client-gone", "no-plan"),
        *("task-late", "task-too-large", "connection-refused", "warning"),
    }
)


def level_of(event: str) -> str:
    """How grave an event is: info, warning or error."""
    return "error" if event in GRAVE else "warning" if event in NOTABLE else "info"


class Log:
    """Writes a line when it is called; any thread may. `also` is told the text, its level, and the
    event."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        form: str = "text",
        program: str = "ftdist",
    ) -> None:
        self._clock = clock
        self._form = form
        self._program = program
        self._has_times = _is_journal()
        self.also: Callable[[str, str, str], None] | None = None

    def __call__(self, text: str, /, event: str = "", **about: str | int | float) -> None:
        if self.also is not None:
            self.also(text, level_of(event), event)
        if self._form == "json":
            tell(json.dumps(self._entry(text, event, about)))
        elif self._has_times:
            tell(text)
        else:
            local = time.localtime(self._clock())
            tell(f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)} {text}")

    def _entry(
        self, text: str, event: str, about: Mapping[str, str | int | float]
    ) -> dict[str, object]:
        from datetime import datetime  # only where it is asked for: it is memory

        when = datetime.fromtimestamp(self._clock()).astimezone()
        return {
            "time": when.isoformat(timespec="milliseconds"),
            "level": level_of(event),
            "program": self._program,
            "event": event or "said",
            **about,
            "text": text,
        }


def _is_journal() -> bool:
    """Whether the journal reads standard output."""
    try:
        about = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"
