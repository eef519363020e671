"""The text of a Darknet .cfg file as sections of options, with errors that say where.

This decides only what is written, not what it means. A section is ``[kind]`` on a line of its own,
followed by ``key = value`` lines; ``#`` and ``;`` begin a comment anywhere. Values stay text until
somebody asks for them as a number, so that keys which only training reads may hold anything.

Whatever Darknet reads is read, and means the same: blanks and tabs count nowhere, of a key that is
given twice the first counts, a line without ``=`` says nothing, and a number ends where C's atoi or
strtod would end it. (A comment behind a word is the exception: in Darknet it is part of the word.)
What its writer probably did not expect becomes a remark, which whoever imports the file is shown.
Text without any digit where a number belongs is an error: Darknet reads a zero, and nobody means
that. The encoding is ``encoding``'s business.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.errors import InputError
from ftdist.network.encoding import decoded, disguise

_LONGEST_QUOTE = 40
LARGEST_FILE_BYTES = 4 << 20
"""More than any network's text: what is larger is some other kind of file."""

_WHOLE = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 9
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]+)?"
)
_BLANKS = re.compile(r"[ \t]+")
_JOINED = re.compile(r"[0-9.][ \t]+[0-9.]")


@dataclass(frozen=True, slots=True)
class Option:
    """One ``key = value`` line; `joined` when digits with blanks between them became one number."""

    key: str
    value: str
    line: int
    commented: bool = field(default=False, compare=False)
    joined: bool = field(default=False, compare=False)


Noted = dict[str, set[int]]
"""Remarks, each with the lines that it was said of."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its kind as written, the line of its header, its options, the file's name.

    The accessors raise InputError where a key that has no default is missing, or its value is not
    of the kind that is asked for. They add to `noted`, one for the whole file: what was remarked,
    with the lines that it was said of. `stray` has the lines that say nothing.
    """

    kind: str
    line: int
    options: tuple[Option, ...]
    file: str
    stray: tuple[Option, ...] = ()
    noted: Noted = field(default_factory=dict, compare=False, repr=False)

    def error(self, message: str, key: str | None = None) -> InputError:
        """The error to raise about this section, or about one of its keys."""
        return InputError(self._about(message, key))

    def placed(self, error: InputError) -> InputError:
        """The error with this section's place, where it has none in this file yet."""
        text = str(error)
        return error if text.startswith(f"{self.file}:") else self.error(text)

    def remark(self, message: str, key: str | None = None) -> None:
        """Notes something that people should know about this section, or one of its keys."""
        self.noted.setdefault(self._said(message, key), set()).add(self._line(key))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was remarked about the whole file so far; what was said of several places once."""
        found = []
        for remark, lines in self.noted.items():
            more = f" (the same in {len(lines) - 1} more)" if len(lines) > 1 else ""
            found.append(f"{self.file}:{min(lines)}: {remark}{more}")
        return tuple(found)

    def has(self, key: str) -> bool:
        return any(option.key == key for option in self.options)

    def string(self, key: str, default: str | None = None) -> str:
        found = [option for option in self.options if option.key == key]
        if not found:
            if default is None:
                raise self.error(f"the key {key} is missing")
            return default
        for option in found[1:]:
            if option.value != found[0].value:
                other = f"line {option.line} says {shown(option.value)}, which Darknet ignores"
                self.remark(f"{shown(found[0].value)} counts; {other}", key)
        if found[0].joined:
            self.remark("digits with only blanks between them are one number, as in Darknet", key)
        return found[0].value

    def word(self, key: str, default: str) -> str:
        """A word that is one of some; Darknet would take a comment after it for part of it."""
        value = self.string(key, default)
        if any(option.key == key and option.commented for option in self.options):
            self.remark(f"{shown(value)} is taken, where Darknet reads the comment too", key)
        return value

    def integer(self, key: str, default: int | None = None, minimum: int | None = None) -> int:
        if default is not None and not self.has(key):
            return default
        return self._whole(key, self.string(key), minimum)

    def integers(self, key: str) -> tuple[int, ...]:
        numbers = tuple(self._whole(key, item) for item in self._items(key))
        if self.string(key).endswith(","):
            self.remark("the comma at the end is ignored, where Darknet reads another 0", key)
        return numbers

    def number(self, key: str, default: float | None = None) -> float:
        if default is not None and not self.has(key):
            return default
        return self._real(key, self.string(key))

    def floats(self, key: str) -> tuple[float, ...]:
        return tuple(self._real(key, item) for item in self._items(key))

    def flag(self, key: str) -> bool:
        """Whether a switch is on; a missing one is off."""
        return self.integer(key, 0) != 0

    def _items(self, key: str) -> list[str]:
        """What stands between commas; after a last comma there is nothing."""
        items = self.string(key).split(",")
        while len(items) > 1 and not items[-1]:
            items.pop()
        return items

    def _whole(self, key: str, text: str, minimum: int | None = None) -> int:
        found = _WHOLE.match(text)
        if not found or len(found[0].lstrip("+-0")) > _MOST_DIGITS:
            most = f"a whole number of at most {_MOST_DIGITS} digits"
            raise self.error(f"{shown(text)} is not {most}", key)
        value = int(found[0])
        if text != found[0] and text.rstrip("0") not in (found[0], found[0] + "."):
            self.remark(f"{shown(text)} is read as {value}, as by Darknet", key)
        if minimum is not None and value < minimum:
            raise self.error(f"{value} is less than {minimum}", key)
        return value

    def _real(self, key: str, text: str) -> float:
        found = _HEXADECIMAL.match(text) or _REAL.match(text)
        value = _value(found[0]) if found else math.nan
        if not found or not math.isfinite(value):
            raise self.error(f"{shown(text)} is not a finite number", key)
        if text != found[0]:
            self.remark(f"{shown(text)} is read as {value:g}, as by Darknet", key)
        return value

    def _about(self, message: str, key: str | None) -> str:
        return f"{self.file}:{self._line(key)}: {self._said(message, key)}"

    def _line(self, key: str | None) -> int:
        """The line of one of the keys, that of the section's header for none."""
        lines = [option.line for option in self.options if option.key == key]
        return lines[0] if lines else self.line

    def _said(self, message: str, key: str | None) -> str:
        what = f"[{self.kind}]" if key is None else f"[{self.kind}] {key}"
        return f"{what}: {message}"


