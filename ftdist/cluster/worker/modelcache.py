"""Models that a worker was sent: sparse files laid out like the model file, filled layer by layer.

    DIGEST.ftd      header first, blobs at their offsets, holes for layers that were never wanted
    DIGEST.parts    a journal, one line a part that has been written; a cut or killed worker resumes

Nothing in the journal is trusted: a layer counts only once its digest has been checked on the disk.
Workers on one host may share the folder. Who uses a model holds a shared lock on its file, so that
nobody removes it; who writes holds the journal's lock, reads what others added, and never writes
into a layer that somebody has found whole. What was used longest ago goes when room is needed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ftdist.atomic import refuse_unwritable
from ftdist.errors import FtdistError, InputError
from ftdist.network.modelfile import Model, digest_pieces, load
from ftdist.network.modelheader import Header, read_header
from ftdist.runtime.budget.memory import format_size

PART_BYTES = 256 << 10
"""A layer's weights are asked for, written and remembered in parts of this size."""

_FIRST_LINE = f"ftdist parts {PART_BYTES}\n".encode()
_DIGEST = re.compile(r"[0-9a-f]{32}")
_WHOLE, _NONE = b"whole", b"none"


class CacheError(FtdistError):
    """The cache cannot hold what the coordinator wants this worker to have."""


