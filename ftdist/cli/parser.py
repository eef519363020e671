"""What the command line takes: every command with its arguments, and nothing of what they do.

Defaults come from the TOML file, if one is named. A command's handler is the module of this package
whose ``run`` carries it out; it is imported when it is needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ftdist import __version__
from ftdist.cli.printing import one_line

_MOST_DIGITS = 18

_BUDGET = "budget of the whole process, as 64M"
_TRACE = "write a time line for Perfetto"
_KEYS = "folder with this side's keys, made by 'ftdist keygen'"

Defaults = Mapping[str, Mapping[str, Any]]
"""By command what the TOML file says about its arguments."""


class _Parser(argparse.ArgumentParser):
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


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def make_parser(defaults: Defaults) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser("ftdist", description="Runs CNNs whose feature maps do not fit in memory.")
    parser.add_argument("--version", action="version", version=f"ftdist {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_import(commands)
    _add_run(commands, defaults)
    _add_plan(commands, defaults)
    _add_coordinator(commands, defaults)
    _add_worker(commands, defaults)
    _add_submit(commands, defaults)
    _add_status(commands, defaults)
    _add_keygen(commands)
    _add_calibrate(commands)
    _add_doctor(commands)
    return parser


def _command(
    commands: _Commands, name: str, about: str, defaults: Defaults | None = None, more: str = ""
) -> _Parser:
    """Adds a command; if it has `defaults`, they may come from a TOML file."""
    parser: _Parser = commands.add_parser(
        name,
        help=about,
        description=about + more,
        formatter_class=argparse.RawDescriptionHelpFormatter if more else argparse.HelpFormatter,
    )
    if defaults is not None:
        parser.known = defaults.get(name, {})
        kept = "take what is not given from this file"
        parser.add_argument("--config", metavar="FILE.toml", type=Path, help=kept)
    return parser


def _add_import(commands: _Commands) -> None:
    about = "make a model file from a Darknet .cfg or a built-in architecture"
    parser = _command(commands, "import", about)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help=".cfg file or built-in name")
    parser.add_argument("--list", action="store_true", help="list the built-in architectures")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", metavar="FILE", type=Path, help="Darknet .weights file")
    seed = "random weights, He-scaled"
    weights.add_argument("--random-weights", metavar="SEED", type=_natural, help=seed)
    parser.add_argument("--until", metavar="LAYER", type=_natural, help="keep layers 0..LAYER")
    names = "names of the classes, one a line"
    parser.add_argument("--names", metavar="FILE", type=Path, help=names)
    parser.add_argument("-o", metavar="MODEL.ftd", dest="output", type=Path, help="the model file")
    parser.handled_by("importing")


def _add_run(commands: _Commands, defaults: Defaults) -> None:
    about = "run a model on a picture or an array, within a memory budget"
    parser = _command(commands, "run", about, defaults)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd)")
    given = "pictures, folders of them, or .npy float32 (C, H, W); '-' is standard input"
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=given)
    output = (
        "raw outputs (.npy for one, .npz for several), a picture with boxes (.jpg, .png), data "
        "(.json, .csv, .txt, or '-'); for several inputs a folder, or a pattern as out/{}.png"
    )
    parser.add_argument("-o", metavar="OUTPUT", dest="output", help=output)
    _add_answers(parser)
    parser.add_argument("--mem", metavar="SIZE", help=_BUDGET)
    _add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--tiling", metavar="NOTATION", help="the plan, as 5x5/8/2x2 or 1x1s4")
    plan.add_argument("--plan", metavar="FILE", type=Path, help="the plan from a --json report")
    parser.add_argument("--kernels", choices=("native", "reference"), default="native")
    parser.add_argument("--repeat", metavar="N", type=_positive, default=1, help="run N times")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.add_argument("--trace", metavar="FILE", type=Path, help=_TRACE)
    parser.set_defaults(configured_model=parser.known.get("model"))
    parser.handled_by("running")


def _add_answers(parser: _Parser) -> None:
    """What is to be told of what a detector or a classifier saw."""
    group = parser.add_argument_group("what was seen")
    as_data = "what was found, as data in the file by -o, or on standard output"
    group.add_argument("--format", choices=("json", "csv", "coco", "yolo"), help=as_data)
    scores = "yolo: the score as a sixth column"
    group.add_argument("--scores", action="store_true", help=scores)
    least = "the least score of what counts as found (default: 0.3)"
    group.add_argument("--thresh", metavar="P", type=_fraction, help=least)
    overlap = "of two boxes that share more of their union the better one counts (default: 0.45)"
    group.add_argument("--nms", metavar="P", type=_fraction, help=overlap)
    group.add_argument("--all", action="store_true", help="list all detections, not the best only")
    names = "class names, one a line"
    group.add_argument("--names", metavar="FILE", type=Path, help=names)


def _add_plan(commands: _Commands, defaults: Defaults) -> None:
    about = "say how a model would run within a memory budget, and what other budgets would change"
    parser = _command(commands, "plan", about, defaults)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd)")
    parser.add_argument("--mem", metavar="SIZE", help=_BUDGET)
    _add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--tiling", metavar="NOTATION", help="predict this plan, as 5x5/8/2x2")
    plan.add_argument("--plan", metavar="FILE", type=Path, help="predict the plan from a report")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the plan, for run --plan")
    frontier = "the fastest plan for every budget there is"
    parser.add_argument("--frontier", action="store_true", help=frontier)
    plot = "draw the frontier (implies --frontier)"
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help=plot)
    parser.handled_by("planning")


_COORDINATOR = """

