"""The `ftdist` commands that documents show, and whether the command line would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from ftdist.cli.config import defaults_of, read_config
from ftdist.cli.parser import make_parser

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "launch"
CLUSTERS = sorted((ROOT / "configs" / "cluster").glob("*.toml"))

_SHELL = frozenset({"&", "|", "||", "&&", ">", "<"})
"""What ends a command, to a shell."""

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def commands(lines: Iterable[str]) -> Iterator[list[str]]:
    """The arguments of every command in these lines, which may be comments.

    A command is what follows the word `ftdist` at a line's beginning, or after two spaces.
    """
    for line in lines:
        text = line.removeprefix("#")
        found = re.search(r"(?:^ *|  )ftdist ((?:[a-z-]).*)", text)
        if found:
            words = shlex.split(found[1], comments=True)
            yield list(takewhile(lambda word: word not in _SHELL, words))


def parses(arguments: list[str], folder: Path = ROOT) -> None:
    """Fails unless the command line takes these arguments; --config is a file in `folder`."""
    defaults = {}
    if "--config" in arguments:
        defaults = defaults_of(read_config(folder / arguments[arguments.index("--config") + 1]))
    try:
        make_parser(defaults).parse_args(arguments)
    except SystemExit as end:
        if end.code:
            pytest.fail(f"ftdist {shlex.join(arguments)} is refused")


def expanded(text: str, values: dict[str, str]) -> str:
    """Text with its $NAME and ${NAME} filled in; KeyError where there is no such value."""
    return _VARIABLE.sub(lambda match: values[match[1]], text)
