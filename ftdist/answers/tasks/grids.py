"""Boxes out of what a detector says of each cell of its grids, before their decoding.

- distances: lists of each grid: a score, and how far the four edges lie from the cell's corner, in
  strides (SCRFD);
- yunet: lists of each grid: a class score, an objectness, and centre and logarithm of the size;
- bins: rows of all grids: class scores and for each edge a distribution over distances (NanoDet);
- bin_lists: the same as two lists a grid (PicoDet);
- bin_maps: the same as a map a grid, edges first (YOLOv8);
- yolo3_maps to yolo7_maps: a map a grid, three anchors a cell (YOLOv3 to v7), whose sizes are those
  that these networks are trained with on COCO.

Everything is in pixels of the input: boxes (4, n) as left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.network.task import Task

Floats = NDArray[np.float32]
Size = tuple[int, int]

_STRIDES = (8, 16, 32, 64, 128)
_HALF = np.float32(0.5)
_V3 = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)
_V4 = (12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401)
_TINY = (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319)
_TINY_V4 = (23, 27, 37, 58, 81, 82, 81, 82, 135, 169, 344, 319)
_WIDES, _PLAIN = (1.2, 1.1, 1.05), (1.0,) * 4
"""How far centres reach around the middle of a cell: of each of YOLOv4's maps, and of others'."""


@dataclass(frozen=True, slots=True)
class Picked:
    """Some cells of grids, in place of a whole map or list: values (n, channels), the cells (x, y),
    (2, n), and their strides (n,)."""

    values: Floats
    cells: Floats
    strides: Floats

    @classmethod
    def joined(cls, some: Sequence[Picked]) -> Picked:
        """Those of several grids, one behind the other."""
        return cls(
            np.concatenate([each.values for each in some]),
            np.concatenate([each.cells for each in some], axis=1),
            np.concatenate([each.strides for each in some]),
        )


Table = Floats | Picked


def sigmoid(values: Floats) -> Floats:
    one = np.float32(1)
    result: Floats = one / (one + np.exp(-values))
    return result


def grid(size: Size, table: Table) -> tuple[Floats, Floats]:
    """For each box its cell (x, y) and its stride, coarser grids last: (2, n) and (n,).

    InputError when so many boxes fit no grid over an input of (height, width) `size`.
    """
    if isinstance(table, Picked):
        return table.cells, table.strides
    count = len(table)
    for most in (3, 4, 2):
        cells, strides = [], []
        for stride in _STRIDES[:most]:
            own = _cells(size, stride)
            cells.append(own)
            strides.append(np.full(own.shape[1], stride))
        if sum(map(len, strides)) == count:
            return (
                np.concatenate(cells, axis=1).astype(np.float32),
                np.concatenate(strides).astype(np.float32),
            )
    raise InputError(f"{count} boxes fit no grid over an input of {size[1]}x{size[0]} pixels")


def distances(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Of each grid scores (n, 1) and edges (n, 4); anchors of a cell stand side by side."""
    boxes, scores = [], []
    for at, (strength, edges) in enumerate(zip(tables[::2], tables[1::2], strict=True)):
        stride = _STRIDES[at]
        cells = _repeated(_cells(size, stride), len(edges))
        boxes.append(_around(cells, edges.T) * np.float32(stride))
        scores.append(strength)
    return np.concatenate(boxes, axis=1), np.concatenate(scores)


