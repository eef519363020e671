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
- chosen: (n, 4), (classes, n), and (m, 3): batch, class and number of each box that was chosen;
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
from ftdist.answers.tasks import grids, inside
from ftdist.answers.tasks.fractions import (
    FRACTIONS_AT_MOST,
    Floats,
    Size,
    corners_of,
    in_fractions,
    scaled,
)
from ftdist.answers.tasks.priors import decoded
from ftdist.answers.tasks.yolo2 import yolo2_map
from ftdist.errors import InputError
from ftdist.network.task import Layout, Task

_Reader = Callable[[Task, list[Any], Size], tuple[Floats, Floats]]

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
    return task.layout in ("selected", "selected_cells", "counted", "chosen", "scored", "queries")


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
    places = corners_of(in_fractions(values[:, :4].T, size))
    scores = values[:, 15:16] if _has_landmarks(values) else values[:, 5 : 5 + task.classes]
    return places, _probable(scores) * _probable(values[:, 4:5])


def _has_landmarks(values: Floats) -> bool:
    """Whether what stands where class scores would are ten places on the picture, in pixels."""
    return values.shape[1] == 16 and float(np.nanmax(np.abs(values[:, 5:15]), initial=0)) > 16


def _rows_plain(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    scores = _probable(values[:, 4 : 4 + task.classes])
    return corners_of(in_fractions(values[:, :4].T, size)), scores


def _columns(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    values = tables[0]
    scores = _probable(values[4 : 4 + task.classes].T)
    return corners_of(in_fractions(values[:4], size)), scores


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
    return corners_of(scaled(pixels, size)), scores


def _pairs(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """The first class is the background where the scores of a box add up to one."""
    half = len(tables) // 2
    boxes, scores = (_merged(each) for each in (tables[:half], tables[half:]))
    if scores.shape[0] != len(boxes) == scores.shape[1]:
        scores = scores.T
    places = in_fractions(boxes[:, :4].T, size)
    if boxes.shape[1] == 4 and _makes_sense(places):
        corners = places
    elif (known := decoded(boxes, size)) is not None:
        corners = corners_of(known)
    elif (places[2:] > 0).mean() >= 1 - _MOST_UNSOUND and (places[:2] > -0.5).all():
        corners = corners_of(places)
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
    places = in_fractions(boxes.T, size)
    in_pixels = float(np.abs(boxes).max(initial=0)) > FRACTIONS_AT_MOST
    corners = places if in_pixels and _makes_sense(places) else corners_of(places)
    if scores.shape[1] == 92:
        return corners, _softmax(scores)[:, :-1]
    return corners, _probable(scores)


def _of_grids(read: _Reader) -> _Reader:
    """The reader with its boxes, which are in pixels, in fractions."""

    def in_fractions(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
        boxes, scores = read(task, tables, size)
        return scaled(boxes, size), _probable(scores)

    return in_fractions


def _makes_sense(corners: Floats) -> bool:
    """Whether the right edge is right of the left one, and so on."""
    wrong = (corners[2] < corners[0]) | (corners[3] < corners[1])
    return bool(wrong.mean() <= _MOST_UNSOUND)


def _probable(scores: Floats) -> Floats:
    """Scores in 0..1: logits are put through a sigmoid."""
    if scores.size and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
        return grids.sigmoid(scores)
    return scores


def _softmax(scores: Floats) -> Floats:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return result


_READERS: dict[Layout, _Reader] = {
    "rows": _rows,
    "rows_plain": _rows_plain,
    "columns": _columns,
    "grid_rows": _grid_rows,
    "pairs": _pairs,
    "selected": inside.selected,
    "selected_cells": inside.selected_cells,
    "counted": inside.counted,
    "chosen": inside.chosen,
    "scored": inside.scored,
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
