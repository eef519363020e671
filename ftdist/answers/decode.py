"""Turns the raw maps of detection heads into scored boxes.

Boxes are in fractions of the network's input, (0, 0) its top left and (1, 1) its bottom right; what
they mean on the photo is the letterbox's business (``picture.py``). An anchor is looked at only
where its objectness passes the threshold, which leaves a few positions of thousands, and each of
those may carry several labels, as in Darknet.

Maps are not trusted to make sense, for weights may be random or broken: an anchor with any value
that is not finite is no detection, and of one anchor's map at most ``most_candidates`` go on, the
best, and of all twice as many, so that memory stays bounded when everything seems to be one.

How an anchor reads its map is ``anchors``; what is here goes for all of them, and for the grid of
YOLOv1 (Darknet's detection_layer.c), which has no anchors.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.anchors import YoloAnchor, anchors, shift, softmax
from ftdist.answers.kinds import MOST_CANDIDATES, heads, most_candidates
from ftdist.errors import InputError
from ftdist.network.graph import Layer, Network
from ftdist.network.heads import GridHead
from ftdist.pictures.fitting import Box

Floats = NDArray[np.float32]

_SCORES_AT_ONCE = 1 << 14
"""Scores that are looked at at a time, of which all may be above the threshold."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: the number of its class, a score in 0..1, and where it is.

    `box` is in fractions of the network's input and may reach beyond 0..1, and so are key points
    (x, y, how visible 0..1) and `outlines` (x, y, x, y and so on, closed): those of its mask or,
    where it is `turned`, the corners of its own box, around which `box` lies. `row` is its place in
    the list that it was read from.
    """

    label: int
    score: float
    box: Box
    row: int = field(default=-1, compare=False)
    points: tuple[tuple[float, float, float], ...] = ()
    outlines: tuple[array[float], ...] = ()
    turned: bool = False


def decode(
    network: Network, outputs: Mapping[str, NDArray[Any]], threshold: float
) -> list[Detection]:
    """All detections that score above the threshold, ordered by head, anchor and position.

    `outputs` holds for each head, by its layer's name, the raw map (channels, height, width).
    InputError when one is missing or of another shape, or the threshold is not in 0..1.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"the score threshold must be in 0..1, it is {threshold}")
    found: list[Detection] = []
    most = most_candidates(*network.input[:2])
    for layer, own in network.once(_heads_and_anchors):
        raw = _raw_map(outputs, layer)
        if isinstance(layer.operation, GridHead):
            more = _decode_grid(raw.reshape(-1), layer.operation, threshold)
            found = _best(found + more, 2 * most)
            continue
        maps = raw.reshape(len(own), -1, *raw.shape[1:])
        for number in _hopeful(maps, own[0], threshold):
            more = decoded(maps[number], own[number], threshold, 0, raw.shape[1:], most)
            found = _best(found + more, 2 * most)
    return found


def _heads_and_anchors(network: Network) -> list[tuple[Layer, tuple[YoloAnchor, ...]]]:
    """The heads in order, each with its anchors; a grid has none."""
    return [
        (layer, () if isinstance(layer.operation, GridHead) else anchors(layer, network.input))
        for layer in heads(network)
    ]


def _hopeful(maps: Floats, anchor: YoloAnchor, threshold: float) -> list[int]:
    """The anchors of whose maps something may be above the threshold: of most pictures none."""
    objectness = maps[:, anchor.objectness_at]
    needed = np.float32(anchor.needed(threshold))
    if np.maximum.reduce(objectness, axis=None) <= needed:  # never so where one is no number
        return []
    with np.errstate(all="ignore"):
        found: list[int] = np.flatnonzero((objectness > needed).any(axis=(1, 2))).tolist()
    return found


def above(
    boxes: Floats,
    scores: Floats,
    threshold: float,
    most: int = MOST_CANDIDATES,
    rows: NDArray[np.intp] | None = None,
) -> list[Detection]:
    """What scores above the threshold, of boxes (4, n) and scores (n, classes); no more than `most`
    of it, the best. `rows` are the places of the boxes in their list."""
    places, labels, strength = _strongest(scores, threshold, most)
    corners = boxes[:, places].T.tolist()
    own = places if rows is None else rows[places]
    found = zip(labels.tolist(), strength.tolist(), corners, own.tolist(), strict=True)
    return [Detection(label, score, Box(*corner), row) for label, score, corner, row in found]


