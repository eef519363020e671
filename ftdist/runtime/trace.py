"""A time line of tasks, transfers and waits, for Chrome's tracing view and Perfetto.

The file is a JSON array of events that is never closed on purpose: both readers take it as it is,
so a process that is killed leaves a readable trace. Each kind of span of a track has a line of its
own, because spans of one line may not overlap.

Source: "Trace Event Format", the JSON Array Format, complete events ("ph": "X").
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ftdist.atomic import refuse_unwritable
from ftdist.errors import InputError
from ftdist.planning.plan import GroupPlan
from ftdist.runtime.engine import Watch

_BEGIN = b"[\n"


def refuse_as_trace(path: Path) -> None:
    """InputError when no time line can be written there, or when it would destroy another file."""
    refuse_unwritable(path)
    try:
        with path.open("rb") as file:
            begin = file.read(len(_BEGIN))
    except OSError:
        return
    if begin and begin != _BEGIN:
        raise InputError(f"cannot write {path}: it is there and is no time line")


class Trace:
    """Writes spans to a file as they come, one line each; any thread may call it."""

    def __init__(self, path: Path) -> None:
        refuse_as_trace(path)
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        self._path = path
        self._lines: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._put(_BEGIN)

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def span(
        self, track: str, what: str, name: str, start_s: float, end_s: float, bytes: int = 0
    ) -> None:
        """One span of a track's line for `what` (task, send, receive, wait); any clock will do."""
        with self._lock:
            event: dict[str, Any] = {
                "name": name,
                "cat": what,
                "ph": "X",
                "pid": 1,
                "tid": self._line(track, what),
                "ts": round(start_s * 1e6, 1),
                "dur": round(max(0.0, end_s - start_s) * 1e6, 1),
            }
            if bytes:
                event["args"] = {"bytes": bytes}
            self._write(event)

    def tiles(self, groups: Sequence[GroupPlan]) -> Watch:
        """What a session is to tell its tiles to: each becomes a span, and what is between a wait.

        `groups` are those of the session's programs, in order.
        """
        ended: dict[int, float] = {}

        def watch(worker: int, number: int, tile: int, started_s: float, ended_s: float) -> None:
            track, group = f"thread {worker}", groups[number]
            if worker in ended:
                self.span(track, "wait", "wait", ended[worker], started_s)
            name = f"layers {group.first}..{group.stop - 1} {group} tile {tile}"
            self.span(track, "task", name, started_s, ended_s)
            ended[worker] = ended_s

        return watch

    def _line(self, track: str, what: str) -> int:
        """The number of a line; a new one is given its name, and its place below the others."""
        number = self._lines.get((track, what))
        if number is None:
            number = self._lines[track, what] = len(self._lines) + 1
            for name, value in (("name", f"{track} {what}"), ("sort_index", number)):
                named = {"ph": "M", "pid": 1, "tid": number, "args": {name: value}}
                self._write({"name": f"thread_{name}", **named})
        return number

    def _write(self, event: dict[str, Any]) -> None:
        self._put(json.dumps(event, separators=(",", ":")).encode() + b",\n")

    def _put(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None
