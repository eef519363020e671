"""Operators that change how many rows and columns there are: resizing and padding."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import cast, get_args

import numpy as np

from ftdist.geometry import Window
from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.registry import (
    Node,
    Unsupported,
    Value,
    constant,
    tensor,
    translates,
    whole,
)
from ftdist.network.onnx.translators.joining import part
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.resampling import Resize, Rounding, Transform, Upsample
from ftdist.network.operators.windows import Convolution

Given = list[Value | None]


@translates("Resize", "Upsample")
def _resize(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    lengths, scales = _sizes(node, value, given)
    if lengths == value.shape:
        return value
    moved = [axis for axis in range(value.rank) if lengths[axis] != value.shape[axis]]
    if value.rank != 4 or not set(moved) <= ({2, 3} if 1 not in moved else {1, 2}):
        raise Unsupported("scales: only rows and columns can be resized")
    last = 1 in moved
    order = (0, 3, 1, 2) if last else (0, 1, 2, 3)
    step = building.map(Tensor(value.step, tuple(value.dims[each] for each in order)))
    rows, columns = (1, 2) if last else (2, 3)
    factor = _whole_factor(node, value, lengths, scales, (rows, columns))
    operation: Operation = (
        Upsample(factor) if factor else _resized(node, value, lengths, scales, (rows, columns))
    )
    made = building.planar(building.add(operation, [step]))
    return Tensor(made.step, tuple(made.dims[each] for each in (0, 2, 3, 1))) if last else made


def _whole_factor(
    node: Node,
    value: Tensor,
    lengths: tuple[int, ...],
    scales: tuple[float, ...],
    axes: tuple[int, int],
) -> int:
    """How often each position comes, on both axes, where that is all; else 0."""
    factors = set()
    for axis in axes:
        length, made = value.shape[axis], lengths[axis]
        factor = made // length
        if node.word("mode", "nearest") != "nearest" or factor * length != made:
            return 0
        if not _repeats(node, length, made, scales[axis], factor):
            return 0
        factors.add(factor)
    return factors.pop() if len(factors) == 1 else 0


def _resized(
    node: Node,
    value: Tensor,
    lengths: tuple[int, ...],
    scales: tuple[float, ...],
    axes: tuple[int, int],
) -> Resize:
    """Linear, or nearest by whatever the file says of places."""
    if node.integer("exclude_outside") or node.integer("antialias"):
        raise Unsupported("antialias or exclude_outside")
    mode = node.word("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise Unsupported(f"mode: {mode}; nearest and linear are supported")
    transform = _transform(node)
    if transform == "pytorch_half_pixel":
        if any(lengths[axis] == 1 != value.shape[axis] for axis in axes):
            raise Unsupported("coordinate_transformation_mode: pytorch_half_pixel to one position")
        transform = "half_pixel"
    if transform not in get_args(Transform):
        raise Unsupported(f"coordinate_transformation_mode: {transform}")
    rounding: Rounding = "linear" if mode == "linear" else _ROUNDINGS[_nearest(node)]
    rows, columns = (_fraction(value.shape[axis], lengths[axis], scales[axis]) for axis in axes)
    return Resize(
        lengths[axes[0]], lengths[axes[1]], cast(Transform, transform), rounding, rows, columns
    )


_ROUNDINGS: dict[str, Rounding] = {
    "round_prefer_floor": "half_down",
    "round_prefer_ceil": "half_up",
    "floor": "floor",
    "ceil": "ceil",
}

_MOST_DOWN = 1 << 10
"""The largest denominator of scales that are taken for fractions."""


def _fraction(length: int, made: int, scale: float) -> tuple[int, int]:
    """The scale as a fraction, (0, 0) where it is that of the sizes."""
    if abs(scale * length - made) < 1e-4 * made:
        return (0, 0)
    near = Fraction(scale).limit_denominator(_MOST_DOWN)
    if abs(float(near) - scale) > 1e-6 * scale or near.numerator > LARGEST_SIDE:
        raise Unsupported(f"scales: {scale} is no simple fraction")
    return near.numerator, near.denominator


def _transform(node: Node) -> str:
    default = "half_pixel" if node.kind == "Resize" else "asymmetric"
    if node.integer("opset", 11) < 11:
        default = "asymmetric"
    return node.word("coordinate_transformation_mode", default)


def _nearest(node: Node) -> str:
    default = "round_prefer_floor" if node.kind == "Resize" else "floor"
    if node.integer("opset", 11) < 11:
        default = "floor"
    found = node.word("nearest_mode", default)
    if found not in _ROUNDINGS:
        raise Unsupported(f"nearest_mode: {found}")
    return found


def _sizes(node: Node, value: Tensor, given: Given) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The lengths of the result, and the scale of each axis."""
    sizes = given[3] if len(given) > 3 else None
    if node.kind == "Upsample":
        scales = node.attributes.get("scales") or constant(given[1], "scales").ravel()
    elif sizes is not None:
        if node.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Unsupported("keep_aspect_ratio_policy: only stretch is supported")
        wanted = list(value.shape)
        lengths = whole(sizes, "sizes")
        for axis, length in zip(node.integers("axes") or range(len(lengths)), lengths, strict=True):
            wanted[axis] = length
        return tuple(wanted), tuple(a / b for a, b in zip(wanted, value.shape, strict=True))
    else:
        scales = constant(given[2 if len(given) > 2 else 1], "scales").ravel()
    axes = node.integers("axes") or tuple(range(len(scales)))
    by_axis = [1.0] * value.rank
    for axis, scale in zip(axes, scales, strict=True):
        by_axis[axis] = float(scale)
    if not all(0 < each < 1 << 16 for each in by_axis):
        raise Unsupported("scales: they are not above 0")
    made = tuple(math.floor(a * b) for a, b in zip(value.shape, by_axis, strict=True))
    return made, tuple(by_axis)


