"""A time line of tasks, transfers and waits, for Perfetto and Chrome's tracing view.

The file is a JSON array of complete events, one a line, written as they come: a process that is
killed leaves a file that lacks its last bracket, which both readers take as it is. Each track (a
worker, a client, a thread) is shown as a process with a line for each kind of its spans. Spans of
one line never overlap: one that would cross another gets a further line of that kind ("computing
2"). Times are whole microseconds, so that one span ends exactly where the next begins.

Source: "Trace Event Format", the JSON Array Format, complete events ("ph": "X").
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.atomic import refuse_unwritable
from ftdist.closing import Closing
from ftdist.errors import InputError
from ftdist.kernels.program import Watch
from ftdist.planning.plan import GroupPlan

_BEGIN, _BETWEEN, _END = b"[\n", b",\n", b"\n]\n"

_REMEMBERED = 64
"""Spans of a line that a late one is compared with."""

_TITLES = {
    "task": "computing",
    "wait": "waiting",
    "send": "sent to it",
    "receive": "received from it",
    "weights": "loading weights",
    "plan": "planning",
    "read": "reading",
}
"""What the line of a kind of span is called; other kinds by themselves."""


def refuse_as_trace(path: Path) -> None:
    """InputError when no time line can be written there, or when it would destroy another file."""
    refuse_unwritable(path)
    try:
        with path.open("rb") as file:
            begin = file.read(len(_BEGIN))
    except OSError:
        return
    if begin and begin != _BEGIN:
        raise InputError(f"cannot write {path}: it is there and is not a timeline")


@dataclass(slots=True)
class _Line:
    """A line of a track: its number, and its latest spans; nothing may come before `floor`."""

    number: int
    spans: list[tuple[int, int]] = field(default_factory=list)
    floor: int = -(1 << 62)

    def takes(self, start: int, end: int) -> bool:
        """Adds a span, unless it would overlap another; whether it did."""
        if start < self.floor or any(start < e and s < end for s, e in self.spans):
            return False
        insort(self.spans, (start, end))
        if len(self.spans) > _REMEMBERED:
            self.floor = self.spans.pop(0)[1]
        return True


@dataclass(slots=True)
class _Track:
    """One track: its number, and its lines by kind."""

    number: int
    lines: dict[str, list[_Line]] = field(default_factory=dict)


class Trace(Closing):
    """Writes spans to a file as they come, one line each; any thread may call it.

    `subject`: the input that tiles are computed of from now on, as people know it.
    """

    def __init__(self, path: Path) -> None:
        refuse_as_trace(path)
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        self._path = path
        self._tracks: dict[str, _Track] = {}
        self._lines = 0
        self._size = 0
        self._complete = True
        self.subject = ""
        self._lock = threading.Lock()
        self._put(_BEGIN)

    def close(self) -> None:
        """Ends the file, which is whole then, unless something could not be written before."""
        with self._lock, self._file:
            if not self._file.closed and self._complete:
                self._put(_END if self._size > len(_BEGIN) else _END[1:])

    def span(
        self,
        track: str,
        what: str,
        name: str,
        start_s: float,
        end_s: float,
        bytes: int = 0,
        job: str = "",
    ) -> None:
        """One span of a track, of a kind (task, send, receive, wait...); any clock will do."""
        start, end = round(start_s * 1e6), round(max(start_s, end_s) * 1e6)
        with self._lock:
            process, line = self._line(track, what, start, end)
            event: dict[str, Any] = {"name": name, "cat": what, "ph": "X"}
            event |= {"pid": process, "tid": line, "ts": start, "dur": end - start}
            details = {"job": job, "bytes": bytes}
            if any(details.values()):
                event["args"] = {key: value for key, value in details.items() if value}
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
            cut = "whole maps" if group.whole else str(group)
            name = f"layers {group.first}..{group.stop - 1} {cut} tile {tile}"
            name = f"{self.subject}: {name}" if self.subject else name
            self.span(track, "task", name, started_s, ended_s)
            ended[worker] = ended_s

        return watch

    def _line(self, track: str, what: str, start: int, end: int) -> tuple[int, int]:
        """Process and line of a span: the first line of its kind that is free by then."""
        found = self._tracks.get(track)
        if found is None:
            found = self._tracks[track] = _Track(len(self._tracks) + 1)
            self._name(found.number, 0, "process", track, found.number)
        lines = found.lines.setdefault(what, [])
        for line in lines:
            if line.takes(start, end):
                return found.number, line.number
        self._lines += 1
        lines.append(_Line(self._lines, [(start, end)]))
        title = _TITLES.get(what, what) + (f" {len(lines)}" if len(lines) > 1 else "")
        self._name(found.number, self._lines, "thread", title, self._lines)
        return found.number, self._lines

    def _name(self, process: int, line: int, kind: str, name: str, place: int) -> None:
        """Gives a process or a line its name, and its place below the others."""
        for what, value in (("name", name), ("sort_index", place)):
            about = {"ph": "M", "pid": process, "tid": line, "args": {what: value}}
            self._write({"name": f"{kind}_{what}", **about})

    def _write(self, event: dict[str, Any]) -> None:
        text = json.dumps(event, separators=(",", ":")).encode()
        self._put(text if self._size == len(_BEGIN) else _BETWEEN + text)

    def _put(self, text: bytes) -> None:
        """Writes it whole or, if the disk does not let, not at all."""
        try:
            done = self._file.write(text)
            if done != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._complete = False
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
                self._file.seek(self._size)
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None
        self._size += len(text)