def yunet(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Of each grid a class score, an objectness and a box, each (n, ...)."""
    boxes, scores = [], []
    for at in range(len(tables) // 3):
        own, objectness, places = tables[3 * at : 3 * at + 3]
        cells = _repeated(_cells(size, _STRIDES[at]), len(places))
        centres, extents = cells + places[:, :2].T, np.exp(places[:, 2:4].T) * _HALF
        edges = np.concatenate([centres - extents, centres + extents])
        boxes.append(edges * np.float32(_STRIDES[at]))
        scores.append(np.sqrt(np.clip(own, 0, 1) * np.clip(objectness, 0, 1)))
    return np.concatenate(boxes, axis=1), np.concatenate(scores)


def bins(task: Task, tables: Sequence[Table], size: Size) -> tuple[Floats, Floats]:
    """Rows of scores and bins; of 16 bins an edge these come first."""
    values = rows_of(tables[0])
    count, wide = len(values), values.shape[1] - task.classes
    cells, strides = grid(size, tables[0])
    edges_first = wide == 64
    own = values[:, :wide] if edges_first else values[:, task.classes :]
    scores = values[:, wide:] if edges_first else values[:, : task.classes]
    middle = _HALF if strides.max() < 64 else np.float32(0)
    edges = _expected(own.reshape(count, 4, -1))
    return _around(cells + middle, edges.T) * strides, scores


def bin_lists(task: Task, tables: list[Floats], size: Size) -> tuple[Floats, Floats]:
    """Of each grid scores (n, classes) and bins of edges (n, 32 or 64)."""
    boxes, scores = [], []
    for stride, strength, values in zip(_STRIDES, tables[::2], tables[1::2], strict=False):
        cells = _repeated(_cells(size, stride), len(values)) + _HALF
        edges = _expected(values.reshape(len(values), 4, -1))
        boxes.append(_around(cells, edges.T) * np.float32(stride))
        scores.append(strength)
    return np.concatenate(boxes, axis=1), np.concatenate(scores)


def bin_maps(task: Task, tables: Sequence[Table], size: Size) -> tuple[Floats, Floats]:
    boxes, scores = [], []
    for values in tables:
        rows, stride, cells = rows_of_map(values, task.classes + 64, size)
        edges = _expected(rows[:, :64].reshape(len(rows), 4, -1))
        cells = cells + _HALF
        boxes.append(_around(cells, edges.T) * np.float32(stride))
        scores.append(rows[:, 64:])
    return np.concatenate(boxes, axis=1), np.concatenate(scores)


def yolo_maps(task: Task, tables: Sequence[Table], size: Size) -> tuple[Floats, Floats]:
    """Three anchors a cell, each x, y, width, height, objectness, classes."""
    anchors = _anchors(task.layout, len(tables))
    newer = task.layout in ("yolo5_maps", "yolo7_maps")
    boxes, scores = [], []
    wides = _WIDES if task.layout == "yolo4_maps" and len(tables) == len(_WIDES) else _PLAIN
    for values, sides, wide in zip(tables, anchors, wides, strict=False):
        rows, stride, cells = rows_of_map(values, 3 * (5 + task.classes), size)
        for raw, side in zip(np.split(rows, 3, axis=1), sides, strict=True):
            places = (raw[:, :4] if _are_shares(raw) else sigmoid(raw[:, :4])).T
            if newer:
                centres = places[:2] * 2 - _HALF + cells
                extents = np.square(places[2:] * 2) * side[:, np.newaxis]
            else:
                centres = (places[:2] - _HALF) * np.float32(wide) + _HALF + cells
                extents = np.exp(raw[:, 2:4].T) * side[:, np.newaxis]
            centres, extents = centres * np.float32(stride), extents * _HALF
            boxes.append(np.concatenate([centres - extents, centres + extents]))
            strength = raw[:, 4:] if _are_shares(raw[:, 4:]) else sigmoid(raw[:, 4:])
            scores.append(strength[:, 1:] * strength[:, :1])
    return np.concatenate(boxes, axis=1), np.concatenate(scores)


def _are_shares(values: Floats) -> bool:
    """Whether the network itself has put values through a sigmoid; YOLOv4's its scores alone."""
    return bool(values.min() >= 0 and values.max() <= 1)


def _anchors(layout: str, maps: int) -> Floats:
    """Width and height of each anchor of each map, finest first: (maps, 3, 2)."""
    if maps == 2:
        flat: tuple[int, ...] = _TINY_V4 if layout == "yolo4_maps" else _TINY
    else:
        flat = _V4 if layout in ("yolo4_maps", "yolo7_maps") else _V3
    found: Floats = np.array(flat, np.float32).reshape(-1, 3, 2)
    if maps != len(found):
        raise InputError(f"the anchors of a YOLO of {maps} grids are not known; export it decoded")
    return found


def rows_of(table: Table) -> Floats:
    """The rows of a list, or those of its cells that were picked."""
    return table.values if isinstance(table, Picked) else table


def rows_of_map(values: Table, channels: int, size: Size) -> tuple[Floats, float, Floats]:
    """A map as rows, one a cell, (rows * columns, channels), its stride, and the cells.

    The map is (channels, rows, columns), or has its channels last. With its anchors apart it is
    (anchors, rows, columns, values), (anchors, values, rows, columns) or as YOLOv4's from
    TensorFlow (rows, columns, anchors, values).
    """
    if isinstance(values, Picked):
        return values.values, float(values.strides[0]), values.cells
    if values.ndim == 4 and values.shape[0] != 3 == values.shape[2]:
        values = values.reshape(*values.shape[:2], channels)
    elif values.ndim == 4:
        last = values.shape[3] * values.shape[0] == channels
        moved = values if last else values.transpose(0, 2, 3, 1)
        values = moved.transpose(1, 2, 0, 3).reshape(*moved.shape[1:3], channels)
    elif values.shape[0] == channels:
        values = values.transpose(1, 2, 0)
    stride = round(size[0] / values.shape[0])
    return values.reshape(-1, channels), stride, _cells(size, stride)


def _cells(size: Size, stride: int) -> Floats:
    """(x, y) of each cell, row by row: (2, n)."""
    rows, columns = -(-size[0] // stride), -(-size[1] // stride)
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.stack([x, y]).astype(np.float32)


def _repeated(cells: Floats, count: int) -> Floats:
    """Each cell once for each of its anchors."""
    if not count or count % cells.shape[1]:
        raise InputError(f"{count} boxes fit no grid of {cells.shape[1]} cells")
    return np.repeat(cells, count // cells.shape[1], axis=1)


def _around(centres: Floats, edges: Floats) -> Floats:
    """Corners of boxes whose edges lie that far to the left, top, right, bottom."""
    return np.concatenate([centres - edges[:2], centres + edges[2:4]])


def _expected(logits: Floats) -> Floats:
    """(n, 4): the mean of each distribution of (n, 4, bins), whatever rows stand beside it."""
    logits = np.ascontiguousarray(logits)  # sums depend on how values lie
    exponents = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights: Floats = np.arange(logits.shape[2], dtype=np.float32)
    result: Floats = (exponents * weights).sum(axis=2) / exponents.sum(axis=2)
    return result
