"""Writes the picture that comes of an input: the photo with what was found on it, or another one
that the network made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.geometry import Shape
from ftdist.network.about import About
from ftdist.network.alignment import Alignment, aligned, stretched
from ftdist.network.graph import Network
from ftdist.network.task import TWO_CHANNELS, Task
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.rows.opening import WRITTEN, create_rows, open_rows
from ftdist.runtime.local import Outputs

if TYPE_CHECKING:
    from ftdist.answers.drawing.draw import Over
    from ftdist.answers.drawing.labels import Between
    from ftdist.answers.seen import Answer
    from ftdist.pictures.reading import Source


_MIDDLE_GREY = 128

COLOUR_ROWS = 64
"""Rows whose colours are converted at once."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A network's outputs for an input, and how a picture lay in it."""

    outputs: Outputs
    letterbox: Letterbox | None

    @property
    def maps(self) -> Outputs:
        """Outputs without a batch axis: (channels, height, width) where they are maps."""
        return {
            name: array[0] if array.ndim == 4 and len(array) == 1 else array
            for name, array in self.outputs.items()
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo, what came of it, and how it is to be shown; `plain`: classes as numbers in grey."""

    photo: Source
    computed: Computed
    answer: Answer | None
    names: tuple[str, ...]
    plain: bool


def write_picture(
    target: Path,
    network: Network,
    task: Task,
    about: About,
    shown: Shown,
    most_bytes: int,
    drawing_bytes: int | None = None,
    between: Between | None = None,
) -> list[str]:
    """Writes it; gives what is to be said of it, a line each. Bytes, `between`: as ``draw``'s."""
    if task.kind == "image":
        return _write_made(target, network, task, about, shown)
    numbers = shown.plain and shown.answer is not None and shown.answer.classes is not None
    if numbers and target.suffix.lower() in WRITTEN:
        return _write_numbers(target, network, task, shown)
    from ftdist.answers.drawing.draw import draw  # there already, for its bytes were counted

    assert shown.answer is not None and shown.computed.letterbox is not None
    box, detections = shown.computed.letterbox, shown.answer.detections
    over = _over(network, task, shown, box)
    given = shown.photo, detections, shown.names, target, box
    listed = task.kind == "classify"
    return draw(*given, most_bytes, between, over, listed=listed, drawing_bytes=drawing_bytes)


def _alignment(network: Network, task: Task, made: tuple[int, ...]) -> Alignment:
    """Of what was made of the output that is shown, (height, width), with the network's input."""
    number = network.output(task.outputs[0])
    own, (height, width) = network.shape(number), made
    if (height, width) == (own.height, own.width):
        return aligned(network, number)
    return stretched(Shape(height, width, own.channels), network.input)


def _write_numbers(target: Path, network: Network, task: Task, shown: Shown) -> list[str]:
    """The numbers of the photo's classes, one channel, as runs by bands write them."""
    from ftdist.answers.drawing.overlays import Tint

    assert shown.answer is not None and shown.answer.classes is not None
    box = shown.computed.letterbox
    assert box is not None
    width, height = box.picture_width, box.picture_height
    classes = shown.answer.classes
    alignment = _alignment(network, task, classes.shape)
    tint = Tint(classes, alignment, box, (width, height), plain=True)
    like = open_rows(Path(shown.photo)) if isinstance(shown.photo, str | Path) else None
    shape = Shape(height, width, 1)
    try:
        with atomic_write(target) as temporary:
            sink = create_rows(temporary, shape, np.dtype(np.uint8), like, planes=False)
            try:
                for first in range(0, height, COLOUR_ROWS):
                    sink.write(tint.numbers(first, min(first + COLOUR_ROWS, height))[:, :, None])
                sink.finish()
            finally:
                sink.abandon(keep=False)
    finally:
        if like is not None:
            like.close()
    return []


def _over(network: Network, task: Task, shown: Shown, box: Letterbox) -> Over | None:
    """What is painted instead of boxes."""
    from ftdist.answers.seen import Pointed

    assert shown.answer is not None
    result, classes = shown.answer.result, shown.answer.classes
    if classes is not None:
        from ftdist.answers.drawing.overlays import Tint

        alignment = _alignment(network, task, classes.shape)
        return partial(Tint, classes, alignment, box, plain=shown.plain)
    if isinstance(result, Pointed):
        from ftdist.answers.drawing.overlays import Dots

        points = np.array(result.points, np.float32).reshape(-1, 2)
        size = np.array([box.picture_width, box.picture_height], np.float32)
        return lambda drawn: Dots(points / size * np.array(drawn, np.float32), drawn)
    return None


def _write_made(
    target: Path, network: Network, task: Task, about: About, shown: Shown
) -> list[str]:
    from ftdist.answers.drawing.made import write_made
    from ftdist.answers.tasks.images import value_range
    from ftdist.answers.tasks.segments import planar

    box = shown.computed.letterbox
    array: NDArray[Any] = shown.computed.outputs[task.outputs[0]]
    size = network.input.height, network.input.width
    colours, values, blue_first = None, (0.0, 255.0), False
    if task.layout in TWO_CHANNELS:
        array = _of_two_channels(array, network, task, about, shown)
    else:
        values = value_range(array, alone=len(planar(array, size)) == 1)
        blue_first = network.inputs[0].pixels.blue_first
        if network.input.channels == 1 and box is not None:
            colours = _colours(shown.photo, network, about)
    alignment = _alignment(network, task, planar(array, size).shape[1:])
    write_made(
        *(array, size, values, target, box, alignment), blue_first=blue_first, colours=colours
    )
    if box is not None and box.content_width < box.picture_width and about.fit != "stretch":
        return [
            f"from the picture at {box.content_width}x{box.content_height}, for it is larger than "
            f"the network's input: import with --size {box.picture_height}x{box.picture_width}"
        ]
    return []


def _of_two_channels(
    array: NDArray[Any], network: Network, task: Task, about: About, shown: Shown
) -> NDArray[np.uint8]:
    """A flow, or a grey photo's colours, as red, green and blue (3, height, width)."""
    from ftdist.answers.tasks.two_channels import flow_colours, lab_colours
    from ftdist.pictures.fitted import load_picture

    size = network.input.height, network.input.width
    if task.layout == "flow":
        return flow_colours(array, size)
    if shown.computed.letterbox is None:
        grey = np.full(size, _MIDDLE_GREY, np.uint8)
    else:
        grey = load_picture(shown.photo, network.input, about.fit, fill=about.fill)[0][:, :, 0]
    return lab_colours(grey, array, size)


def _colours(photo: Source, network: Network, about: About) -> NDArray[np.uint8]:
    """Cb and Cr of the photo as the network saw it."""
    from ftdist.answers.drawing.made import chroma
    from ftdist.pictures.fitted import load_picture

    pixels, _ = load_picture(photo, network.input._replace(channels=3), about.fit)
    found = np.empty((*pixels.shape[:2], 2), np.uint8)
    for start in range(0, len(pixels), COLOUR_ROWS):
        rows = slice(start, start + COLOUR_ROWS)
        found[rows] = chroma(pixels[rows])
    return found
