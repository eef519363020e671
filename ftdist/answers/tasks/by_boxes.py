"""Detectors told by the shapes of their outputs: lists of boxes, and lists of one grid or several.

How each layout is read is said in ``listed``, ``grids`` and ``centres``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from ftdist.answers.tasks.by_raw_maps import bin_maps, raw_maps
from ftdist.answers.tasks.details import detailed, selected_values
from ftdist.answers.tasks.seen_outputs import BINS, CLASS_COUNTS, STRIDES, Dims, Seen
from ftdist.network.task import Layout, Task

_RARER_STRIDES = (16, 32), (4, 8, 16, 32), (4, 8, 16)
"""Those of tiny networks, and of networks for small objects, which hand on decoded boxes."""


_BINNED = re.compile(r"nanodet|gfl|dfl", re.IGNORECASE)

_POSE_VALUES = 51
"""17 key points of three numbers."""

_FACE = re.compile(r"face", re.IGNORECASE)
_POSE = re.compile(r"(?<!trans)(?<!com)pose|key_?point|kpt", re.IGNORECASE)
_SCORE = re.compile(r"score|conf|prob|cls|class|logit|label|obj", re.IGNORECASE)


def detector(seen: Seen) -> Task | None:
    """The detector that outputs of such shapes are of; None for something else."""
    for told in (_counted, _chosen, _per_grid, _binned_grids, raw_maps, bin_maps, _pair, _table):
        found = told(seen)
        if found is not None:
            return detailed(found, seen.shapes, seen.words, named=seen.labels > 0)
    return None


def _tables(seen: Seen) -> dict[str, Dims]:
    return {name: dims for name, dims in seen.shapes.items() if len(dims) == 2}


def _table(seen: Seen) -> Task | None:
    """One list whose rows, or columns, hold all of a box."""
    tables = _tables(seen)
    if len(tables) != 1:
        return None
    (name, (rows, values)), *_ = tables.items()
    alike = seen.anchors_a_cell(values) == 1 or values in map(seen.cells, _RARER_STRIDES)
    if rows < values and rows - 4 >= 1 and alike:
        return Task("detect", "columns", _classes_of_columns(seen, rows), (name,))
    if values == 6 and seen.has_centres and seen.labels in (0, seen.peaks[0]):
        return Task("detect", "selected_cells", seen.peaks[0], (name,))
    each = seen.anchors_a_cell(rows)
    if rows > 8 and not each and values in selected_values(seen.shapes, seen.words):
        return Task("detect", "selected", seen.labels, (name,))
    if (
        rows > 8
        and values in (5, 6, 7)
        and not (seen.labels and values == 5 + seen.labels)
        and not each
    ):
        if values == 5:
            return Task("detect", "scored", seen.labels, (name,))
        return Task("detect", "selected", seen.labels, (name,))
    if rows in (seen.cells(STRIDES[:3]), seen.cells(STRIDES)):
        for bins in BINS:
            named = values - bins == seen.labels or _BINNED.search(seen.words)
            if values - bins == 80 or (named and values - bins > 0):
                return Task("detect", "bins", values - bins, (name,))
    if each and values >= 6:
        layout: Layout = "grid_rows" if each == 1 else "rows"
        return Task("detect", layout, _classes_of_rows(seen, values), (name,))
    if rows > values > 4 and (values - 4 == seen.labels or values - 4 in CLASS_COUNTS):
        return Task("detect", "rows_plain", values - 4, (name,))
    return None


def _classes_of_columns(seen: Seen, rows: int) -> int:
    """Behind the scores there may be mask coefficients, key points, or an angle."""
    if 0 < seen.labels <= rows - 4:
        return seen.labels
    coefficients = [dims[0] for dims in seen.shapes.values() if len(dims) == 3]
    if len(coefficients) == 1 and 0 < coefficients[0] < rows - 4:
        return rows - 4 - coefficients[0]
    if rows == 4 + 1 + _POSE_VALUES and _POSE.search(seen.words):
        return 1
    if rows == 4 + 1 + 15 and _FACE.search(seen.words):
        return 1
    return rows - 4


def _classes_of_rows(seen: Seen, values: int) -> int:
    """As above; YOLOv5's faces have their ten numbers of landmarks before the class."""
    if 0 < seen.labels <= values - 5:
        return seen.labels
    if values == 5 + 1 + _POSE_VALUES and _POSE.search(seen.words):
        return 1
    if values == 5 + 1 + 10 and _FACE.search(seen.words):
        return 1
    return values - 5


def _pair(seen: Seen) -> Task | None:
    """Boxes (n, 4 or more) beside scores (n, classes), whatever their order."""
    tables = _tables(seen)
    lists = {name: dims for name, dims in seen.shapes.items() if len(dims) == 1}
    if len(tables) == 1 and len(lists) == 1 and len(seen.shapes) == 2:
        ((boxes, (count, values)),), ((other, (length,)),) = tables.items(), lists.items()
        if values == 5 and length == count:
            return Task("detect", "scored", seen.labels, (boxes, other))
    if not 2 <= len(tables) <= 3 or len(tables) != len(seen.shapes):
        return None
    if (across := _scores_across(seen, tables)) is not None:
        return across
    if len({dims[0] for dims in tables.values()}) != 1:
        return None
    names = list(tables)
    pairs = [(a, b) for a in names for b in names if a != b]
    for boxes, scores in pairs:
        (count, values), (_, classes) = tables[boxes], tables[scores]
        if count <= 8 or (len(tables) == 3 and classes > 4):
            continue
        if values == 4 and (classes != 4 or _SCORE.search(scores)):
            layout: Layout = "queries" if count in (100, 300, 900) and classes > 1 else "pairs"
            return Task("detect", layout, classes, (boxes, scores))
    for boxes, scores in pairs:  # boxes with key points behind, of one class
        (count, values), (_, classes) = tables[boxes], tables[scores]
        if len(tables) == 2 and count >= 64 and values in (12, 16, 18) and classes == 1:
            return Task("detect", "pairs", 1, (boxes, scores))
    return None


