"""Scores detections against the truth: mean average precision, in NumPy alone.

A detection counts when it has its object's label and overlaps it by at least `iou`; detections
are taken from the surest down over all pictures together, and an object can be found only once.
The average precision of a label is the area under its precision envelope over recall (every
point, as PASCAL VOC does since 2010), and the mean is taken over the labels that occur in the
truth.

Example: two boats, detections scored .9 (hit), .8 (miss), .7 (hit): precision 1, 1/2, 2/3 at
recall 1/2, 1/2, 1, so the average precision is 1/2 * 1 + 1/2 * 2/3 = .833.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Labelled(Protocol):
    """A labelled half-open rectangle in pixels."""

    @property
    def label(self) -> str: ...
    @property
    def left(self) -> float: ...
    @property
    def top(self) -> float: ...
    @property
    def right(self) -> float: ...
    @property
    def bottom(self) -> float: ...


class Scored(Labelled, Protocol):
    """The same with how sure the detector is."""

    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class Detection:
    """One detected object, in pixels; the score is in 0..1."""

    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


def corners(boxes: Sequence[Labelled]) -> np.ndarray:
    """The rectangles as an array (n, 4) of left, top, right, bottom."""
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def overlaps(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair: (n, 4) and (m, 4) to (n, m)."""
    start = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    end = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    our_area = (ours[:, 2:] - ours[:, :2]).prod(axis=1)
    their_area = (theirs[:, 2:] - theirs[:, :2]).prod(axis=1)
    shares: np.ndarray = common / (our_area[:, None] + their_area[None] - common)
    return shares


def mark_hits(
    detected: Sequence[Scored], true: Sequence[Labelled], iou: float
) -> list[tuple[float, bool]]:
    """Score and hit-or-miss of each detection of one label in one picture, surest first."""
    ranked = sorted(detected, key=lambda detection: -detection.score)
    table = overlaps(corners(ranked), corners(true))
    found: set[int] = set()
    marks = []
    for detection, row in zip(ranked, table, strict=True):
        open_row = [-1.0 if index in found else value for index, value in enumerate(row)]
        best = int(np.argmax(open_row)) if open_row else -1
        hit = best >= 0 and open_row[best] >= iou
        if hit:
            found.add(best)
        marks.append((detection.score, hit))
    return marks


def area_under_envelope(marks: list[tuple[float, bool]], objects: int) -> float:
    """The average precision of one label from its marks in all pictures."""
    hits = np.array([hit for _, hit in sorted(marks, key=lambda mark: -mark[0])], dtype=bool)
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / objects)


def average_precisions(
    predictions: Sequence[Sequence[Scored]], truths: Sequence[Sequence[Labelled]], iou: float = 0.5
) -> dict[str, float]:
    """The average precision of each label in the truth; one sequence of boxes for each picture."""
    precisions = {}
    for label in sorted({box.label for picture in truths for box in picture}):
        marks: list[tuple[float, bool]] = []
        objects = 0
        for detected, true in zip(predictions, truths, strict=True):
            relevant = [box for box in true if box.label == label]
            objects += len(relevant)
            claimed = [detection for detection in detected if detection.label == label]
            marks += mark_hits(claimed, relevant, iou)
        precisions[label] = area_under_envelope(marks, objects)
    return precisions


def mean_average_precision(
    predictions: Sequence[Sequence[Scored]], truths: Sequence[Sequence[Labelled]], iou: float = 0.5
) -> float:
    """The mean of the labels' average precisions, in 0..1; ValueError without any true box."""
    precisions = average_precisions(predictions, truths, iou)
    if not precisions:
        raise ValueError("no true box in any picture: the mean average precision is undefined")
    return float(np.mean(list(precisions.values())))
