"""The text of a Darknet .cfg file as sections of options, with errors that say where.

This decides only what is written, not what it means. A section is ``[kind]`` on a line of its own,
followed by ``key = value`` lines; ``#`` and ``;`` begin a comment anywhere. Values stay text until
somebody asks for them as a number, so that keys which only training reads may hold anything.

A key given twice with different values is an error where it is read: Darknet would take the first,
and whoever wrote the second probably did not expect that.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import InputError

_LONGEST_QUOTE = 40
LARGEST_FILE_BYTES = 4 << 20
"""More than any network's text: what is larger is some other kind of file."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Option:
    """One ``key = value`` line."""

    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its kind as written, the line of its header, its options, the file's name.

    The accessors raise InputError where a key that has no default is missing, or its value is not
    of the kind that is asked for.
    """

    kind: str
    line: int
    options: tuple[Option, ...]
    file: str

    def error(self, message: str, key: str | None = None) -> InputError:
        """The error to raise about this section, or about one of its keys."""
        lines = [option.line for option in self.options if option.key == key]
        line = lines[0] if lines else self.line
        what = f"[{self.kind}]" if key is None else f"[{self.kind}] {key}"
        return InputError(f"{self.file}:{line}: {what}: {message}")

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
                other = f"line {option.line} says {shown(option.value)}"
                raise self.error(f"{shown(found[0].value)} here, but {other}", key)
        return found[0].value

    def integer(self, key: str, default: int | None = None, minimum: int | None = None) -> int:
        if default is not None and not self.has(key):
            return default
        return self._whole(key, self.string(key), minimum)

    def integers(self, key: str) -> tuple[int, ...]:
        return tuple(self._whole(key, item.strip()) for item in self.string(key).split(","))

    def number(self, key: str, default: float | None = None) -> float:
        if default is not None and not self.has(key):
            return default
        return self._real(key, self.string(key))

    def floats(self, key: str) -> tuple[float, ...]:
        return tuple(self._real(key, item.strip()) for item in self.string(key).split(","))

    def flag(self, key: str) -> bool:
        """Whether a switch is on; a missing one is off."""
        return self.integer(key, 0) != 0

    def _whole(self, key: str, text: str, minimum: int | None = None) -> int:
        if not _WHOLE.fullmatch(text):
            raise self.error(f"{shown(text)} is not a whole number of at most 9 digits", key)
        value = int(text)
        if minimum is not None and value < minimum:
            raise self.error(f"{value} is less than {minimum}", key)
        return value

    def _real(self, key: str, text: str) -> float:
        if not _REAL.fullmatch(text) or not math.isfinite(float(text)):
            raise self.error(f"{shown(text)} is not a finite number", key)
        return float(text)


def read_text(path: Path) -> str:
    """The text of a .cfg file; InputError when it cannot be read or is no text."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE_BYTES:
        raise InputError(f"{path}: is no .cfg file: larger than {LARGEST_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: is no .cfg file: not UTF-8 text") from None


def parse_sections(text: str, file: str) -> tuple[Section, ...]:
    """The sections of a .cfg text in order; `file` is what errors call it."""
    found: list[tuple[str, int, list[Option]]] = []
    for line, written in enumerate(_lines(text), start=1):
        content = re.split("[#;]", written, maxsplit=1)[0].strip()
        if content.startswith("["):
            found.append((_kind(content, file, line), line, []))
        elif content and not found:
            raise InputError(f"{file}:{line}: {shown(content)} stands before the first [section]")
        elif content:
            found[-1][2].append(_option(content, file, line))
    return tuple(Section(kind, line, tuple(options), file) for kind, line, options in found)


def closest(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: the known word most like it, or all of them."""
    words = sorted(known)
    match = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {match[0]}?" if match else f"known are {', '.join(words)}"


def shown(text: str) -> str:
    """Text of a file as an error quotes it: escaped, and cut where it is long."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "...")


def _lines(text: str) -> list[str]:
    """Lines as an editor numbers them (str.splitlines would also cut at form feeds)."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _kind(content: str, file: str, line: int) -> str:
    kind = content[1:-1].strip()
    if not content.endswith("]") or not kind:
        raise InputError(f"{file}:{line}: {shown(content)} is no section header like [net]")
    return kind


def _option(content: str, file: str, line: int) -> Option:
    key, equals, value = content.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{file}:{line}: {shown(content)} is no line like key = value")
    return Option(key.strip(), value.strip(), line)
