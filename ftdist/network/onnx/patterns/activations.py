"""Activations in primitives: GELU, SiLU, hard-swish, mish, sigmoid, and slopes below zero."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.nodes import Node
from ftdist.network.onnx.patterns.expressions import Expressions, Polynomial, Unlike, matches


class Named(NamedTuple):
    """The operator that a value is: its kind, the value that it reads, attributes, constants."""

    kind: str
    value: str
    attributes: Mapping[str, Any] = MappingProxyType({})
    constants: tuple[NDArray[np.float64], ...] = ()


_GATES = ("Erf", "Tanh", "Sigmoid", "Clip", "HardSigmoid", "Min", "Max")
_INNER = ("Softplus", "Log", "Exp", "Max", "Min", "Relu")
_MOST_NESTED = 3
"""Functions within each other: tanh of the logarithm of an exponential."""

_BENT = ("Relu", "Abs", "Max", "Min")
_ROOT_OF_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBE = 0.044715


def activation(given: Expressions, node: Node) -> Named | None:
    """The activation that a node is the last of; None when it is none that is known."""
    result = node.outputs[0]
    if node.kind in ("Mul", "Div"):
        for gate in _atoms(given, result, _GATES):
            for value in _arguments(given, gate):
                found = _gated(given, result, value, gate)
                if found is not None:
                    return found
    if node.kind in ("Div", "Reciprocal"):
        return _sigmoid(given, node)
    if node.kind in ("Add", "Sub", "Max"):
        return _sloped(given, node)
    return None


def _atoms(given: Expressions, result: str, kinds: tuple[str, ...]) -> Iterator[str]:
    for name in given.nearby(result):
        node = given.made.get(name)
        if node is not None and node.kind in kinds:
            yield name


def _arguments(given: Expressions, gate: str) -> Iterator[str]:
    """What a gate may be a function of, nearest first."""
    waiting = [gate]
    for _ in range(_MOST_NESTED):
        inner: list[str] = []
        for each in waiting:
            for name in given.nearby(each):
                yield name
                node = given.made.get(name)
                if node is not None and node.kind in _INNER:
                    inner.append(name)
        waiting = inner


def _gated(given: Expressions, result: str, value: str, gate: str) -> Named | None:
    """What a polynomial of a value and of a function of it is called."""
    whole = given.of(result, value)
    if not {each for key in whole for each in key} <= {value, gate}:
        return None
    node = given.made[gate]
    if node.kind in ("Clip", "HardSigmoid", "Min", "Max"):
        return _hard_swish(given, whole, value, gate)
    inner = given.of(node.inputs[0], value)
    once, both = (value,), (gate, value)
    cubic = {once: _ROOT_OF_TWO_OVER_PI, (value,) * 3: _ROOT_OF_TWO_OVER_PI * _CUBE}
    if matches(whole, {both: 0.5, once: 0.5}):
        if node.kind == "Erf" and matches(inner, {once: math.sqrt(0.5)}):
            return Named("Gelu", value, {"approximate": "none"})
        if node.kind == "Tanh" and matches(inner, cubic):
            return Named("Gelu", value, {"approximate": "tanh"})
    if matches(whole, {both: 1}):
        if node.kind == "Sigmoid" and matches(inner, {once: 1}):
            return Named("Swish", value)
        if node.kind == "Sigmoid" and matches(inner, {key: 2 * n for key, n in cubic.items()}):
            return Named("Gelu", value, {"approximate": "tanh"})
        if node.kind == "Tanh" and _is_softplus(given, node.inputs[0], value):
            return Named("Mish", value)
    return None


def _is_softplus(given: Expressions, name: str, value: str) -> bool:
    node = given.node(name)
    if node is None or not node.inputs:
        return False
    if node.kind == "Softplus":
        return matches(given.of(node.inputs[0], value), {(value,): 1})
    if node.kind != "Log":
        return False
    inner = given.of(node.inputs[0])
    exponentials = [key for key in inner if key]
    return len(exponentials) == 1 and _is_exponential(given, inner, exponentials[0], value, 1)


def _is_exponential(
    given: Expressions, whole: Polynomial, key: tuple[str, ...], value: str, sign: float
) -> bool:
    """Whether it is 1 + exp(sign * value)."""
    node = given.made.get(key[0])
    return (
        len(key) == 1
        and node is not None
        and node.kind == "Exp"
        and matches(whole, {(): 1, key: 1})
        and matches(given.of(node.inputs[0], value), {(value,): sign})
    )


def _hard_swish(given: Expressions, whole: Polynomial, value: str, gate: str) -> Named | None:
    """value * (value / 6 + 1 / 2), cut off at 0 and 1, in whatever scale."""
    both = tuple(sorted((value, gate)))
    if whole.keys() != {both}:
        return None
    found = _cut(given, gate, value)
    factor = float(whole[both].ravel()[0])
    if found is None or not matches(whole, {both: factor}):
        return None
    inner, low, high = found
    scaled = {key: number * factor for key, number in inner.items()}
    top = math.isclose(high * factor, 1, rel_tol=1e-5)
    is_it = low == 0 and top and matches(scaled, {(value,): 1 / 6, (): 1 / 2})
    return Named("HardSwish", value) if is_it else None


def _cut(given: Expressions, gate: str, value: str) -> tuple[Polynomial, float, float] | None:
    """(what is cut off, at which low, at which high end)."""
    node = given.made[gate]
    if node.kind == "HardSigmoid":
        inner = given.of(node.inputs[0], value)
        alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
        made = {key: number * alpha for key, number in inner.items()}
        made[()] = made.get((), np.zeros(())) + beta
        return made, 0.0, 1.0
    if node.kind == "Clip":
        ends = [node.number("min", -math.inf), node.number("max", math.inf)]
        for at, name in enumerate(node.inputs[1:3]):
            if name:
                known = given.number(name)
                if known is None:
                    return None
                ends[at] = known
        return given.of(node.inputs[0], value), ends[0], ends[1]
    outer = _with_number(given, node)
    inside = None if outer is None else given.node(outer[0])
    inner_cut = None if inside is None else _with_number(given, inside)
    if outer is None or inside is None or inner_cut is None:
        return None
    if {node.kind, inside.kind} == {"Min", "Max"}:
        ends = [outer[1], inner_cut[1]]
    elif (node.kind, inside.kind) == ("Min", "Relu"):
        ends = [outer[1], 0.0]
    else:
        return None
    return given.of(inner_cut[0], value), min(ends), max(ends)


def _with_number(given: Expressions, node: Node) -> tuple[str, float] | None:
    """(the value, the number) of a node of one value and one number; of a Relu 0."""
    if node.kind == "Relu":
        return node.inputs[0], 0.0
    if len(node.inputs) != 2:
        return None
    for value, number in (node.inputs, node.inputs[::-1]):
        known = given.number(number)
        if known is not None:
            return value, known
    return None


def _sigmoid(given: Expressions, node: Node) -> Named | None:
    """1 / (1 + exp(-value)), or value / (1 + exp(-value))."""
    whole = given.of(node.outputs[0])
    (key,) = whole if len(whole) == 1 else ((),)
    below = [each for each in key if each.startswith("1/")]
    if len(below) != 1 or len(key) > 2:
        return None
    divisor = given.of(below[0][2:])
    exponentials = [each for each in divisor if each]
    maker = given.made.get(exponentials[0][0]) if exponentials else None
    if len(exponentials) != 1 or maker is None or maker.kind != "Exp":
        return None
    for value in given.nearby(exponentials[0][0]):
        if not _is_exponential(given, divisor, exponentials[0], value, -1):
            continue
        whole = given.of(node.outputs[0], value)
        if matches(whole, {(below[0],): 1}):
            return Named("Sigmoid", value)
        if matches(whole, {(below[0], value): 1}):
            return Named("Swish", value)
    return None


def _sloped(given: Expressions, node: Node) -> Named | None:
    """Sums of a value and of its parts above and below zero; the larger of a value and its part."""
    result = node.outputs[0]
    if node.kind == "Max":
        return _larger(given, node)
    for bent in _atoms(given, result, _BENT):
        for value in given.nearby(bent):
            slopes = _slopes(given, given.of(result, value), value)
            if slopes is None or not np.allclose(slopes[0], 1, rtol=1e-6, atol=0):
                continue
            below = slopes[1]
            if below.size == 1:
                return Named("LeakyRelu", value, {"alpha": float(below.ravel()[0])})
            return Named("PRelu", value, {}, (below,))
    return None


def _slopes(
    given: Expressions, whole: Polynomial, value: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The factors of a value where it is above zero, and where it is below."""
    above, below = np.zeros(()), np.zeros(())
    for key, factor in whole.items():
        if len(key) != 1:
            return None
        own = _bent(given, key[0], value)
        if own is None:
            return None
        above, below = above + own[0] * factor, below + own[1] * factor
    return above, below


