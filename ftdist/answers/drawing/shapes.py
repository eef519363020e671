"""Shapes of objects on a photo, below their labels: masks, turned boxes, key points.

A mask is tinted in its class's colour, its holes are left clear; a turned box is its four lines;
key points are dots and, where there are as many as COCO's persons have, lines along the limbs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ftdist.answers.drawing.labels import Colour, Overlay, class_colour, line_width
from ftdist.answers.seen import outlines_of, points_of
from ftdist.answers.tasks.outlines import area
from ftdist.pictures.fitting import Box, Letterbox

if TYPE_CHECKING:
    from PIL.Image import Image

    from ftdist.answers.decode import Detection

_HALF = 128
_VISIBLE = 0.25
"""Key points that are less likely there are left out."""

_DOT, _LIMB = (0, 255, 64), (255, 160, 0)
_LIMBS = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
)
"""Pairs of COCO's 17 key points of persons."""

_PERSON_POINTS = 17


class Shapes:
    """What is painted on a photo of a `size` (width, height): shapes, and labels over them."""

    def __init__(
        self,
        overlay: Overlay,
        found: Iterable[Detection],
        box: Letterbox,
        size: tuple[int, int],
    ) -> None:
        self._overlay, self._box = overlay, box
        self._found = [each for each in found if each.points or each.outlines][::-1]
        self._scale = size[0] / box.picture_width, size[1] / box.picture_height
        self._width = line_width(size)

    def paint(self, band: Image, first: int) -> None:
        """Draws on rows of the picture what lies there; `first` is the first row's number."""
        for each in self._found:
            if each.outlines:
                self._paint_outlines(band, first, each)
            if each.points:
                self._paint_points(band, first, each)
        self._overlay.paint(band, first)

    def _paint_outlines(self, band: Image, first: int, found: Detection) -> None:
        lines = []
        for each in outlines_of(found, self._box):
            places = np.array(each).reshape(-1, 2) * self._scale - (0, first)
            lines.append(places)
        rows = np.concatenate([each[:, 1] for each in lines])
        if rows.max() < -self._width or rows.min() > band.size[1] + self._width:
            return
        colour = class_colour(found.label)
        if found.turned:
            self._paint_lines(band, [[*map(tuple, each.tolist())] for each in lines], colour)
        else:
            _tint(band, lines, colour)

    def _paint_lines(
        self, band: Image, lines: list[list[tuple[float, ...]]], colour: Colour
    ) -> None:
        from PIL.ImageDraw import Draw

        for each in lines:
            Draw(band).line([*each, *each[:2]], fill=colour, width=self._width, joint="curve")

    def _paint_points(self, band: Image, first: int, found: Detection) -> None:
        from PIL.ImageDraw import Draw

        draw, radius = Draw(band), self._width
        across, down = self._scale
        points = [
            (x * across, y * down - first) if visible > _VISIBLE else None
            for x, y, visible in points_of(found, self._box)
        ]
        for one, other in _LIMBS if len(points) == _PERSON_POINTS else ():
            ends = points[one], points[other]
            if ends[0] is not None and ends[1] is not None:
                draw.line([ends[0], ends[1]], fill=_LIMB, width=max(1, radius // 2))
        for place in points:
            if place is not None and -radius <= place[1] < band.size[1] + radius:
                x, y = place
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_DOT)


def with_shapes(
    overlay: Overlay,
    placed: Iterable[tuple[Detection, Box]],
    box: Letterbox,
    size: tuple[int, int],
) -> Shapes:
    """The overlay with the shapes of what is labelled below it."""
    return Shapes(overlay, (each for each, _ in placed), box, size)


def _tint(band: Image, lines: list[np.ndarray], colour: Colour) -> None:
    """Half of the colour over what the lines enclose, the largest first: the lines around holes go
    against the clock."""
    from PIL.Image import new
    from PIL.ImageDraw import Draw

    mask = new("L", band.size)
    draw = Draw(mask)
    for each in lines:
        draw.polygon([*map(tuple, each.tolist())], fill=_HALF if area(each) > 0 else 0)
    band.paste(colour, (0, 0), mask)
