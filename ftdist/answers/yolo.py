"""One picture's objects as labels for training: a line each, in fractions of the picture."""

from __future__ import annotations

from ftdist.answers.measures import SCORE_DIGITS
from ftdist.answers.seen import Seen

_FRACTION_DIGITS = 8
"""A thousandth of a pixel in a picture of 100,000; detectors' own answers are coarser by far."""


def as_yolo(result: Seen, *, scores: bool = False) -> str:
    """One picture's objects, as labels for training are written; with `scores` one more column.

    Key points stand behind the box; the corners of a turned box, or of the largest outline of a
    mask, stand in its place.
    """
    lines = []
    for each in result.objects:
        fractions = [
            (each.x + each.width / 2) / result.width,
            (each.y + each.height / 2) / result.height,
            each.width / result.width,
            each.height / result.height,
        ]
        if each.outlines:
            size = result.width, result.height
            fractions = [value / size[at % 2] for at, value in enumerate(each.outlines[0])]
        for x, y, visible in each.points:
            fractions += [x / result.width, y / result.height, visible]
        words = [str(each.number), *(f"{value:.{_FRACTION_DIGITS}f}" for value in fractions)]
        if scores:
            words.append(f"{each.score:.{SCORE_DIGITS}f}")
        lines.append(" ".join(words) + "\n")
    return "".join(lines)
