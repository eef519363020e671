"""What the command line takes: every command with its arguments, and nothing of what they do.

Defaults come from the TOML file, if one is named. A command's handler is the module of this package
whose ``run`` carries it out; it is imported when it is needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ftdist import __version__
from ftdist.cli.arguments import (
    BUDGET,
    EXACT_DIRECT,
    TRACE,
    Commands,
    Defaults,
    Parser,
    add_page,
    add_threads,
    command,
    other_threads,
    positive,
    threads,
)
from ftdist.cli.batch_arguments import add_batch, add_watch
from ftdist.cli.local_arguments import add_answers, add_import, add_plan, add_run, add_show

_KEYS = "folder with this side's keys, made by 'ftdist keygen'"


def make_parser(defaults: Defaults) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = Parser("ftdist", description="Runs CNNs whose feature maps do not fit in memory.")
    parser.add_argument("--version", action="version", version=f"ftdist {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    add_import(commands)
    add_run(commands, defaults)
    add_batch(commands, defaults)
    add_watch(commands, defaults)
    add_plan(commands, defaults)
    add_show(commands, defaults)
    _add_coordinator(commands, defaults)
    _add_worker(commands, defaults)
    _add_submit(commands, defaults)
    _add_status(commands, defaults)
    _add_keygen(commands)
    _add_calibrate(commands)
    _add_doctor(commands)
    _add_demo(commands)
    _add_completion(commands)
    more = commands.add_parser("help", help="show how a command is used")
    more.add_argument("command", metavar="COMMAND", nargs="?")
    return parser


_COORDINATOR = """

Listens for workers ('ftdist worker') and for jobs ('ftdist submit'), splits each frame's work
among the workers that are there, and puts the results together. Workers need no files, and may come
and go. Interrupt it once to let it end in order."""


def _add_coordinator(commands: Commands, defaults: Defaults) -> None:
    about = "share a model's work among workers on other machines"
    parser = command(commands, "coordinator", about, defaults, _COORDINATOR)
    parser.add_argument("model", metavar="MODEL", type=Path, nargs="?", help="model file (.ftd)")
    listen = "address; tcp://0.0.0.0:5555 serves all networks (default: tcp://127.0.0.1:5555)"
    parser.add_argument("--listen", metavar="tcp://ADDRESS:PORT", help=listen)
    own = "also work in this process, with N threads (default: none)"
    parser.add_argument("--threads", metavar="N", type=other_threads, help=own)
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    parser.add_argument("--exact-direct", action="store_true", help=EXACT_DIRECT)
    parser.add_argument("--trace", metavar="FILE", type=Path, help=TRACE)
    announce = "announce it on the local network (mDNS), for workers that name no address"
    parser.add_argument("--announce", action="store_true", default=None, help=announce)
    add_page(parser)
    _add_log(parser)
    keys = "folder of the cluster's keys, made by 'ftdist keygen'"
    _add_security(parser, keys)
    parser.handled_by("coordinator")


def _add_worker(commands: Commands, defaults: Defaults) -> None:
    about = "work for a coordinator, within a memory budget"
    parser = command(commands, "worker", about, defaults)
    where = "where the coordinator listens (default: one that the local network announces)"
    parser.add_argument("address", metavar="tcp://HOST:PORT", nargs="?", help=where)
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    parser.add_argument(
        "--name", metavar="NAME", help="the worker's name (default: the host's name)"
    )
    cache = "folder to keep models in (default: in the user's cache folder)"
    parser.add_argument("--cache", metavar="DIR", type=Path, help=cache)
    most = "disk space for models (default: 2G)"
    parser.add_argument("--cache-size", metavar="SIZE", help=most)
    _add_log(parser)
    _add_security(parser, _KEYS)
    parser.handled_by("worker")


def _add_submit(commands: Commands, defaults: Defaults) -> None:
    about = "have a coordinator run its model on pictures or arrays"
    parser = command(commands, "submit", about, defaults)
    given = "pictures, folders of them, or .npy float32 (C, H, W); '-' is standard input"
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=given)
    to = {"default": None} if "to" in parser.known else {"required": True}
    where = "where the coordinator listens"
    parser.add_argument("--to", metavar="tcp://HOST:PORT", help=where, **to)
    output = (
        "folder for the results: for each INPUT a .json of what was seen, else its output as .npy, "
        "or several outputs as .npz"
    )
    parser.add_argument("-o", metavar="DIR", dest="output", type=Path, required=True, help=output)
    parser.add_argument(
        "--draw",
        action="store_true",
        help="also write pictures with boxes, or those that the network makes",
    )
    raw = "also write raw outputs of detectors and classifiers"
    parser.add_argument("--raw", action="store_true", help=raw)
    as_data = "also write DIR/detections.csv or .json for all inputs, or a .txt for each (yolo)"
    add_answers(parser, as_data)
    job = "name of the job; submitting it again continues it (default: a new name)"
    parser.add_argument("--job", metavar="NAME", help=job)
    repeat = "submit all inputs N times"
    parser.add_argument("--repeat", metavar="N", type=positive, default=1, help=repeat)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write a report as JSON")
    _add_security(parser, _KEYS)
    parser.handled_by("submit")


def _add_status(commands: Commands, defaults: Defaults) -> None:
    about = "show a coordinator's workers, shares, rates and jobs"
    parser = command(commands, "status", about, defaults)
    parser.positional("address", metavar="tcp://HOST:PORT", help="where the coordinator listens")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_security(parser, _KEYS)
    parser.handled_by("status")


_KEYGEN = """

  ftdist keygen keys                        keys of the coordinator, and of clients on its machine
  ftdist keygen keys --worker pi1 pi2 pi3   keys of three boards, in keys/pi1, keys/pi2, keys/pi3
  ftdist keygen keys --client laptop        keys of a machine that submits jobs

