"""Whether a run is one by bands: one picture or array in, one picture or array out.

It is where the whole is too large, and where a picture has more than eight bits of a colour, or
less than three colours, or lies somewhere on the earth: what is made of it keeps that by bands, and
not what is drawn whole; and where its samples are a network's own numbers, which are read by rows
only. Else all is computed at once; bands compute their halos again. `--bands` says otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np

from ftdist.cli.files.outputs import Outputs
from ftdist.cli.files.sources import Sources
from ftdist.errors import InputError
from ftdist.large.passes import against_size, passes_of
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.network.subnetwork import subnetwork
from ftdist.network.task import TWO_CHANNELS, Task
from ftdist.pictures.rows.opening import WRITTEN, open_rows
from ftdist.pictures.rows.protocol import RowSource
from ftdist.planning.lowering.predictor import input_bytes, output_bytes
from ftdist.runtime.budget.limits import Budget

_SHARE = 4
"""A run is by bands where the arrays of the whole would take this part of the budget."""

_COLOURS = 3

_OF_NUMBERS = (".tif", ".tiff")
"""Pictures whose samples may have no fixed brightness."""

_PICTURE_COPIES = 2
"""A picture is held as it was read, and once more while it is written."""


def by_bands(
    arguments: argparse.Namespace,
    given: Sources,
    found: Outputs,
    model: Model,
    task: Task,
    limit: Budget,
) -> bool:
    """Whether the run is one by bands; InputError where `--bands` asks for what cannot be."""
    always, network = arguments.bands == "always", model.network
    if arguments.bands == "never":
        return False
    needs = _is_large(network, limit) or _keeps_more(given, found, task) or _is_numbers(given)
    if not (always or needs):
        return False
    plain = arguments.labels_picture
    reason = _reason_against(given, found, model, task, limit, plain=plain)
    if not reason:
        try:
            path, planes = given.all[0].path, network.inputs[0].layout.planar
            with closing(open_rows(path, planes=planes)) as rows:
                reason = against_size(rows.shape, network)
        except InputError:
            if always:
                raise
            return False
    if reason and always:
        raise InputError(f"--bands always: {reason}")
    return not reason


def is_for_bands(network: Network, limit: Budget) -> bool:
    """Whether a picture of the network's size is computed in bands, unless it is said otherwise."""
    if len(network.outputs) != 1 or len(network.inputs) != 1 or not _is_large(network, limit):
        return False
    try:
        passes_of(network, limit)
    except InputError:
        return False
    return True


def _keeps_more(given: Sources, found: Outputs, task: Task) -> bool:
    """Whether a picture is made of one that has something else than eight bits of red, green and
    blue. Its header tells."""
    if found.kind != "pictures" or task.kind != "image":
        return False
    return _only_one_is(
        *(given, WRITTEN),
        lambda rows: rows.dtype != np.uint8 or rows.shape.channels != _COLOURS or bool(rows.tags),
    )


def _is_numbers(given: Sources) -> bool:
    """Whether the only input is a picture of fractions, or of numbers with a sign."""
    found = _only_one_is(given, _OF_NUMBERS, lambda rows: rows.dtype == np.float32)
    return found and not given.all[0].is_array


def _only_one_is(
    given: Sources, endings: Sequence[str], condition: Callable[[RowSource], bool]
) -> bool:
    """Whether there is one input, a file with one of these endings, whose header meets that."""
    if given.several or not given.stay:
        return False
    path = given.all[0].path
    if path.suffix.lower() not in endings:
        return False
    try:
        with closing(open_rows(path)) as rows:
            return condition(rows)
    except InputError:
        return False


def _is_large(network: Network, limit: Budget) -> bool:
    whole = input_bytes(network, picture=True) * _PICTURE_COPIES + output_bytes(network)
    return whole * _SHARE > limit.bytes


def _reason_against(
    given: Sources, found: Outputs, model: Model, task: Task, limit: Budget, *, plain: bool
) -> str:
    """Why a run is none by bands; empty where it can be."""
    if given.several or not given.stay:
        return "one picture in a file is computed by bands, not several or a pipe"
    if len(model.network.inputs) != 1:
        return f"{model.network.name} has several inputs"
    reason = _against_result(found, model.network, task, plain=plain)
    if reason:
        return reason
    try:
        if detects(found, task) and task.layout != "heads":
            from ftdist.answers.rows.cells import cell_maps  # as below

            model = subnetwork(model.network, cell_maps(model.network, task), ()).of_model(model)
        elif segments(found, task):
            from ftdist.large.labelled import of_classes  # with all that it brings

            model = of_classes(model, task)
        passes_of(model.network, limit)
    except InputError as error:
        return str(error)
    return ""


def detects(found: Outputs, task: Task) -> bool:
    """Whether what is wanted are objects."""
    return task.kind == "detect" and found.kind != "arrays"


def segments(found: Outputs, task: Task) -> bool:
    """Whether what is wanted are the classes of pixels, shown or counted."""
    return task.kind == "segment" and found.kind != "arrays"


def _against_result(found: Outputs, network: Network, task: Task, *, plain: bool) -> str:
    """Why what is wanted is not made by rows."""
    if detects(found, task):
        return ""
    if segments(found, task):
        written = WRITTEN if plain else WRITTEN[1:]
        wrong = found.kind == "pictures" and found.each[0].suffix.lower() not in written
        return f"classes are written by rows as {', '.join(written)}" if wrong else ""
    if found.kind not in ("arrays", "pictures") or len(found.each) != 1:
        return "its result is written as rows: name one picture or .npy file by -o"
    if found.kind == "arrays" and found.each[0].suffix.lower() != ".npy":
        return "arrays are written as rows to a .npy file"
    if found.kind == "pictures" and task.kind != "image":
        return f"{network.name} makes no picture; write a .npy file"
    if found.kind == "pictures" and task.layout in TWO_CHANNELS:
        return "two channels are put together as colours at once; write a .npy file"
    return f"{network.name} has several outputs" if len(network.outputs) != 1 else ""
