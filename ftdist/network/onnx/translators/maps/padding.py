"""What lies beside rows and columns, channels and other dims."""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.translators.values.pointwise import whole_axis
from ftdist.network.onnx.views import Tensor, full
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.placing import Pad, PadMode

Given = list[Value | None]

Borders = dict[int, tuple[int, int]]
"""By dim how much comes before and after it."""

_MODES: dict[str, PadMode] = {
    "constant": "constant",
    "edge": "edge",
    "reflect": "reflect",
    "wrap": "wrap",
}

_FAR = float(np.finfo(np.float32).max)


@translates("Pad")
def _pad(building: Building, node: Node, given: Given) -> Value:
    value, filling = tensor(given[0]), _filling(node, given)
    mode = node.word("mode", "constant")
    if mode not in _MODES:
        raise Unsupported(f"mode: {mode}")
    borders: Borders = {}
    for axis, (before, after) in _borders(node, given, value.rank).items():
        length = value.shape[axis]
        chosen = range(max(0, -before), length - max(0, -after))
        if not chosen:
            raise Unsupported("pads: nothing would be left")
        value = part(building, value, axis, chosen)
        if max(before, after) > 0:
            borders[axis] = max(0, before), max(0, after)
    return padded(building, value, borders, _MODES[mode], filling)


@translates("CenterCropPad")
def _to_size(building: Building, node: Node, given: Given) -> Value:
    """Of each dim the middle, or zeros around it; what is odd is cut off or added behind."""
    value, sizes = tensor(given[0]), whole(given[1], "shape")
    axes = [axis % value.rank for axis in node.integers("axes", tuple(range(value.rank)))]
    if len(axes) != len(sizes) or min(sizes, default=1) < 1:
        raise Unsupported(f"shape: {sizes} of {len(axes)} dims")
    around = np.zeros((2, value.rank), np.int64)
    for axis, size in zip(axes, sizes, strict=True):
        less, more = max(0, value.shape[axis] - size), max(0, size - value.shape[axis])
        around[:, axis] = more // 2, more - more // 2
        if less:
            value = part(building, value, axis, range(less // 2, less // 2 + size))
    return made(building, "Pad", [value, around.ravel()]) if around.any() else value


def _filling(node: Node, given: Given) -> float:
    found = node.number("value", 0.0)
    if len(given) > 2 and given[2] is not None:
        found = float(constant(given[2], "the value").reshape(()))
    return min(max(found, -_FAR), _FAR)


def _borders(node: Node, given: Given, rank: int) -> Borders:
    pads = node.integers("pads") or whole(given[1], "pads")
    axes = range(rank)
    if len(given) > 3 and given[3] is not None:
        axes = [axis % rank for axis in whole(given[3], "axes")]  # type: ignore[assignment]
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"pads: {len(pads)} for {len(axes)} axes")
    return {axis: (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}


def padded(
    building: Building, value: Tensor, borders: Borders, mode: PadMode, filling: float
) -> Tensor:
    """Rows and columns at once; channels as a join of maps, or, as any other dim, by moving it."""
    if value.rank == 4 and not value.dims[0] and set(borders) <= {2, 3}:
        value = building.planar(building.map(value))
    sides: dict[str, tuple[int, int]] = {}
    for axis, around in list(borders.items()):
        for name in "hw":
            if name not in sides and whole_axis(building, value, axis, name) and value.dims[axis]:
                sides[name] = borders.pop(axis)
                value = _with_dim(building, value, axis, name, sum(around))
                break
    if sides:
        rows, columns = (sides.get(name, (0, 0)) for name in "hw")
        value = Tensor(_around(building, value.step, rows, columns, mode, filling), value.dims)
    for axis, around in borders.items():
        if whole_axis(building, value, axis, "c") and mode == "constant":
            step = _beside_channels(building, value.step, around, filling)
            value = _with_dim(building, Tensor(step, value.dims), axis, "c", 0)
            continue
        rest = [other for other in range(value.rank) if other != axis]
        value = building.grouped(value, [axis], rest[:-1], rest[-1:])
        step = _around(building, value.step, around, (0, 0), mode, filling)
        value = _with_dim(building, Tensor(step, value.dims), axis, "h", 0)
    return value


def _with_dim(building: Building, value: Tensor, axis: int, name: str, more: int) -> Tensor:
    """The tensor with all of an axis of its map, and of what will be more of it, as a dim."""
    shape = building.shape(value.step)
    length = {"h": shape.height, "w": shape.width, "c": shape.channels}[name] + more
    dims = list(value.dims)
    dims[axis] = full(name, length)  # type: ignore[arg-type]
    return Tensor(value.step, tuple(dims))


def _around(
    building: Building,
    step: int,
    rows: tuple[int, int],
    columns: tuple[int, int],
    mode: PadMode,
    filling: float,
) -> int:
    return building.add(Pad(mode, *rows, *columns, filling), [step])


def _beside_channels(building: Building, step: int, around: tuple[int, int], filling: float) -> int:
    steps = [step]
    for count, place in zip(around, (0, None), strict=True):
        if count:
            values = np.full(count, filling)
            made = building.channels_of(step, values)
            steps.insert(len(steps) if place is None else place, made)
    return building.add(Concatenate(), steps)
