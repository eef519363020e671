"""Boxes out of lists, as detectors other than Darknet's hand them on.

Each layout is told from the others by shapes alone (``task``); what shapes cannot tell, the values
do: whether boxes are in pixels or in fractions of the input, whether they are corners or centres
and sizes, whether scores still want a sigmoid or a softmax. Here n is the number of boxes.

- rows: (n, 5 + classes): centre, size, objectness, classes (YOLOv5 to v7);
- rows_plain: (n, 4 + classes): the same without objectness (RT-DETR);
- columns: (4 + classes, n): the same, a column a box (YOLOv8 to v12);
- grid_rows: as rows, one box a grid cell, perhaps not yet decoded (YOLOX, YOLOv6): then a centre is
  (value + cell) * stride and a size exp(value) * stride;
- pairs: (n, 4) beside (n, classes): SSD and its kin, with priors applied inside, or with those of
  a family that is known (``priors``); of such there may be several lists;
- queries: the same, where each box is one of a few hundred that were asked for (DETR);
- selected_cells: as selected, from the peaks of a heat map (CenterNet): in its cells, or in pixels;
- selected: (n, 6 or 7): what a suppression inside left (YOLOv10; (batch,) box, class and score);
  behind six values there may be more (``details``), as behind the classes of rows and columns;
- scored: (n, 5): box and score, and perhaps (n,) classes beside;
- counted: the same as four arrays: boxes, scores, classes, how many;
- what is said of each cell of a grid is read by ``grids``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection, above
from ftdist.answers.kinds import most_candidates
from ftdist.answers.names import NUMBERED_COCO
from ftdist.answers.tasks import grids
from ftdist.answers.tasks.priors import decoded
from ftdist.answers.tasks.yolo2 import yolo2_map
from ftdist.errors import InputError
from ftdist.network.task import Layout, Task

Floats = NDArray[np.float32]
Size = tuple[int, int]
"""(height, width) of the network's input, in pixels."""

_Reader = Callable[[Task, list[Any], Size], tuple[Floats, Floats]]

_FRACTIONS_AT_MOST = 4.0
"""Boxes of which no number is larger are fractions of the input, others pixels."""

_MOST_UNSOUND = 0.05
"""Of boxes in the shape that is tried at most this share may make no sense."""


def listed(
    task: Task,
    outputs: Mapping[str, NDArray[Any] | grids.Picked],
    size: Size,
    threshold: float,
    most: int | None = None,
) -> list[Detection]:
    """All detections above the threshold, before any suppression; boxes in fractions of the input.

    Of more than `most` the best, or of more than ``most_candidates``. Outputs of grids may be some
    of their cells. InputError when the boxes make no sense: their priors are not in the network.
    """
    tables = [_table(outputs[name]) for name in task.outputs]
    with np.errstate(all="ignore"):
        boxes, scores = _READERS[task.layout](task, tables, size)
        sound = np.isfinite(boxes).all(axis=0) & np.isfinite(scores).all(axis=1)
        most = most or most_candidates(*size)
        return above(boxes[:, sound], scores[sound], threshold, most, np.flatnonzero(sound))


def suppressed_inside(task: Task) -> bool:
    """Whether the network itself has dropped doubles."""
    return task.layout in ("selected", "selected_cells", "counted", "scored", "queries")


def _table(array: NDArray[Any] | grids.Picked) -> Any:
    """Without the batch; float32."""
    if isinstance(array, grids.Picked):
        return array
    table = np.asarray(array)
    if table.ndim > 1 and table.shape[0] == 1:
        table = table[0]
    return table.astype(np.float32, copy=False)