def _strongest(
    scores: Floats, threshold: float, most: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Rows, columns and values of what is above the threshold, of more than `most` the largest.

    Some rows are looked at at a time: where the threshold is 0, nearly all is above it.
    """
    places, labels = np.zeros(0, np.intp), np.zeros(0, np.intp)
    at_once = max(1, _SCORES_AT_ONCE // max(1, scores.shape[1]))
    for first in range(0, len(scores), at_once):
        more_places, more_labels = np.nonzero(scores[first : first + at_once] > threshold)
        places = np.concatenate([places, more_places + first])
        labels = np.concatenate([labels, more_labels])
        if len(places) > most:
            best = np.sort(np.argsort(-scores[places, labels], kind="stable")[:most])
            places, labels = places[best], labels[best]
    return places, labels, scores[places, labels]


def _best(found: list[Detection], most: int) -> list[Detection]:
    """The best of them as they are ordered, no more than `most`."""
    if len(found) <= most:
        return found
    ranked = sorted(range(len(found)), key=lambda place: -found[place].score)
    return [found[place] for place in sorted(ranked[:most])]


def _raw_map(outputs: Mapping[str, NDArray[Any]], layer: Layer) -> Floats:
    """The head's map, (channels, height, width)."""
    if layer.name not in outputs:
        raise InputError(f"the outputs lack the map of the detection head {layer.name}")
    raw = np.asarray(outputs[layer.name])
    expected = (layer.shape.channels, layer.shape.height, layer.shape.width)
    if raw.shape != expected:
        raise InputError(f"the map of {layer.name} is {raw.shape}, it should be {expected}")
    if raw.dtype == np.float32:
        return raw
    with np.errstate(all="ignore"):
        return raw.astype(np.float32)


def decoded(
    values: Floats,
    anchor: YoloAnchor,
    threshold: float,
    top: int,
    size: tuple[int, int],
    most: int = MOST_CANDIDATES,
) -> list[Detection]:
    """Detections of one anchor in rows of its map, from row `top` on; `size` is the whole map's.

    `values` is (values of an anchor, rows, width). Of more than `most` the best are kept.
    """
    with np.errstate(all="ignore"):
        rows, columns = np.nonzero(anchor.objectness(values) > threshold)
        if not len(rows):
            return []
        picked = values[:, rows, columns]
        scores = anchor.scores(picked)
        if not (scores > threshold).any():
            return []
        cells = np.array(size[::-1], np.float32)[:, np.newaxis]
        centres = (np.stack([columns, rows + top]) + anchor.offsets(picked)) / cells
        sizes = anchor.sizes(picked)
        boxes = _corners(centres + np.float32(shift(anchor)) * sizes, sizes)
        sound = np.isfinite(picked).all(axis=0) & np.isfinite(boxes).all(axis=0)
        return above(boxes[:, sound], scores[sound], threshold, most)


def _decode_grid(values: Floats, head: GridHead, threshold: float) -> list[Detection]:
    """Detections of a grid; `values` is the head's whole list. A box must have a size."""
    cells, side = head.side**2, head.side
    classes, confidences, raw = np.split(
        values, [cells * head.classes, cells * (head.classes + head.boxes)]
    )
    rows, columns = np.divmod(np.arange(cells, dtype=np.float32), np.float32(side))
    found: list[Detection] = []
    with np.errstate(all="ignore"):
        scores = classes.reshape(cells, head.classes)
        scores = softmax(scores) if head.softmax else scores
        for box in range(head.boxes):
            mine = raw.reshape(cells, head.boxes, 4)[:, box].T
            confidence = confidences.reshape(cells, head.boxes)[:, box, np.newaxis]
            sizes = np.square(mine[2:]) if head.squared else mine[2:]
            boxes = _corners((np.stack([columns, rows]) + mine[:2]) / np.float32(side), sizes)
            strength = scores * confidence
            sound = np.isfinite(boxes).all(axis=0) & np.isfinite(strength).all(axis=1)
            sound &= (sizes >= 0).all(axis=0)
            found += above(boxes[:, sound], strength[sound], threshold)
    return found


def _corners(centres: Floats, sizes: Floats) -> Floats:
    """Left, top, right, bottom, (4, n)."""
    half = sizes * np.float32(0.5)
    return np.concatenate([centres - half, centres + half]).astype(np.float32, copy=False)
