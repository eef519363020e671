"""What each value in the file of settings may be, and what the command line makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftdist.cluster.endpoints import connecting, listening
from ftdist.errors import InputError
from ftdist.runtime.budget.memory import parse_size

Reader = Callable[[Any, Path], Any]
"""From what the file holds, and the file's folder, to the value; ValueError says what is wrong."""


def path_in(value: Any, folder: Path) -> Path:
    """A path, relative to the file."""
    if type(value) is not str or not value or "\0" in value:
        raise ValueError("a path in quotes")
    return folder / Path(value).expanduser()


def size(value: Any, folder: Path) -> str:
    """A SIZE as the command line takes it."""
    try:
        parse_size(str(value) if type(value) in (int, str) else "")
    except InputError:
        raise ValueError('a size: bytes, or as "64M"') from None
    return str(value)


def listening_place(value: Any, folder: Path) -> str:
    """Where the coordinator listens."""
    try:
        return str(listening(value if type(value) is str else ""))
    except InputError:
        raise ValueError('a place to listen, as "tcp://0.0.0.0:5555"') from None


def coordinator_address(value: Any, folder: Path) -> str:
    """Where others find the coordinator."""
    try:
        return str(connecting(value if type(value) is str else ""))
    except InputError:
        raise ValueError('where the coordinator is, as "tcp://192.168.1.10:5555"') from None


def page_place(value: Any, folder: Path) -> str:
    """HOST:PORT of a page, as --page takes it."""
    try:
        return str(listening(f"tcp://{value if type(value) is str else ''}")).removeprefix("tcp://")
    except InputError:
        raise ValueError('a place for the page, as "127.0.0.1:8080"') from None


def log_form(value: Any, folder: Path) -> str:
    """How lines are logged."""
    if value not in ("text", "json"):
        raise ValueError('"text" or "json"')
    return str(value)


def flag(value: Any, folder: Path) -> bool:
    """Yes or no."""
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


def whole_number(least: int, most: int) -> Reader:
    """A whole number between two others, both allowed."""

    def read(value: Any, folder: Path) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return read


def seconds(least: float, most: float) -> Reader:
    """A time between two others, both allowed."""

    def read(value: Any, folder: Path) -> float:
        if type(value) not in (int, float) or not least <= value <= most:
            raise ValueError(f"a number of seconds from {least:g} to {most:g}")
        return float(value)

    return read
