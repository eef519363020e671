"""Where positions of a resized dim lie in the input, and resizing of any dim by a matrix.

A matrix says what each position of the result is made of. It is for what no operator does: dims
that are no rows or columns, scales that are no simple fractions, filters against aliasing, crops.
"""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.constant_maths import MOST_VALUES
from ftdist.network.onnx.nodes import Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.views import Tensor, full
from ftdist.network.operators.resampling import Rounding
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.scaling import ONE_TAP

Given = list[Value | None]

ROUNDINGS: dict[str, Rounding] = {
    "round_prefer_floor": "half_down",
    "round_prefer_ceil": "half_up",
    "floor": "floor",
    "ceil": "ceil",
}


def transform_of(node: Node) -> str:
    default = "half_pixel" if node.kind == "Resize" else "asymmetric"
    if node.integer("opset", 11) < 11:
        default = "asymmetric"
    return node.word("coordinate_transformation_mode", default)


def nearest_mode(node: Node) -> str:
    default = "round_prefer_floor" if node.kind == "Resize" else "floor"
    if node.integer("opset", 11) < 11:
        default = "floor"
    found = node.word("nearest_mode", default)
    if found not in ROUNDINGS:
        raise Unsupported(f"nearest_mode: {found}")
    return found


def coordinates(node: Node, length: int, made: int, scale: float) -> np.ndarray:
    """For each position of the result the place in the input that it stands for."""
    mode = transform_of(node)
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


def _places(
    node: Node, length: int, made: int, scale: float, roi: tuple[float, float]
) -> np.ndarray:
    if transform_of(node) != "tf_crop_and_resize":
        return coordinates(node, length, made, scale)
    start, end = roi
    if made == 1:
        return np.array([(start + end) * (length - 1) / 2])
    return start * (length - 1) + np.arange(made) * (end - start) * (length - 1) / (made - 1)


def nearest(node: Node, place: np.ndarray, length: int) -> np.ndarray:
    """The position that each place is taken from."""
    rounded = {
        "round_prefer_floor": np.ceil(place - 0.5),
        "round_prefer_ceil": np.floor(place + 0.5),
        "floor": np.floor(place),
        "ceil": np.ceil(place),
    }[nearest_mode(node)]
    return np.asarray(np.clip(rounded, 0, length - 1), np.int64)


def _hat(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(0, 1 - np.abs(x)))


def _keys(x: np.ndarray, a: float) -> np.ndarray:
    x = np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x**2 + 1, a * (((x - 5) * x + 8) * x - 4)
    return np.asarray(np.where(x <= 1, near, np.where(x < 2, far, 0)))


def _matrix(
    node: Node, length: int, made: int, scale: float, roi: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """(made, length) what each position of the result is made of, and (made,) a number to add."""
    if length * made > MOST_VALUES:
        raise Unsupported(f"sizes: {length} to {made} is too much for a matrix")
    place = _places(node, length, made, scale, roi)
    mode = node.word("mode", "nearest")
    found, more = np.zeros((made, length)), np.zeros(made)
    if mode == "nearest":
        found[np.arange(made), nearest(node, place, length)] = 1
    elif mode in ("linear", "cubic"):
        stretch = min(scale, 1.0) if node.integer("antialias") else 1.0
        reach = math.ceil((1 if mode == "linear" else 2) / stretch)
        taps = np.floor(place)[:, None] + np.arange(1 - reach, reach + 1)
        away = (taps - place[:, None]) * stretch
        weights = (
            _hat(away) if mode == "linear" else _keys(away, node.number("cubic_coeff_a", -0.75))
        )
        if node.integer("exclude_outside"):
            weights = np.where((taps >= 0) & (taps < length), weights, 0)
        weights /= weights.sum(axis=1, keepdims=True)
        rows = np.broadcast_to(np.arange(made)[:, None], taps.shape)
        np.add.at(found, (rows, np.clip(taps, 0, length - 1).astype(np.int64)), weights)
    else:
        raise Unsupported(f"mode: {mode}; nearest, linear and cubic are supported")
    if transform_of(node) == "tf_crop_and_resize":
        beside = (place < 0) | (place > length - 1)
        found[beside], more[beside] = 0, node.number("extrapolation_value", 0.0)
    return found, more


def by_matrices(
    building: Building,
    node: Node,
    given: Given,
    lengths: tuple[int, ...],
    scales: tuple[float, ...],
) -> Tensor:
    """Dim after dim, each a product with a matrix."""
    value = tensor(given[0])
    regions = dict.fromkeys(range(value.rank), (0.0, 1.0))
    crops = transform_of(node) == "tf_crop_and_resize"
    if crops:
        roi = constant(given[1], "roi").ravel()
        axes = node.integers("axes") or tuple(range(value.rank))
        for at, axis in enumerate(axes):
            regions[axis % value.rank] = float(roi[at]), float(roi[at + len(axes)])
    for axis, (length, made) in enumerate(zip(value.shape, lengths, strict=True)):
        if length == made and (not crops or regions[axis] == (0.0, 1.0)):
            continue
        matrix, more = _matrix(node, length, made, scales[axis], regions[axis])
        value = building.by_channels(value, axis)
        weights = {
            "weights": lambda matrix=matrix: matrix.reshape(*matrix.shape, 1, 1),
            "bias": lambda more=more: more,
        }
        step = building.add(Convolution(made, ONE_TAP), [value.step], weights)
        dims = list(value.dims)
        dims[axis] = full("c", made)
        value = Tensor(step, tuple(dims))
    return value
