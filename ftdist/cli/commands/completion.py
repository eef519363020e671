"""`ftdist completion`: what a shell reads to complete commands, options and files.

shtab makes it from the parser; an argument that is a path is completed as one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ftdist.cli.parser import make_parser
from ftdist.errors import FtdistError
from ftdist.extras import needing

_FOLDERS = frozenset({"DIR"})
_FILES = frozenset({"INPUT", "OUTPUT", "SOURCE"})
"""Of arguments that are no paths to argparse: words of these kinds may be files."""


def run(arguments: argparse.Namespace) -> None:
    """Prints the completions for a shell."""
    with needing("completion", "shtab", "completion", FtdistError):
        import shtab
    parser = make_parser({})
    for action in _actions(parser):
        if action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type is Path or action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, arguments.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)
