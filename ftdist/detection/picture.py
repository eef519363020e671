"""Fits a photo into a network's input, and remembers how, so that boxes find their way back.

The photo keeps its aspect ratio, lies in the middle and is padded with grey, as Darknet's
letterbox_image does it. Everything stays in 8 bits, and a large JPEG is never decoded in full,
because the whole process lives on a budget: a photo of 12 megapixels would take 48 MiB for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ftdist.detection.decode import Box
from ftdist.detection.reading import Wanted, opaque, read, reading_bytes, turned
from ftdist.errors import InputError
from ftdist.geometry import Shape

GREY = 128
"""The padding: half of full brightness."""

_MODES = {1: "L", 3: "RGB"}
"""Pillow's name of a picture with that many channels."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in a network's input; everything in whole pixels.

    `left`, `top`, `content_width` and `content_height` are on the network's input.
    """

    network_width: int
    network_height: int
    picture_width: int
    picture_height: int
    left: int
    top: int
    content_width: int
    content_height: int

    @classmethod
    def fit(cls, picture_width: int, picture_height: int, network: Shape) -> Letterbox:
        """The largest content of the picture's aspect ratio, in the middle, rounded down.

        Source: Darknet's letterbox_image (image.c).
        """
        if network.width * picture_height < network.height * picture_width:
            width, height = (
                network.width,
                picture_height * network.width // picture_width,
            )
        else:
            width, height = (
                picture_width * network.height // picture_height,
                network.height,
            )
        width, height = max(1, width), max(1, height)
        left, top = (network.width - width) // 2, (network.height - height) // 2
        sizes = (network.width, network.height, picture_width, picture_height)
        return cls(*sizes, left, top, width, height)

    @property
    def scale(self) -> float:
        """Pixels of the network's input for one of the picture, before rounding to whole ones."""
        return min(
            self.network_width / self.picture_width,
            self.network_height / self.picture_height,
        )

    def to_picture(self, box: Box) -> Box:
        """The box, in fractions of the network's input, in pixels of the picture, cut at its edges.

        A box that lies in the padding becomes empty.
        """

        def across(x: float) -> float:
            pixels = (x * self.network_width - self.left) * self.picture_width
            return min(max(pixels / self.content_width, 0.0), float(self.picture_width))

        def down(y: float) -> float:
            pixels = (y * self.network_height - self.top) * self.picture_height
            return min(max(pixels / self.content_height, 0.0), float(self.picture_height))

        return Box(across(box.left), down(box.top), across(box.right), down(box.bottom))


def load_picture(path: str | Path, shape: Shape) -> tuple[NDArray[np.uint8], Letterbox]:
    """The picture as a network's input of that shape, uint8 (height, width, channels), and where.

    Networks of one channel see it in grey. A picture of exactly the network's size is not touched.
    InputError when the file is no picture, or the network takes neither 1 nor 3 channels.
    """
    wanted = _wanted(path, shape)
    stored = read(path, wanted)
    from PIL import Image

    box = Letterbox.fit(*stored.size, shape)
    content = stored.turned_size((box.content_width, box.content_height))
    image = stored.image
    if image.size != content:
        image = image.resize(content, Image.Resampling.BILINEAR)
    image = turned(opaque(image, wanted.mode), stored.orientation)
    if image.size != (shape.width, shape.height):
        canvas = Image.new(wanted.mode, (shape.width, shape.height), (GREY,) * shape.channels)
        canvas.paste(image, (box.left, box.top))
        image = canvas
    return np.array(image).reshape(shape), box


def loading_bytes(path: str | Path, shape: Shape) -> int:
    """What ``load_picture`` holds at most while it works, Pillow included; errors as there."""
    wanted = _wanted(path, shape)
    reading, fits = reading_bytes(path, wanted)
    # The array and Pillow's own copy of its bytes; resized and letterboxed pictures before that.
    return reading + (7 if fits else 16) * shape.height * shape.width


def _wanted(path: str | Path, shape: Shape) -> Wanted:
    """What a network of that input shape wants of a picture."""
    if shape.channels not in _MODES:
        raise InputError(
            f"{path}: a picture suits networks of 1 or 3 input channels, this one has "
            f"{shape.channels}; give it a .npy file"
        )

    def content(size: tuple[int, int]) -> tuple[int, int]:
        box = Letterbox.fit(*size, shape)
        return box.content_width, box.content_height

    return Wanted(_MODES[shape.channels], content)
