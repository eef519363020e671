"""Whether a run is one by bands: one picture or array in, one picture or array out, and too large.

What fits is computed whole, as ever; bands compute their halos again. `--bands` says otherwise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ftdist.answers.drawing.formats import FORMATS as PICTURES
from ftdist.cli.files.outputs import Outputs
from ftdist.cli.files.sources import Sources
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.planning.lowering.predictor import input_bytes, output_bytes
from ftdist.runtime.budget.limits import Budget

_SHARE = 4
"""A run is by bands where the arrays of the whole would take this part of the budget."""

_PICTURE_COPIES = 2
"""A picture is held as it was read, and once more while it is written."""


def by_bands(
    arguments: argparse.Namespace,
    given: Sources,
    found: Outputs,
    network: Network,
    task: Task,
    limit: Budget,
) -> bool:
    """Whether the run is one by bands; InputError where `--bands` asks for what cannot be."""
    reason = _reason_against(given, found, network, task)
    if arguments.bands == "never" or (reason and arguments.bands == "auto"):
        return False
    if reason:
        raise InputError(f"--bands always: {reason}")
    if arguments.bands == "always":
        return True
    is_array = given.all[0].is_array
    whole = input_bytes(network, picture=not is_array) * _PICTURE_COPIES + output_bytes(network)
    return whole * _SHARE > limit.bytes


def _reason_against(given: Sources, found: Outputs, network: Network, task: Task) -> str:
    """Why a run is none by bands; empty where it can be."""
    if given.several or not given.stay:
        return "one picture in a file is computed by bands, not several or a pipe"
    if found.kind not in ("arrays", "pictures") or len(found.each) != 1:
        return "its result is written as rows: name one picture or .npy file by -o"
    if found.kind == "pictures" and task.kind != "image":
        return f"{network.name} makes no picture; write a .npy file"
    if len(network.outputs) != 1 or len(network.inputs) != 1:
        return f"{network.name} has several inputs or outputs"
    if network.whole_layers:
        name = network.layers[min(network.whole_layers)].name
        return f"layer {name} needs the whole of a map"
    return ""


def is_rows_file(path: Path) -> bool:
    """Whether a file of that name can be written by rows."""
    return path.suffix.lower() in (".npy", *PICTURES)
