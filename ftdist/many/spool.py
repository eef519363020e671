"""The records of a batch on the disk, one a line, and how far it is: what it goes on from.

    OUT.part             records so far, a line of JSON each, in the order of the inputs
    OUT.left-out.part    inputs that were left out, likewise, and why
    OUT.journal          what the batch is; then, again and again, how many inputs are done and how
                         long both files are

Before a line of the journal is written, what it speaks of is on the disk. Whoever goes on cuts both
files to the lengths of its last line, and begins with the input after those: each input has exactly
one record, in one of both files, whatever happened in between. At the end OUT appears whole, then
the journal goes, then the rest: as long as there is a journal, its records are there. OUT.left-out
stays where there is something in it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ftdist.errors import InputError
from ftdist.many.journal import JournalFile

CHECKPOINT_S = 1.0
"""What a crash loses at most is computed again."""

_PART, _LEFT_OUT, _JOURNAL = ".part", ".left-out", ".journal"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many inputs are done, how many of them left out, and the bytes of both files."""

    done: int = 0
    left_out: int = 0
    bytes: int = 0
    left_out_bytes: int = 0


class Spool:
    """The records of one batch, whose result is to be `path`."""

    def __init__(
        self, path: Path, about: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.part, self.left_out = _beside(path, _PART), _beside(path, _LEFT_OUT)
        self._lost = _beside(path, _LEFT_OUT + _PART)
        self._about = {"batch": 1, **about}
        self._clock = clock
        self._journal = JournalFile(_beside(path, _JOURNAL))
        self._files: tuple[IO[bytes], IO[bytes]] | None = None
        self._said_s = clock()
        self._kept = Progress()
        self.progress = Progress()

    @property
    def began(self) -> bool:
        """Whether a batch was interrupted here."""
        return bool(self._journal.lines)

    @property
    def is_whole(self) -> bool:
        """Whether a batch was ended here."""
        return not self.began and self.path.exists()

    def is_of(self, names: Iterable[str]) -> bool:
        """Whether the lines of a batch that was ended here are of these inputs, in their order."""
        with ExitStack() as stack:
            found, lost = (_files_named(each, stack) for each in (self.path, self.left_out))
            first, second = next(found, None), next(lost, None)
            for name in names:
                if name == first:
                    first = next(found, None)
                elif name == second:
                    second = next(lost, None)
                else:
                    return False
        return first is None and second is None

    def begin(self, *, resume: bool) -> None:
        """Opens it, to `resume` what was interrupted; InputError when that was another batch."""
        if self.began:
            if not resume:
                raise InputError(
                    f"{self._journal.path}: a batch was interrupted there; go on with --resume, or "
                    "remove that file to begin anew"
                )
            self.progress = self._kept = self._checked()
        self._journal.open(self._about)
        parts, lengths = (self.part, self._lost), (self._kept.bytes, self._kept.left_out_bytes)
        first, second = (_opened(*each) for each in zip(parts, lengths, strict=True))
        self._files = first, second

    def add(self, record: bytes) -> None:
        """The next input's record: JSON without a line end."""
        self._append(0, record)

    def leave_out(self, record: bytes) -> None:
        """The next input is left out; `record` says why, as JSON."""
        self._append(1, record)

    def checkpoint(self, *, now: bool = False) -> None:
        """Makes sure, if it is time, that what is done will not be done again."""
        if self._files is None or self._kept == self.progress:
            return
        if not now and self._clock() - self._said_s < CHECKPOINT_S:
            return
        for file in self._files:
            _to_disk(file)
        done = self.progress
        self._journal.add([done.done, done.left_out, done.bytes, done.left_out_bytes])
        self._journal.sync()
        self._kept, self._said_s = done, self._clock()

    def close(self) -> None:
        """Closes the files as they are; a later batch can go on from them."""
        self.checkpoint(now=True)
        self._close_files()
        self._journal.close()

    def records(self) -> Iterator[bytes]:
        """All records so far."""
        self._flush()
        with self.part.open("rb") as file:
            yield from file

    def lost(self) -> Iterator[bytes]:
        """Why inputs were left out, in their order."""
        self._flush()
        with self._lost.open("rb") as file:
            yield from file

    def end(self, write: Callable[[], None] | None = None) -> None:
        """The batch is done: its result appears.

        `write` makes it of the records; without it they are the result.
        """
        self.checkpoint(now=True)
        if write is not None:
            write()
        self._close_files()
        if self.progress.left_out:
            os.replace(self._lost, self.left_out)
        else:
            self.left_out.unlink(missing_ok=True)
        if write is None:
            os.replace(self.part, self.path)
        self._journal.end()
        self.tidy()

    def tidy(self) -> None:
        """Removes what a batch that is ended has no more use for: it may have been killed then."""
        if self._journal.path.exists():
            return  # another one has begun
        for each in (self.part, self._lost):
            each.unlink(missing_ok=True)

    def _append(self, which: int, record: bytes) -> None:
        assert self._files is not None
        try:
            self._files[which].write(record + b"\n")
        except OSError as error:
            raise InputError(f"cannot write {self.part}: {error.strerror}") from None
        was, size = self.progress, len(record) + 1
        self.progress = Progress(
            was.done + 1,
            was.left_out + which,
            was.bytes + size * (1 - which),
            was.left_out_bytes + size * which,
        )
        self.checkpoint()

    def _flush(self) -> None:
        for file in self._files or ():
            file.flush()

    def _close_files(self) -> None:
        files, self._files = self._files, None
        for file in files or ():
            with suppress(OSError):
                file.close()

    def _checked(self) -> Progress:
        """How far the batch was that began here; InputError when it is another one."""
        about = self._journal.about()
        if not isinstance(about, dict) or "batch" not in about:
            raise self._journal.no_journal()
        for key, value in self._about.items():
            if about.get(key) != value:
                raise InputError(
                    f"{self._journal.path}: that batch was begun with {_said(key)}; give the same, "
                    "or remove that file to begin anew"
                )
        found = [each for each in map(_progress, self._journal.lines[1:]) if each is not None]
        progress = found[-1] if found else Progress()
        if not self.part.exists() and _size(self.path) == progress.bytes and progress.done:
            os.replace(self.path, self.part)  # it was ended but for its journal
        if self.left_out.exists() and not self._lost.exists() and progress.left_out:
            os.replace(self.left_out, self._lost)
        return progress


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _said(key: str) -> str:
    return {
        "model": "another model",
        "inputs": "other inputs",
        "batch": "another version of ftdist",
    }.get(key, f"another --{key}")


def _progress(line: str) -> Progress | None:
    """The progress that a line of the journal records; None for a line that was cut."""
    import json

    try:
        numbers = json.loads(line)
        done, left_out, *lengths = numbers
    except (ValueError, TypeError):
        return None
    if len(lengths) != 2 or not all(type(n) is int and n >= 0 for n in numbers):
        return None
    return Progress(done, left_out, *lengths)


def _size(path: Path) -> int | None:
    """A file's bytes; None where there is none."""
    return path.stat().st_size if path.exists() else None


def _opened(path: Path, length: int) -> IO[bytes]:
    """The file cut to that length, to be appended to; InputError when there is less of it."""
    try:
        file = open(path, "ab")  # noqa: SIM115 - it stays open
        there = os.fstat(file.fileno()).st_size
        if there < length:
            file.close()
            raise InputError(f"{path}: is shorter than its journal says; begin the batch anew")
        file.truncate(length)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    return file


def _files_named(path: Path, stack: ExitStack) -> Iterator[str]:
    """Which inputs the lines of a file are of; of what is no such line, one without a name."""
    if not path.exists():
        return
    for line in stack.enter_context(path.open("rb")):
        try:
            yield str(json.loads(line.decode("utf-8", "surrogateescape"))["file"])
        except (ValueError, LookupError, TypeError):
            yield ""


def _to_disk(file: IO[bytes]) -> None:
    try:
        file.flush()
        os.fdatasync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write {file.name}: {error.strerror}") from None
