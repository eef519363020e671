"""Functions of two tensors, value by value; a constant beside a tensor is a map of channels."""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import WHOLE, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.values.pointwise import (
    divided,
    lying_alike,
    operand,
    placed,
    scaled,
)
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.functions import Function
from ftdist.network.operators.joining import Multiply
from ftdist.network.operators.pairs import Pair, PairKind

Given = list[Value | None]

_FAR = float(np.finfo(np.float32).max)

_KINDS: dict[str, PairKind] = {
    "Max": "maximum",
    "Min": "minimum",
    "Pow": "power",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_or_equal",
    "Less": "less",
    "LessOrEqual": "less_or_equal",
    "And": "and",
    "Or": "or",
    "Xor": "xor",
}


@translates(*_KINDS)
def _pair(building: Building, node: Node, given: Given) -> Value:
    if node.kind == "Pow" and isinstance(given[0], Tensor) and _is(given[1], 2):
        return Tensor(building.add(Multiply(), [given[0].step, given[0].step]), given[0].dims)
    result = given[0]
    for each in given[1:]:
        result = paired(building, _KINDS[node.kind], result, each)
    if not isinstance(result, Tensor):
        raise Unsupported("its input is a constant")
    return result


@translates("Div")
def _divide(building: Building, node: Node, given: Given) -> Value:
    """Whole numbers are divided as such; elsewhere a constant divisor is a factor."""
    if node.type_of(0) in WHOLE:
        found = paired(building, "divide", given[0], given[1])
        return Tensor(building.add(Function("truncate"), [found.step]), found.dims)
    first, second = placed(building, *given)
    if isinstance(second, Tensor):
        return paired(building, "divide", first, second)
    return divided(building, given)


@translates("Mod")
def _modulo(building: Building, node: Node, given: Given) -> Value:
    """fmod has the sign of what is divided."""
    return paired(building, "remainder" if node.integer("fmod") else "modulo", given[0], given[1])


@translates("Mean")
def _mean(building: Building, node: Node, given: Given) -> Value:
    total = given[0]
    for each in given[1:]:
        total = paired(building, "add", total, each)
    value = tensor(total)
    return value if len(given) == 1 else scaled(building, value, 1 / len(given))


def paired(building: Building, how: PairKind, first: Value | None, second: Value | None) -> Tensor:
    """A function of two values of which at least one is a tensor."""
    first, second = placed(building, first, second)
    if (found := _with_number(building, how, first, second)) is not None:
        return found
    if not isinstance(first, Tensor) and isinstance(second, Tensor):
        second, values = operand(building, second, constant(first, "an operand"))
        first = _constant_map(building, second, values)
    elif isinstance(first, Tensor) and not isinstance(second, Tensor):
        first, values = operand(building, first, constant(second, "an operand"))
        second = _constant_map(building, first, values)
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        raise Unsupported("both operands are constants")
    first, second = lying_alike(building, first, second)
    step = building.add(Pair(how), [first.step, second.step])
    dims = (a or b for a, b in zip(first.dims, second.dims, strict=True))
    return Tensor(step, tuple(dims))


def _with_number(
    building: Building, how: PairKind, first: Value | None, second: Value | None
) -> Tensor | None:
    """A function of a tensor and a single number; None where it is not that."""
    if how in ("maximum", "minimum") and not isinstance(first, Tensor):
        first, second = second, first
    if not isinstance(first, Tensor) or not isinstance(second, np.ndarray):
        return None
    if second.size != 1 or second.ndim > first.rank:
        return None
    number = float(second.ravel()[0])
    if not abs(number) <= _FAR:
        return None
    operation = {
        "maximum": Function("clip", number, _FAR),
        "minimum": Function("clip", -_FAR, number),
        "divide": Function("divide", number),
        "power": Function("power", number),
    }.get(how)
    return Tensor(building.add(operation, [first.step]), first.dims) if operation else None


def _constant_map(building: Building, like: Tensor, values: np.ndarray) -> Tensor:
    """A map of these channels, whatever is in the other one."""
    return Tensor(building.scale(like.step, np.zeros(len(values)), values), like.dims)


def _is(value: Value | None, number: float) -> bool:
    return isinstance(value, np.ndarray) and value.size == 1 and float(value.ravel()[0]) == number