class CachedModel:
    """One model's file in the cache, in use until it is closed; some of its layers may be there."""

    def __init__(self, path: Path, header: Header, file: BinaryIO, journal: BinaryIO) -> None:
        self.path = path
        self.header = header
        self._file = file
        self._journal = journal
        self._parts: dict[int, set[int]] = {layer: set() for layer in header.blobs}
        self._known = 0
        with self._journal_locked():
            os.utime(path)

    def close(self) -> None:
        """Lets others remove the file."""
        self._file.close()
        self._journal.close()

    def load(self) -> Model:
        """The model; only weights of layers that were checked mean anything."""
        return load(self.path, verify=False)

    def lacking(self, layer: int) -> list[tuple[int, int]]:
        """(offset, size) in a layer's blob of each part that nobody has written yet."""
        with self._journal_locked():
            written = self._parts[layer]
        size = self.header.blobs[layer].bytes
        return [
            (at, min(PART_BYTES, size - at))
            for at in range(0, size, PART_BYTES)
            if at // PART_BYTES not in written
        ]

    def write(self, layer: int, offset: int, data: memoryview) -> None:
        """Writes one part of a layer, unless it is there; CacheError when the disk does not let."""
        part = offset // PART_BYTES
        with self._journal_locked():
            if part in self._parts[layer]:
                return
            with _disk(self.path):
                done = os.pwrite(self._file.fileno(), data, self.header.blobs[layer].start + offset)
                if done < data.nbytes:
                    raise CacheError(f"cannot write {self.path}: the disk is full")
            self._note(layer, b"%d" % part)

    def check(self, layer: int) -> Iterator[bool | None]:
        """Reads a layer back in small steps: None after each, at last whether it is whole.

        What is not is forgotten, so that it is lacking again.
        """
        digest = ""
        with _disk(self.path):
            for digest in digest_pieces(self._file, self.header.blobs[layer]):
                if not digest:
                    yield None
        sound = digest == self.header.blobs[layer].digest
        with self._journal_locked():
            self._note(layer, _WHOLE if sound else _NONE)
        yield sound

    @contextmanager
    def _journal_locked(self) -> Iterator[None]:
        """Holds the journal's lock, so that nobody else writes; reads what others wrote."""
        with _disk(self.path):
            fcntl.flock(self._journal, fcntl.LOCK_EX)
            try:
                self._read_journal()
                yield
            finally:
                fcntl.flock(self._journal, fcntl.LOCK_UN)

    def _note(self, layer: int, what: bytes) -> None:
        os.write(self._journal.fileno(), b"%d %s\n" % (layer, what))
        self._read_journal()

    def _read_journal(self) -> None:
        size = os.fstat(self._journal.fileno()).st_size
        if size < self._known:  # begun anew by somebody
            self._known = 0
            for parts in self._parts.values():
                parts.clear()
        text = os.pread(self._journal.fileno(), size - self._known, self._known)
        self._known += len(text)
        for line in text.splitlines():
            self._read_line(line.split())

    def _read_line(self, words: list[bytes]) -> None:
        """Takes in a line; one that makes no sense says nothing."""
        if len(words) != 2 or not words[0].isdigit() or int(words[0]) not in self._parts:
            return
        layer, what = int(words[0]), words[1]
        count = -(-self.header.blobs[layer].bytes // PART_BYTES)
        if what == _WHOLE:
            self._parts[layer] = set(range(count))
        elif what == _NONE:
            self._parts[layer].clear()
        elif what.isdigit() and int(what) < count:
            self._parts[layer].add(int(what))


class ModelCache:
    """The folder of models; it never holds more than `limit_bytes`, as far as it depends on us."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def refuse_unwritable(self) -> None:
        """InputError when the folder cannot be made or written; a full disk may have room later."""
        try:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            refuse_unwritable(self._folder / "any.ftd")
        except (InputError, OSError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
                return
            why = cause.strerror if isinstance(cause, OSError) else str(error)
            raise InputError(
                f"cannot keep models in {self._folder}: {why}; name another folder by --cache"
            ) from None

    def find(self, digest: str) -> CachedModel | None:
        """A model whose header is in the cache, in use from now on; None when it is not there."""
        return self._open(digest, None) if self._path(digest).exists() else None

    def create(self, digest: str, header: bytes) -> CachedModel:
        """Begins a model from its file's bytes before the first blob.

        CacheError when they are no such header or the disk does not let.
        """
        try:
            read = read_header(BytesIO(header), Path("the model that was sent"), alone=True)
        except InputError as error:
            raise CacheError(str(error)) from None
        if read.digest != digest or read.bytes != len(header):
            raise CacheError(f"the header that was sent is not that of model {digest}")
        found = self._open(digest, header)
        assert found is not None
        return found

    def make_room(self, needed_bytes: int) -> None:
        """Removes unused models until so many bytes more fit; CacheError when they do not."""
        held = []
        with _disk(self._folder):
            for path in self._folder.glob("*.ftd"):
                about = path.stat()
                held.append((about.st_mtime, about.st_blocks * 512, path))
        left = self._limit_bytes - sum(size for _, size, _ in held)
        for _, size, path in sorted(held):
            if left >= needed_bytes:
                break
            if self._remove(path):
                left += size
        if left < needed_bytes:
            raise CacheError(
                f"{self._folder} may hold {format_size(self._limit_bytes)}, of which "
                f"{format_size(max(left, 0))} are left, but the weights still to come take "
                f"{format_size(needed_bytes)}; allow the cache more"
            )

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise CacheError(f"'{digest}' is not the digest of a model")
        return self._folder / f"{digest}.ftd"

    def _open(self, digest: str, header: bytes | None) -> CachedModel | None:
        """Opens a model's file, which is made if there is a `header` to begin it with."""
        path = self._path(digest)
        with _disk(path):
            if header is not None:
                self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            file = _open_locked(path)
            journal = path.with_suffix(".parts").open("ab+", buffering=0)
            fcntl.flock(journal, fcntl.LOCK_EX)
            read = _sound_header(file, path, digest)
            if read is None and header is not None:
                _begin(file, journal, header)
                read = _sound_header(file, path, digest)
            elif os.pread(journal.fileno(), len(_FIRST_LINE), 0) != _FIRST_LINE:
                journal.truncate(0)
                journal.write(_FIRST_LINE)
            fcntl.flock(journal, fcntl.LOCK_UN)
        if read is None:
            file.close()
            journal.close()
            return None
        return CachedModel(path, read, file, journal)

    def _remove(self, path: Path) -> bool:
        """Removes a model unless it is in use; returns whether it did."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.with_suffix(".parts").unlink(missing_ok=True)
                path.unlink()
        except OSError:
            return False
        return True


def _open_locked(path: Path) -> BinaryIO:
    """The file at a path, locked against removal; it may be a new and empty one."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        file = os.fdopen(descriptor, "rb+", buffering=0)
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return file
        except FileNotFoundError:
            pass
        file.close()  # it was removed before it was locked


def _sound_header(file: BinaryIO, path: Path, digest: str) -> Header | None:
    try:
        file.seek(0)
        header = read_header(file, path)
    except InputError:
        return None
    return header if header.digest == digest else None


def _begin(file: BinaryIO, journal: BinaryIO, header: bytes) -> None:
    """Makes a file of a header and holes."""
    size = read_header(BytesIO(header), Path(), alone=True).file_bytes
    journal.truncate(0)
    journal.write(_FIRST_LINE)
    file.truncate(0)
    os.pwrite(file.fileno(), header, 0)
    file.truncate(size)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """What the disk refuses becomes one line."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"cannot use the model cache at {path}: {error.strerror}; {_remedy(error)}"
        ) from None


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or name another folder by --cache"
    return "mend that, or name another folder by --cache"
