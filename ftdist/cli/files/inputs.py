"""What `ftdist run` takes beside its plan: for reading an input, and for what comes after the run.

What can be refused is refused before the work, by headers: an input that the network does not take,
a picture that is too large for the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ftdist.answers.kinds import (
    MOST_CANDIDATES,
    answered_bytes,
    answering_bytes,
    most_candidates,
    task_of,
)
from ftdist.cli.files.sources import Sources
from ftdist.errors import InputError
from ftdist.many.pictures_apart import reading_pictures_bytes
from ftdist.network.about import About
from ftdist.network.graph import Network
from ftdist.network.ports import Input
from ftdist.network.task import TWO_CHANNELS, Task
from ftdist.planning.lowering.predictor import lowering_bytes, output_bytes
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.imported import Pictures
from ftdist.runtime.plans.choice import RunContext

_CODE_BYTES = 1 << 19
"""What the interpreter runs while it reads a picture and did not run before."""

_MADE_CODE_BYTES = 5 << 19
"""The same of writing a picture that a network has made: numpy's code, Pillow's encoder."""

_DOTTING_BYTES = 9 << 18
"""Code that paints points, beside what draws boxes."""

_LISTS_BYTES = 7 << 18
"""Code that finds boxes in lists, beside what finds them in Darknet's heads: up to 1.6 MiB."""

_PILLOW_BYTES, _PILLOW_JPEG_BYTES = 4 << 19, 4 << 19
"""Pillow itself, where it has read no picture before, and its library for JPEG."""

AGAIN_BYTES = 512 << 10
"""Code that read a picture and was given back before the run, where more are read or drawn on."""

_LAYING_OUT_BYTES = 3 << 20
"""Code that lays labels out, small blocks and up to 500 objects, beside what was given back before:
in memory before any row of the picture is, and code that is given back before one is."""

FOUND_BYTES = 5 << 17
"""What 500 objects take while they are drawn: 0.2 to 0.6 MiB as the system counts it."""

TELLING_BYTES, _TELLING_EACH_BYTES = 9 << 17, 1300
"""What printing what was found and writing the report take once a picture is drawn and what that
took is free; up to 0.6 MiB with 500 objects, and for each one more."""

_LEFT_BEHIND_BYTES = 2 << 20
"""What reading a picture leaves in memory beside the array: a decoder's code, small free blocks."""


def phases(
    source: Path,
    network: Network,
    most_bytes: int,
    *,
    is_array: bool,
    drawn: Path | None,
    about: About,
    names: Sequence[str],
    others: Sequence[Path] = (),
) -> RunContext:
    """What reading, detecting and drawing will take, before anything but headers has been read.

    The whole process is to hold `most_bytes`; `drawn` is the picture to be made, if any, smaller if
    it is for that; `others` are pictures for the inputs after the first. Reading comes before the
    run, detecting and then drawing when the session is closed.
    """
    task = task_of(network, about)
    after = answering_bytes(network, task)
    if not others:
        _refuse_names(source, network)
    if is_array:
        if drawn is not None:
            after = max(after, _made_bytes(source, drawn, network, task, about, is_array=True))
        return RunContext(after_bytes=after)
    _refuse_picture(source, network)
    from ftdist.pictures.fitted import loading_bytes  # only pictures need it

    if others:
        reading = reading_pictures_bytes((source, *others), network, about.fit)
    else:
        reading = loading_bytes(source, network.input, about.fit)
    held = resident_bytes() + _CODE_BYTES  # with Pillow, which has looked at the picture
    left_behind, drawing = min(reading, _LEFT_BEHIND_BYTES), None
    if drawn is not None and task.kind == "image":
        after = max(after, _made_bytes(source, drawn, network, task, about, is_array=False))
    elif drawn is not None:
        there = held + left_behind + lowering_bytes(network) + output_bytes(network)
        drawing = _drawing_bytes(source, drawn, network, task, names, most_bytes - there)
        after = max(after, _drawn_bytes(network, task, drawing))
    return RunContext(not others, False, left_behind, after, held + reading, drawing)


def _drawing_bytes(
    source: Path, drawn: Path, network: Network, task: Task, names: Sequence[str], most_bytes: int
) -> int:
    """What drawing on the picture takes; it is made smaller for `most_bytes`, with the answer."""
    from ftdist.answers.drawing.draw import drawing_bytes  # only pictures need it

    if drawn.suffix.lower() == ".npy":  # numbers of classes, written as a picture's are
        drawn = drawn.with_suffix(".png")
    most_bytes -= answered_bytes(network, task)
    return drawing_bytes(source, names, drawn, most_bytes, code=False)


