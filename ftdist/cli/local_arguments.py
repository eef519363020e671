"""The arguments of the commands that run here: import, run, plan, show."""

from __future__ import annotations

import argparse
from pathlib import Path

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
    fraction,
    natural,
    positive,
)

_LARGEST = 1e6


def add_import(commands: Commands) -> None:
    about = "make a model file from an ONNX file, a Darknet .cfg or a built-in architecture"
    parser = command(commands, "import", about)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help=".onnx, .cfg or built-in name")
    parser.add_argument("--list", action="store_true", help="list the built-in architectures")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", metavar="FILE", type=Path, help="Darknet .weights file")
    seed = "random He-scaled weights, from this seed"
    weights.add_argument("--random-weights", metavar="SEED", type=natural, help=seed)
    until = (
        "keep layers 0..LAYER; for an ONNX file, keep what the value or node of that name needs, "
        "or what several do, separated by commas"
    )
    parser.add_argument("--until", metavar="LAYER", type=_layer, help=until)
    add_size(parser)
    _add_names(parser)
    add_preparation(parser, "what the source says, or a guess")
    parser.add_argument("-o", metavar="MODEL.ftd", dest="output", type=Path, help="the model file")
    parser.handled_by("import_model")


def add_size(parser: Parser, *, picture: bool = False) -> None:
    """`picture`: there is a picture, whose size it may be."""
    open_size = "the input's height and width, if an ONNX file leaves them open or allows others"
    if picture:
        open_size += "; 'picture' takes the picture's own, however large"
    kind, metavar = (_size_or_picture, "HxW|picture") if picture else (_size, "HxW")
    parser.add_argument("--size", metavar=metavar, type=kind, help=open_size)


def _layer(word: str) -> int | str:
    """A layer by its number, or by a name."""
    return natural(word) if word.isascii() and word.isdigit() else word


def _size(word: str) -> tuple[int, int]:
    """Height and width, as 480x640."""
    height, cross, width = word.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{word!r} is not a size; write it as 480x640")
    return positive(height), positive(width)


def _size_or_picture(word: str) -> tuple[int, int] | str:
    """A size, or that of the picture."""
    return word if word == "picture" else _size(word)


def add_run(commands: Commands, defaults: Defaults) -> None:
    about = "run a model on a picture or an array, within a memory budget"
    parser = command(commands, "run", about, defaults)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    add_size(parser, picture=True)
    given = (
        "pictures, folders of them, or .npy float32 (C, H, W); '-' is standard input; of a network "
        "with several inputs a picture for each, in their order, or a .npz file"
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=given)
    output = (
        "raw outputs (.npy for one, .npz for several), a picture with boxes (.jpg, .png), data "
        "(.json, .csv, .txt, or '-'); for several inputs a folder, or a pattern such as out/{}.png"
    )
    parser.add_argument("-o", metavar="OUTPUT", dest="output", help=output)
    as_data = "write what was found as data, to the -o file or standard output"
    fitting = add_answers(parser, as_data, "text", "geojson")
    add_preparation(fitting, "what the model file says")
    plain = "for a segmentation, write class numbers as grey values instead of colours"
    fitting.add_argument("--labels-picture", action="store_true", help=plain)
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument(
        "--tiling", metavar="NOTATION", help="run this plan, such as 5x5/8/2x2 or 1x1s4"
    )
    plan.add_argument("--plan", metavar="FILE", type=Path, help="run the plan in a --json report")
    add_exact_direct(parser)
    bands = "compute a picture in bands of rows: where it is too large (auto), always, or never"
    parser.add_argument("--bands", choices=("auto", "always", "never"), default="auto", help=bands)
    resume = "continue the output of an earlier run in bands that was interrupted"
    parser.add_argument("--resume", action="store_true", help=resume)
    add_kernels(parser)
    parser.add_argument("--repeat", metavar="N", type=positive, default=1, help="run N times")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.add_argument("--trace", metavar="FILE", type=Path, help=TRACE)
    add_page(parser)
    parser.set_defaults(configured_model=parser.known.get("model"))
    parser.handled_by("run")


def add_kernels(parser: Parser) -> None:
    """Which implementation of the kernels computes."""
    kernels = "compiled kernels, or the slow NumPy ones that define them (default: native)"
    choices = ("native", "reference")
    parser.add_argument("--kernels", choices=choices, default="native", help=kernels)


def add_exact_direct(parser: Parser) -> None:
    """Which algorithms plans may use."""
    parser.add_argument("--exact-direct", action="store_true", help=EXACT_DIRECT)


def add_answers(parser: Parser, as_data: str, *more: str) -> argparse._ArgumentGroup:
    """What is to be told of what a detector or a classifier saw, and how; `more` are formats."""
    group = parser.add_argument_group("what was seen")
    group.add_argument("--format", choices=("json", "csv", "coco", "yolo", *more), help=as_data)
    scores = "yolo: write the score as a sixth column"
    group.add_argument("--scores", action="store_true", help=scores)
    add_thresholds(group)
    group.add_argument("--all", action="store_true", help="list all detections, not only the best")
    return group


