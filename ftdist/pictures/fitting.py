"""Where a picture lies in a network's input, so that boxes find their way back.

Three ways are Darknet's. `letterbox` keeps the aspect ratio, puts the whole picture in the middle
and leaves grey around it (letterbox_image); `stretch` fills the input whatever the aspect ratio
(resize_image, what AlexeyAB's detector does unless letter_box=1); `crop` fits the shorter side and
cuts what is too long from the middle (resize_min and crop_image, what classifiers are fed with).
Two are others': `corner` is a letterbox at the top left (YOLOX), `pad` does not enlarge either.

A large picture whose size the network has, rounded up to whole strides, lies at the top left as it
is, however it would be fitted: so it enters in bands of rows, which nobody resizes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.about import Fit

_LARGE_PIXELS, _ROUNDED_UP = 1 << 20, 64
"""From so many pixels on a picture is large; sides are rounded up by less than a long stride."""


class Box(NamedTuple):
    """A rectangle with left <= right and top <= bottom; whoever hands it on says in which units."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies in it; of an edge that is no number nothing does."""
        return not (self.left < self.right and self.top < self.bottom)


class Letterbox(NamedTuple):
    """Where a picture lies in a network's input; everything in whole pixels.

    The picture, resized to `content_width` x `content_height`, has its corner at `left`, `top` of
    the network's input: positive where grey is beside it, negative where it is cut.
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
    def fit(
        cls, picture_width: int, picture_height: int, network: Shape, fit: Fit = "letterbox"
    ) -> Letterbox:
        """Where the picture lies when it is fitted in that way; sizes are rounded down.

        Source: Darknet's letterbox_image, resize_image, resize_min and crop_image (image.c).
        """
        size, picture = (network.width, network.height), (picture_width, picture_height)
        if fit != "crop" and _as_it_is(picture, size):
            return cls(*size, *picture, 0, 0, *picture)
        if fit == "letterbox":
            width, height = _inside(picture, size)
        elif fit == "corner":
            return cls(*size, *picture, 0, 0, *_inside(picture, size))
        elif fit == "pad":
            fits = picture[0] <= size[0] and picture[1] <= size[1]
            return cls(*size, *picture, 0, 0, *(picture if fits else _inside(picture, size)))
        elif fit == "crop":
            width, height = _shorter_side(picture, network.width)
        else:
            width, height = size
        # C divides towards zero
        left, top = int((size[0] - width) / 2), int((size[1] - height) / 2)
        return cls(*size, *picture, left, top, width, height)

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

    def places(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (n, 2), x and y in fractions of the network's input, in pixels of the picture."""
        sides = np.array([self.network_width, self.network_height], np.float64)
        scale = self.picture_width / self.content_width, self.picture_height / self.content_height
        result: NDArray[np.float64] = (places * sides - (self.left, self.top)) * np.array(scale)
        return result


def _as_it_is(picture: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a picture is large, and the network's input has its size, rounded up."""
    if picture[0] * picture[1] < _LARGE_PIXELS:
        return False
    beside = [own - its for own, its in zip(size, picture, strict=True)]
    return min(beside) >= 0 and max(beside) < _ROUNDED_UP


def _inside(picture: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the picture's aspect ratio within `size`."""
    if size[0] * picture[1] < size[1] * picture[0]:
        return size[0], max(1, picture[1] * size[0] // picture[0])
    return max(1, picture[0] * size[1] // picture[1]), size[1]


def _shorter_side(picture: tuple[int, int], side: int) -> tuple[int, int]:
    """The size of the picture's aspect ratio whose shorter side is `side`."""
    width, height = picture
    if width < height:
        return side, height * side // width
    return width * side // height, side