def _drawn_bytes(network: Network, task: Task, drawing: int) -> int:
    """What answering and then drawing take, of which `drawing` is the picture's."""
    drawing += _DOTTING_BYTES if task.kind == "points" else 0
    drawing += _LISTS_BYTES if task.kind == "detect" and task.layout != "heads" else 0
    drawing += FOUND_BYTES if task.kind == "detect" else 0
    more = most_candidates(*network.input[:2]) - MOST_CANDIDATES
    telling = TELLING_BYTES + more * _TELLING_EACH_BYTES
    return answered_bytes(network, task) + max(_LAYING_OUT_BYTES, drawing, telling)


def _dims(wanted: Input) -> str:
    """The dims of an input's array, as 1x3x224x224."""
    return "x".join(map(str, wanted.layout.of(wanted.shape)))


def _refuse_picture(source: Path, network: Network) -> None:
    """InputError for a picture where the network reads something else: sound, say, or features."""
    wanted = network.inputs[0]
    if wanted.shape.channels not in (1, 3):
        raise InputError(
            f"{source}: {network.name} does not read pictures (1 or 3 channels) but {wanted.name}, "
            f"{_dims(wanted)} numbers; give it them as a .npy file of float32"
        )


def _refuse_names(source: Path, network: Network) -> None:
    """InputError for arrays by name where one input is wanted, and the other way round."""
    several, is_named = len(network.inputs) > 1, source.suffix.lower() == ".npz"
    if several and not is_named:
        names = ", ".join(f"{each.name} {_dims(each)}" for each in network.inputs)
        raise InputError(
            f"{source}: {network.name} has {len(network.inputs)} inputs; write them by name as one "
            f".npz file, float32: {names}"
        )
    if is_named and not several:
        raise InputError(f"{source}: an input is one array; write it as a .npy file")


_MOST_LOOKED_AT = 1000
"""Pictures whose sizes a network's own may depend on."""

_COLOURED_BYTES = 96
"""What turning two channels into colours takes a pixel: several copies of three floats."""

_COLOUR_CODE_BYTES = 5 << 19
"""Code that reads the photo once more, measured: beside what writes the picture."""

_COLOUR_COPIES = 64 * 13
"""What converting rows of a photo to its colours takes, by bytes a column."""


def _made_bytes(
    source: Path, drawn: Path, network: Network, task: Task, about: About, *, is_array: bool
) -> int:
    """What writing the picture that a network makes takes, its photo's colours included."""
    from ftdist.answers.drawing.made import making_bytes

    number = network.output(task.outputs[0])
    made = network.shape(number)
    taken = making_bytes(drawn, made.width, made.height) + _MADE_CODE_BYTES
    if task.layout in TWO_CHANNELS:
        taken += network.input.height * network.input.width * _COLOURED_BYTES
    if is_array:
        is_jpeg = drawn.suffix.lower() in (".jpg", ".jpeg")
        taken += _PILLOW_BYTES + (_PILLOW_JPEG_BYTES if is_jpeg else 0)
    if network.input.channels == 1 and task.layout != "flow" and not is_array:
        from ftdist.pictures.fitted import loading_bytes

        colours = network.input._replace(channels=3)
        kept = network.input.elements * 2 + _COLOUR_COPIES * network.input.width
        reading = loading_bytes(source, colours, about.fit) + _CODE_BYTES
        taken = max(taken, reading) + kept + _COLOUR_CODE_BYTES
    return taken


def sizes_of_pictures(given: Sources, *, needed: bool) -> Pictures | None:
    """Those of the pictures among the inputs, if one can be read; where they are `needed`, what is
    wrong with one is an InputError if none can be."""
    from ftdist.pictures.rows.opening import open_rows

    sizes, wrong = [], None
    for source in given.all[:_MOST_LOOKED_AT]:
        if not source.is_array:
            try:
                with closing(open_rows(source.path)) as picture:
                    sizes.append((picture.shape.height, picture.shape.width))
            except InputError as error:
                wrong = wrong or error
    if needed and not sizes and wrong is not None:
        raise wrong
    widest = max(sizes, key=lambda size: size[1] / size[0], default=None)
    return None if widest is None else Pictures(sizes[0], widest)
