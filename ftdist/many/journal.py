"""A file of JSON lines that says how far something is, to go on from there after a crash.

The first line says what it is, each other one how far. Lines are appended by one write; one that
was cut says nothing. While somebody writes it, nobody else may.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from ftdist.errors import InputError

_MOST_BYTES = 64 << 20


class JournalFile:
    """The journal at a path; `lines` are those that it had before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        self.lines = self._read()

    @property
    def is_open(self) -> bool:
        return self._handle is not None

    def about(self) -> Any:
        """The first line; InputError when it is none of a journal."""
        try:
            return json.loads(self.lines[0])
        except (LookupError, ValueError):
            raise self.no_journal() from None

    def no_journal(self) -> InputError:
        return InputError(f"{self.path}: is not a journal of a job; remove it")

    def open(self, about: Any) -> None:
        """Opens it to be written; a new one begins with `about`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self._handle = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise InputError(f"{self.path}: another process is at work on that job") from None
        if not self.lines:
            self.add(about)
        elif os.fstat(self._handle).st_size and not self._ends_a_line():
            self._write(b"\n")  # a line was cut

    def add(self, value: Any) -> None:
        """Appends a line."""
        self._write(json.dumps(value).encode() + b"\n")

    def sync(self) -> None:
        """Waits until what was appended is on the disk."""
        if self._handle is not None:
            os.fdatasync(self._handle)

    def close(self) -> None:
        """Leaves it for another time."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def end(self) -> None:
        """What it is about is done."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _write(self, line: bytes) -> None:
        assert self._handle is not None
        try:
            os.write(self._handle, line)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"cannot write {self.path}: {error.strerror}")

    def _read(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None