def _bent(given: Expressions, name: str, value: str) -> tuple[float, float] | None:
    """The factors above and below zero that an atom is of a value."""
    if name == value:
        return 1.0, 1.0
    node = given.made.get(name)
    if node is None or node.kind not in _BENT:
        return None
    argument, limit = node.inputs[0], 0.0
    if node.kind in ("Max", "Min"):
        found = _with_number(given, node)
        if found is None:
            return None
        argument, limit = found
    inner = given.of(argument, value)
    if inner.keys() != {(value,)} or inner[value,].size != 1 or limit != 0:
        return None
    factor = float(inner[value,].ravel()[0])
    sides = (factor, -factor)  # what it is a factor of, above and below, as magnitudes
    if node.kind == "Abs":
        return abs(factor), -abs(factor)
    if node.kind == "Min":
        return min(sides[0], 0.0), -min(sides[1], 0.0)
    return max(sides[0], 0.0), -max(sides[1], 0.0)


def _larger(given: Expressions, node: Node) -> Named | None:
    """max(value, slope * value), the slope between 0 and 1."""
    if len(node.inputs) != 2:
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        value = given.passed(one)
        try:
            found = given.of(other, value)
        except Unlike:
            continue
        if found.keys() == {(value,)} and found[value,].size == 1:
            alpha = float(found[value,].ravel()[0])
            if 0 < alpha < 1:
                return Named("LeakyRelu", value, {"alpha": alpha})
    return None
