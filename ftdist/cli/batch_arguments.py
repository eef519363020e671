"""The arguments of the commands for many pictures, batch, and for a camera, watch."""

from __future__ import annotations

from pathlib import Path

from ftdist.cli.arguments import (
    BUDGET,
    Commands,
    Defaults,
    Parser,
    add_page,
    add_threads,
    command,
    positive,
)
from ftdist.cli.local_arguments import (
    add_exact_direct,
    add_kernels,
    add_preparation,
    add_size,
    add_thresholds,
)

_BATCH = """

  ftdist batch net.ftd photos/ -o found.jsonl            a line of JSON for each picture
  ftdist batch net.ftd -r archive/ -o found.csv          with all folders below, as a table
  ftdist batch net.ftd @list.txt -o drawn/               pictures with boxes, drawn/results.jsonl
  ftdist batch net.ftd trip.mp4 -o seen.mp4              the video with boxes
  ftdist batch net.ftd -r archive/ -o found.csv --resume goes on after a crash or Ctrl-C

What cannot be read is named and left out; the exit status is then 1."""


def add_batch(commands: Commands, defaults: Defaults) -> None:
    about = "run a model on many pictures, as fast as the machine allows"
    parser = command(commands, "batch", about, defaults, _BATCH)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    add_size(parser)
    given = "pictures, .npy files, folders, patterns, or @FILE with one of these a line"
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=given)
    below = "take the pictures of all folders below, too"
    parser.add_argument("-r", "--recursive", action="store_true", help=below)
    output = (
        "records of all inputs (.jsonl, .json, .csv, .parquet; '-' for JSON lines on standard "
        "output, the default), or a folder or a pattern such as out/{}.png, for a file of each; of "
        "one video as INPUT also a video with what was found (.mp4, .mkv, .mov)"
    )
    parser.add_argument("-o", metavar="OUTPUT", dest="output", help=output)
    resume = "continue where the same batch was interrupted, or begin if there was none"
    parser.add_argument("--resume", action="store_true", help=resume)
    group = parser.add_argument_group("what was seen")
    formats = ("jsonl", "json", "csv", "coco", "parquet")
    as_data = "format of the records (default: by OUTPUT's ending)"
    group.add_argument("--format", choices=formats, help=as_data)
    add_thresholds(group)
    add_preparation(group, "what the model file says")
    plain = "for a segmentation, write class numbers as grey values instead of colours"
    group.add_argument("--labels-picture", action="store_true", help=plain)
    _add_machine(parser)
    where = (
        "use a Dask cluster (dask://HOST:8786), or one made on this machine (dask); --mem and "
        "--threads then apply to each worker process"
    )
    parser.add_argument("--on", metavar="CLUSTER", help=where)
    workers = "with --on dask: N worker processes (default: one per processor)"
    parser.add_argument("--workers", metavar="N", type=positive, help=workers)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write a report as JSON")
    parser.set_defaults(configured_model=parser.known.get("model"))
    parser.handled_by("batch")


_WATCH = """

  ftdist watch net.ftd /dev/video0 -o live.jpg          a camera with boxes, frame by frame
  ftdist watch net.ftd rtsp://door/stream -o door.jsonl a stream; a line of JSON for each frame
  ftdist watch net.ftd inbox/ -o found/                 each picture that falls into a folder
  ftdist watch net.ftd /dev/video0 --mqtt mqtt://home/ftdist/door

The newest frame is taken; frames that come too fast are dropped and counted. A camera or a stream
that breaks is opened again. SIGTERM or Ctrl-C ends it, with exit status 0."""


def add_watch(commands: Commands, defaults: Defaults) -> None:
    about = "run a model on a camera, a stream, or what falls into a folder"
    parser = command(commands, "watch", about, defaults, _WATCH)
    parser.positional("model", metavar="MODEL", type=Path, help="model file (.ftd), or .onnx")
    add_size(parser)
    given = "a device (/dev/video0), an address (rtsp://...), a video, or a folder"
    parser.add_argument("source", metavar="SOURCE", help=given)
    output = (
        "a picture that is replaced by each frame with boxes (live.jpg), a folder for all of them, "
        "or a file to which a line of JSON is added (.jsonl); '-' is standard output (default)"
    )
    parser.add_argument("-o", metavar="OUTPUT", dest="output", help=output)
    mqtt = "also send results to an MQTT broker, in the form that Home Assistant reads"
    parser.add_argument("--mqtt", metavar="mqtt://HOST/TOPIC", help=mqtt)
    group = parser.add_argument_group("what was seen")
    add_thresholds(group)
    add_preparation(group, "what the model file says")
    _add_machine(parser)
    parser.set_defaults(configured_model=None, labels_picture=False)
    parser.handled_by("watch")


def _add_machine(parser: Parser) -> None:
    """What the machine gives: memory and threads, and the plan that is to be run."""
    parser.add_argument("--mem", metavar="SIZE", help=BUDGET)
    add_threads(parser)
    plan = parser.add_mutually_exclusive_group()
    named = "run this plan, such as 1x1s4; its threads are those of a picture"
    plan.add_argument("--tiling", metavar="NOTATION", help=named)
    plan.add_argument("--plan", metavar="FILE", type=Path, help="run the plan in a --json report")
    add_exact_direct(parser)
    add_page(parser)
    add_kernels(parser)
