"""What a named job has delivered so far, beside its results: submitted again, it goes on there.

What the job is, then the number of each frame whose results were written: what was left out is
tried again, and named again. It goes away when the job is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftdist.errors import InputError
from ftdist.many.journal import JournalFile
from ftdist.protocol.limits import PROTOCOL


class Journal:
    """The journal of job `name` of these `inputs`, in the folder of its results."""

    def __init__(self, folder: Path, name: str, inputs: list[str]) -> None:
        self._file = JournalFile(folder / f"{name}.job")
        self._inputs = inputs
        self._model = ""
        self.band_rows = 0
        self.done: set[int] = set()
        if self._file.lines:
            self._check()

    def begin(self, model: str, band_rows: int = 0, bands: int = 1) -> None:
        """The job runs with this model; InputError when it began with another.

        Where pictures are computed in bands, of `band_rows` rows, each is as many frames.
        """
        if self._model and self._model != model:
            raise InputError(
                f"{self._file.path}: the job began with another model; remove that file to begin "
                "anew"
            )
        if not self._file.is_open:
            self._model = model
            about: dict[str, Any] = {"inputs": self._inputs, "model": model, "kernels": PROTOCOL}
            if band_rows:
                about |= {"band_rows": band_rows, "bands": bands}
            self._file.open(about)

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
            self.band_rows, bands = int(about.get("band_rows", 0)), int(about.get("bands", 1))
            kernels = int(about.get("kernels", 0))
        except (LookupError, TypeError, ValueError):
            raise self._file.no_journal() from None
        if self.band_rows and kernels != PROTOCOL:  # one picture is the work of one version
            raise InputError(
                f"{self._file.path}: the job was begun with another version of ftdist; remove that "
                "file to begin anew"
            )
        if inputs != self._inputs:
            raise InputError(
                f"{self._file.path}: a job of that name was begun with other inputs; "
                "name another by --job, or remove that file"
            )
        lines = self._file.lines[1:]
        numbers = {int(line) for line in lines if line.isascii() and line.isdecimal()}
        self.done = {number for number in numbers if number < len(self._inputs) * bands}
