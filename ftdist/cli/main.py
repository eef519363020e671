"""The command line: arguments in, one exit status out. The only prints are in this package.

What a command needs is imported when the command runs, so that `--help` and errors answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ftdist.cli.arguments import Defaults
from ftdist.cli.console import complain
from ftdist.cli.parser import make_parser
from ftdist.cli.signals import Interrupted, interruptible
from ftdist.errors import FtdistError, InputError

# numpy brings OpenBLAS, which would take memory a thread, and asks for huge pages.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")

_CONFIG = "--config"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 2 bad input, 3 no plan fits, 1 else.

    128 and a signal's number if that stopped it. Without a command it shows what there is; the
    status is 2 then, for nothing was done.
    """
    try:
        with interruptible():
            words = sys.argv[1:] if argv is None else argv
            if not words:
                make_parser({}).print_help()
                return 2
            _refuse_empty(words)
            arguments = _parsed(_asked(words))
            arguments.restartable = argv is None
            if hasattr(arguments, "mem"):
                from ftdist.runtime.budget.limits import refuse_hopeless

                refuse_hopeless(arguments.mem)
                _import_numpy()
            command = importlib.import_module(f"ftdist.cli.commands.{arguments.handler}")
            status: int | None = command.run(arguments)
            if sys.stdout is not None:  # it is None where standard output is closed
                sys.stdout.flush()
            if hasattr(arguments, "mem"):
                _trim_heap()
                _give_back_code()  # ending runs code of every library
    except FtdistError as error:
        complain(f"ftdist: {error}")
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Interrupted as interrupted:
        complain(f"ftdist: {interrupted}")
        return interrupted.exit_status
    except (OSError, MemoryError) as error:
        complain(f"ftdist: {str(error) or 'out of memory'}")
        return 1
    return status or 0


def _refuse_empty(words: Sequence[str]) -> None:
    """InputError for a word without a letter: as a path it would be the folder where one is."""
    before = "ftdist"
    for word in words:
        option, equals, value = word.partition("=")
        if not word or (option.startswith("--") and equals and not value):
            raise InputError(
                f"what comes after '{word or before}' is empty; is a variable of the shell not set?"
            )
        before = word


def _asked(words: Sequence[str]) -> Sequence[str]:
    """`help COMMAND` is `COMMAND --help`."""
    return [*words[1:2], "--help"] if words[0] == "help" else words


def _import_numpy() -> None:
    """Brings numpy in with little else: what was run to parse goes, and what numpy ran to begin.

    Nothing that is imported takes more at once than numpy, and so nothing adds to that.
    """
    _give_back_code()
    importlib.import_module("numpy")
    _give_back_code()


def _give_back_code() -> None:
    from ftdist.runtime.budget.code import give_back_code  # brings ctypes

    give_back_code()


def _trim_heap() -> None:
    from ftdist.runtime.budget.heap import trim_heap  # as above

    trim_heap()


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with what a TOML file says where they say nothing."""
    path = _config_path(argv)
    defaults: Defaults = {}
    if path is not None:
        from ftdist.cli.config import defaults_of, read_config

        defaults = defaults_of(read_config(path))
    arguments = make_parser(defaults).parse_args(argv)
    if getattr(arguments, "config", None) != path:
        raise InputError(f"name the file of settings by {_CONFIG} FILE.toml, once and in full")
    return arguments


def _config_path(argv: Sequence[str]) -> Path | None:
    """The file of settings, which must be known before the arguments can be read."""
    for number, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == _CONFIG and (equals or argv[number + 1 :]):
            return Path(value if equals else argv[number + 1])
    return None
