"""Operators that bring values to scale by what they find along dims: norms and softmax."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.registry import (
    Array,
    Node,
    Unsupported,
    Value,
    constant,
    tensor,
    translates,
)
from ftdist.network.onnx.translators.pairs import paired
from ftdist.network.onnx.translators.reductions import reduced
from ftdist.network.onnx.views import Atom, Tensor, full
from ftdist.network.operators.normalizing import Normalize, SoftmaxAlong

Given = list[Value | None]


def _normalized(
    building: Building, step: int, operation: Normalize, scale: Array, bias: Array
) -> int:
    weights = {"scale": lambda: scale, "bias": lambda: bias}
    return building.add(operation, [step], weights)


@translates("InstanceNormalization")
def _instance_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    scale, bias = constant(given[1], "the scale"), constant(given[2], "the bias")
    if value.rank < 3 or value.dims[0]:
        raise Unsupported(f"its input is {value.shape}")
    if _is_of_groups(building, value):
        groups = value.shape[1]
        each = building.shape(value.step).channels // groups
        operation = Normalize(groups, node.number("epsilon", 1e-5))
        arrays = scale.repeat(each), bias.repeat(each)
        return Tensor(_normalized(building, value.step, operation, *arrays), value.dims)
    value = building.grouped(value, range(2, value.rank - 1), [value.rank - 1], [1])
    operation = Normalize(len(scale), node.number("epsilon", 1e-5))
    return Tensor(_normalized(building, value.step, operation, scale, bias), value.dims)


def _is_of_groups(building: Building, value: Tensor) -> bool:
    """Whether dim 1 counts groups of channels, and those behind it are all that a group has."""
    shape, count = building.shape(value.step), value.shape[1]
    each = shape.channels // count
    outer = (Atom("c", count, each),) if count > 1 else ()
    inner = {*full("h", shape.height), *full("w", shape.width), *full("c", each)}
    behind = {atom for dim in value.dims[2:] for atom in dim}
    return count * each == shape.channels and value.dims[1] == outer and behind == inner


@translates("GroupNormalization")
def _group_norm(building: Building, node: Node, given: Given) -> Value:
    """Its scale and bias are one for each group until opset 20, then for each channel."""
    value = tensor(given[0])
    scale, bias = constant(given[1], "the scale"), constant(given[2], "the bias")
    groups = node.integer("num_groups")
    if value.rank < 3 or value.dims[0] or groups < 1 or value.shape[1] % groups:
        raise Unsupported(f"its input is {value.shape}, for {groups} groups")
    each = value.shape[1] // len(scale)
    value = building.grouped(value, range(2, value.rank - 1), [value.rank - 1], [1])
    operation = Normalize(groups, node.number("epsilon", 1e-5))
    step = _normalized(building, value.step, operation, scale.repeat(each), bias.repeat(each))
    return Tensor(step, value.dims)


@translates("LayerNormalization")
def _layer_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axis = node.integer("axis", -1) % value.rank
    own = value.shape[axis:]
    scale = np.broadcast_to(constant(given[1], "the scale"), own).ravel()
    bias = np.zeros(math.prod(own), np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = np.broadcast_to(constant(given[2], "the bias"), own).ravel()
    rest = range(axis)
    value = building.grouped(value, rest[:-1], rest[-1:], range(axis, value.rank))
    operation = Normalize(1, node.number("epsilon", 1e-5), spatial=True)
    return Tensor(_normalized(building, value.step, operation, scale, bias), value.dims)


@translates("LpNormalization")
def _lp_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    how = "l1" if node.integer("p", 2) == 1 else "l2"
    axis = node.integer("axis", -1) % value.rank
    return paired(
        building,
        "divide",
        value,
        reduced(building, value, how, (axis,), True),  # type: ignore[arg-type]
    )


@translates("LogSoftmax")
def _log_softmax(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    old = node.integer("opset", 13) < 13
    axis = node.integer("axis", 1 if old else -1) % value.rank
    along = range(axis, value.rank if old else axis + 1)
    rest = [each for each in range(value.rank) if each not in along]
    value = building.grouped(value, rest[:-1], rest[-1:], along)
    operation = SoftmaxAlong(channels=True, logarithm=True)
    return Tensor(building.add(operation, [value.step]), value.dims)
