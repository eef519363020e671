"""Quantised graphs by their float meaning: whole numbers stay what they are, in floats.

Products of two bytes are exact in floats, and so are sums of them up to 2^24; beyond that they are
rounded as all floats are. Rounding to a scale is done as the file says: by division, to the even
neighbour, and within the range of its type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.constant_maths import RANGES, along
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.reductions import reduced
from ftdist.network.onnx.types import type_of
from ftdist.network.onnx.views import Tensor

Given = list[Value | None]

_UINT8, _BYTE = 2, 255.0
_FAR = float(np.finfo(np.float32).max)


def _parameters(
    node: Node, shape: Sequence[int], scale: Value | None, zero: Value | None
) -> tuple[Value, Array]:
    """Scale and zero point as operands; a scale may depend on the input, if it is one."""
    point: Array = np.zeros((), np.float32)
    if zero is not None:
        point = along(constant(zero, "the zero point"), node, shape).astype(np.float32)
    if isinstance(scale, Tensor):
        return scale, point
    return along(constant(scale, "the scale"), node, shape).astype(np.float32), point


@translates("QuantizeLinear")
def _quantised(building: Building, node: Node, given: Given) -> Value:
    value, zero = tensor(given[0]), given[2] if len(given) > 2 else None
    kind = node.type_of(2) or node.integer("output_dtype") or 2
    if isinstance(zero, np.ndarray):
        kind = type_of(zero)
    if isinstance(zero, Tensor):
        return to_scale(building, value, given[1], zero, kind)
    scale, point = _parameters(node, value.shape, given[1], zero)
    return to_scale(building, value, scale, point, kind)


def to_scale(
    building: Building, value: Tensor, scale: Value | None, point: Value, kind: int
) -> Tensor:
    """Rounded to whole numbers of that scale and zero point, cut to the range of ONNX's type."""
    if kind not in RANGES:
        raise Unsupported(f"to numbers of ONNX's type {kind}; 8 and 16 bits are supported")
    rounded = applied(building, paired(building, "divide", value, scale), "round")
    if isinstance(point, Tensor) or point.any():
        rounded = paired(building, "add", rounded, point)
    low, high = RANGES[kind]
    return applied(building, rounded, "clip", low, high)


@translates("DynamicQuantizeLinear")
def _to_own_scale(building: Building, node: Node, given: Given) -> list[Value]:
    """To bytes, by a scale and a zero point for which the values just fit, and zero is exact."""
    value = tensor(given[0])
    every = tuple(range(value.rank))
    low = reduced(building, value, "min", every, keep=False)
    low = applied(building, low, "clip", -_FAR)
    high = reduced(building, value, "max", every, keep=False)
    high = applied(building, high, "clip", 0.0, _FAR)
    span = paired(building, "subtract", high, low)
    scale = paired(building, "divide", span, np.array(_BYTE, np.float32))
    nothing = paired(building, "equal", span, np.zeros((), np.float32))
    scale = paired(building, "add", scale, nothing)  # 1 where all values are 0
    point = applied(building, paired(building, "divide", low, scale), "negative")
    point = applied(building, applied(building, point, "clip", 0.0, _BYTE), "round")
    return [to_scale(building, value, scale, point, _UINT8), scale, point]


@translates("DequantizeLinear")
def _from_scale(building: Building, node: Node, given: Given) -> Value:
    value, zero = tensor(given[0]), given[2] if len(given) > 2 else None
    if isinstance(zero, Tensor):
        return paired(building, "multiply", paired(building, "subtract", value, zero), given[1])
    scale, point = _parameters(node, value.shape, given[1], zero)
    return _scaled(building, _less(building, value, point), scale)


def _less(building: Building, value: Value, point: Array) -> Value:
    if not point.any():
        return value
    if isinstance(value, Tensor):
        return paired(building, "subtract", value, point)
    return value.astype(np.float32) - point


def _scaled(building: Building, value: Value, scale: Value) -> Value:
    if isinstance(value, Tensor) or isinstance(scale, Tensor):
        return paired(building, "multiply", value, scale)
    return value * scale


def _whole(building: Building, node: Node, given: Given, at: int, zero: int, axis: int) -> Value:
    """An operand less its zero point."""
    value = given[at]
    if value is None:
        raise Unsupported("an operand is missing")
    point = given[zero] if zero < len(given) else None
    if point is None:
        return _floats(value)
    lying = [-1 if each == axis else 1 for each in range(_rank(value))]
    if isinstance(point, Tensor):
        if math.prod(point.shape) > 1:
            point = made(building, "Reshape", [point, np.array(lying, np.int64)])
        return paired(building, "subtract", _floats(value), point)
    array = constant(point, "the zero point").astype(np.float32)
    array = array.reshape(lying if array.size > 1 else ())
    return _less(building, _floats(value), array)


def _floats(value: Value) -> Value:
    return value if isinstance(value, Tensor) else value.astype(np.float32)


def _rank(value: Value) -> int:
    return value.rank if isinstance(value, Tensor) else value.ndim


@translates("ConvInteger", "MatMulInteger")
def _of_integers(building: Building, node: Node, given: Given) -> Value:
    first = _whole(building, node, given, 0, 2, _rank(given[0]) - 2)  # type: ignore[arg-type]
    conv = node.kind == "ConvInteger"
    axis = 0 if conv else _rank(given[1]) - 1  # type: ignore[arg-type]
    second = _whole(building, node, given, 1, 3, axis)
    return made(building, "Conv" if conv else "MatMul", [first, second], node.attributes)


@translates("QLinearConv", "QLinearMatMul")
def _scaled_product(building: Building, node: Node, given: Given) -> Value:
    """Whole numbers are multiplied and summed, then brought to the scale of the result."""
    conv = node.kind == "QLinearConv"
    first = _whole(building, node, given, 0, 2, 1)
    second = _whole(building, node, given, 3, 5, 0 if conv else _rank(given[3]) - 1)  # type: ignore[arg-type]
    operands: list[Value | None] = [first, second]
    if conv and len(given) > 8 and given[8] is not None:
        operands.append(constant(given[8], "the bias").astype(np.float32))
    product = made(building, "Conv" if conv else "MatMul", operands, node.attributes)
    scales = [constant(given[at], "a scale").astype(np.float32) for at in (1, 4, 6)]
    factor = scales[0] * scales[1] / scales[2]  # in floats: it decides where ties fall
    if factor.size > 1:
        factor = factor.reshape([-1, *[1] * (product.rank - 2)] if conv else [-1])
    scaled = paired(building, "multiply", product, factor.reshape(factor.shape or ()))
    zero = constant(given[7], "the zero point")
    one = np.ones((), np.float32)
    kind = type_of(zero)
    return to_scale(building, scaled, one, zero.astype(np.float32).reshape(()), kind)
