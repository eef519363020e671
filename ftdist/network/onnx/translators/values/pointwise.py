"""Operators on each value by itself: activations, sums, products, comparisons with constants."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.views import Dim, Tensor, full, size
from ftdist.network.operators.base import Activation, Operation
from ftdist.network.operators.channels import Activate, PRelu
from ftdist.network.operators.joining import Add, Multiply, Sum
from ftdist.network.operators.pairs import Pair, PairKind
from ftdist.network.rewriting.scaling import Floats

Given = list[Value | None]


def activated(building: Building, given: Tensor, activation: Activation) -> Tensor:
    """The same view of an activation of its map."""
    return Tensor(building.add(Activate(activation), [given.step]), given.dims)


def scaled(building: Building, given: Tensor, factor: float, shift: float = 0.0) -> Tensor:
    """The same view of factor * x + shift."""
    channels = building.shape(given.step).channels
    return Tensor(
        building.scale(given.step, np.full(channels, factor), np.full(channels, shift)), given.dims
    )


@translates("Identity")
def _identity(building: Building, node: Node, given: Given) -> Value:
    return tensor(given[0])


@translates("Dropout")
def _dropout(building: Building, node: Node, given: Given) -> list[Value]:
    """Nothing is dropped, which the mask says."""
    value = tensor(given[0])
    ratio, training = (*given, None, None)[1:3]
    trains = training is not None and constant(training, "training_mode").any()
    if trains and (ratio is None or constant(ratio, "ratio").any()):
        raise Unsupported("training_mode: export the network for inference")
    mask: Value = np.broadcast_to(np.array(True), value.shape)
    return [value, mask][: len(node.outputs)]


@translates("PRelu")
def _prelu(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    value, slopes = operand(building, value, constant(given[1], "slope"))
    slope = slopes.astype(np.float32)
    return Tensor(building.add(PRelu(), [value.step], {"slope": lambda: slope}), value.dims)


@translates("Add", "Sum")
def _add(building: Building, node: Node, given: Given) -> Value:
    total = given[0]
    for each in given[1:]:
        total = _added(building, total, each, 1.0)
    return tensor(total)


@translates("Sub")
def _subtract(building: Building, node: Node, given: Given) -> Value:
    first, second = given
    if isinstance(second, Tensor) and not isinstance(first, Tensor):
        return _added(building, scaled(building, second, -1), first, 1.0)
    return _added(building, first, second, -1.0)


def _added(building: Building, first: Value | None, second: Value | None, sign: float) -> Tensor:
    """first + sign * second."""
    first, second = placed(building, first, second)
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        first, second = lying_alike(building, first, second)
        if building.shape(first.step) != building.shape(second.step):
            return _broadcast(building, "add" if sign == 1 else "subtract", first, second)
        operation: Operation = Add() if sign == 1 else Sum(added=sign)
        return Tensor(building.add(operation, [first.step, second.step]), first.dims)
    if isinstance(second, Tensor):
        first, second = second, first
    value, shift = operand(building, tensor(first), constant(second, "an operand"))
    return Tensor(building.scale(value.step, np.ones(len(shift)), sign * shift), value.dims)


def _broadcast(building: Building, how: PairKind, first: Tensor, second: Tensor) -> Tensor:
    """A function of two tensors that lie alike, of which either may have one position for many."""
    step = building.add(Pair(how), [first.step, second.step])
    return Tensor(step, tuple(a or b for a, b in zip(first.dims, second.dims, strict=True)))


@translates("Mul")
def _multiply(building: Building, node: Node, given: Given) -> Value:
    first, second = placed(building, *given)
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        first, second = lying_alike(building, first, second)
        shapes = building.shape(first.step), building.shape(second.step)
        if any(b > a for a, b in zip(*shapes, strict=True)):
            first, second = second, first
            if any(a > b for a, b in zip(*shapes, strict=True)):
                return _broadcast(building, "multiply", first, second)
        return Tensor(building.add(Multiply(), [first.step, second.step]), first.dims)
    if isinstance(second, Tensor):
        first, second = second, first
    value, factor = operand(building, tensor(first), constant(second, "an operand"))
    return Tensor(building.scale(value.step, factor, np.zeros(len(factor))), value.dims)


def divided(building: Building, given: Given) -> Tensor:
    """A tensor divided by a constant: a factor for each channel."""
    value = tensor(given[0], "the dividend")
    value, divisor = operand(building, value, constant(given[1], "the divisor"))
    with np.errstate(all="ignore"):  # what is not finite is found by whoever reads
        factor = 1 / divisor
    return Tensor(building.scale(value.step, factor, np.zeros(len(factor))), value.dims)


def lying_alike(building: Building, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors, one of which may be broadcast, as views of maps that lie alike."""
    rank = max(first.rank, second.rank)
    first, second = (
        Tensor(each.step, ((),) * (rank - each.rank) + each.dims) for each in (first, second)
    )
    if _alike(building, first, second):
        return first, second
    if rank == 4 and not first.dims[0] and not second.dims[0]:
        found = [building.planar(building.map(each)) for each in (first, second)]
        if _alike(building, *found):
            return found[0], found[1]
    found = [building.listed(each) for each in (first, second)]
    if _alike(building, *found):
        return found[0], found[1]
    return alike(building, first, second)


