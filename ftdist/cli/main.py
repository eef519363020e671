"""The command line: arguments in, one exit status out. The only prints are in this package.

What a command needs is imported when the command runs, so that `--help` and errors answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ftdist import __version__
from ftdist.cli.printing import complain, one_line
from ftdist.errors import FtdistError

# numpy brings OpenBLAS, which would take memory a thread, and asks for huge pages.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")

_MOST_DIGITS = 18


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 2 bad input, 3 no plan fits, 1 else."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.handler(arguments)
        if sys.stdout is not None:  # it is None where standard output is closed
            sys.stdout.flush()
    except FtdistError as error:
        complain(f"ftdist: {error}")
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        complain("ftdist: interrupted")
        return 1
    except (OSError, MemoryError) as error:
        complain(f"ftdist: {str(error) or 'out of memory'}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("ftdist", description="Runs CNNs whose feature maps do not fit in memory.")
    parser.add_argument("--version", action="version", version=f"ftdist {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_import(commands)
    _add_run(commands)
    _add_plan(commands)
    _add_calibrate(commands)
    _add_doctor(commands)
    return parser


def _add_import(commands: argparse._SubParsersAction[_Parser]) -> None:
    about = "make a model file from a Darknet .cfg or a built-in architecture"
    parser = commands.add_parser("import", help=about, description=about)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help=".cfg file or built-in name")
    parser.add_argument("--list", action="store_true", help="list the built-in architectures")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", metavar="FILE", type=Path, help="Darknet .weights file")
    weights.add_argument(
        "--random-weights",
        metavar="SEED",
        type=_natural,
        help="random weights, He-scaled",
    )
    parser.add_argument("--until", metavar="LAYER", type=_natural, help="keep layers 0..LAYER")
    parser.add_argument("-o", metavar="MODEL.ftd", dest="output", type=Path, help="the model file")
    parser.set_defaults(handler=_import)


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    about = "run a model on a picture or an array, within a memory budget"
    parser = commands.add_parser("run", help=about, description=about)
    parser.add_argument("model", metavar="MODEL", type=Path, help="model file (.ftd)")
    parser.add_argument(
        "input", metavar="INPUT", type=Path, help="picture, or .npy float32 (C, H, W)"
    )
    parser.add_argument(
        "-o",
        metavar="OUTPUT",
        dest="output",
        type=Path,
        help=".npy (one output), .npz (several, by name), or a picture with boxes (detectors)",
    )
    parser.add_argument("--mem", metavar="SIZE", help="budget of the whole process, as 64M")
    parser.add_argument("--threads", metavar="N", type=_positive, help="threads (default: all)")
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--tiling", metavar="NOTATION", help="the plan, as 5x5/8/2x2 or 1x1s4")
    plan.add_argument("--plan", metavar="FILE", type=Path, help="the plan from a --json report")
    parser.add_argument("--kernels", choices=("native", "reference"), default="native")
    parser.add_argument("--repeat", metavar="N", type=_positive, default=1, help="run N times")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.set_defaults(handler=_run)


def _add_plan(commands: argparse._SubParsersAction[_Parser]) -> None:
    about = "say how a model would run within a memory budget, and what other budgets would change"
    parser = commands.add_parser("plan", help=about, description=about)
    parser.add_argument("model", metavar="MODEL", type=Path, help="model file (.ftd)")
    parser.add_argument("--mem", metavar="SIZE", help="budget of the whole process, as 64M")
    parser.add_argument("--threads", metavar="N", type=_positive, help="threads (default: all)")
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--tiling", metavar="NOTATION", help="predict this plan, as 5x5/8/2x2")
    plan.add_argument("--plan", metavar="FILE", type=Path, help="predict the plan from a report")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the plan, for run --plan")
    parser.add_argument(
        "--frontier", action="store_true", help="the fastest plan for every budget there is"
    )
    parser.add_argument(
        "--plot", metavar="FILE.png", type=Path, help="draw the frontier (implies --frontier)"
    )
    parser.set_defaults(handler=_plan)


def _add_calibrate(commands: argparse._SubParsersAction[_Parser]) -> None:
    about = "measure this machine, so that plans and predicted times are made for it"
    parser = commands.add_parser("calibrate", help=about, description=about)
    number = "with so many threads (default: all, then one)"
    parser.add_argument("--threads", metavar="N", type=_positive, help=number)
    where = "a folder on the disk where models are kept (default: this one)"
    parser.add_argument("--folder", metavar="DIR", type=Path, default=Path(), help=where)
    parser.set_defaults(handler=_calibrate)


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    about = "say what matters on this machine, and what to do when it is bad"
    parser = commands.add_parser("doctor", help=about, description=about)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the findings as JSON")
    parser.set_defaults(handler=_doctor)


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if _natural(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1")
    return int(text)


def _import(arguments: argparse.Namespace) -> None:
    from ftdist.cli import importing

    importing.run(arguments)


def _plan(arguments: argparse.Namespace) -> None:
    from ftdist.cli import planning

    planning.run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    from ftdist.cli import running

    running.run(arguments)


def _calibrate(arguments: argparse.Namespace) -> None:
    from ftdist.cli import calibrating

    calibrating.run(arguments)


def _doctor(arguments: argparse.Namespace) -> None:
    from ftdist.cli import doctor

    doctor.run(arguments)