def coordinates(node: Node, length: int, made: int, scale: float) -> np.ndarray:
    """For each position of the result the place in the input that it stands for."""
    mode = _transform(node)
    place = np.arange(made, dtype=np.float64)
    if mode == "asymmetric":
        return place / scale
    if mode == "align_corners":
        return place * (length - 1) / (made - 1) if made > 1 else 0 * place
    if mode == "half_pixel_symmetric":
        adjustment = made / (scale * length)
        return length / 2 * (1 - adjustment) + (place + 0.5) / scale - 0.5
    if mode == "tf_half_pixel_for_nn":
        return (place + 0.5) / scale
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and made > 1):
        return (place + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return 0 * place
    raise Unsupported(f"coordinate_transformation_mode: {mode}")


def _repeats(node: Node, length: int, made: int, scale: float, factor: int) -> bool:
    """Whether nearest positions are just each input position `factor` times."""
    place = coordinates(node, length, made, scale)
    rounded = {
        "round_prefer_floor": np.ceil(place - 0.5),
        "round_prefer_ceil": np.floor(place + 0.5),
        "floor": np.floor(place),
        "ceil": np.ceil(place),
    }[_nearest(node)]
    nearest = np.clip(rounded, 0, length - 1)
    return bool((nearest == np.arange(made) // factor).all())


@translates("Pad")
def _pad(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    mode = node.word("mode", "constant")
    pads = node.integers("pads") or whole(given[1], "pads")
    axes: tuple[int, ...] = tuple(range(value.rank))
    if len(given) > 3 and given[3] is not None:
        axes = tuple(axis % value.rank for axis in whole(given[3], "axes"))
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"pads: {len(pads)} for {len(axes)} axes")
    filling = node.number("value", 0.0)
    if len(given) > 2 and given[2] is not None:
        filling = float(constant(given[2], "the value").reshape(()))
    by_axis = {axis: (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    for axis, (before, after) in by_axis.items():
        if before < 0 or after < 0:
            length = value.shape[axis]
            chosen = range(max(0, -before), length - max(0, -after))
            if not chosen:
                raise Unsupported("pads: nothing would be left")
            value = part(building, value, axis, chosen)
    by_axis = {axis: (max(0, a), max(0, b)) for axis, (a, b) in by_axis.items() if a > 0 or b > 0}
    if not by_axis:
        return value
    if mode != "constant" or filling != 0:
        raise Unsupported(f"mode: {mode} with {filling}; only zeros are supported")
    return _with_zeros(building, value, by_axis)


def _with_zeros(building: Building, value: Tensor, by_axis: dict[int, tuple[int, int]]) -> Tensor:
    """Zeros around rows and columns: a depthwise convolution of one tap, whose padding they are."""
    shape = building.shape(value.step)
    windows = {"h": Window(1), "w": Window(1), "c": Window(1)}
    axes: list[str] = []
    for dim in value.dims:
        names = {atom.axis for atom in dim}
        axes.append(names.pop() if len(names) == 1 else "-")
    if value.rank == 4 and "-" in axes:
        axes = list("-hwc") if axes[3] == "c" and value.rank == 4 else list("-chw")
    for axis, (before, after) in by_axis.items():
        name = axes[axis]
        if name not in ("h", "w"):
            raise Unsupported("pads: only rows and columns can be padded")
        windows[name] = Window(1, 1, 1, before, after)
    ones = np.ones((shape.channels, 1, 1, 1), np.float32)
    operation = Convolution(shape.channels, Sliding(windows["h"], windows["w"]), shape.channels)
    zeros = np.zeros(shape.channels, np.float32)
    step = building.add(operation, [value.step], {"weights": lambda: ones, "bias": lambda: zeros})
    planar = building.planar(step)
    by_name = dict(zip("-chw", planar.dims, strict=True))
    return Tensor(step, tuple(by_name[name] for name in axes))