def alike(building: Building, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape on maps that lie alike: values repeat where one is broadcast."""
    try:
        shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        raise Unsupported(f"operands of {first.shape} and {second.shape}") from None
    made = [
        each if each.shape == shape else building.expanded(each, shape) for each in (first, second)
    ]
    if not _alike(building, *made):
        made = [building.listed(each) for each in made]
    return made[0], made[1]


_MOST_CHANNELS = 4096
"""Numbers that differ from position to position become channels up to so many; more are a map."""


def placed(
    building: Building, first: Value | None, second: Value | None
) -> tuple[Value | None, Value | None]:
    """Two operands, of which a constant with many numbers for the positions of a map is a map."""
    if isinstance(second, Tensor) and isinstance(first, np.ndarray):
        second, first = placed(building, second, first)
    elif isinstance(first, Tensor) and isinstance(second, np.ndarray):
        array = second.reshape((1,) * (first.rank - second.ndim) + second.shape)
        dims = ((),) * (array.ndim - first.rank) + first.dims
        varying = [axis for axis in range(array.ndim) if _varies(array, axis)]
        atoms = [atom for axis in varying for atom in dims[axis]]
        numbers = math.prod(array.shape[axis] for axis in varying)
        if numbers > _MOST_CHANNELS and any(atom.axis != "c" for atom in atoms):
            return first, building.constant(array)
    return first, second


def operand(building: Building, value: Tensor, array: Array) -> tuple[Tensor, Floats]:
    """A constant operand as a number for each channel, and the tensor on a map that has them."""
    try:
        shape = np.broadcast_shapes(value.shape, array.shape)
    except ValueError:
        raise Unsupported(f"operands of {value.shape} and {array.shape}") from None
    value = building.expanded(value, shape)
    array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
    varying = [axis for axis in range(value.rank) if _varies(array, axis)]
    if any(atom.axis != "c" for axis in varying for atom in value.dims[axis]):
        rest = [axis for axis in range(value.rank) if axis not in varying]
        value = building.grouped(value, rest[:-1], rest[-1:], varying)
    return value, per_channel(building, value, array)


def _varies(array: Array, axis: int) -> bool:
    return array.shape[axis] > 1 and bool((array != array.take([0], axis)).any())


def _alike(building: Building, first: Tensor, second: Tensor) -> bool:
    """Whether each dim is the same part of the map, or one of them has a single position."""
    if any(a and b and a != b for a, b in zip(first.dims, second.dims, strict=True)):
        return False
    shapes = building.shape(first.step), building.shape(second.step)
    if not all(a == b or 1 in (a, b) for a, b in zip(*shapes, strict=True)):
        return False
    # Nor may one axis be one dim of the first and another dim of the second.
    joint = math.prod(size(a or b) for a, b in zip(first.dims, second.dims, strict=True))
    return joint == math.prod(map(max, *shapes))


def per_channel(building: Building, value: Tensor, array: Array) -> Floats:
    """A constant operand as one number for each channel; Unsupported if positions differ."""
    shape = building.shape(value.step)
    try:
        spread = np.broadcast_to(array, value.shape)
    except ValueError:
        raise Unsupported(f"a constant of {array.shape} would widen {value.shape}") from None
    atoms = [atom for dim in value.dims for atom in dim]
    spread = spread.reshape([atom.size for atom in atoms])
    found = np.zeros(shape.channels)
    for number, atom in reversed(list(enumerate(atoms))):
        if atom.axis != "c":
            first = spread[(*[slice(None)] * number, slice(1))]  # a view: it may be a map's size
            if not (spread.strides[number] == 0 or (spread == first).all()):
                raise Unsupported("a constant differs from position to position of the map")
            spread = first
    own = [atom for atom in atoms if atom.axis == "c"]
    places = np.zeros((), np.int64)
    for atom in own:
        places = places[..., None] + np.arange(atom.size) * atom.stride
    found[places.ravel()] = spread.ravel()
    return found


def whole_axis(building: Building, value: Tensor, axis: int, name: str) -> bool:
    """Whether a dim is all of an axis of the map: "h", "w" or "c"."""
    shape = building.shape(value.step)
    length = {"h": shape.height, "w": shape.width, "c": shape.channels}[name]
    wanted: Dim = full(name, length)  # type: ignore[arg-type]
    return value.dims[axis] == wanted