def add_thresholds(group: argparse._ArgumentGroup) -> None:
    """What counts as found, and what it is called."""
    least = "lowest score that counts as found (default: 0.3)"
    group.add_argument("--thresh", metavar="P", type=fraction, help=least)
    overlap = "drop the lower-scored of two boxes that overlap by more (default: 0.45)"
    group.add_argument("--nms", metavar="P", type=fraction, help=overlap)
    _add_names(group)


def _add_names(parser: Parser | argparse._ArgumentGroup) -> None:
    names = (
        "file of class names, or of characters, one per line; of several outputs "
        "OUTPUT=FILE,OUTPUT=FILE"
    )
    parser.add_argument(
        *("--names", "--labels"), metavar="FILE", dest="names", type=Path, help=names
    )


def add_plan(commands: Commands, defaults: Defaults) -> None:
    about = "predict how a model would run within a memory budget, and compare budgets"
    parser = command(commands, "plan", about, defaults)
    _add_problem(parser, "predict")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the plan, for run --plan")
    frontier = "list the fastest plan for every budget"
    parser.add_argument("--frontier", action="store_true", help=frontier)
    plot = "draw the frontier (implies --frontier)"
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help=plot)
    parser.handled_by("plan")


def add_show(commands: Commands, defaults: Defaults) -> None:
    about = "list a model's layers, and show which a plan fuses, streams or computes whole"
    parser = command(commands, "show", about, defaults)
    _add_problem(parser, "show")
    svg = "draw the graph, each step of the plan in a colour"
    parser.add_argument("--svg", metavar="FILE.svg", type=Path, help=svg)
    parser.handled_by("show")


def _add_problem(parser: Parser, verb: str) -> None:
    """A model and the plan that is asked for, where nothing is run."""
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    add_size(parser)
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    named, stored = f"{verb} this plan, such as 5x5/8/2x2", f"{verb} the plan in a report"
    plan.add_argument("--tiling", metavar="NOTATION", help=named)
    plan.add_argument("--plan", metavar="FILE", type=Path, help=stored)
    add_exact_direct(parser)


def add_preparation(parser: Parser | argparse._ArgumentGroup, default: str) -> None:
    """How a picture enters the network, and what comes out."""
    kinds = ("detect", "classify", "segment", "image", "points", "text", "arrays")
    about = "what the network is for, if its outputs do not show it"
    parser.add_argument("--task", choices=kinds, help=about)
    blank = "which class of a network that reads text is no character (default: first)"
    parser.add_argument("--blank", choices=("first", "last", "none"), help=blank)
    mean = f"subtracted from pixels (0 to 255), one number or one per channel (default: {default})"
    parser.add_argument("--mean", metavar="M[,M,M]", type=_numbers, help=mean)
    std = "what the difference is divided by, one number or one per channel"
    parser.add_argument("--std", metavar="S[,S,S]", type=_numbers, help=std)
    scale = "multiply the difference by this instead, such as 1/255"
    parser.add_argument("--scale", metavar="X", type=_scale, help=scale)
    order = parser.add_mutually_exclusive_group()
    for word, blue_first in (("bgr", True), ("rgb", False)):
        help_ = (
            f"channels are {', '.join({'r': 'red', 'g': 'green', 'b': 'blue'}[c] for c in word)}"
        )
        order.add_argument(
            f"--{word}", dest="blue_first", action="store_const", const=blue_first, help=help_
        )
    either = parser.add_mutually_exclusive_group()
    ways = {
        "letterbox": "keep pictures' aspect ratio, with grey borders",
        "corner": "as --letterbox, with the picture in the top left corner",
        "stretch": "stretch pictures to the network's width and height",
        "crop": "fit the shorter side and take the middle",
    }
    for fit, told in ways.items():
        either.add_argument(f"--{fit}", dest="fit", action="store_const", const=fit, help=told)


def _numbers(word: str) -> tuple[float, ...]:
    try:
        found = tuple(float(each) for each in word.split(","))
    except ValueError:
        found = ()
    if len(found) not in (1, 3) or not all(abs(each) <= _LARGEST for each in found):
        raise argparse.ArgumentTypeError(f"'{word}' is not one number or three (104,117,123)")
    return found


def _scale(word: str) -> float:
    """What to divide by instead of multiplying: 1/255 keeps the bits of a division."""
    above, slash, below = word.partition("/")
    try:
        found = float(below) / float(above) if slash else 1 / float(above)
    except (ValueError, ZeroDivisionError):
        found = 0.0
    if not 0 < found <= _LARGEST:
        raise argparse.ArgumentTypeError(f"'{word}' is not a factor such as 1/255")
    return found
