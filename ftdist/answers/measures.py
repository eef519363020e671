"""Measures of an object as files have them: its box, its outlines, its area, its key points.

What is derived is derived of rounded numbers: it is the same of an object and of its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftdist.answers.seen import Found

PIXEL_DIGITS = 3
"""A thousandth of a pixel; detectors' own answers are coarser by far."""

SCORE_DIGITS = 6

_TRIANGLE, _HALF = 6, 0.5


def box_of(found: Found) -> list[float]:
    """Its left and top edge, its width and height."""
    return [round(each, PIXEL_DIGITS) for each in (found.x, found.y, found.width, found.height)]


def outlines_of(found: Found) -> list[list[float]]:
    """Its outlines, each x, y, x, y and so on."""
    return [[round(each, PIXEL_DIGITS) for each in line] for line in found.outlines]


def coco_details(found: Found) -> dict[str, Any]:
    """As COCO has outlines (of holes none), and key points: 2 for visible ones, 1 for others."""
    value: dict[str, Any] = {}
    if found.outlines:
        value["segmentation"] = [
            line for line in outlines_of(found) if len(line) >= _TRIANGLE and enclosed(line) > 0
        ]
    if found.points:
        points = ([round(each, PIXEL_DIGITS) for each in point] for point in found.points)
        known = [(x, y, 2 if visible >= _HALF else 1) for x, y, visible in points]
        value["keypoints"] = [each for point in known for each in point]
        value["num_keypoints"] = len(known)
    return value


def area_of(found: Found) -> float:
    """That of its outlines, of holes less, or of its box."""
    if not found.outlines:
        *_, width, height = box_of(found)
        return width * height
    return abs(sum(map(enclosed, outlines_of(found))))


def enclosed(line: Sequence[float]) -> float:
    """The area within x, y, x, y and so on; negative against the clock."""
    x, y = line[0::2], line[1::2]
    around = zip(x, y, [*x[1:], x[0]], [*y[1:], y[0]], strict=True)
    return sum(a * d - b * c for a, b, c, d in around) / 2
