"""What is painted over a photo beside boxes: classes of pixels, and key points.

Both know where the photo lies in the network's input, and paint bands of rows as they come by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.tasks.segments import Labels, overlaid, palette
from ftdist.network.alignment import Alignment, AxisAlignment
from ftdist.pictures.fitting import Letterbox

if TYPE_CHECKING:
    from PIL.Image import Image

_ROWS_AT_ONCE = 16
_DOT = (0, 255, 64)


def placed(
    count: int, alignment: AxisAlignment, pixels: int, offset: int, content: int, network: int
) -> NDArray[np.intp]:
    """For each of a photo's `pixels` along an axis the position of a map of `count` that shows it.

    The photo lies in the network's input from `offset` on, `content` wide; `alignment` is the
    map's with it. -1 beyond the input. A border that the network has lost is as the map is beside
    it.
    """
    middle = (np.arange(pixels) + 0.5) * content / pixels + offset
    found = np.floor((middle - alignment.start) * alignment.by / alignment.over).astype(np.intp)
    found = np.clip(found, 0, count - 1)
    found[(middle < 0) | (middle >= network)] = -1
    return found


class Tint:
    """Classes over a photo in colours, or `plain`: their numbers as grey, and nothing of it."""

    def __init__(
        self,
        found: Labels,
        alignment: Alignment,
        box: Letterbox,
        size: tuple[int, int],
        *,
        plain: bool,
    ) -> None:
        width, height = size
        self._found = found
        down = height, box.top, box.content_height, box.network_height
        across = width, box.left, box.content_width, box.network_width
        self._rows = placed(found.shape[0], alignment.rows, *down)
        self._columns = placed(found.shape[1], alignment.columns, *across)
        self._plain = plain
        self._colours = palette()

    def paint(self, band: Image, first: int) -> None:
        """Paints rows of the photo from `first` on."""
        from PIL.Image import fromarray

        for start in range(0, band.size[1], _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, band.size[1])
            part: Any = np.array(band.crop((0, start, band.size[0], stop)))
            classes = self.numbers(first + start, first + stop)
            if self._plain:
                part[...] = classes[:, :, None]
            else:
                overlaid(part, classes, self._colours)
            band.paste(fromarray(part), (0, start))

    def numbers(self, first: int, stop: int) -> Labels:
        """The classes of rows [first, stop) of the photo."""
        rows = self._rows[first:stop]
        classes = self._found[rows][:, self._columns]
        classes[rows < 0] = 0
        classes[:, self._columns < 0] = 0
        return classes


class Dots:
    """Points on a photo of a size, (n, 2) in its pixels."""

    def __init__(self, points: NDArray[np.float32], size: tuple[int, int]) -> None:
        self._points = points
        self._radius = max(1, round(min(size) / 250))

    def paint(self, band: Image, first: int) -> None:
        """Paints rows of the photo from `first` on."""
        from PIL.ImageDraw import Draw

        draw, radius = Draw(band), self._radius
        for x, y in self._points.tolist():
            if first - radius <= y < first + band.size[1] + radius:
                place = (x - radius, y - first - radius, x + radius, y - first + radius)
                draw.ellipse(place, fill=_DOT)
