"""Functions of one value, in two tables: activations, which go into what is before, and others.

A function of two values of which one is a constant stands in ``pairs``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import WHOLE, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import activated, scaled
from ftdist.network.onnx.views import Tensor
from ftdist.network.operators.base import Activation, ActivationKind
from ftdist.network.operators.functions import Function, FunctionKind

Given = list[Value | None]

_FAR = float(np.finfo(np.float32).max)


def applied(
    building: Building, value: Tensor, how: FunctionKind, first: float = 0.0, second: float = 0.0
) -> Tensor:
    """The same view of a function of its map."""
    return Tensor(building.add(Function(how, first, second), [value.step]), value.dims)


_ACTIVATIONS: dict[str, Callable[[Node], Activation]] = {
    "Relu": lambda node: Activation("relu"),
    "Sigmoid": lambda node: Activation("logistic"),
    "Tanh": lambda node: Activation("tanh"),
    "Mish": lambda node: Activation("mish"),
    "HardSwish": lambda node: Activation("hardswish"),
    "Softplus": lambda node: Activation("softplus"),
    "LeakyRelu": lambda node: Activation("leaky", node.number("alpha", 0.01)),
    "Gelu": lambda node: Activation(_gelu(node.word("approximate", "none"))),
}


def _gelu(approximate: str) -> ActivationKind:
    if approximate not in ("none", "tanh"):
        raise Unsupported(f"approximate: {approximate}; none and tanh are supported")
    return "gelu" if approximate == "tanh" else "gelu_exact"


@translates(*_ACTIVATIONS)
def _activation(building: Building, node: Node, given: Given) -> Value:
    return activated(building, tensor(given[0]), _ACTIVATIONS[node.kind](node))


_FUNCTIONS: dict[str, Callable[[Node], Function]] = {
    "Abs": lambda node: Function("abs"),
    "Sign": lambda node: Function("sign"),
    "Floor": lambda node: Function("floor"),
    "Ceil": lambda node: Function("ceil"),
    "Round": lambda node: Function("round"),
    "Sqrt": lambda node: Function("sqrt"),
    "Reciprocal": lambda node: Function("reciprocal"),
    "Exp": lambda node: Function("exp"),
    "Log": lambda node: Function("log"),
    "Erf": lambda node: Function("erf"),
    "Not": lambda node: Function("not"),
    "Sin": lambda node: Function("sin"),
    "Cos": lambda node: Function("cos"),
    "Tan": lambda node: Function("tan"),
    "Asin": lambda node: Function("asin"),
    "Acos": lambda node: Function("acos"),
    "Atan": lambda node: Function("atan"),
    "Sinh": lambda node: Function("sinh"),
    "Cosh": lambda node: Function("cosh"),
    "Asinh": lambda node: Function("asinh"),
    "Acosh": lambda node: Function("acosh"),
    "Atanh": lambda node: Function("atanh"),
    "Softsign": lambda node: Function("softsign"),
    "Selu": lambda node: Function(
        "selu", node.number("alpha", 1.6732632423543772), node.number("gamma", 1.0507009873554805)
    ),
    "Celu": lambda node: Function("celu", node.number("alpha", 1.0)),
    "ThresholdedRelu": lambda node: Function("threshold", node.number("alpha", 1.0)),
    "Shrink": lambda node: Function("shrink", node.number("lambd", 0.5), node.number("bias", 0.0)),
}


@translates(*_FUNCTIONS)
def _function(building: Building, node: Node, given: Given) -> Value:
    operation = _FUNCTIONS[node.kind](node)
    return applied(building, tensor(given[0]), operation.how, operation.first, operation.second)


@translates("Elu", "Swish")
def _with_alpha(building: Building, node: Node, given: Given) -> Value:
    """Of an alpha of 1 they are activations."""
    value, alpha = tensor(given[0]), node.number("alpha", 1.0)
    elu = node.kind == "Elu"
    if alpha == 1:
        return activated(building, value, Activation("elu" if elu else "swish"))
    return applied(building, value, "elu" if elu else "swish", alpha)


@translates("Neg")
def _negative(building: Building, node: Node, given: Given) -> Value:
    return scaled(building, tensor(given[0]), -1)


@translates("HardSigmoid")
def _hard_sigmoid(building: Building, node: Node, given: Given) -> Value:
    """A sixth of relu6(x + 3) where it is that, so that hard-swish is recognised."""
    value, alpha, beta = tensor(given[0]), node.number("alpha", 0.2), node.number("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-7 and beta == 0.5:
        clipped = activated(building, scaled(building, value, 1, 3), Activation("relu6"))
        return scaled(building, clipped, 1 / 6)
    return applied(building, value, "hard_sigmoid", alpha, beta)


@translates("Clip")
def _clip(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    bounds = [given[at] if len(given) > at else None for at in (1, 2)]
    if any(isinstance(each, Tensor) for each in bounds):
        for bound, how in zip(bounds, ("maximum", "minimum"), strict=True):
            if bound is not None:
                value = paired(building, how, value, bound)  # type: ignore[arg-type]
        return value
    low, high = (
        float(constant(bound, name).reshape(())) if bound is not None else node.number(name, far)
        for bound, name, far in zip(bounds, ("min", "max"), (-_FAR, _FAR), strict=True)
    )
    low, high = max(low, -_FAR), min(high, _FAR)
    if (low, high) == (-_FAR, _FAR):
        return value
    if low == 0 and high in (6, _FAR):
        return activated(building, value, Activation("relu6" if high == 6 else "relu"))
    return applied(building, value, "clip", low, high)


@translates("IsNaN")
def _is_none(building: Building, node: Node, given: Given) -> Value:
    """What is not even equal to itself."""
    value = tensor(given[0])
    return applied(building, paired(building, "equal", value, value), "not")


@translates("IsInf")
def _is_infinite(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    finite = applied(building, value, "clip", -_FAR, _FAR)
    above = paired(building, "greater", value, finite)
    below = paired(building, "less", value, finite)
    if not node.integer("detect_negative", 1):
        return above if node.integer("detect_positive", 1) else scaled(building, above, 0)
    return paired(building, "or", above, below) if node.integer("detect_positive", 1) else below


@translates("Trilu")
def _triangle(building: Building, node: Node, given: Given) -> Value:
    """What is on one side of a diagonal of the last two dims; zero elsewhere."""
    value = tensor(given[0])
    if value.rank < 2:
        raise Unsupported(f"of a value of {value.shape}; two dims are needed")
    number = given[1] if len(given) > 1 else None
    diagonal = 0 if number is None else int(constant(number, "k").ravel()[0])
    side = np.triu if node.integer("upper", 1) else np.tril
    kept = side(np.ones(value.shape[-2:], bool), diagonal)
    inside = np.broadcast_to(kept, value.shape).astype(np.float32)
    return paired(building, "where", value, building.constant(inside))


@translates("EyeLike")
def _diagonal(building: Building, node: Node, given: Given) -> Value:
    """It depends on nothing but the shape."""
    shape = () if given[0] is None else given[0].shape
    if len(shape) != 2:
        raise Unsupported(f"of a value of {shape}; two dims are needed")
    rows, columns = shape
    return np.eye(rows, columns, node.integer("k"), dtype=np.float32)


_FLOATS = (1, 10, 11, 16)
_TRUTH = 9


@translates("Cast", "CastLike")
def _cast(building: Building, node: Node, given: Given) -> Value:
    """Maps hold floats of 32 bits: whole numbers up to 2^24 are exact, no bits wrap round."""
    value, own = tensor(given[0]), node.type_of(0)
    to = node.integer("to") if node.kind == "Cast" else node.type_of(1)
    if to not in (*_FLOATS, *WHOLE, _TRUTH):
        raise Unsupported(f"to: numbers of ONNX's type {to} are not supported")
    if to == own or to in _FLOATS or own == _TRUTH:
        return value
    if to == _TRUTH:
        return applied(building, value, "truth")
    return value if own in WHOLE else applied(building, value, "truncate")


@translates("Where")
def _where(building: Building, node: Node, given: Given) -> Value:
    condition, first, second = given
    if not any(isinstance(each, Tensor) for each in (first, second)):
        # Two constants: the difference where it is chosen would round, so each is chosen by itself.
        condition = tensor(condition, "the condition")
    one = _chosen(building, "where", first, condition)
    other = _chosen(building, "unless", second, condition)
    if not isinstance(one, Tensor) and not isinstance(other, Tensor):
        return one + other
    return paired(building, "add", one, other)


def _chosen(
    building: Building,
    how: Literal["where", "unless"],
    value: Value | None,
    condition: Value | None,
) -> Value:
    if isinstance(value, Tensor) or isinstance(condition, Tensor):
        return paired(building, how, value, condition)
    array, truth = constant(value, "an operand"), constant(condition, "the condition")
    chosen = truth.astype(bool) == (how == "where")
    return np.where(chosen, array, np.zeros((), array.dtype))
