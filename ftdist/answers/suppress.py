"""Keeps of overlapping boxes of one class the best: greedy non-maximum suppression.

Boxes of different classes never suppress each other. The order is fixed, by score from high to low
and, for equal scores, by place in the list, so equal maps give equal lists on every machine.
Overlap is intersection over union, compared without the division: an empty box overlaps nothing.
A network may ask that the distance of the centres counts too (``network.heads.Suppression``), which
leaves neighbours alone that overlap much but have middles of their own.

Source: Distance-IoU loss (2020), and Darknet's box.c (box_diou, box_diounms).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection
from ftdist.errors import InputError
from ftdist.network.heads import PLAIN, Suppression


def suppress(
    detections: Sequence[Detection], overlap: float, suppression: Suppression = PLAIN
) -> list[Detection]:
    """The detections that no better one of their class overlaps by more than `overlap` (0..1)."""
    if not 0 <= overlap <= 1:
        raise InputError(f"the overlap must be in 0..1, it is {overlap}")
    if not detections:
        return []
    boxes = np.array([each.box for each in detections], dtype=np.float64)
    return _kept(
        detections, boxes, lambda box, rest: _overlaps(box, rest, overlap, suppression.distance)
    )


def suppress_turned(
    detections: Sequence[Detection], boxes: NDArray[np.float32], overlap: float
) -> list[Detection]:
    """The same of turned boxes (n, 5): centre, size and angle, whose overlap is that of the normal
    distributions that have their spread (probabilistic IoU, Llerena and others 2021)."""
    if not detections:
        return []
    spreads = _spreads(boxes.astype(np.float64))
    return _kept(detections, spreads, lambda box, rest: _near(box, rest) > overlap)


_Drops = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
"""Which of the others, (n, values), a better box drops."""


def _kept(
    detections: Sequence[Detection], boxes: NDArray[np.float64], drops: _Drops
) -> list[Detection]:
    scores = np.array([each.score for each in detections])
    labels = np.array([each.label for each in detections])
    ranked = np.argsort(-scores, kind="stable")
    kept = np.zeros(len(detections), dtype=bool)
    for label in np.unique(labels):
        members = ranked[labels[ranked] == label]
        kept[members[_best(boxes[members], drops)]] = True
    return [detections[index] for index in ranked if kept[index]]


def _best(boxes: NDArray[np.float64], drops: _Drops) -> NDArray[np.bool_]:
    """Which of one class's boxes, from best to worst, are kept."""
    kept = np.ones(len(boxes), dtype=bool)
    for index in range(len(boxes)):
        if kept[index]:
            kept[index + 1 :] &= ~drops(boxes[index], boxes[index + 1 :])
    return kept


def _spreads(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 5): x, y, their variances and their covariance."""
    x, y, width, height, angle = boxes.T
    along, across = np.square(width) / 12, np.square(height) / 12
    cos, sin = np.cos(angle), np.sin(angle)
    across_x = along * cos**2 + across * sin**2
    return np.stack(
        [x, y, across_x, along * sin**2 + across * cos**2, (along - across) * cos * sin], axis=1
    )


def _near(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much two spreads are alike, 0 to 1: one less their Hellinger distance."""
    least = 1e-7
    x, y = one[0] - others[:, 0], one[1] - others[:, 1]
    a, b, c = one[2:, np.newaxis] + others[:, 2:].T
    both = a * b - c * c
    own, their = one[2] * one[3] - one[4] ** 2, others[:, 2] * others[:, 3] - others[:, 4] ** 2
    apart = (a * y * y + b * x * x - 2 * c * x * y) / (both + least) / 4
    unlike = np.log(both / (4 * np.sqrt(np.maximum(own * their, 0)) + least) + least) / 2
    distance = np.clip(apart + unlike, least, 100)
    result: NDArray[np.float64] = 1 - np.sqrt(1 - np.exp(-distance) + least)
    return result


def _overlaps(
    box: NDArray[np.float64], others: NDArray[np.float64], overlap: float, distance: float
) -> NDArray[np.bool_]:
    """Which of the others, (n, 4), share more than `overlap` of their union with the box."""
    corner = np.maximum(box[:2], others[:, :2])
    common = np.prod(np.clip(np.minimum(box[2:], others[:, 2:]) - corner, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    most: float | NDArray[np.float64] = overlap
    if distance:
        most = overlap + _apart(box, others) ** distance
    result: NDArray[np.bool_] = common > most * (areas - common)
    return result


def _apart(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centres' distance over the diagonal of the box around both, squared; 0 for points."""
    between = (box[:2] + box[2:] - others[:, :2] - others[:, 2:]) / 2
    around = np.maximum(box[2:], others[:, 2:]) - np.minimum(box[:2], others[:, :2])
    diagonal = np.square(around).sum(axis=1)
    with np.errstate(all="ignore"):
        ratio = np.square(between).sum(axis=1) / diagonal
    result: NDArray[np.float64] = np.where(diagonal > 0, ratio, 0.0)
    return result
