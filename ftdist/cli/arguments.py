"""What every command's arguments are made of: one-line errors, defaults from a file, numbers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ftdist.cli.console import one_line

BUDGET = "memory limit of the whole process, such as 64M"
TRACE = "write a timeline for Perfetto"
EXACT_DIRECT = (
    "compute every layer directly, none by Winograd's algorithm: errors up to 1e-6 of the largest "
    "value instead of 2e-5, and more time"
)

_MOST_DIGITS = 18

_MOST_THREADS = 1024
"""Of a process, as settings and messages have it."""

Defaults = Mapping[str, Mapping[str, Any]]
"""By command what the TOML file says about its arguments."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and whose defaults may stand in for arguments.

    A positional argument that has a default need not be given.
    """

    known: Mapping[str, Any] = {}

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")

    def positional(self, name: str, **options: Any) -> None:
        """Adds a positional argument that the TOML file may give."""
        if name in self.known:
            options["nargs"] = "?"
        self.add_argument(name, **options)

    def handled_by(self, module: str) -> None:
        """Says which module carries the command out; to be called last."""
        self.set_defaults(handler=module, **self.known)


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def command(
    commands: Commands, name: str, about: str, defaults: Defaults | None = None, more: str = ""
) -> Parser:
    """Adds a command; if it has `defaults`, they may come from a TOML file."""
    parser: Parser = commands.add_parser(
        name,
        help=about,
        description=about + more,
        formatter_class=argparse.RawDescriptionHelpFormatter if more else argparse.HelpFormatter,
    )
    if defaults is not None:
        parser.known = defaults.get(name, {})
        kept = "read defaults from this file"
        parser.add_argument("--config", metavar="FILE.toml", type=Path, help=kept)
    return parser


def add_threads(parser: Parser) -> None:
    parser.add_argument("--threads", metavar="N", type=threads, help="threads (default: all)")


def add_page(parser: Parser) -> None:
    page = "serve a live page and metrics, such as 127.0.0.1:8080; other machines need a token"
    parser.add_argument("--page", metavar="ADDRESS:PORT", help=page)
    token = "file of the page's token; if missing it is made, and the page's address printed once"
    parser.add_argument("--page-token", metavar="FILE", type=Path, help=token)


def fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return value


def natural(text: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0")
    return int(text)


def threads(text: str) -> int:
    """A number of threads."""
    return _threads_from(1, text)


def other_threads(text: str) -> int:
    """The same, or none."""
    return _threads_from(0, text)


def _threads_from(least: int, text: str) -> int:
    if not least <= natural(text) <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a number of threads from {least} to {_MOST_THREADS}"
        )
    return int(text)


def positive(text: str) -> int:
    if natural(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)
