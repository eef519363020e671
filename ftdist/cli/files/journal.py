"""What a named job has delivered so far, beside its results: submitted again, it goes on there.

A file of JSON lines: what the job is, then the number of each frame whose results were written. It
goes away when the job is done.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ftdist.errors import InputError

_MOST_BYTES = 64 << 20


class Journal:
    """The journal of job `name` of these `inputs`, in the folder of its results."""

    def __init__(self, folder: Path, name: str, inputs: list[str]) -> None:
        self._path = folder / f"{name}.job"
        self._inputs = inputs
        self._model = ""
        self._handle: int | None = None
        self.done: set[int] = set()
        lines = self._read()
        if lines:
            self._check(lines)

    def begin(self, model: str) -> None:
        """The job runs with this model; InputError when it began with another."""
        if self._model and self._model != model:
            raise InputError(
                f"{self._path}: the job began with another model; remove that file to begin anew"
            )
        if self._handle is not None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            self._handle = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None
        if not self._model:
            self._model = model
            self._write({"inputs": self._inputs, "model": model})

    def add(self, frame: int) -> None:
        """A frame's results have been written."""
        self.done.add(frame)
        self._write(frame)

    def end(self) -> None:
        """The whole job is done."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leaves the journal for another time."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, value: Any) -> None:
        assert self._handle is not None
        try:
            os.write(self._handle, json.dumps(value).encode() + b"\n")
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None

    def _read(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from None

    def _check(self, lines: list[str]) -> None:
        """Takes over what was delivered, if it is the same job; a cut last line says nothing."""
        try:
            about: Any = json.loads(lines[0])
            inputs, self._model = about["inputs"], str(about["model"])
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{self._path}: is not a journal of a job; remove it") from None
        if inputs != self._inputs:
            raise InputError(
                f"{self._path}: a job of that name was begun with other inputs; "
                "name another by --job, or remove that file"
            )
        numbers = {int(line) for line in lines[1:] if line.isascii() and line.isdecimal()}
        self.done = {number for number in numbers if number < len(self._inputs)}
