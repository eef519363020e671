"""Operators that change how many rows and columns there are: resizing and padding."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import cast, get_args

import numpy as np

from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.maps.resizing import (
    ROUNDINGS,
    by_matrices,
    coordinates,
    nearest,
    nearest_mode,
    transform_of,
)
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Operation
from ftdist.network.operators.resampling import Resize, Rounding, Transform, Upsample

Given = list[Value | None]


@translates("Resize", "Upsample")
def _resize(building: Building, node: Node, given: Given) -> Value:
    """Rows and columns by an operator; whatever else by a matrix for each dim that changes."""
    value = tensor(given[0])
    lengths, scales = _sizes(node, value, given)
    crops = node.word("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    if lengths == value.shape and not crops:
        return value
    if not 1 <= min(lengths) <= max(lengths) <= LARGEST_SIDE:
        raise Unsupported(f"sizes: {lengths}; each is 1 to {LARGEST_SIDE}")
    moved = [axis for axis in range(value.rank) if lengths[axis] != value.shape[axis]]
    on_map = value.rank == 4 and set(moved) <= ({2, 3} if 1 not in moved else {1, 2})
    operation = None
    if on_map and not crops and not node.integer("antialias"):
        axes = (1, 2) if 1 in moved else (2, 3)
        operation = _operation(node, value, lengths, scales, axes)
    if operation is None:
        return by_matrices(building, node, given, lengths, scales)
    frames, channels = value.shape[:2]
    if frames > 1 and 1 not in moved:  # each channel by itself, whichever frame it is of
        flat = building.reshaped(value, (1, frames * channels, *value.shape[2:]))
        resized = building.planar(building.add(operation, [building.map(flat)]))
        return building.reshaped(resized, lengths)
    last = 1 in moved
    order = (0, 3, 1, 2) if last else (0, 1, 2, 3)
    step = building.map(Tensor(value.step, tuple(value.dims[each] for each in order)))
    made = building.planar(building.add(operation, [step]))
    return Tensor(made.step, tuple(made.dims[each] for each in (0, 2, 3, 1))) if last else made


def _operation(
    node: Node,
    value: Tensor,
    lengths: tuple[int, ...],
    scales: tuple[float, ...],
    axes: tuple[int, int],
) -> Operation | None:
    """What resizes rows and columns; None where none can."""
    factor = _whole_factor(node, value, lengths, scales, axes)
    return Upsample(factor) if factor else _resized(node, value, lengths, scales, axes)


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
        place = coordinates(node, length, made, scales[axis])
        if (nearest(node, place, length) != np.arange(made) // factor).any():
            return 0
        factors.add(factor)
    return factors.pop() if len(factors) == 1 else 0


def _resized(
    node: Node,
    value: Tensor,
    lengths: tuple[int, ...],
    scales: tuple[float, ...],
    axes: tuple[int, int],
) -> Resize | None:
    """Linear, cubic, or nearest by whatever the file says of places; None for odd scales."""
    mode = node.word("mode", "nearest")
    transform = transform_of(node)
    if transform == "pytorch_half_pixel":
        if any(lengths[axis] == 1 != value.shape[axis] for axis in axes):
            return None
        transform = "half_pixel"
    transform = {"tf_half_pixel_for_nn": "half_pixel_for_nn"}.get(transform, transform)
    if transform not in get_args(Transform):
        raise Unsupported(f"coordinate_transformation_mode: {transform}")
    rounding = _MIXTURES[mode] if mode in _MIXTURES else ROUNDINGS[nearest_mode(node)]
    only_inside = bool(node.integer("exclude_outside"))
    if only_inside and mode == "linear":
        return None
    up_down = [_fraction(value.shape[axis], lengths[axis], scales[axis]) for axis in axes]
    if None in up_down:
        return None
    rows, columns = (each or (0, 0) for each in up_down)
    coefficient = node.number("cubic_coeff_a", -0.75)
    return Resize(
        lengths[axes[0]],
        lengths[axes[1]],
        cast(Transform, transform),
        rounding,
        rows,
        columns,
        coefficient,
        only_inside,
    )


_MIXTURES: dict[str, Rounding] = {"linear": "linear", "cubic": "cubic"}

_MOST_DOWN = 1 << 10
"""The largest denominator of scales that are taken for fractions."""


def _fraction(length: int, made: int, scale: float) -> tuple[int, int] | None:
    """The scale as a fraction, (0, 0) where it is that of the sizes, None where it is odd."""
    if abs(scale * length - made) < 1e-4 * made:
        return (0, 0)
    near = Fraction(scale).limit_denominator(_MOST_DOWN)
    if abs(float(near) - scale) > 1e-6 * scale or near.numerator > LARGEST_SIDE:
        return None
    return near.numerator, near.denominator


def _sizes(node: Node, value: Tensor, given: Given) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The lengths of the result, and the scale of each axis."""
    sizes = given[3] if len(given) > 3 else None
    if node.kind == "Upsample":
        scales = node.attributes.get("scales") or constant(given[1], "scales").ravel()
    elif sizes is not None:
        return _by_sizes(node, value.shape, whole(sizes, "sizes"))
    else:
        scales = constant(given[2 if len(given) > 2 else 1], "scales").ravel()
    axes = node.integers("axes") or tuple(range(len(scales)))
    by_axis = [1.0] * value.rank
    for axis, scale in zip(axes, scales, strict=True):
        by_axis[axis] = float(scale)
    if not all(0 < each < 1 << 16 for each in by_axis):
        raise Unsupported("scales: they are not above 0")
    # In 32 bits, as runtimes have it: 40 times 61/40 is 61, though that scale is a little less.
    made = tuple(
        math.floor(np.float32(a) * np.float32(b)) for a, b in zip(value.shape, by_axis, strict=True)
    )
    return made, tuple(by_axis)


def _by_sizes(
    node: Node, shape: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Lengths and scales where sizes are given: each by itself, or one scale for all of them."""
    axes = node.integers("axes") or tuple(range(len(sizes)))
    if len(axes) != len(sizes) or min(sizes) < 1:
        raise Unsupported(f"sizes: {sizes} for {len(axes)} axes")
    policy = node.word("keep_aspect_ratio_policy", "stretch")
    wanted = list(shape)
    for axis, length in zip(axes, sizes, strict=True):
        wanted[axis] = length
    scales = [a / b for a, b in zip(wanted, shape, strict=True)]
    if policy != "stretch":
        if policy not in ("not_larger", "not_smaller"):
            raise Unsupported(f"keep_aspect_ratio_policy: {policy}")
        own = [scales[axis] for axis in axes]
        scale = min(own) if policy == "not_larger" else max(own)
        for axis in axes:
            scales[axis] = scale
            wanted[axis] = math.floor(scale * shape[axis] + 0.5)
    return tuple(wanted), tuple(scales)
