"""Norms in primitives: (x - mean) / sqrt(variance + epsilon) * scale + bias.

The variance is a mean of squares of what is left without the mean, or the mean of the squares less
the square of the mean; its root divides, or is inverted first; scale and bias may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.nodes import Node
from ftdist.network.onnx.patterns.activations import Named
from ftdist.network.onnx.patterns.expressions import (
    MEANS,
    Expressions,
    Mean,
    Monomial,
    matches,
)

Numbers = NDArray[np.float64]


def norm(given: Expressions, node: Node) -> Named | None:
    """The norm that a node is the last of, over the dims in the attribute `axes`; None for others.

    Its constants are scale and bias, with as many dims as the value. Unless it is `centered` it
    divides by the root of the mean square, and takes no mean away.
    """
    if node.kind not in ("Add", "Sub", "Mul", "Div"):
        return None
    result = node.outputs[0]
    for name in given.nearby(result):
        if (variance := _under_root(given, name)) is None:
            continue
        values = list(_averaged(given, variance))
        for value in values:
            root = _variance(given, variance, value)
            if root is not None:
                return _normalized(given, result, name, *root)
        for value in values:  # after that: what has no mean any more is a value too
            root = _mean_square(given, variance, value)
            if root is not None:
                return _divided(given, result, name, *root)
    return None


def _averaged(given: Expressions, variance: str) -> Iterator[str]:
    """What means before a value may be of."""
    for name in (variance, *given.nearby(variance)):
        node = given.node(name)
        if node is not None and node.kind in MEANS:
            yield given.passed(node.inputs[0])
            yield from given.nearby(name)
            yield from given.nearby(node.inputs[0])


def _under_root(given: Expressions, name: str) -> str | None:
    """The value of which another one is the square root, or the inverse of that."""
    node = given.made.get(name)
    if node is None:
        return None
    if node.kind == "Sqrt":
        return node.inputs[0]
    if node.kind == "Pow" and abs(given.number(node.inputs[1]) or 0) == 0.5:
        return node.inputs[0]
    return None


def _variance(given: Expressions, name: str, value: str) -> tuple[Mean, float] | None:
    """(the mean of a value, epsilon) where this is its variance plus epsilon."""
    whole = given.of(name, value)
    epsilon = whole.get((), np.zeros(()))
    if epsilon.size != 1:
        return None
    means = [key for key in whole if len(key) == 1 and key[0] in given.averages]
    rest = {key for key in whole if key} - set(means)
    if len(means) != 1 or not matches({means[0]: whole[means[0]]}, {means[0]: 1}):
        return None
    squares = given.averages[means[0][0]]
    atom = f"mean of {value} over {squares.axes}"
    inner = given.of(squares.value, value)
    away: dict[Monomial, float] = {(value, value): 1.0, (value, atom): -2.0, (atom, atom): 1.0}
    if rest:
        of_squares = matches(inner, {(value, value): 1}) and rest == {(atom, atom)}
        if not of_squares or not matches({(atom, atom): whole[atom, atom]}, {(atom, atom): -1}):
            return None
    elif not matches(inner, away):
        return None
    return Mean(value, squares.axes), float(epsilon.ravel()[0])


def _mean_square(given: Expressions, name: str, value: str) -> tuple[Mean, float] | None:
    """(the mean of a value, epsilon) where this is the mean of its squares plus epsilon."""
    whole = given.of(name, value)
    epsilon = whole.get((), np.zeros(()))
    means = [key for key in whole if key]
    if epsilon.size != 1 or len(means) != 1 or means[0][0] not in given.averages:
        return None
    squares = given.averages[means[0][0]]
    is_it = matches({means[0]: whole[means[0]]}, {means[0]: 1}) and matches(
        given.of(squares.value, value), {(value, value): 1}
    )
    return (Mean(value, squares.axes), float(epsilon.ravel()[0])) if is_it else None


def _inverse(given: Expressions, root: str) -> str:
    """What the inverse of a root is called in monomials."""
    node = given.made[root]
    return f"1/{root}" if node.kind == "Sqrt" or given.number(node.inputs[1]) == 0.5 else root


def _divided(
    given: Expressions, result: str, root: str, mean: Mean, epsilon: float
) -> Named | None:
    """What a result is of a value by the root of its mean square."""
    whole = given.of(result, mean.value)
    key = tuple(sorted((mean.value, _inverse(given, root))))
    shape = given.shape(mean.value)
    if whole.keys() != {key} or shape is None:
        return None
    scale = _with_dims(whole[key], len(shape))
    if np.broadcast_shapes(scale.shape, shape) != shape:
        return None
    attributes = {"axes": mean.axes, "epsilon": epsilon, "centered": False}
    return Named("Norm", mean.value, attributes, (scale, _with_dims(np.zeros(()), len(shape))))


def _normalized(
    given: Expressions, result: str, root: str, mean: Mean, epsilon: float
) -> Named | None:
    """What a result is of a value less its mean by the root of its variance."""
    value, atom = mean.value, f"mean of {mean.value} over {mean.axes}"
    whole = given.of(result, value)
    inverse = _inverse(given, root)
    one, other = tuple(sorted((value, inverse))), tuple(sorted((atom, inverse)))
    if not {one, other} <= whole.keys() <= {one, other, ()}:
        return None
    shape, made = given.shape(value), given.shape(root)
    scale, bias = whole[one], whole.get((), np.zeros(()))
    if shape is None or made is None or not np.allclose(scale, -whole[other], rtol=1e-6, atol=0):
        return None
    arrays = tuple(_with_dims(each, len(shape)) for each in (scale, bias))
    if any(np.broadcast_shapes(each.shape, shape) != shape for each in arrays):
        return None
    attributes = {"axes": mean.axes, "epsilon": epsilon, "centered": True}
    return Named("Norm", value, attributes, arrays)


def _with_dims(array: Numbers, rank: int) -> Numbers:
    return array.reshape((1,) * (rank - array.ndim) + array.shape)
