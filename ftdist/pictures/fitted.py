"""Fits a photo into a network's input, and remembers how, so that boxes find their way back.

Everything stays in 8 bits, and the picture comes by in bands, because the whole process lives on a
budget: a photo of 12 megapixels would take 48 MiB for itself. A JPEG of more than a megapixel is
decoded at a half, a quarter or an eighth of its size where that is more than the network takes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.about import GREY, Fit
from ftdist.pictures.exif import TURNS, Turn
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.picture import Size
from ftdist.pictures.plainjpeg import plain_jpeg
from ftdist.pictures.reading import Picture, Source, opened
from ftdist.pictures.resizing import Axis, Resizer

__all__ = ["Letterbox", "load_picture", "loading_bytes"]

_MODES = {1: "L", 3: "RGB"}
"""Pillow's name of a picture with that many channels."""

_AS_STORED = TURNS[1]
"""Of a picture that says nothing of how to turn it."""

_RESIZING_BYTES = 64
"""For a value of a row: one in 8 bits, two in float32, what it is made of, and the picture's last
row of a band."""

_PIXELS_IN_FULL = 1 << 20
"""Up to here a JPEG is decoded in its own size, so that it is resized exactly as Darknet does."""


def load_picture(
    source: Source,
    shape: Shape,
    fit: Fit = "letterbox",
    most_bytes: int | None = None,
    fill: int = GREY,
    ask: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.uint8], Letterbox]:
    """The picture as a network's input of that shape, uint8 (height, width, channels), and where.

    `fill` is the padding. Networks of one channel see it in grey. A picture of exactly the
    network's size is not touched. InputError when the file is no picture, the network takes neither
    1 nor 3 channels, or reading it would take more than `most_bytes`. `ask` is told what it will
    take before anything is decoded: it may wait, or raise.
    """
    mode = _mode(source, shape)
    repeats = fit in ("crop", "pad")
    plain = plain_jpeg(source, mode)
    needed = 0 if plain is None else plain.decoding_bytes + _input_bytes(shape)
    if plain is not None and (most_bytes is None or needed <= most_bytes):
        if ask is not None:
            ask(needed)
        rows = plain.rows(mode)
        if rows is not None:
            box = Letterbox.fit(*plain.size, shape, fit)
            pixels, resizer = _placed(plain.size, _AS_STORED, box, shape, fill, repeats=repeats)
            resizer.take(0, rows)
            return pixels, box
    with opened(source) as picture:  # says what is wrong with it
        box = Letterbox.fit(*picture.size, shape, fit)
        _draft(picture, mode, box)
        needed = picture.decoding_bytes + _input_bytes(shape)
        if most_bytes is not None and needed > most_bytes:
            raise InputError(
                f"{source}: too large a picture: {picture.named} takes {needed >> 20} MiB to read, "
                f"and there are {most_bytes >> 20}"
            )
        if ask is not None:
            ask(needed)
        stored = picture.as_stored(picture.decoded)
        pixels, resizer = _placed(stored, picture.turn, box, shape, fill, repeats=repeats)
        picture.samples(mode, resizer.take)
        return pixels, box


def loading_bytes(source: Source, shape: Shape, fit: Fit = "letterbox") -> int:
    """What ``load_picture`` holds at most, beside what the process holds after this call.

    InputError as there.
    """
    mode = _mode(source, shape)
    with opened(source) as picture:
        _draft(picture, mode, Letterbox.fit(*picture.size, shape, fit))
        return picture.decoding_bytes + _input_bytes(shape)


def _input_bytes(shape: Shape) -> int:
    """The network's input, and what resizing into it takes."""
    height, width, channels = shape
    return height * width * channels + _RESIZING_BYTES * max(width, height) * channels


def _mode(source: Source, shape: Shape) -> str:
    if shape.channels not in _MODES:
        raise InputError(
            f"{source}: a picture suits networks of 1 or 3 input channels, this one has "
            f"{shape.channels}; give it a .npy file"
        )
    return _MODES[shape.channels]


def _draft(picture: Picture, mode: str, box: Letterbox) -> None:
    needed = picture.as_stored((box.content_width, box.content_height))
    width, height = picture.full
    picture.draft(mode, picture.full if width * height <= _PIXELS_IN_FULL else needed)


def _placed(
    size: Size, turn: Turn, box: Letterbox, shape: Shape, fill: int, *, repeats: bool
) -> tuple[NDArray[np.uint8], Resizer]:
    """The network's input with its padding, and what fills the rest of it with the content of a
    picture of that upright size as its rows come by, `turn` of which makes them upright.

    What the content leaves free `repeats` its edges, as crop_image does, or is padding.
    """
    width, height = size
    across = box.left, box.content_width, box.network_width
    down = box.top, box.content_height, box.network_height
    left, columns = _visible(width, *across, repeats=repeats)
    top, rows = _visible(height, *down, repeats=repeats)
    pixels = np.empty(shape, np.uint8)
    right, bottom = left + columns.length, top + rows.length
    if rows.length < shape.height:
        pixels[:top] = pixels[bottom:] = fill
    if columns.length < shape.width:
        pixels[top:bottom, :left] = pixels[top:bottom, right:] = fill
    window = pixels[top:bottom, left:right]
    if turn.sideways:
        window, rows, columns = window.transpose(1, 0, 2), columns, rows
    if turn.rows_reversed:
        rows = _reversed(rows)
    if turn.columns_reversed:
        columns = _reversed(columns)
    return pixels, Resizer(rows, columns, window)


def _visible(
    source: int, offset: int, content: int, network: int, *, repeats: bool
) -> tuple[int, Axis]:
    """Along an axis, where the content begins in the network's input, and its pixels there."""
    if repeats:
        return 0, Axis(source, content, -offset, network)
    return offset, Axis(source, content, 0, content)


def _reversed(axis: Axis) -> Axis:
    return axis._replace(first=axis.target - 1 - axis.first, step=-1)
