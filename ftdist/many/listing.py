"""Which inputs a batch has: the names that its words stand for, in an order that does not change.

    FILE                a picture, a .npy file or a video
    FOLDER              its pictures; where it has none its arrays, else its videos; in their order
    PATTERN             what matches it, where it names no file (`*`, `?`, `[`)
    @FILE, @-           the words of a list, one a line, from a file or standard input

A hundred thousand names as objects would be tens of MiB, so they lie in one block of bytes, and
come out one at a time.
"""

from __future__ import annotations

import os
import sys
from _blake2 import blake2b
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ftdist.errors import InputError

if TYPE_CHECKING:
    from ftdist.pictures.reading import PictureBytes

STANDARD_INPUT = "-"

PICTURES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pam"),
)
"""Endings, in lower case, by which a folder's pictures are told from its other files."""

VIDEOS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts")
ARRAYS = (".npy", ".npz")

LIST = "@"
_CODING = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_WILD = "*?["
_BELOW = "**"
_MOST_LIST_BYTES = 1 << 30
_MOST_LINE_BYTES = 64 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What editors of Windows put before a text."""


@dataclass(frozen=True, slots=True)
class Source:
    """An input: what it is called, the place where it is read, and whether as an array.

    `picture`: it is there already, as a frame of a video is. `problem`: why it cannot be read.
    `others` are the pictures for other inputs of the network than the first.
    """

    name: str
    place: str | Path
    is_array: bool
    picture: PictureBytes | None = None
    problem: str | None = None
    others: tuple[Path, ...] = ()

    @property
    def path(self) -> Path:
        """The place as a path, which takes longer to make than to open."""
        return Path(self.place)

    @property
    def readable(self) -> str | Path | PictureBytes:
        """What is to be read."""
        return self.picture or self.place

    @property
    def stem(self) -> str:
        """The name for the input's own result files."""
        if self.picture is not None:
            file, _, number = self.name.rpartition("#")
            return f"{Path(file).stem}-{number}"
        return "stdin" if self.name == STANDARD_INPUT else Path(self.name).stem

    @property
    def file(self) -> str:
        """The file's name: of a frame, that of its video."""
        return self.name if self.picture is None else self.name.rpartition("#")[0]

    @property
    def frame(self) -> int | None:
        """Of a frame of a video, its number there."""
        return None if self.picture is None else int(self.name.rpartition("#")[2])

    @property
    def is_video(self) -> bool:
        """Whether it stands for frames that have yet to be read."""
        untouched = self.picture is None and self.problem is None
        return untouched and _ends(self.place, VIDEOS)

    def named(self, error: InputError) -> InputError:
        """The error with the input called as it was given."""
        path, text = str(self.path), str(error)
        if path == self.name or (self.place == self.name and self.name in text):
            return error
        return InputError(text.replace(path, self.name))


