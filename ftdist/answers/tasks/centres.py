"""Boxes out of a heat map: objects as points (CenterNet and its kin).

A position of the heat map (classes, height, width) that is the largest of the 3x3 around it is an
object's centre. Its size is read off a second map at that position: (2, height, width) width and
height, or (4, height, width) the distances to the left, top, right and bottom edge; a third map,
where there is one, is how far the centre lies from the position. All are in cells of the map.
CenterFace has logarithms of the size, and in both maps what is down before what is across.

Source: Objects as Points (Zhou, Wang, Krähenbühl 2019), section 4; CenterFace (Xu et al. 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection, above
from ftdist.answers.tasks.seen_outputs import CENTRE_STRIDE
from ftdist.network.task import Task

Floats = NDArray[np.float32]

_FRACTIONS_AT_MOST = 4.0
"""Boxes of which no number is larger are fractions of the input."""


def centred(
    task: Task, outputs: Mapping[str, NDArray[Any]], threshold: float, most: int
) -> list[Detection]:
    """All centres above the threshold, of more than `most` the best; boxes in fractions of the
    input."""
    heat, sizes, *offsets = (_map(outputs[name]) for name in task.outputs)
    with np.errstate(all="ignore"):
        if heat.min() < 0 or heat.max() > 1:
            heat = np.reciprocal(1 + np.exp(-heat))
        peaks = heat * (heat >= _largest_around(heat))
        rows, columns = np.nonzero(peaks.max(axis=0) > threshold)
        places = np.stack([columns, rows]).astype(np.float32)
        moved = offsets[0][:2, rows, columns] if offsets else np.zeros_like(places)
        found = sizes[:, rows, columns]
        if task.layout == "centres_exp":
            found, moved = np.exp(found[::-1]), moved[::-1] + np.float32(0.5)
        places = places + moved
        if len(found) == 4:
            boxes = np.concatenate([places - found[:2], places + found[2:]])
        else:
            boxes = np.concatenate([places - found / 2, places + found / 2])
        _, height, width = heat.shape
        boxes /= np.array([[width], [height], [width], [height]], np.float32)
        scores = peaks[:, rows, columns].T
        sound = np.isfinite(boxes).all(axis=0) & np.isfinite(scores).all(axis=1)
        return above(boxes[:, sound], scores[sound], threshold, most)


def in_pixels(values: Floats, size: tuple[int, int]) -> Floats:
    """Rows (left, top, right, bottom, ...) that a network chose itself from its peaks, in pixels.

    They are in cells, unless it multiplied them already: its best peaks lie all over the picture
    of `size` (height, width), so in pixels some lie behind the last of the cells.
    """
    centres = (values[:, :2] + values[:, 2:4]) / 2
    ends = np.array([size[1], size[0]], np.float32) / CENTRE_STRIDE
    if np.abs(values[:, :4]).max(initial=0) > _FRACTIONS_AT_MOST and (centres <= ends).all():
        pixels = values[:, :4] * np.float32(CENTRE_STRIDE)
        return np.concatenate([pixels, values[:, 4:]], axis=1)
    return values


def _map(array: NDArray[Any]) -> Floats:
    array = np.asarray(array)
    return (array[0] if array.ndim == 4 else array).astype(np.float32, copy=False)


def _largest_around(heat: Floats) -> Floats:
    """The largest of the 3x3 around each position."""
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    result: Floats = np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
    return result
