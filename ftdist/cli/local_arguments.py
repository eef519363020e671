"""The arguments of the commands that run here: import, run, plan."""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.cli.arguments import (
    BUDGET,
    TRACE,
    Commands,
    Defaults,
    Parser,
    add_threads,
    command,
    fraction,
    natural,
    positive,
)


def add_import(commands: Commands) -> None:
    about = "make a model file from an ONNX file, a Darknet .cfg or a built-in architecture"
    parser = command(commands, "import", about)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help=".onnx, .cfg or built-in name")
    parser.add_argument("--list", action="store_true", help="list the built-in architectures")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", metavar="FILE", type=Path, help="Darknet .weights file")
    seed = "random He-scaled weights, from this seed"
    weights.add_argument("--random-weights", metavar="SEED", type=natural, help=seed)
    until = "keep layers 0..LAYER; of an ONNX file what a value or node of that name needs"
    parser.add_argument("--until", metavar="LAYER", type=_layer, help=until)
    _add_size(parser)
    names = "file of class names, one per line"
    parser.add_argument("--names", metavar="FILE", type=Path, help=names)
    _add_fit(parser, "the dialect of the .cfg")
    parser.add_argument("-o", metavar="MODEL.ftd", dest="output", type=Path, help="the model file")
    parser.handled_by("import_model")


def _add_size(parser: Parser) -> None:
    open_size = "the input's height and width where an ONNX file leaves them open"
    parser.add_argument("--size", metavar="HxW", type=_size, help=open_size)


def _layer(word: str) -> int | str:
    """A layer by its number, or by a name."""
    return natural(word) if word.isascii() and word.isdigit() else word


def _size(word: str) -> tuple[int, int]:
    """Height and width, as 480x640."""
    height, cross, width = word.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{word!r} is no size; write it as 480x640")
    return positive(height), positive(width)


def add_run(commands: Commands, defaults: Defaults) -> None:
    about = "run a model on a picture or an array, within a memory budget"
    parser = command(commands, "run", about, defaults)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    _add_size(parser)
    given = "pictures, folders of them, or .npy float32 (C, H, W); '-' is standard input"
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=given)
    output = (
        "raw outputs (.npy for one, .npz for several), a picture with boxes (.jpg, .png), data "
        "(.json, .csv, .txt, or '-'); for several inputs a folder, or a pattern as out/{}.png"
    )
    parser.add_argument("-o", metavar="OUTPUT", dest="output", help=output)
    as_data = "write what was found as data, to the -o file or standard output"
    fitting = add_answers(parser, as_data)
    _add_fit(fitting, "what the model file says")
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument(
        "--tiling", metavar="NOTATION", help="run this plan, such as 5x5/8/2x2 or 1x1s4"
    )
    plan.add_argument("--plan", metavar="FILE", type=Path, help="run the plan in a --json report")
    parser.add_argument("--kernels", choices=("native", "reference"), default="native")
    parser.add_argument("--repeat", metavar="N", type=positive, default=1, help="run N times")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.add_argument("--trace", metavar="FILE", type=Path, help=TRACE)
    parser.set_defaults(configured_model=parser.known.get("model"))
    parser.handled_by("run")


def add_answers(parser: Parser, as_data: str) -> argparse._ArgumentGroup:
    """What is to be told of what a detector or a classifier saw."""
    group = parser.add_argument_group("what was seen")
    group.add_argument("--format", choices=("json", "csv", "coco", "yolo"), help=as_data)
    scores = "yolo: write the score as a sixth column"
    group.add_argument("--scores", action="store_true", help=scores)
    least = "lowest score that counts as found (default: 0.3)"
    group.add_argument("--thresh", metavar="P", type=fraction, help=least)
    overlap = "drop the lower-scored of two boxes that overlap by more (default: 0.45)"
    group.add_argument("--nms", metavar="P", type=fraction, help=overlap)
    group.add_argument("--all", action="store_true", help="list all detections, not the best only")
    names = "file of class names, one per line"
    group.add_argument("--names", metavar="FILE", type=Path, help=names)
    return group


def add_plan(commands: Commands, defaults: Defaults) -> None:
    about = "predict how a model would run within a memory budget, and compare budgets"
    parser = command(commands, "plan", about, defaults)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    _add_size(parser)
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--tiling", metavar="NOTATION", help="predict this plan, such as 5x5/8/2x2")
    plan.add_argument("--plan", metavar="FILE", type=Path, help="predict the plan in a report")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the plan, for run --plan")
    frontier = "list the fastest plan for every budget"
    parser.add_argument("--frontier", action="store_true", help=frontier)
    plot = "draw the frontier (implies --frontier)"
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help=plot)
    parser.handled_by("plan")


def _add_fit(parser: Parser | argparse._ArgumentGroup, default: str) -> None:
    """How a picture is brought to the network's size."""
    either = parser.add_mutually_exclusive_group()
    kept = f"keep pictures' aspect ratio, with grey around (default: {default})"
    filled = "stretch pictures to the network's width and height"
    for fit, about in (("letterbox", kept), ("stretch", filled)):
        either.add_argument(f"--{fit}", dest="fit", action="store_const", const=fit, help=about)
