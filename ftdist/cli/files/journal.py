"""What a named job has delivered so far, beside its results: submitted again, it goes on there.

What the job is, then the number of each frame whose results were written. It goes away when the job
is done.
"""

from __future__ import annotations

from pathlib import Path

from ftdist.errors import InputError
from ftdist.many.journal import JournalFile


class Journal:
    """The journal of job `name` of these `inputs`, in the folder of its results."""

    def __init__(self, folder: Path, name: str, inputs: list[str]) -> None:
        self._file = JournalFile(folder / f"{name}.job")
        self._inputs = inputs
        self._model = ""
        self.done: set[int] = set()
        if self._file.lines:
            self._check()

    def begin(self, model: str) -> None:
        """The job runs with this model; InputError when it began with another."""
        if self._model and self._model != model:
            raise InputError(
                f"{self._file.path}: the job began with another model; remove that file to begin "
                "anew"
            )
        if not self._file.is_open:
            self._model = model
            self._file.open({"inputs": self._inputs, "model": model})

    def add(self, frame: int) -> None:
        """A frame's results have been written."""
        self.done.add(frame)
        self._file.add(frame)

    def end(self) -> None:
        """The whole job is done."""
        self._file.end()

    def close(self) -> None:
        """Leaves the journal for another time."""
        self._file.close()

    def _check(self) -> None:
        """Takes over what was delivered, if it is the same job; a cut last line says nothing."""
        about = self._file.about()
        try:
            inputs, self._model = about["inputs"], str(about["model"])
        except (LookupError, TypeError):
            raise self._file.no_journal() from None
        if inputs != self._inputs:
            raise InputError(
                f"{self._file.path}: a job of that name was begun with other inputs; "
                "name another by --job, or remove that file"
            )
        lines = self._file.lines[1:]
        numbers = {int(line) for line in lines if line.isascii() and line.isdecimal()}
        self.done = {number for number in numbers if number < len(self._inputs)}