def read_text(path: Path) -> str:
    """The text of a .cfg file; InputError when it cannot be read or is no text."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE_BYTES:
        raise InputError(f"{path}: is not a .cfg file: larger than {LARGEST_FILE_BYTES} bytes")
    if (other := disguise(content)) is not None:
        raise InputError(f"{path}: is {other}")
    text = decoded(content)
    if text is None:
        raise InputError(f"{path}: is not a .cfg file: not text")
    return text


def parse_sections(text: str, file: str, most: int | None = None) -> tuple[Section, ...]:
    """The sections of a .cfg text in order; `file` is what errors call it.

    With `most` given, what comes after that many sections is not looked at.
    """
    noted: Noted = {}
    found: list[tuple[str, int, list[Option], list[Option]]] = []
    for line, written in enumerate(_lines(text), start=1):
        said, *comment = re.split("[#;]", written, maxsplit=1)
        content = _BLANKS.sub("", said).strip()
        if content.startswith("["):
            if len(found) == most:
                break  # not even whether the line is well formed
            found.append((_kind(content, file, line), line, [], []))
        elif content and not found:
            raise InputError(f"{file}:{line}: {shown(content)} stands before the first [section]")
        elif content:
            key, _, value = content.partition("=")
            options, stray = found[-1][2:]
            (options if key and value else stray).append(
                Option(key or content, value, line, bool(comment), bool(_JOINED.search(said)))
            )
    return tuple(
        Section(kind, line, tuple(options), file, tuple(stray), noted)
        for kind, line, options, stray in found
    )


def closest(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: the known word most like it, or all of them."""
    words = sorted(known)
    match = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {match[0]}?" if match else f"known are {', '.join(words)}"


def shown(text: str) -> str:
    """Text of a file as an error quotes it: escaped, and cut where it is long."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "...")


def _value(number: str) -> float:
    try:
        return float.fromhex(number) if "x" in number.lower() else float(number)
    except OverflowError:
        return math.inf


def _lines(text: str) -> list[str]:
    """Lines as an editor numbers them (str.splitlines would also cut at form feeds)."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _kind(content: str, file: str, line: int) -> str:
    kind = content[1:-1]
    if not content.endswith("]") or not kind:
        raise InputError(f"{file}:{line}: {shown(content)} is not a section header like [net]")
    return kind
