"""Boxes that a suppression inside the network left, as its outputs list them (``listed``)."""

from __future__ import annotations

import numpy as np

from ftdist.answers.tasks.fractions import Floats, Size, corners_of, in_fractions
from ftdist.network.task import Task


def scored(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    labels = tables[1].reshape(-1) if len(tables) > 1 else np.zeros(len(values), np.float32)
    return in_fractions(values[:, :4].T, size), _one_hot(labels, values[:, 4], task.classes)


def selected(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Six values: box, score, class, or class and score first; seven: batch, box, class, score.

    Of seven EfficientDet has the class last, and boxes top first.
    """
    values = np.atleast_2d(tables[0])
    if values.shape[1] == 7 and task.detail != "turned":
        boxes, labels, strength = values[:, 1:5].T, values[:, 5], values[:, 6]
        if (labels % 1 != 0).any() and labels.max() <= 1 and (strength % 1 == 0).all():
            boxes, labels, strength = boxes[[1, 0, 3, 2]], strength, labels
    else:
        values = _box_first(values)
        boxes, strength, labels = values[:, :4].T, values[:, 4], values[:, 5]
        boxes = corners_of(boxes) if task.detail == "turned" else boxes
        if strength.max(initial=0) > 1 >= labels.max(initial=0):
            strength, labels = labels, strength
    return in_fractions(boxes, size), _one_hot(labels, strength, task.classes)


def selected_cells(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """As selected, in cells of the heat map of whose peaks they were chosen, or in pixels."""
    from ftdist.answers.tasks.centres import in_pixels  # most detectors do without

    return selected(task, [in_pixels(np.atleast_2d(tables[0]), size)], size)


def _box_first(values: Floats) -> Floats:
    """Rows of PaddleDetection begin with class and score: what others have last are pixels then."""
    labels, scores = values[:, 0], values[:, 1]
    is_unlike = (values[:, 4:6] > 1).all(axis=1).any()
    if values.shape[1] == 6 and is_unlike and (labels % 1 == 0).all() and (scores <= 1).all():
        return values[:, [2, 3, 4, 5, 1, 0]]
    return values


def counted(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Boxes are (left, top, right, bottom), or top first in files made by TensorFlow.

    Where names do not say which list has the scores, that is the one that is not of whole numbers.
    """
    boxes = tables[0].reshape(-1, 4)
    strength, labels = (each.reshape(-1) for each in tables[1:3])
    if (strength % 1 == 0).all() and (labels % 1 != 0).any():
        strength, labels = labels, strength
    count = int(tables[3].reshape(-1)[0]) if len(tables) > 3 else len(boxes)
    count = min(max(count, 0), len(boxes))
    places = boxes[:count].T
    if task.outputs[0].startswith("detection_boxes"):
        places = places[[1, 0, 3, 2]]
    scores = _one_hot(labels[:count], strength[:count], task.classes)
    return in_fractions(places, size), scores


def chosen(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Boxes are top first, as ONNX's suppression has them; rows of others than this one batch
    stand behind those that were chosen."""
    boxes, strength = tables[0], tables[1]
    rows = np.nan_to_num(tables[2]).reshape(-1, 3).astype(np.int64)
    most = 1, len(strength), len(boxes)
    _batch, labels, numbers = rows[((rows >= 0) & (rows < most)).all(axis=1)].T
    scores = _one_hot(labels.astype(np.float32), strength[labels, numbers], task.classes)
    return in_fractions(boxes[numbers].T[[1, 0, 3, 2]], size), scores


def _one_hot(labels: Floats, strength: Floats, classes: int) -> Floats:
    """(n, classes): the score of each box at its class, 0 elsewhere."""
    numbers = np.clip(np.nan_to_num(labels), 0, 1 << 12).astype(np.int64)
    count = max(classes, int(numbers.max(initial=0)) + 1)
    scores = np.zeros((len(numbers), count), np.float32)
    scores[np.arange(len(numbers)), numbers] = strength
    return scores
