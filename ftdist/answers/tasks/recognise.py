"""What a network is for, told by its outputs: their shapes, their names, and what its file says.

Darknet's files have heads that say how they are decoded. Other files only have arrays, so the task
is recognised once, at import, by rules that hold for the exporters that people use; whoever knows
better says so (``--task``). The rules, in the order in which they are tried:

1. lists of boxes: one output (1, n, values) or (1, values, n), or a pair of (1, n, 4) and
   (1, n, classes), or what a suppression inside the network selected;
2. a heat map with sizes and offsets: centres of objects;
3. as many values as there are classes: a classifier;
4. a map that is as large as the input, or a few times larger: an image where it has as many
   channels as the input, otherwise a mask or one score a class;
5. a list of numbers from a network whose names speak of points: key points;
6. anything else: arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ftdist.network.task import ARRAYS, Layout, Task

Dims = tuple[int, ...]

_STRIDES = (8, 16, 32, 64)
_CLASS_COUNTS = frozenset({1, 2, 20, 80, 90, 91})
_LARGEST_SCALE = 8
"""An image network makes at most so many rows of one; a mask is at most that much smaller, or 32
times where its name says that it is one."""

_POINTS = re.compile(r"landmark|key_?point|pose|pts", re.IGNORECASE)
_MASK = re.compile(r"seg|mask|matte|matting|alpha|portrait", re.IGNORECASE)


def recognise(
    source: Dims,
    outputs: Mapping[str, Dims],
    words: str = "",
    labels: Sequence[str] = (),
    *,
    probabilities: bool = False,
) -> Task:
    """The task of a network that reads a picture of `source` (channels, height, width).

    `outputs` are their shapes by name, a leading batch of 1 left out or not; `words` whatever the
    file says of itself (its name, its metadata), `labels` the names of classes where they are
    known, `probabilities` whether its only output is a softmax's.
    """
    shapes = {name: _without_batch(dims) for name, dims in outputs.items()}
    found = (
        _boxes(source, shapes, len(labels))
        or _centres(source, shapes)
        or _classes(shapes, len(labels), words, probabilities)
        or _maps(source, shapes, " ".join((words, *outputs)))
    )
    if found:
        return found
    if shapes and _POINTS.search(" ".join((words, *outputs))):
        name = max(shapes, key=lambda each: _elements(shapes[each]))
        if _elements(shapes[name]) % 2 == 0 or _elements(shapes[name]) % 3 == 0:
            return Task("points", outputs=(name,))
    return ARRAYS


def _without_batch(dims: Dims) -> Dims:
    return dims[1:] if len(dims) > 1 and dims[0] == 1 else dims


def _elements(dims: Dims) -> int:
    product = 1
    for each in dims:
        product *= each
    return product


def _cells(source: Dims, strides: Sequence[int]) -> int:
    """Positions of grids with these strides over the input."""
    _, height, width = source
    return sum(-(-height // stride) * -(-width // stride) for stride in strides)


def _anchors_a_cell(source: Dims, count: int) -> int:
    """How many boxes each grid cell has when there are `count` in all; 0 when that fits no grid."""
    for most in (3, 4, 2):
        cells = _cells(source, _STRIDES[:most])
        if count in (cells, 3 * cells):
            return count // cells
    return 0


def _boxes(source: Dims, shapes: Mapping[str, Dims], labels: int) -> Task | None:
    """A detector whose outputs are lists."""
    flat = {name: dims for name, dims in shapes.items() if len(dims) in (0, 1, 2)}
    if len(flat) != len(shapes):
        flat = {name: dims for name, dims in flat.items() if len(dims) == 2}
    counted = _counted(flat)
    if counted:
        return counted
    if len(flat) == 2 and len(shapes) == 2:
        return _pair(flat)
    tables = [(name, dims) for name, dims in flat.items() if len(dims) == 2]
    if len(tables) != 1:
        return None
    name, (rows, values) = tables[0]
    if rows < values and rows - 4 >= 1 and _anchors_a_cell(source, values) == 1:
        return Task("detect", "columns", labels if 0 < labels <= rows - 4 else rows - 4, (name,))
    if (
        values in (6, 7)
        and not (labels and values == 5 + labels)
        and not _anchors_a_cell(source, rows)
    ):
        return Task("detect", "selected", labels, (name,))
    each = _anchors_a_cell(source, rows)
    if each and values >= 6:
        layout: Layout = "grid_rows" if each == 1 else "rows"
        return Task("detect", layout, values - 5, (name,))
    if rows > values > 4 and (values - 4 == labels or values - 4 in _CLASS_COUNTS):
        return Task("detect", "rows_plain", values - 4, (name,))
    return None


def _pair(flat: Mapping[str, Dims]) -> Task | None:
    """Boxes (n, 4) beside scores (n, classes), whatever their order."""
    names = list(flat)
    for boxes, scores in (names, names[::-1]):
        one, other = flat[boxes], flat[scores]
        alike = len(one) == len(other) == 2 and one[0] == other[0] > 8 and one[1] == 4
        if alike and (other[1] != 4 or re.search("score|conf", scores, re.IGNORECASE)):
            return Task("detect", "pairs", other[1], (boxes, scores))
    return None


def _counted(flat: Mapping[str, Dims]) -> Task | None:
    """What a suppression inside left: a count, boxes (m, 4), scores (m,), classes (m,)."""
    boxes = [name for name, dims in flat.items() if len(dims) == 2 and dims[1] == 4]
    if len(boxes) != 1 or len(flat) not in (3, 4):
        return None
    most = flat[boxes[0]][0]
    lists = [name for name, dims in flat.items() if dims in ((most,), (most, 1)) and most > 1]
    scores = [name for name in lists if re.search(r"score|conf", name, re.IGNORECASE)]
    classes = [name for name in lists if re.search(r"class|label", name, re.IGNORECASE)]
    count = [name for name in flat if name not in (*boxes, *lists)]
    if len(scores) == 1 and len(classes) == 1 and len(lists) == 2:
        return Task("detect", "counted", 0, (*boxes, *scores, *classes, *count))
    return None


def _centres(source: Dims, shapes: Mapping[str, Dims]) -> Task | None:
    """A heat map (classes, h, w) beside sizes (2, h, w) and perhaps offsets (2, h, w)."""
    maps = {name: dims for name, dims in shapes.items() if len(dims) == 3}
    if len({dims[1:] for dims in maps.values()}) != 1 or not 2 <= len(maps) <= 4:
        return None
    _, height, width = next(iter(maps.values()))
    if source[1] // height != source[2] // width or source[1] // height not in (1, 2, 4, 8):
        return None

    def named(pattern: str) -> list[str]:
        return [name for name in maps if re.search(pattern, name, re.IGNORECASE)]

    heat = named(r"heat|hm|score|cls")
    sizes = [name for name in named(r"wh|size|scale|ltrb|tlrb") if maps[name][0] in (2, 4)]
    offsets = [name for name in named(r"off|reg") if name not in sizes and maps[name][0] == 2]
    if len(heat) == 1 and len(sizes) == 1 and len(offsets) <= 1 and heat[0] not in sizes:
        return Task("detect", "centres", maps[heat[0]][0], (*heat, *sizes, *offsets))
    return None


def _classes(
    shapes: Mapping[str, Dims], labels: int, words: str, probabilities: bool
) -> Task | None:
    """One list with a score for each class."""
    if len(shapes) != 1:
        return None
    ((name, dims),) = shapes.items()
    count = _elements(dims)
    alone = all(each == 1 for each in dims if each != count)
    if not alone or count < 2 or (labels and labels != count):
        return None
    if labels or probabilities:
        return Task("classify", classes=count, outputs=(name,))
    if count <= 4 or count in (128, 256, 512) or _POINTS.search(f"{words} {name}"):
        return None  # angles, an embedding, or coordinates
    return Task("classify", classes=count, outputs=(name,))


def _maps(source: Dims, shapes: Mapping[str, Dims], words: str) -> Task | None:
    """A picture, or a mask or scores for each of its pixels."""
    channels, height, _ = source
    maps = {n: dims for n, dims in shapes.items() if len(dims) == 3 and sorted(dims)[1] > 1}
    if not maps:
        return None
    alike = {n: _planar(d, source, n) for n, d in maps.items()}
    fitting = {n: d for n, d in alike.items() if d is not None}
    speaking = [name for name in fitting if _MASK.search(name)]
    if len(fitting) != 1 and len(speaking) != 1:
        return None
    name = speaking[0] if len(speaking) == 1 else next(iter(fitting))
    made, rows, _ = fitting[name]
    masks = bool(_MASK.search(words)) and made != 3
    if made == channels and rows >= height and not masks:
        return Task("image", outputs=(name,))
    if made in (1, 3) and channels in (1, 3) and rows > height:
        return Task("image", outputs=(name,))
    return Task("segment", classes=made, outputs=(name,))


def _planar(dims: Dims, source: Dims, name: str) -> Dims | None:
    """(channels, height, width) of a map as large as the input or so many times larger or smaller.

    A map may have its channels last.
    """
    _, height, width = source
    least = 1 / (32 if _MASK.search(name) else _LARGEST_SCALE)
    for channels, rows, columns in (dims, (dims[2], dims[0], dims[1])):
        larger = rows / height, columns / width
        near = abs(larger[0] - larger[1]) <= 0.35 * max(larger)
        if near and least <= larger[0] <= _LARGEST_SCALE and channels <= 256:
            return channels, rows, columns
    return None
