"""Operators that bring values to scale by what they find along dims: norms and softmax."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import frame_by_frame, made, translates
from ftdist.network.onnx.translators.values.functions import applied
from ftdist.network.onnx.translators.values.pairs import paired
from ftdist.network.onnx.translators.values.pointwise import scaled
from ftdist.network.onnx.translators.values.reductions import reduced
from ftdist.network.onnx.views import Atom, Tensor, full
from ftdist.network.operators.channels import NormalizeResponses
from ftdist.network.operators.normalizing import Normalize, SoftmaxAlong
from ftdist.network.operators.reducing import ReductionKind
from ftdist.network.rewriting.scaling import batch_norm

Given = list[Value | None]


def _normalized(
    building: Building, step: int, operation: Normalize, scale: Array, bias: Array
) -> int:
    weights = {"scale": lambda: scale, "bias": lambda: bias}
    return building.add(operation, [step], weights)


@translates("BatchNormalization")
def _batch_norm(building: Building, node: Node, given: Given) -> Value | list[Value]:
    value = tensor(given[0])
    if node.integer("training_mode"):
        return _norm_of_itself(building, node, value, given[1:5])
    if any(isinstance(each, Tensor) for each in given[1:5]):
        return _norm_by_computed(building, node, value, given[1:5])
    scale, bias, mean, variance = (constant(each, "a statistic") for each in given[1:5])
    factor, shift = batch_norm(scale, bias, mean, variance, node.number("epsilon", 1e-5))
    if value.rank == 4 and not value.dims[0]:
        return building.planar(building.scale(building.map(value), factor, shift))
    if value.rank > 1:
        value = building.by_channels(value, 1)
    return Tensor(building.scale(value.step, factor, shift), value.dims)


def _norm_of_itself(building: Building, node: Node, value: Tensor, given: Given) -> list[Value]:
    """With the statistics of what it is given, as layers have it that keep none (torch's
    `track_running_stats=False`), then what would be kept of them; those of one picture are an
    instance's."""
    if value.rank < 3 or building.batch > 1:
        raise Unsupported("training_mode: export the network for inference")
    epsilon = {"epsilon": node.number("epsilon", 1e-5)}
    if value.shape[0] == 1 and not any(node.outputs[1:]):
        return [made(building, "InstanceNormalization", [value, *given[:2]], epsilon)]
    axes = {"axes": (0, *range(2, value.rank)), "keepdims": 0}
    mean = made(building, "ReduceMean", [value], axes)
    wide = building.reshaped(mean, (1, value.shape[1], *(1,) * (value.rank - 2)))
    apart = made(building, "Sub", [value, wide])
    spread = made(building, "ReduceMean", [made(building, "Mul", [apart, apart])], axes)
    found = _norm_by_computed(building, node, value, [*given[:2], mean, spread])
    share = np.float32(node.number("momentum", 0.9))
    kept: list[Value] = [
        made(
            building,
            "Add",
            [
                made(building, "Mul", [building.tensor(old, "a statistic"), np.array(share)]),
                made(building, "Mul", [new, np.array(1 - share)]),
            ],
        )
        for old, new in zip(given[2:4], (mean, spread), strict=True)
    ]
    return [found, *kept]


def _norm_by_computed(building: Building, node: Node, value: Tensor, given: Given) -> Tensor:
    """With statistics that the network computes, as Keras exports LayerNormalization."""
    shape = (1, -1, *(1,) * (value.rank - 2))
    scale, bias, mean, variance = (
        building.reshaped(each, (1, math.prod(each.shape), *shape[2:]))
        if isinstance(each, Tensor)
        else constant(each, "a statistic").reshape(shape)
        for each in given
    )
    epsilon = np.array(node.number("epsilon", 1e-5), np.float32)
    spread = made(building, "Add", [building.tensor(variance, "a variance"), epsilon])
    found = made(building, "Sub", [value, mean])
    found = made(building, "Div", [found, made(building, "Sqrt", [spread])])
    return made(building, "Add", [made(building, "Mul", [found, scale]), bias])