Listens for workers ('ftdist worker') and for jobs ('ftdist submit'), splits each frame's work
among the workers there are, and puts the results together. Workers need no files, they may come
and go. Interrupt it once to let it end in order."""


def _add_coordinator(commands: _Commands, defaults: Defaults) -> None:
    about = "share a model's work among workers on other machines"
    parser = _command(commands, "coordinator", about, defaults, _COORDINATOR)
    parser.add_argument("model", metavar="MODEL", type=Path, nargs="?", help="model file (.ftd)")
    listen = "where, as tcp://0.0.0.0:5555 for all networks (default: tcp://127.0.0.1:5555)"
    parser.add_argument("--listen", metavar="tcp://ADDRESS:PORT", help=listen)
    own = "threads of a worker of its own, in this process (default: none)"
    parser.add_argument("--threads", metavar="N", type=_natural, help=own)
    parser.add_argument("--mem", metavar="SIZE", help=_BUDGET)
    parser.add_argument("--trace", metavar="FILE", type=Path, help=_TRACE)
    keys = "folder of the cluster's keys, made by 'ftdist keygen'"
    _add_security(parser, keys)
    parser.handled_by("coordinating")


def _add_worker(commands: _Commands, defaults: Defaults) -> None:
    about = "work for a coordinator, within a memory budget"
    parser = _command(commands, "worker", about, defaults)
    parser.positional("address", metavar="tcp://HOST:PORT", help="where the coordinator listens")
    parser.add_argument("--mem", metavar="SIZE", help=_BUDGET)
    _add_threads(parser)
    parser.add_argument("--name", metavar="NAME", help="what to call it (default: the host's name)")
    cache = "where models are kept (default: in the user's cache folder)"
    parser.add_argument("--cache", metavar="DIR", type=Path, help=cache)
    most = "how much of the disk they may take (default: 2G)"
    parser.add_argument("--cache-size", metavar="SIZE", help=most)
    _add_security(parser, _KEYS)
    parser.handled_by("working")


def _add_submit(commands: _Commands, defaults: Defaults) -> None:
    about = "have a coordinator run its model on pictures or arrays"
    parser = _command(commands, "submit", about, defaults)
    given = "pictures, or .npy float32 (C, H, W)"
    parser.add_argument("inputs", metavar="INPUT", type=Path, nargs="+", help=given)
    to = {"default": None} if "to" in parser.known else {"required": True}
    where = "where the coordinator listens"
    parser.add_argument("--to", metavar="tcp://HOST:PORT", help=where, **to)
    output = "folder for the results: INPUT's name with .npy, or .npz where there are several"
    parser.add_argument("-o", metavar="DIR", dest="output", type=Path, required=True, help=output)
    parser.add_argument("--draw", action="store_true", help="write pictures with boxes, too")
    job = "the job's name; submitted again, it goes on where it was (default: a new one)"
    parser.add_argument("--job", metavar="NAME", help=job)
    repeat = "submit all inputs N times"
    parser.add_argument("--repeat", metavar="N", type=_positive, default=1, help=repeat)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write a report as JSON")
    _add_security(parser, _KEYS)
    parser.handled_by("submitting")


def _add_status(commands: _Commands, defaults: Defaults) -> None:
    about = "show a coordinator's workers, shares, rates and jobs"
    parser = _command(commands, "status", about, defaults)
    parser.positional("address", metavar="tcp://HOST:PORT", help="where the coordinator listens")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_security(parser, _KEYS)
    parser.handled_by("status")


_KEYGEN = """

  ftdist keygen keys                        keys of the coordinator, and of clients on its machine
  ftdist keygen keys --worker pi1 pi2 pi3   keys of three boards, in keys/pi1, keys/pi2, keys/pi3

The folder stays with the coordinator ('--keys keys'). Copy keys/pi1 to that board, and there say
'--keys pi1'. Whoever has a public key in keys/allowed may connect: remove keys/allowed/pi1.key, and
that board is shut out at once. Laptops that submit jobs are given keys in the same way."""


def _add_keygen(commands: _Commands) -> None:
    about = "make the keys with which a cluster knows its own and encrypts"
    parser = _command(commands, "keygen", about, more=_KEYGEN)
    parser.add_argument("folder", metavar="DIR", type=Path, help="the cluster's folder of keys")
    names = "make keys for these workers or clients"
    words: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--worker", metavar="NAME", **words, help=names)
    parser.handled_by("keygen")


def _add_calibrate(commands: _Commands) -> None:
    about = "measure this machine, so that plans and predicted times are made for it"
    parser = _command(commands, "calibrate", about)
    number = "with so many threads (default: all, then one)"
    parser.add_argument("--threads", metavar="N", type=_positive, help=number)
    where = "a folder on the disk where models are kept (default: this one)"
    parser.add_argument("--folder", metavar="DIR", type=Path, default=Path(), help=where)
    parser.handled_by("calibrating")


def _add_doctor(commands: _Commands) -> None:
    about = "say what matters on this machine, and what to do when it is bad"
    parser = _command(commands, "doctor", about)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the findings as JSON")
    parser.handled_by("doctor")


def _add_threads(parser: _Parser) -> None:
    parser.add_argument("--threads", metavar="N", type=_positive, help="threads (default: all)")


def _add_security(parser: _Parser, keys: str) -> None:
    parser.add_argument("--keys", metavar="DIR", type=Path, help=keys)
    without = "do without keys beyond this machine"
    parser.add_argument("--insecure", action="store_true", help=without)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to 1")
    return value


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if _natural(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1")
    return int(text)
