"""What the words INPUT... mean: files, the pictures of a folder, patterns, pipes.

A file is itself, whether it can be read or not: that is said when its turn comes. A folder stands
for the pictures directly in it, in the order of their names; where it has none, for its arrays. A
word with `*`, `?` or `[` that names no file is a pattern. A network with an input for each of
several pictures takes so many at a time. `-`, a FIFO or a shell's `<(...)` is read
to its end into a file without a name, for pictures are looked at more than once: first at what they
need, then to be read, then to be drawn on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.errors import InputError
from ftdist.many.listing import (
    ARRAYS,
    PICTURES,
    STANDARD_INPUT,
    Source,
    as_source,
    in_folder,
    is_pattern,
    matching,
)
from ftdist.many.pictures_apart import takes_pictures
from ftdist.network.graph import Network
from ftdist.wording import counted

__all__ = ["PICTURES", "STANDARD_INPUT", "Source", "Sources", "sources"]

_OPENED = "/proc/self/fd/"
_MOST_PIPED_BYTES = 1 << 30
_PIECE_BYTES = 64 << 10
_NPY = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class Sources:
    """All inputs of a command; `several` when more than one was asked for, however many came."""

    all: tuple[Source, ...]
    several: bool

    @property
    def stay(self) -> bool:
        """Whether all are there for another process, too: none came through a pipe."""
        return not any(str(each.path).startswith(_OPENED) for each in self.all)


def sources(words: Sequence[str], stack: ExitStack) -> Sources:
    """What INPUT... names; pipes are read here, and kept until the stack ends.

    InputError for a folder or a pattern without anything, and for what cannot be read again.
    """
    found: list[Source] = []
    several = len(words) > 1
    if words.count(STANDARD_INPUT) > 1:
        raise InputError("'-' is standard input, which can be read once")
    for word in words:
        path = Path("/dev/stdin" if word == STANDARD_INPUT else word)
        if path.is_dir():
            several = True
            found += [as_source(str(each)) for each in in_folder(path)]
        elif _flows(path):
            found.append(_spooled(word, path, stack))
        elif is_pattern(word):
            several = True
            found += [as_source(str(each)) for each in matching(word)]
        else:
            found.append(Source(word, path, _is_array(word, path)))
    return Sources(tuple(found), several)


def grouped(given: Sources, network: Network) -> Sources:
    """A picture for each input of the network, in their order, where it takes several; InputError
    where there are too few or too many. Anything else is as it was."""
    together = len(network.inputs)
    if not takes_pictures(network) or any(each.is_array for each in given.all):
        return given
    if len(given.all) % together or not given.all:
        names = ", ".join(each.name for each in network.inputs)
        raise InputError(
            f"{network.name} takes {together} pictures at a time, in the order of its inputs "
            f"({names}), or a .npz file; {counted(len(given.all), 'picture')} given"
        )
    groups = [given.all[at : at + together] for at in range(0, len(given.all), together)]
    found = [replace(first, others=tuple(e.path for e in more)) for first, *more in groups]
    return Sources(tuple(found), len(found) > 1)


def _is_array(word: str, path: Path) -> bool:
    """By its ending; standard input has none, so what it begins with must tell."""
    if word != STANDARD_INPUT:
        return path.suffix.lower() in ARRAYS
    try:
        with path.open("rb") as file:
            return file.read(len(_NPY)) == _NPY
    except OSError as error:
        raise InputError(f"{word}: cannot be read: {error.strerror}") from None


def _flows(path: Path) -> bool:
    """Whether it can be read once only: a pipe, a FIFO, a socket, a terminal."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def _spooled(word: str, path: Path, stack: ExitStack) -> Source:
    """All that flows from there, in a file that vanishes with the process."""
    handle = _nameless()
    stack.callback(os.close, handle)
    size, start = 0, b""
    try:
        with path.open("rb", buffering=0) as pipe:
            while piece := pipe.read(_PIECE_BYTES):
                start = start or piece[: len(_NPY)]
                size += len(piece)
                if size > _MOST_PIPED_BYTES:
                    raise InputError(f"{word}: more than 1 GiB came; write it to a file first")
                _write(handle, piece)
    except OSError as error:
        raise InputError(f"{word}: cannot be read: {error.strerror}") from None
    if not size:
        raise InputError(f"{word}: nothing came")
    return Source(word, Path(f"{_OPENED}{handle}"), start == _NPY)


def _write(handle: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(handle, view) :]


def _nameless() -> int:
    """An empty file that has no name, on a disk if there is one: /tmp may be memory."""
    for folder in (os.environ.get("TMPDIR"), "/var/tmp", "/tmp", "."):
        if folder:
            try:
                return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
            except OSError:
                pass
    return os.memfd_create("ftdist")
