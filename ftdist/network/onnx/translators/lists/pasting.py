"""Masks of regions, each put where its region lies in the picture: what Mask R-CNN ends with.

torchvision exports it as a Loop over regions, which resizes each mask to the size of its own box:
no round is as large as another. What comes out is the same as two products for each region, of its
mask with how much of its rows and columns is in each of the picture's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.lists import List
from ftdist.network.onnx.nodes import Branch, Open, Unsupported
from ftdist.network.onnx.registry import made
from ftdist.network.onnx.translators.lists.entries import shortened
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.views import Tensor

_PASTING = Counter(
    {"Resize": 1, "ReduceMax": 4, "ReduceMin": 2, "Sub": 8, "Add": 4, "Slice": 7}
    | {"Gather": 13, "ConstantOfShape": 5, "Concat": 16}
)
"""What a round of it is made of, beside what only looks at shapes."""


def pasting(body: Branch) -> tuple[str, str]:
    """The names of the masks and of the boxes that a Loop's rounds take; Unsupported if they do not
    paste masks."""
    kinds = Counter(each.kind for each in body.nodes if each.kind in _PASTING)
    taken = [
        each.inputs[0]
        for each in body.nodes
        if each.kind == "Gather" and each.inputs[1:2] == body.inputs[:1]
    ]
    hows = [
        (each.word("mode", ""), each.word("coordinate_transformation_mode", "half_pixel"))
        for each in body.nodes
        if each.kind == "Resize"
    ]
    if kinds != _PASTING or len(taken) != 2 or hows != [("linear", "half_pixel")]:
        raise Unsupported("how often it runs depends on the input")
    return taken[0], taken[1]


def pasted(building: Building, given: Sequence[object], start: Sequence[Open | None]) -> List:
    """Masks (n, 1, side, side) in boxes (n, 4), whole numbers x, y, x, y of their first and last
    pixels: (n, height, width). `start` is what there is before the first: (0, height, width)."""
    masks, boxes = given
    if not isinstance(masks, List) or not isinstance(boxes, List):
        raise Unsupported("its masks and boxes are no lists")
    (first,) = start
    if not isinstance(first, np.ndarray) or first.ndim != 3 or first.size:
        raise Unsupported("it begins with masks that are there already")
    height, width = first.shape[1:]
    if masks.rank != 4 or masks.shape[1] != 1 or boxes.shape[1:] != (4,):
        raise Unsupported(f"masks {masks.shape} in boxes {boxes.shape}")
    most = min(masks.capacity, boxes.capacity)
    masks, boxes = (shortened(building, each, most) for each in (masks, boxes))
    rows, columns = masks.shape[2:]
    mask = building.reshaped(masks.tensor, (most, rows, columns))
    down = _shares(building, boxes.tensor, 1, rows, height)
    across = _shares(building, boxes.tensor, 0, columns, width)
    turned = Tensor(across.step, tuple(across.dims[each] for each in (0, 2, 1)))
    return List(
        made(building, "MatMul", [made(building, "MatMul", [down, mask]), turned]), 0, masks.count
    )


def _shares(building: Building, boxes: Tensor, axis: int, side: int, length: int) -> Tensor:
    """How much of each row (or column) of a mask is in each of the picture: (n, length, side)."""
    first, last = (
        building.reshaped(part(building, boxes, 1, range(at, at + 1)), (boxes.shape[0], 1, 1))
        for at in (axis, axis + 2)
    )
    one, half = np.ones(1, np.float32), np.full(1, 0.5, np.float32)
    size = made(building, "Add", [made(building, "Sub", [last, first]), one])
    size = made(building, "Max", [size, one])
    pixels = np.arange(length, dtype=np.float32).reshape(1, length, 1)
    own = made(building, "Sub", [pixels + half, first])
    own = made(building, "Mul", [own, made(building, "Div", [np.full(1, side, np.float32), size])])
    limits = np.zeros((), np.float32), np.full((), side - 1, np.float32)
    place = made(building, "Clip", [made(building, "Sub", [own, half]), *limits])
    apart = made(building, "Sub", [place, np.arange(side, dtype=np.float32).reshape(1, 1, side)])
    share = made(building, "Sub", [one, made(building, "Abs", [apart])])
    is_in = [
        made(building, "GreaterOrEqual", [pixels, first]),
        made(building, "LessOrEqual", [pixels, last]),
    ]
    inside = made(building, "And", list(is_in))
    return made(building, "Mul", [made(building, "Relu", [share]), inside])
