"""What detectors say of an object beside its box: its mask, its key points, how its box is turned.

Such values stand behind the scores of a box in its list (YOLO's kin: v5-seg, v8 to v12 and 26 for
instances, poses and turned boxes), or behind its class where a suppression inside left it:

- masks: coefficients of as many maps as another output has; their sum, above zero, is the object
  within its box (YOLACT, 2019);
- points: x and y of each key point in the input's pixels, and perhaps how visible it is;
- turned: the angle of the box, clockwise, around its centre.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection
from ftdist.answers.kinds import VALUES_BEFORE, values_before
from ftdist.answers.tasks.outlines import Floats, outlines
from ftdist.network.task import Task
from ftdist.pictures.fitting import Box

Size = tuple[int, int]

_FRACTIONS_AT_MOST = 4.0

_LEAST = 1e-3
"""Parts of a position that are not counted: what rounding leaves of one."""

_POSE = re.compile(r"\bpose\b|key_?point|kpt", re.IGNORECASE)
_TURNED = re.compile(r"\bobb\b|\boriented", re.IGNORECASE)
_POINT = re.compile(r"kpt_shape [\[(](\d+), ([23])[\])]")


def detailed(task: Task, shapes: Mapping[str, tuple[int, ...]], words: str, *, named: bool) -> Task:
    """The task with what its list says beside boxes; `named`: whether classes have names."""
    if task.layout not in VALUES_BEFORE:
        return task
    dims = shapes[task.outputs[0]]
    rest = dims[0 if task.layout == "columns" else 1] - VALUES_BEFORE[task.layout]
    rest -= 0 if task.layout == "selected" else task.classes
    for name, other in shapes.items():
        if len(other) == 3 and other[0] == rest > 0:
            return replace(task, detail="masks", outputs=(*task.outputs, name))
    if rest == 1 and (_TURNED.search(words) or (named and task.layout == "columns")):
        return replace(task, detail="turned")
    if rest > 1 and _POSE.search(words):
        said = _POINT.search(words)
        values = int(said[2]) if said else 3 if rest % 3 == 0 else 2
        if rest % values == 0:
            return replace(task, detail="points", values=values)
    return task


def selected_values(shapes: Mapping[str, tuple[int, ...]], words: str) -> frozenset[int]:
    """How many values a box has that a suppression inside left, with what is said beside it."""
    masks = {6 + dims[0] for dims in shapes.values() if len(dims) == 3}
    said = _POINT.search(words)
    points = {6 + int(said[1]) * int(said[2])} if said else set()
    return frozenset(masks | points | ({7} if _TURNED.search(words) else set()))


def turned(task: Task, outputs: Mapping[str, NDArray[Any]], found: Sequence[Detection]) -> Floats:
    """(n, 5): centre, size and angle of each box, in the units of the list."""
    values = _of_boxes(task, outputs, found)
    angle = values[:, -1:] if len(found) else np.zeros((0, 1), np.float32)
    return np.concatenate([values[:, :4], angle], axis=1)


def with_details(
    task: Task, outputs: Mapping[str, NDArray[Any]], found: Sequence[Detection], size: Size
) -> list[Detection]:
    """The detections with their outlines or key points, in fractions of the input."""
    if not found:
        return []
    values = _of_boxes(task, outputs, found)
    rest = values[:, values_before(task) :]
    if task.detail == "masks":
        maps = _planes(outputs[task.outputs[1]])
        return [_masked(each, own, maps) for each, own in zip(found, rest, strict=True)]
    sides = np.array([size[1], size[0]], np.float32)
    if task.detail == "points":
        points = rest.reshape(len(found), -1, task.values)
        if np.abs(points[..., :2]).max(initial=0) <= _FRACTIONS_AT_MOST:
            sides = np.ones(2, np.float32)
        return [_pointed(each, own, sides) for each, own in zip(found, points, strict=True)]
    boxes = turned(task, outputs, found)
    if np.abs(boxes[:, :4]).max(initial=0) <= _FRACTIONS_AT_MOST:
        boxes[:, :4] *= np.tile(sides, 2)
    return [_turned(each, own, sides) for each, own in zip(found, boxes, strict=True)]


def _of_boxes(
    task: Task, outputs: Mapping[str, NDArray[Any]], found: Sequence[Detection]
) -> Floats:
    """(n, values): what the list says of each detection."""
    table = np.asarray(outputs[task.outputs[0]])
    table = table[0] if table.ndim == 3 else np.atleast_2d(table)
    rows = [each.row for each in found]
    chosen = table[:, rows].T if task.layout == "columns" else table[rows]
    return np.nan_to_num(chosen.astype(np.float32))


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    return array[0] if array.ndim == 4 else array


def _masked(found: Detection, coefficients: Floats, maps: NDArray[Any]) -> Detection:
    """Within the positions that the box has a part of, cut at its edges."""
    height, width = maps.shape[1:]
    left, top = (max(0.0, each) for each in found.box[:2])
    right, bottom = (min(1.0, each) for each in found.box[2:])
    first = int(left * width + _LEAST), int(top * height + _LEAST)
    last = math.ceil(right * width - _LEAST), math.ceil(bottom * height - _LEAST)
    if first[0] >= last[0] or first[1] >= last[1]:
        return found
    part = maps[:, first[1] : last[1], first[0] : last[0]]
    values = np.zeros(part.shape[1:], np.float32)
    for coefficient, plane in zip(coefficients, part, strict=True):
        values += coefficient * plane
    lines = []
    for each in outlines(np.nan_to_num(values)):
        x = (np.array(each[0::2]) + first[0]) / width
        y = (np.array(each[1::2]) + first[1]) / height
        lines.append(_line(np.clip(x, left, right), np.clip(y, top, bottom)))
    return replace(found, outlines=tuple(lines))


def _pointed(found: Detection, points: Floats, sides: Floats) -> Detection:
    places = points[:, :2] / sides
    seen = np.clip(points[:, 2], 0, 1) if points.shape[1] == 3 else np.ones(len(points))
    both = zip(places.tolist(), seen.tolist(), strict=True)
    return replace(found, points=tuple((x, y, visible) for (x, y), visible in both))


def _turned(found: Detection, box: Floats, sides: Floats) -> Detection:
    """Its four corners, clockwise from that which was the top left one, and the box around them."""
    x, y, width, height, angle = (float(each) for each in box)
    along, across = np.cos(angle), np.sin(angle)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    half = signs * (width / 2, height / 2)
    columns = (x + half[:, 0] * along - half[:, 1] * across) / sides[0]
    rows = (y + half[:, 0] * across + half[:, 1] * along) / sides[1]
    around = Box(*(float(e) for e in (columns.min(), rows.min(), columns.max(), rows.max())))
    return replace(found, box=around, outlines=(_line(columns, rows),), turned=True)


def _line(x: NDArray[Any], y: NDArray[Any]) -> array[float]:
    return array("f", np.stack([x, y], axis=1).reshape(-1).tolist())