@translates("MeanVarianceNormalization")
def _standardized(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    over = {"axes": node.integers("axes", (0, 2, 3)), "keepdims": 1}
    apart = made(building, "Sub", [value, made(building, "ReduceMean", [value], over)])
    variance = made(building, "ReduceMean", [made(building, "Mul", [apart, apart])], over)
    spread = made(building, "Add", [made(building, "Sqrt", [variance]), _LEAST])
    return made(building, "Div", [apart, spread])


_LEAST = np.array(1e-9, np.float32)
"""What MeanVarianceNormalization adds to a deviation."""


@translates("InstanceNormalization")
@frame_by_frame
def _instance_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    scale, bias = constant(given[1], "the scale"), constant(given[2], "the bias")
    if value.rank < 3 or value.dims[0]:
        raise Unsupported(f"its input is {value.shape}")
    if {scale.size, bias.size} != {value.shape[1]}:
        sizes = f"a scale of {scale.shape} and a bias of {bias.shape}"
        raise Unsupported(f"{sizes} do not suit {value.shape[1]} channels")
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
@frame_by_frame
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
def _layer_norm(building: Building, node: Node, given: Given) -> list[Value]:
    value = tensor(given[0])
    axis = node.integer("axis", -1) % value.rank
    moments = _moments(building, node, value, axis) if any(node.outputs[1:]) else []
    own = value.shape[axis:]
    scale = np.broadcast_to(constant(given[1], "the scale"), own).ravel()
    bias = np.zeros(math.prod(own), np.float32)
    if len(given) > 2 and given[2] is not None:
        bias = np.broadcast_to(constant(given[2], "the bias"), own).ravel()
    rest = range(axis)
    value = building.grouped(value, rest[:-1], rest[-1:], range(axis, value.rank))
    operation = Normalize(1, node.number("epsilon", 1e-5), spatial=True)
    step = _normalized(building, value.step, operation, scale, bias)
    return [Tensor(step, value.dims), *moments][: len(node.outputs)]


def _moments(building: Building, node: Node, value: Tensor, axis: int) -> list[Value]:
    """The mean, and 1 / sqrt(variance + epsilon)."""
    along = tuple(range(axis, value.rank))
    mean = reduced(building, value, "mean", along, keep=True)
    away = paired(building, "subtract", value, mean)
    squares = paired(building, "multiply", away, away)
    variance = reduced(building, squares, "mean", along, keep=True)
    shifted = scaled(building, variance, 1, node.number("epsilon", 1e-5))
    return [mean, applied(building, applied(building, shifted, "sqrt"), "reciprocal")]


@translates("RMSNormalization")
def _root_mean_square_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    axis = node.integer("axis", -1) % value.rank
    scale = np.broadcast_to(constant(given[1], "the scale"), value.shape[axis:]).ravel()
    rest = range(axis)
    value = building.grouped(value, rest[:-1], rest[-1:], range(axis, value.rank))
    operation = Normalize(1, node.number("epsilon", 1e-5), spatial=True, centered=False)
    step = _normalized(building, value.step, operation, scale, np.zeros(len(scale)))
    return Tensor(step, value.dims)


@translates("LRN")
def _response_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    if value.rank < 2:
        raise Unsupported(f"its input is {value.shape}")
    size = node.integer("size")
    if size < 1:
        raise Unsupported("size: it is missing")
    operation = NormalizeResponses(
        size,
        node.number("alpha", 1e-4) / size,
        node.number("beta", 0.75),
        node.number("bias", 1.0),
        complete=True,
    )
    if value.rank == 4 and not value.dims[0]:
        value = building.planar(building.map(value))
    else:
        value = building.by_channels(value, 1)
    return Tensor(building.add(operation, [value.step]), value.dims)


@translates("LpNormalization")
def _lp_norm(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    how: ReductionKind = "l1" if node.integer("p", 2) == 1 else "l2"
    axis = node.integer("axis", -1) % value.rank
    length = reduced(building, value, how, (axis,), keep=True)
    # What has no length stays zero: it is divided by more than nothing.
    empty = applied(building, length, "not")
    return paired(building, "divide", value, paired(building, "add", length, empty))


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
