"""The file that is written until it is whole, and the notes by which another process goes on.

Rows are noted only when they are on the disk, so that the notes are true after a power cut. The
first note says what is being written; an attempt to write something else begins anew. While
somebody writes, the notes are locked: of two that write the same file, the second is refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ftdist.atomic import USERS_TO_MEND
from ftdist.errors import InputError
from ftdist.pictures.nameless import write_all
from ftdist.pictures.rows.protocol import partial_file, progress_file

DURABLE_BYTES = 4 << 20
"""How much is written before it is made durable: what a crash costs at most, about."""

_MOST_NOTES_BYTES = 256 << 20


class PartialFile:
    """What will be `path`; `about` says in one line what is in it."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, " ".join(about.split())
        self._partial, self._progress = partial_file(path), progress_file(path)
        self._handle = self._notes = -1
        self._waiting: list[str] = []
        self._waiting_bytes = 0

    def begin(self, *, resume: bool) -> list[str]:
        """Opens it, anew if it is open; gives an earlier attempt's notes if that is resumed."""
        final = Path(os.path.realpath(self._path))
        if final.exists() and not final.is_file():
            raise InputError(f"cannot write {self._path}: it is there and is not a regular file")
        self._close()
        with writing(self._path):
            self._notes = self._locked()
            if resume and (notes := self._noted()):
                self._handle = os.open(self._partial, os.O_RDWR)
                return notes[1:]
            self._anew()
        return []

    def _anew(self) -> None:
        """Nothing is left of it where that fails, as on a full disk."""
        try:
            os.ftruncate(self._notes, 0)
            self._handle = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
            os.write(self._notes, f"{self._about}\n".encode())
        except BaseException:
            self.abandon(keep=False)
            raise

    def _locked(self) -> int:
        """The notes, open and ours alone; InputError while another process has them."""
        while True:
            handle = os.open(self._progress, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                told = f"cannot write {self._path}: another process is writing it"
                raise InputError(told) from None
            except OSError:  # a file system without locks
                return handle
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(self._progress)):
                    return handle
            os.close(handle)  # whoever had it has ended since

    def _noted(self) -> list[str]:
        """All whole lines, the first saying what is written; none where it is something else."""
        try:
            if not self._partial.is_file() or self._progress.stat().st_size > _MOST_NOTES_BYTES:
                return []
            content = self._progress.read_text("ascii", "replace")
        except OSError:
            return []
        lines = content[: content.rfind("\n") + 1].splitlines()
        if not lines or lines[0] != self._about:
            return []
        if (
            len(content) > content.rfind("\n") + 1
        ):  # a line that was cut in the middle of its making
            os.truncate(self._progress, content.rfind("\n") + 1)
        return lines

    @property
    def size(self) -> int:
        return os.fstat(self._handle).st_size

    def put(self, content: bytes | memoryview | NDArray[Any], at: int) -> int:
        """Writes to a place; gives where that ends."""
        with writing(self._path):
            return write_all(self._handle, content, at)

    def resize(self, size: int) -> None:
        with writing(self._path):
            os.ftruncate(self._handle, size)

    def note(self, line: str, written_bytes: int) -> None:
        """Notes what is durable from the moment on that enough has been written."""
        self._waiting.append(f"{line}\n")
        self._waiting_bytes += written_bytes
        if self._waiting_bytes >= DURABLE_BYTES:
            self._make_durable()

    def _make_durable(self) -> None:
        with writing(self._path):
            os.fdatasync(self._handle)
            _append(self._notes, "".join(self._waiting).encode())
        self._waiting, self._waiting_bytes = [], 0

    def finish(self) -> None:
        """Gives it its name, whole."""
        with writing(self._path):
            os.fsync(self._handle)
            os.replace(self._partial, os.path.realpath(self._path))
            self._progress.unlink(missing_ok=True)
            self._close()

    def abandon(self, *, keep: bool) -> None:
        """Leaves what can be resumed, or nothing."""
        if self._notes < 0:
            return
        if keep:
            with suppress(OSError, InputError):
                self._make_durable()
        if not keep:
            self._partial.unlink(missing_ok=True)
            self._progress.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        for handle in (self._handle, self._notes):
            if handle >= 0:
                os.close(handle)
        self._handle = self._notes = -1


def _append(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes failures that are about the disk one line of ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"cannot write {path}: {path.parent} is not a folder") from None
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno in USERS_TO_MEND:
            raise InputError(f"cannot write {path}: {error.strerror}") from error
        raise