A worker's key cannot submit jobs and a client's cannot do work; a name given as both can do both.
The folder stays with the coordinator ('--keys keys'). Copy keys/pi1 to that board, and use
'--keys pi1' there. Whoever has a public key in keys/allowed may connect: remove
keys/allowed/pi1.key to shut that board out at once."""


def _add_keygen(commands: Commands) -> None:
    about = "create a cluster's encryption keys"
    parser = command(commands, "keygen", about, more=_KEYGEN)
    parser.add_argument("folder", metavar="DIR", type=Path, help="the cluster's folder of keys")
    names = "make keys for these workers"
    words: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--worker", metavar="NAME", **words, help=names)
    clients = "make keys for these clients, which submit jobs"
    parser.add_argument("--client", metavar="NAME", **words, help=clients)
    parser.handled_by("keygen")


def _add_calibrate(commands: Commands) -> None:
    about = "measure this machine, so that plans and predicted times are made for it"
    parser = command(commands, "calibrate", about)
    number = "threads to measure with (default: all, then one)"
    parser.add_argument("--threads", metavar="N", type=threads, help=number)
    where = "a folder on the disk where models are kept (default: this one)"
    parser.add_argument("--folder", metavar="DIR", type=Path, default=Path(), help=where)
    parser.handled_by("calibrate")


def _add_doctor(commands: Commands) -> None:
    about = "check this machine, and say what to fix"
    parser = command(commands, "doctor", about)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the findings as JSON")
    parser.handled_by("doctor")


def _add_log(parser: Parser) -> None:
    form = "how lines of the log are written: text, or json, one object each (default: text)"
    parser.add_argument("--log", choices=("text", "json"), help=form)


_DEMO = """

Finds objects in a picture of 1024x1024 pixels within 48 MiB, and runs YOLOv2's first 16 layers
within 64 MiB: ten seconds on a PC. Pictures need Pillow ('pip install ftdist[image]')."""


def _add_demo(commands: Commands) -> None:
    about = "show what ftdist does, with a detector and a picture that come with it"
    parser = command(commands, "demo", about, more=_DEMO)
    where = "folder for the results (default: ftdist-demo)"
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", default=Path("ftdist-demo"), help=where
    )
    parser.handled_by("demo")


_COMPLETION = """

  source <(ftdist completion bash)                                    in ~/.bashrc
  ftdist completion zsh > ~/.zfunc/_ftdist                            a folder of zsh's $fpath
  ftdist completion fish > ~/.config/fish/completions/ftdist.fish

It needs shtab ('pip install ftdist[completion]')."""


def _add_completion(commands: Commands) -> None:
    about = "print what a shell reads to complete commands, options and files"
    parser = command(commands, "completion", about, more=_COMPLETION)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")
    parser.handled_by("completion")


def _add_security(parser: Parser, keys: str) -> None:
    parser.add_argument("--keys", metavar="DIR", type=Path, help=keys)
    without = "allow other machines without keys"
    parser.add_argument("--insecure", action="store_true", help=without)
