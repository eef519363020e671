"""A draft while an ONNX file is walked: steps that are added, and maps that operators need.

An operator that reads (batch, channels, rows, columns) asks for the map of a tensor: where the view
is that already nothing happens; where it is a pixel shuffle or a channel shuffle spelled in
reshapes and transposes, the step that does it is added here. Whatever else moves is a copy of the
whole map (``Rearrange``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.graph import LARGEST_SIDE, is_map
from ftdist.network.onnx.nodes import Array, Unsupported, Value
from ftdist.network.onnx.views import (
    Atom,
    CannotView,
    Dim,
    Tensor,
    full,
    joined,
    lying,
    order_of,
    planar,
    reshaped,
    rows_of,
    spread,
)
from ftdist.network.operators.base import Operation, Sliding
from ftdist.network.operators.resampling import DepthToSpace, Reorg
from ftdist.network.operators.tensors import Rearrange
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.views import Factor, Factors, View
from ftdist.network.operators.windows import Convolution
from ftdist.network.ports import Input
from ftdist.network.rewriting.draft import Read, Step
from ftdist.network.rewriting.rearranging import Reorder
from ftdist.network.rewriting.scaling import ONE_TAP, Floats, scaling

Dims = Sequence[int]
"""Dims of a tensor, by number."""

_ONCE = (Factor(1, 0),)


class Building:
    """Steps so far; `name` is what those being added are called after, `batch` the file's own."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = tuple(inputs)
        self.steps: list[Step] = []
        self.name = ""
        self.batch = 1
        self._known: dict[tuple[Operation, tuple[int, ...]], int] = {}

    def shape(self, step: int) -> Shape:
        return self.steps[step].shape if step >= 0 else self.inputs[-1 - step].shape

    def add(
        self, operation: Operation, inputs: Sequence[int], weights: Mapping[str, Read] | None = None
    ) -> int:
        """Adds a step; one without weights that is there already is taken instead."""
        key = operation, tuple(inputs)
        if not weights and key in self._known:
            return self._known[key]
        try:
            shape = operation.output_shape(tuple(self.shape(each) for each in inputs))
        except InputError as error:
            raise Unsupported(str(error)) from None
        if not is_map(shape):
            raise Unsupported(f"a map of {shape}; each side is 1 to {LARGEST_SIDE}")
        self.steps.append(Step(self.name, operation, tuple(inputs), shape, weights or {}))
        if not weights:
            self._known[key] = len(self.steps) - 1
        return len(self.steps) - 1

    def scale(self, source: int, factor: Floats, shift: Floats) -> int:
        """Each channel times a factor plus a shift."""
        self.steps.append(scaling(self.name, source, self.shape(source), factor, shift))
        return len(self.steps) - 1

    def map(self, tensor: Tensor) -> int:
        """The step whose map is a tensor (1, channels, height, width)."""
        if tensor.rank != 4 or tensor.dims[0]:
            raise Unsupported(f"a map is needed, and its input is {tensor.shape}")
        _, channels, rows, columns = tensor.dims
        return self.arranged(tensor.step, channels, rows, columns)

    def arranged(self, step: int, channels: Dim, rows: Dim, columns: Dim) -> int:
        """The step whose channels, rows and columns are these dims of a step's map."""
        shape = self.shape(step)
        own = full("c", shape.channels), full("h", shape.height), full("w", shape.width)
        if (channels, rows, columns) == own:
            return step
        if (rows, columns) == own[1:] and {atom.axis for atom in channels} <= {"c"}:
            return self.add(Reorder(order_of(channels)), [step])
        shuffled = self._to_space(step, channels, rows, columns)
        if shuffled is None:
            shuffled = self._to_depth(step, channels, rows, columns)
        return self._moved(step, channels, rows, columns) if shuffled is None else shuffled

    def _moved(self, step: int, channels: Dim, rows: Dim, columns: Dim) -> int:
        """Values that move across the whole map: one copy of it."""
        factors = [self._factors(step, dim) or _ONCE for dim in (rows, columns, channels)]
        return self.add(Rearrange(View(factors[0], factors[1], factors[2]).merged()), [step])

    def _factors(self, step: int, dim: Dim) -> Factors:
        _, width, depth = self.shape(step)
        steps = {"h": width * depth, "w": depth, "c": 1}
        return tuple(Factor(atom.size, atom.stride * steps[atom.axis]) for atom in dim)

    def factors(self, value: Tensor, axes: Dims) -> Factors:
        """What some dims of a tensor are in flat memory, the first outermost."""
        return tuple(each for axis in axes for each in self._factors(value.step, value.dims[axis]))

    def grouped(self, value: Tensor, rows: Dims, columns: Dims, channels: Dims) -> Tensor:
        """The tensor on a map whose rows, columns and channels are these of its dims, in order."""
        groups = rows, columns, channels
        joint = [joined([a for axis in group for a in value.dims[axis]]) for group in groups]
        step = self.arranged(value.step, joint[2], joint[0], joint[1])
        dims = list(value.dims)
        for group, name in zip(groups, "hwc", strict=True):
            own = spread(name, [value.shape[axis] for axis in group])  # type: ignore[arg-type]
            for axis, dim in zip(group, own, strict=True):
                dims[axis] = dim
        return Tensor(step, tuple(dims))

    def channels_of(self, like: int, values: Array) -> int:
        """A map of constant channels, as large as that of a step."""
        channels = self.shape(like).channels
        weights: dict[str, Read] = {
            "weights": lambda: np.zeros((len(values), channels, 1, 1), np.float32),
            "bias": lambda: values,
        }
        return self.add(Convolution(len(values), ONE_TAP), [like], weights)

    def constant(self, array: Array) -> Tensor:
        """Numbers that depend on no input, as a tensor: the bias of a map of one position or, where
        they are too many for channels, the kernel of a transposed convolution of a single one."""
        if not array.size:
            raise Unsupported(f"a constant of {array.shape} beside a tensor")
        if not self.inputs:
            raise Unsupported("makes maps of nothing but constants")
        one = self.add(Rearrange(View(_ONCE, _ONCE, _ONCE)), [-1])
        if array.size <= LARGEST_SIDE:
            return Tensor(self.channels_of(one, array.ravel()), tuple(spread("c", array.shape)))
        is_map = array.ndim == 4 and len(array) == 1
        rows = array[0].transpose(1, 2, 0) if is_map else _as_rows(array)
        window = Sliding(Window(rows.shape[0]), Window(rows.shape[1]))
        weights: dict[str, Read] = {
            "weights": lambda: rows.transpose(2, 0, 1)[:, np.newaxis],
            "bias": lambda: np.zeros(rows.shape[2], np.float32),
        }
        unit = self.channels_of(one, np.ones(1, np.float32))
        step = self.add(TransposedConvolution(rows.shape[2], window), [unit], weights)
        if is_map:
            return self.planar(step)
        dims = *spread("h", array.shape[:-2]), *spread("w", rows.shape[1:2])
        return Tensor(step, (*dims, *spread("c", rows.shape[2:]))[-array.ndim :])

    def tensor(self, value: Value | None, what: str) -> Tensor:
        """The value as a tensor, whether it depends on an input or not."""
        if value is None:
            raise Unsupported(f"{what} is missing")
        return value if isinstance(value, Tensor) else self.constant(value)

    def listed(self, value: Tensor) -> Tensor:
        """The tensor on a map where its values lie as in an array: its last dim are channels."""
        axes, rows = range(value.rank), rows_of(value.shape)
        return self.grouped(value, axes[:rows], axes[rows:-1], axes[-1:])

    def by_channels(self, value: Tensor, axis: int, split: int | None = None) -> Tensor:
        """The tensor on a map whose channels are one of its dims.

        The other dims before number `split` are rows, those behind it columns; without it they stay
        rows and columns where they are that already.
        """
        rest = [each for each in range(value.rank) if each != axis]
        at = self.split_by(value, axis) if split is None else split
        if not _fits(value, rest[:at], rest[at:], [axis]):
            at = 0
        return self.grouped(value, rest[:at], rest[at:], [axis])

    def split_by(self, value: Tensor, axis: int) -> int:
        """How many of the dims beside one are rows, if all others are columns."""
        rest = [at for at in range(value.rank) if at != axis]
        for at in range(len(rest) + 1):
            rows = {atom.axis for each in rest[:at] for atom in value.dims[each]}
            columns = {atom.axis for each in rest[at:] for atom in value.dims[each]}
            if rows <= {"h"} and columns <= {"w"}:
                return at
        places = [axis, *range(len(rest), -1, -1)]
        return next((at for at in places if _fits(value, rest[:at], rest[at:], [])), axis)

    def expanded(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        """The tensor with its values repeated, as broadcasting to a shape repeats them."""
        if tuple(shape) == value.shape:
            return value
        dims = ((),) * (len(shape) - value.rank) + value.dims
        _, width, depth = self.shape(value.step)
        steps = {"h": width * depth, "w": depth, "c": 1}
        factors = [
            tuple(Factor(atom.size, atom.stride * steps[atom.axis]) for atom in dim)
            if dim
            else (Factor(length, 0),)
            for dim, length in zip(dims, shape, strict=True)
        ]
        at = rows_of(shape)
        groups = factors[:at], factors[at:-1], factors[-1:]
        rows, columns, channels = (sum(each, ()) or _ONCE for each in groups)
        step = self.add(Rearrange(View(rows, columns, channels).merged()), [value.step])
        return Tensor(step, tuple(lying(shape, at)))

    def reshaped(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        """The tensor in another shape of as many values, which are copied where they must be."""
        try:
            return reshaped(value, shape)
        except CannotView:
            value = self.listed(value)
        # Their order in memory is now that of both shapes.
        target = [1] * (3 - len(shape)) + list(shape)
        at, channels = rows_of(target), target[-1]
        rows, columns = math.prod(target[:at]), math.prod(target[at:-1])
        lengths = (rows, columns * channels), (columns, channels), (channels, 1)
        factors = [(Factor(count, step),) for count, step in lengths]
        step = self.add(Rearrange(View(factors[0], factors[1], factors[2])), [value.step])
        dims = lying(target, at)
        return Tensor(step, tuple(dims[-len(shape) :]) if shape else ())

    def _to_space(self, step: int, channels: Dim, rows: Dim, columns: Dim) -> int | None:
        """A pixel shuffle: rows and columns end with a factor of the channels."""
        shape = self.shape(step)
        down, across = _behind(rows, "h", shape.height), _behind(columns, "w", shape.width)
        if down is None or across is None or down.size != across.size:
            return None
        if any(atom.axis != "c" for atom in channels):
            return None
        order = order_of((down, across, *channels))
        if len(order) != shape.channels:
            return None
        if order != tuple(range(shape.channels)):
            step = self.add(Reorder(order), [step])
        return self.add(DepthToSpace(down.size), [step])

    def _to_depth(self, step: int, channels: Dim, rows: Dim, columns: Dim) -> int | None:
        """Blocks of positions become channels."""
        shape = self.shape(step)
        inner = [atom for atom in channels if atom.axis != "c"]
        own = [atom for atom in channels if atom.axis == "c"]
        stride = inner[0].size if inner else 0
        if sorted(inner) != [Atom("h", stride), Atom("w", stride)]:
            return None
        if joined(own) != full("c", shape.channels):
            return None
        if rows != _outer("h", shape.height, stride) or columns != _outer("w", shape.width, stride):
            return None
        step = self.add(Reorg(stride), [step])
        # Of the result channel (dy * stride + dx) * C + c is channel c at (dy, dx).
        strides = {"h": stride * shape.channels, "w": shape.channels, "c": 1}
        order = order_of(tuple(Atom("c", a.size, a.stride * strides[a.axis]) for a in channels))
        return step if order == tuple(range(len(order))) else self.add(Reorder(order), [step])

    def planar(self, step: int) -> Tensor:
        return planar(step, self.shape(step))


def _fits(value: Tensor, *groups: Dims) -> bool:
    """Whether there is a map whose rows, columns and channels are these dims of a tensor."""
    return is_map(Shape(*(math.prod(value.shape[each] for each in group) for group in groups)))


def _as_rows(array: Array) -> Array:
    """(rows, columns, channels) that lie in memory as the array does."""
    shape = (1,) * (3 - array.ndim) + array.shape
    return array.reshape(math.prod(shape[:-2]), *shape[-2:])


def _behind(dim: Dim, axis: str, length: int) -> Atom | None:
    """The factor of channels behind all of an axis."""
    if length == 1:
        return dim[0] if len(dim) == 1 and dim[0].axis == "c" else None
    if len(dim) != 2 or dim[0] != Atom(axis, length) or dim[1].axis != "c":  # type: ignore[arg-type]
        return None
    return dim[1]


def _outer(axis: str, length: int, stride: int) -> Dim:
    """An axis without its last factor."""
    return (Atom(axis, length // stride, stride),) if length > stride else ()  # type: ignore[arg-type]
