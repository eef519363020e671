"""Sliced inference as SAHI does it: overlapping slices and the whole, merged greedily at the end.

Slices of the network's own size, a fifth of overlap, each picture's last ones moved inwards; the
same detections of several slices are merged where the intersection is more than half of the smaller
box (SAHI's GREEDYNMM with IOS 0.5, class by class, the defaults of its `get_sliced_prediction`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import ftdist

_MOST_SHARE = 0.5
_THRESHOLD = 0.3


def sliced_objects(model_file: Path, picture: Path, overlap: float) -> list[dict[str, Any]]:
    """The objects of a picture, boxes in its pixels."""
    model = ftdist.load(model_file)
    side_y, side_x = model.network.input.height, model.network.input.width
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    found = []
    with ftdist.Session(model, ftdist.plan(model, threads=2)) as session:
        for top in _starts(pixels.shape[0], side_y, overlap):
            for left in _starts(pixels.shape[1], side_x, overlap):
                part = np.ascontiguousarray(pixels[top : top + side_y, left : left + side_x])
                found += [
                    (each.score, each.label, each.x + left, each.y + top,
                     each.x + left + each.width, each.y + top + each.height)
                    for each in ftdist.detect(session, part, threshold=_THRESHOLD)
                ]  # fmt: skip
    return [_object(each) for each in _merged(sorted(found, reverse=True))]


def _starts(whole: int, side: int, overlap: float) -> list[int]:
    step = int(side * (1 - overlap))
    return sorted(
        {min(start, whole - side) for start in range(0, whole - int(side * overlap), step)}
    )


def _merged(best_first: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Each box takes in the weaker ones of its class that lie in it by half."""
    kept: list[list[Any]] = []
    for score, label, *box in best_first:
        for other in kept:
            if other[1] == label and _share(box, other[2:]) > _MOST_SHARE:
                other[2:4] = min(box[0], other[2]), min(box[1], other[3])
                other[4:6] = max(box[2], other[4]), max(box[3], other[5])
                break
        else:
            kept.append([score, label, *box])
    return [tuple(each) for each in kept]


def _share(one: list[float], other: list[float]) -> float:
    """The intersection as a part of the smaller box."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (one, other)]
    return max(0.0, wide) * max(0.0, high) / min(areas)


def _object(found: tuple[Any, ...]) -> dict[str, Any]:
    score, label, left, top, right, bottom = found
    box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {"label": label, "score": score, "box": box}
