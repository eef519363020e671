"""onnxruntime's own operators of quantised graphs, as its quantiser writes them (QOperator).

Each is an operator of ONNX between bytes: what it reads is brought to floats, what it makes to the
scale of the result. Operands, scales and zero points stand in threes, those of the result last; a
zero point that is left out is 0.

Source: ContribOperators.md of onnxruntime.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import OPERATORS, made, translates
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.quantised import to_scale
from ftdist.network.onnx.types import type_of
from ftdist.network.onnx.views import Tensor

_DOMAIN = "com.microsoft."
_UINT8 = 2

Given = list[Value | None]


def _own(name: str) -> str:
    return f"{_DOMAIN}{name}"


def _at(given: Given, at: int) -> Value | None:
    return given[at] if at < len(given) else None


def _scalar(value: Value | None, what: str) -> Array:
    """A constant that is one number for all values, float32."""
    found = constant(value, what)
    if found.size != 1:
        raise Unsupported(f"{what} is {found.size} numbers; one is supported")
    return found.reshape(()).astype(np.float32)


def _whole(building: Building, given: Given, at: int, zero: int) -> Value:
    """An operand less its zero point."""
    value, point = _at(given, at), _at(given, zero)
    if value is None:
        raise Unsupported("an operand is missing")
    value = value if isinstance(value, Tensor) else value.astype(np.float32)
    less = np.zeros((), np.float32) if point is None else _scalar(point, "a zero point")
    if not less.any():
        return value
    return paired(building, "subtract", value, less) if isinstance(value, Tensor) else value - less


def _floats(building: Building, given: Given, at: int) -> Value:
    """What the operand, its scale and its zero point mean that begin there."""
    value = _whole(building, given, at, at + 2)
    scale = _scalar(_at(given, at + 1), "a scale")
    if isinstance(value, Tensor):
        return paired(building, "multiply", value, scale)
    return value * scale


def _bytes(building: Building, value: Tensor, scale: Value | None, zero: Value | None) -> Tensor:
    """To the scale of the result, and the type of its zero point."""
    point = np.zeros((), np.float32) if zero is None else _scalar(zero, "a zero point")
    kind = _UINT8 if zero is None else type_of(constant(zero, "a zero point"))
    return to_scale(building, value, _scalar(scale, "a scale"), point, kind)


@translates(_own("QLinearAdd"), _own("QLinearMul"))
def _of_two(building: Building, node: Node, given: Given) -> Value:
    operands: Given = [_floats(building, given, at) for at in (0, 3)]
    found = made(building, node.kind.removeprefix(_own("QLinear")), operands)
    return _bytes(building, found, _at(given, 6), _at(given, 7))


@translates(
    *map(_own, ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax")),
    *map(_own, ("QLinearAveragePool", "QLinearGlobalAveragePool")),
)
def _of_one(building: Building, node: Node, given: Given) -> Value:
    if node.integer("channels_last"):
        raise Unsupported("channels_last: export it with channels first")
    own = {name: each for name, each in node.attributes.items() if name != "channels_last"}
    kind = node.kind.removeprefix(_own("QLinear"))
    found = made(building, kind, [_floats(building, given, 0)], own)
    return _bytes(building, found, _at(given, 3), _at(given, 4))


@translates(_own("QLinearConcat"))
def _joined(building: Building, node: Node, given: Given) -> Value:
    """The scale of the result stands first here."""
    parts: Given = [_floats(building, given, at) for at in range(2, len(given), 3)]
    found = made(building, "Concat", parts, node.attributes)
    return _bytes(building, found, given[0], given[1])


@translates(_own("QLinearWhere"))
def _chosen(building: Building, node: Node, given: Given) -> Value:
    sides: Given = [_floats(building, given, at) for at in (1, 4)]
    found = made(building, "Where", [given[0], *sides])
    return _bytes(building, found, _at(given, 7), _at(given, 8))


@translates(_own("QGemm"))
def _product(building: Building, node: Node, given: Given) -> Value:
    """Without a scale of the result that is floats; the bias has the scale of the product."""
    first = tensor(_whole(building, given, 0, 2))
    second = constant(given[3], "the second operand").astype(np.float32)
    across = node.integer("transB") == 0
    second = second - _along(_at(given, 5), across, "a zero point", 0.0)
    bias = _at(given, 6)
    whole = {"transA": node.integer("transA"), "transB": node.integer("transB")}
    operands: Given = [first, second]
    if bias is not None:
        operands.append(constant(bias, "the bias").astype(np.float32))
    product = made(building, "Gemm", operands, whole)
    factor = _scalar(_at(given, 1), "a scale") * _along(_at(given, 4), True, "a scale", 1.0)
    factor = (factor * np.float32(node.number("alpha", 1.0))).astype(np.float32)
    found = paired(building, "multiply", product, factor.reshape(() if factor.size == 1 else (-1,)))
    if _at(given, 7) is None:
        return found
    return _bytes(building, tensor(found), _at(given, 7), _at(given, 8))


def _along(value: Value | None, across: bool, what: str, default: float) -> Array:
    """One number, or one for each output: a row where outputs lie across, else a column."""
    found = np.full(1, default) if value is None else constant(value, what)
    flat = found.astype(np.float32).reshape(-1)
    if flat.size == 1:
        return flat.reshape(())
    return flat if across else flat[:, np.newaxis]


@translates(_own("MatMulIntegerToFloat"))
def _product_of_whole(building: Building, node: Node, given: Given) -> Value:
    return _in_floats(building, given)


def _in_floats(building: Building, given: Given) -> Tensor:
    """A product of whole numbers by both of their scales, and a bias that may be there."""
    points = [_at(given, 4), _at(given, 5)]
    found = made(building, "MatMulInteger", [*given[:2], *points])
    for scale in given[2:4]:
        found = made(building, "Mul", [found, scale])
    bias = _at(given, 6)
    return found if bias is None else made(building, "Add", [found, bias])


@translates(_own("DynamicQuantizeMatMul"))
def _product_of_own_scale(building: Building, node: Node, given: Given) -> Value:
    """The same, with the first operand brought to bytes by a scale of its own."""
    parts = OPERATORS["DynamicQuantizeLinear"](building, node, given[:1])
    whole, scale, point = parts  # type: ignore[misc]
    matrix, scales, points, bias = given[1], given[2], _at(given, 3), _at(given, 4)
    operands: Given = [whole, matrix, scale, scales, point, points, bias]
    return _in_floats(building, operands)


@translates(_own("DynamicQuantizeLSTM"))
def _recurrent(building: Building, node: Node, given: Given) -> list[Value]:
    """An LSTM whose weights are bytes, turned round: (directions, values, gates).

    What it reads is not brought to bytes at every step, as the runtime does to multiply faster.
    """
    matrices: Given = [
        _by_direction(given[at], _at(given, scale), _at(given, scale + 1)).swapaxes(1, 2)
        for at, scale in ((1, 8), (2, 10))
    ]
    found = OPERATORS["LSTM"](
        building, replace(node, kind="LSTM"), [given[0], *matrices, *given[3:8]]
    )
    return found if isinstance(found, list) else [found]


def _by_direction(value: Value | None, scale: Value | None, zero: Value | None) -> Array:
    """Bytes as floats; scales and zero points are one for each direction, or for its gates too."""
    whole = constant(value, "W or R").astype(np.float32)
    scales = constant(scale, "a scale").astype(np.float32).reshape(len(whole), 1, -1)
    points = np.zeros(1) if zero is None else constant(zero, "a zero point")
    return (whole - points.astype(np.float32).reshape(len(points), 1, -1)) * scales