def _rows(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Faces of YOLOv5 have ten numbers of landmarks between objectness and class."""
    values = tables[0]
    places = _corners(_in_fractions(values[:, :4].T, size))
    scores = values[:, 15:16] if _has_landmarks(values) else values[:, 5 : 5 + task.classes]
    return places, _probable(scores) * _probable(values[:, 4:5])


def _has_landmarks(values: Floats) -> bool:
    """Whether what stands where class scores would are ten places on the picture, in pixels."""
    return values.shape[1] == 16 and float(np.nanmax(np.abs(values[:, 5:15]), initial=0)) > 16


def _rows_plain(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    scores = _probable(values[:, 4 : 4 + task.classes])
    return _corners(_in_fractions(values[:, :4].T, size)), scores


def _columns(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    scores = _probable(values[4 : 4 + task.classes].T)
    return _corners(_in_fractions(values[:4], size)), scores


def _grid_rows(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Decoded ones reach over the picture in pixels; the others stay near their cells."""
    values = grids.rows_of(tables[0])
    places = values[:, :4].T
    if np.abs(places[:2]).max(initial=0) > max(size) / 4 or places[2:].min(initial=1) >= 0:
        return _rows(task, [values], size)
    cells, strides = grids.grid(size, tables[0])
    centres = (places[:2] + cells) * strides
    pixels = np.concatenate([centres, np.exp(places[2:]) * strides])
    scores = _probable(values[:, 5:]) * _probable(values[:, 4:5])
    return _corners(_scaled(pixels, size)), scores


def _pairs(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """The first class is the background where the scores of a box add up to one."""
    half = len(tables) // 2
    boxes, scores = (_merged(each) for each in (tables[:half], tables[half:]))
    if scores.shape[0] != len(boxes) == scores.shape[1]:
        scores = scores.T
    places = _in_fractions(boxes[:, :4].T, size)
    if boxes.shape[1] == 4 and _makes_sense(places):
        corners = places
    elif (known := decoded(boxes, size)) is not None:
        corners = _corners(known)
    elif (places[2:] > 0).mean() >= 1 - _MOST_UNSOUND and (places[:2] > -0.5).all():
        corners = _corners(places)
    else:
        raise InputError(
            "the boxes of this network are offsets to priors that are not in its file: "
            "export it with its decoding, or take the arrays as they are (-o FILE.npz)"
        )
    several = scores.shape[1] > 1
    if several and (scores.min() < 0 or scores.max() > 1):
        scores = _softmax(scores)
    if several and np.abs(scores.sum(axis=1) - 1).max() < 1e-3:
        return corners, _without_background(scores)
    return corners, _probable(scores)


def _without_background(scores: Floats) -> Floats:
    """Of COCO's own numbers the first is no class, and the others keep theirs."""
    if scores.shape[1] == len(NUMBERED_COCO):
        return np.concatenate([np.zeros_like(scores[:, :1]), scores[:, 1:]], axis=1)
    return scores[:, 1:]


def _merged(tables: list[Floats]) -> Floats:
    return tables[0] if len(tables) == 1 else np.concatenate(tables)


def _queries(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Centres and sizes in fractions, or corners; DETR's last of 92 classes is none."""
    boxes, scores = tables
    places = _in_fractions(boxes.T, size)
    in_pixels = float(np.abs(boxes).max(initial=0)) > _FRACTIONS_AT_MOST
    corners = places if in_pixels and _makes_sense(places) else _corners(places)
    if scores.shape[1] == 92:
        return corners, _softmax(scores)[:, :-1]
    return corners, _probable(scores)


def _scored(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    labels = tables[1].reshape(-1) if len(tables) > 1 else np.zeros(len(values), np.float32)
    return _in_fractions(values[:, :4].T, size), _one_hot(labels, values[:, 4], task.classes)


def _of_grids(read: _Reader) -> _Reader:
    """The reader with its boxes, which are in pixels, in fractions."""

    def in_fractions(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
        boxes, scores = read(task, tables, size)
        return _scaled(boxes, size), _probable(scores)

    return in_fractions


def _makes_sense(corners: Floats) -> bool:
    """Whether the right edge is right of the left one, and so on."""
    wrong = (corners[2] < corners[0]) | (corners[3] < corners[1])
    return bool(wrong.mean() <= _MOST_UNSOUND)


def _selected(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Six values: box, score, class, or class and score first; seven: batch, box, class, score."""
    values = np.atleast_2d(tables[0])
    if values.shape[1] == 7 and task.detail != "turned":
        boxes, labels, strength = values[:, 1:5].T, values[:, 5], values[:, 6]
    else:
        values = _box_first(values)
        boxes, strength, labels = values[:, :4].T, values[:, 4], values[:, 5]
        boxes = _corners(boxes) if task.detail == "turned" else boxes
        if strength.max(initial=0) > 1 >= labels.max(initial=0):
            strength, labels = labels, strength
    return _in_fractions(boxes, size), _one_hot(labels, strength, task.classes)


def _selected_cells(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """As selected, in cells of the heat map of whose peaks they were chosen, or in pixels."""
    from ftdist.answers.tasks.centres import in_pixels  # most detectors do without

    return _selected(task, [in_pixels(np.atleast_2d(tables[0]), size)], size)


def _box_first(values: Floats) -> Floats:
    """Rows of PaddleDetection begin with class and score: what others have last are pixels then."""
    labels, scores = values[:, 0], values[:, 1]
    is_unlike = (values[:, 4:6] > 1).all(axis=1).any()
    if values.shape[1] == 6 and is_unlike and (labels % 1 == 0).all() and (scores <= 1).all():
        return values[:, [2, 3, 4, 5, 1, 0]]
    return values


def _counted(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
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
    return _in_fractions(places, size), scores


def _one_hot(labels: Floats, strength: Floats, classes: int) -> Floats:
    """(n, classes): the score of each box at its class, 0 elsewhere."""
    numbers = np.clip(np.nan_to_num(labels), 0, 1 << 12).astype(np.int64)
    count = max(classes, int(numbers.max(initial=0)) + 1)
    scores = np.zeros((len(numbers), count), np.float32)
    scores[np.arange(len(numbers)), numbers] = strength
    return scores


def _probable(scores: Floats) -> Floats:
    """Scores in 0..1: logits are put through a sigmoid."""
    if scores.size and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
        return grids.sigmoid(scores)
    return scores


def _softmax(scores: Floats) -> Floats:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return result


def _in_fractions(places: Floats, size: Size) -> Floats:
    """(4, n) in fractions of the input, whatever it was in."""
    finite = places[np.isfinite(places)]
    if finite.size and np.abs(finite).max() > _FRACTIONS_AT_MOST:
        return _scaled(places, size)
    return places


def _scaled(pixels: Floats, size: Size) -> Floats:
    sides: Floats = np.array([size[1], size[0]] * 2, np.float32)
    return pixels / sides[:, np.newaxis]


def _corners(places: Floats) -> Floats:
    """Left, top, right, bottom of centres and sizes."""
    half = places[2:] * np.float32(0.5)
    return np.concatenate([places[:2] - half, places[:2] + half])


_READERS: dict[Layout, _Reader] = {
    "rows": _rows,
    "rows_plain": _rows_plain,
    "columns": _columns,
    "grid_rows": _grid_rows,
    "pairs": _pairs,
    "selected": _selected,
    "selected_cells": _selected_cells,
    "counted": _counted,
    "scored": _scored,
    "queries": _queries,
    "distances": _of_grids(grids.distances),
    "yunet": _of_grids(grids.yunet),
    "bins": _of_grids(grids.bins),
    "bin_lists": _of_grids(grids.bin_lists),
    "bin_maps": _of_grids(grids.bin_maps),
    "yolo2_map": _of_grids(yolo2_map),
    "tiny_yolo2_map": _of_grids(yolo2_map),
    "yolo3_maps": _of_grids(grids.yolo_maps),
    "yolo4_maps": _of_grids(grids.yolo_maps),
    "yolo5_maps": _of_grids(grids.yolo_maps),
    "yolo7_maps": _of_grids(grids.yolo_maps),
}
