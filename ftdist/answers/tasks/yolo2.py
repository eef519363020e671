"""Boxes out of YOLOv2's one map, five anchors a cell, before its decoding.

The anchors, in cells, are those of Darknet's own .cfg files: of yolov2-tiny-voc and of yolov2-voc
for twenty classes, and of yolov2 and yolov2-tiny for COCO's. Source: YOLO9000 (2016), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftdist.answers.anchors import sigmoid, softmax
from ftdist.answers.tasks.grids import Floats, Size, Table, rows_of_map
from ftdist.network.task import Task

_HALF = np.float32(0.5)
_TINY_VOC = (1.08, 1.19, 3.42, 4.41, 6.63, 11.38, 9.42, 5.11, 16.62, 10.52)
_VOC = (1.3221, 1.73145, 3.19275, 4.00944, 5.05587, 8.09892, 9.47112, 4.84053, 11.2364, 10.0071)
_COCO = (
    *(0.57273, 0.677385, 1.87446, 2.06253, 3.33843),
    *(5.47434, 7.88282, 3.52778, 9.77052, 9.16828),
)


def yolo2_map(task: Task, tables: Sequence[Table], size: Size) -> tuple[Floats, Floats]:
    """Corners in pixels, (4, n), and scores, (n, classes): a softmax times the objectness."""
    own = _TINY_VOC if task.layout == "tiny_yolo2_map" else _VOC
    anchors = np.array(_COCO if task.classes == 80 else own, np.float32).reshape(-1, 2)
    rows, stride, cells = rows_of_map(tables[0], len(anchors) * (5 + task.classes), size)
    boxes, scores = [], []
    for raw, sides in zip(np.split(rows, len(anchors), axis=1), anchors, strict=True):
        centres = sigmoid(raw[:, :2].T) + cells
        extents = np.exp(raw[:, 2:4].T) * sides[:, np.newaxis] * _HALF
        boxes.append(np.concatenate([centres - extents, centres + extents]) * np.float32(stride))
        scores.append(softmax(raw[:, 5:]) * sigmoid(raw[:, 4:5]))
    return np.concatenate(boxes, axis=1), np.concatenate(scores)