class Listing:
    """The names of a batch's inputs."""

    def __init__(self, words: Sequence[str], *, recursive: bool = False) -> None:
        """InputError for a folder, a pattern or a list without anything."""
        self._names = bytearray()
        self._count = 0
        for word in words:
            self._take(word, recursive=recursive)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Source]:
        at = 0
        for _ in range(self._count):
            end = self._names.index(0, at)
            name = self._names[at:end].decode(*_CODING)
            at = end + 1
            yield as_source(name)

    @property
    def digest(self) -> str:
        """Of all names, in their order: whether a batch has the inputs that another one had."""
        return blake2b(self._names, digest_size=16).hexdigest()

    def sample(self, most: int) -> list[Source]:
        """At most so many of them, evenly spread."""
        step = -(-self._count // most) if self._count else 1
        return [source for number, source in enumerate(self) if number % step == 0]

    def _take(self, word: str, *, recursive: bool) -> None:
        if word.startswith(LIST) and not os.path.lexists(word):
            for each in listed(word[len(LIST) :]):
                self._add(each)
            return
        if word == STANDARD_INPUT and not os.path.lexists(word):
            told = "names of files come from standard input by '@-', a picture by 'ftdist run'"
            raise InputError(f"{word}: {told}")
        path = Path(word)
        if path.is_dir():
            for found in in_folder(path, recursive=recursive):
                self._add(str(found))
        elif is_pattern(word):
            for found in matching(word):
                self._add(str(found))
        else:
            self._add(word)

    def _add(self, name: str) -> None:
        encoded = os.fsencode(name)
        if not encoded or 0 in encoded:
            raise InputError(f"{name!r} is not the name of a file")
        self._names += encoded + b"\0"
        self._count += 1


def as_source(name: str) -> Source:
    """The input of that name: what it is read as, its ending tells."""
    return Source(name, name, _ends(name, ARRAYS))


def _ends(place: str | Path, endings: tuple[str, ...]) -> bool:
    """Whether a place's suffix is one of these; most have another, which is soon seen."""
    return str(place).lower().endswith(endings) and Path(place).suffix.lower() in endings


def is_pattern(word: str) -> bool:
    """Whether it names no file, but may name several."""
    return not os.path.lexists(word) and any(each in word for each in _WILD)


def in_folder(folder: Path, *, recursive: bool = False) -> list[Path]:
    """A folder's pictures, else its arrays, else its videos; InputError when it has none."""
    names = _names_below(folder, recursive=recursive)
    for endings in (PICTURES, ARRAYS[:1], VIDEOS):
        if found := [each for each in names if os.path.splitext(each)[1].lower() in endings]:
            return [Path(each) for each in found]
    raise InputError(f"{folder}: no picture (*.jpg, *.png, ...) and no .npy file is in it")


def _names_below(folder: Path, *, recursive: bool) -> list[str]:
    """The files below a folder, in order, without hidden ones; links to folders are left out."""
    try:
        with os.scandir(folder) as entries:
            visible = sorted(
                (each for each in entries if not each.name.startswith(".")),
                key=lambda each: each.name,
            )
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    found = [each.path for each in visible if _is_file(each)]
    if recursive:
        for each in visible:
            if each.is_dir(follow_symlinks=False):
                found += _names_below(Path(each.path), recursive=True)
    return found


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one; a link that leads nowhere or in a circle is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def matching(pattern: str) -> list[Path]:
    """The files that match it, in order; InputError when none does."""
    found = sorted(set(_matches(pattern)))
    files = [Path(each) for each in found if not os.path.isdir(each)]
    if not files:
        raise InputError(f"{pattern}: no file matches it")
    return files


def _matches(pattern: str) -> Iterator[str]:
    """As glob's, but `**` passes through no link to a folder: it may lead back to where it is."""
    import glob  # brings fnmatch: only for those who want it

    parts = pattern.split("/")
    if _BELOW not in parts:
        yield from glob.iglob(pattern)
        return
    at = parts.index(_BELOW)
    above, rest = "/".join(parts[:at]), "/".join(parts[at + 1 :]) or "*"
    top = above or ("/" if at else "")
    for base in glob.iglob(top) if top else ("",):
        for folder in _folders(base):
            yield from _matches(os.path.join(glob.escape(folder), rest))


def _folders(base: str) -> Iterator[str]:
    """A folder and all below it that are neither hidden nor links; none where none can be read."""
    if base and not os.path.isdir(base):
        return
    yield base
    with suppress(OSError), os.scandir(base or ".") as entries:
        below = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        for name in sorted(below):
            if not name.startswith("."):
                yield from _folders(os.path.join(base, name))


def listed(name: str) -> Iterator[str]:
    """The lines of a list that are not empty; InputError when there are none."""
    try:
        is_piped = name == STANDARD_INPUT
        with nullcontext(sys.stdin.buffer) if is_piped else open(name, "rb") as file:
            yield from _lines(name, file)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from None


def _lines(name: str, file: IO[bytes]) -> Iterator[str]:
    """One at a time, as the whole of a list may be longer than there is memory."""
    left, count = _MOST_LIST_BYTES, 0
    while line := file.readline(_MOST_LINE_BYTES):
        left -= len(line)
        if len(line) == _MOST_LINE_BYTES or left < 0:
            long = "it has a line of 64 KiB" if left >= 0 else "it is longer than 1 GiB"
            raise InputError(f"{name}: no list of files: {long}")
        if not count:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.strip():
            count += 1
            yield os.fsdecode(line.rstrip(b"\r\n"))
    if not count:
        raise InputError(f"{name}: the list is empty")