def _scores_across(seen: Seen, tables: Mapping[str, Dims]) -> Task | None:
    """Boxes (n, 4) of all cells beside scores (classes, n): PP-YOLOE's and PicoDet's."""
    for boxes, scores in itertools.permutations(tables, 2):
        (count, values), (classes, length) = tables[boxes], tables[scores]
        if values == 4 and length == count > classes and seen.anchors_a_cell(count) == 1:
            return Task("detect", "pairs", classes, (boxes, scores))
    return None


def _counted(seen: Seen) -> Task | None:
    """What a suppression inside left: a count, boxes (m, 4), scores (m,), classes (m,)."""
    flat = {name: dims for name, dims in seen.shapes.items() if len(dims) <= 2}
    boxes = [name for name, dims in flat.items() if len(dims) == 2 and dims[1] == 4]
    if len(boxes) != 1 or len(flat) not in (3, 4):
        return None
    most = flat[boxes[0]][0]
    lists = [name for name, dims in flat.items() if dims in ((most,), (most, 1)) and most > 1]
    scores = [name for name in lists if re.search(r"score|conf", name, re.IGNORECASE)]
    classes = [name for name in lists if re.search(r"class|label", name, re.IGNORECASE)]
    count = [name for name in flat if name not in (*boxes, *lists)]
    if len(flat) == len(seen.shapes) == 3 and len(lists) == 2 and not (scores and classes):
        scores, classes = lists[:1], lists[1:]  # values tell which is which
    if len(scores) == 1 and len(classes) == 1 and len(lists) == 2:
        return Task("detect", "counted", seen.scored, (*boxes, *scores, *classes, *count))
    return None


def _chosen(seen: Seen) -> Task | None:
    """All boxes (n, 4) beside scores (classes, n), and which of them a suppression inside chose,
    (m, 3), as the Keras' YOLOv3 of the ONNX model zoo hands them on."""
    tables = _tables(seen)
    if len(tables) != len(seen.shapes) or len(tables) != 3:
        return None
    for boxes, scores, rows in itertools.permutations(tables):
        (count, values), (classes, length) = tables[boxes], tables[scores]
        if values == 4 and length == count > classes and tables[rows][1] == 3:
            return Task("detect", "chosen", classes, (boxes, scores, rows))
    return None


def _per_grid(seen: Seen) -> Task | None:
    """Lists of each grid by themselves: SCRFD's, YuNet's, and those of SSDs in two parts.

    Outputs are taken grid by grid, the finest first: scores, (objectness,) boxes.
    """
    tables = _tables(seen)
    if len(tables) != len(seen.shapes) or len(tables) < 4:
        return None
    counts = sorted({dims[0] for dims in tables.values()}, reverse=True)
    groups = [[name for name, dims in tables.items() if dims[0] == count] for count in counts]
    values = [sorted(tables[name][1] for name in group) for group in groups]
    if len(groups) not in (2, 3, 5) or any(each != values[0] for each in values):
        return None
    own = [seen.cells((8 << at,)) for at in range(len(groups))]
    ordered = [name for group in groups for name in _scores_first(group, tables)]
    if values[0] in ([1, 1, 4], [1, 1, 4, 10]) and counts == own:
        return Task("detect", "yunet", 1, tuple(ordered))
    if values[0] in ([1, 4], [1, 4, 10]) and counts in (own, [2 * each for each in own]):
        return Task("detect", "distances", 1, tuple(ordered))
    if values[0] in ([1, 12], [1, 16], [1, 18]):
        boxes = [name for name in ordered if tables[name][1] > 1]
        scores = [name for name in ordered if tables[name][1] == 1]
        return Task("detect", "pairs", 1, (*boxes, *scores))
    return None


def _binned_grids(seen: Seen) -> Task | None:
    """Scores beside the distributions of edges, of each grid by themselves: PicoDet's."""
    tables = _tables(seen)
    if len(tables) != len(seen.shapes) or len(tables) not in (6, 8):
        return None
    own = [seen.cells((stride,)) for stride in STRIDES[: len(tables) // 2]]
    for values in BINS:
        edges = {dims[0]: name for name, dims in tables.items() if dims[1] == values}
        scores = {dims[0]: name for name, dims in tables.items() if dims[1] != values}
        classes = {tables[name][1] for name in scores.values()}
        if len(classes) == 1 and set(edges) == set(scores) == set(own):
            ordered = [name for count in own for name in (scores[count], edges[count])]
            return Task("detect", "bin_lists", classes.pop(), tuple(ordered))
    return None


def _scores_first(group: list[str], tables: Mapping[str, Dims]) -> list[str]:
    """The scores of a grid, its objectness where it has one, its boxes; key points are left."""
    scores = [name for name in group if tables[name][1] == 1]
    if len(scores) == 2 and re.search("obj", scores[0], re.IGNORECASE):
        scores.reverse()
    boxes = [name for name in group if tables[name][1] in (4, 12, 16, 18)]
    return [*scores, *boxes]
