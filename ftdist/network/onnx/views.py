"""Tensors of any rank as views of maps: reshapes and transposes that move nothing.

Each dim of a tensor is a product of *atoms*, outermost first; an atom is a factor of one axis of
the map that holds the values. Transposing permutes dims, reshaping splits and joins atoms. Whether
something must move is decided only where an operator needs a map.

Example: a map of 4 rows, 6 columns, 8 channels as (1, 8, 4, 6) has the dims ((), c8, h4, w6). After
a reshape to (1, 2, 2, 2, 4, 6), a transposition to (0, 1, 4, 2, 5, 3) and a reshape to
(1, 2, 8, 12) they are ((), c2*4, h4 c2*2, w6 c2*1): a pixel shuffle, told by its strides on the
channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.graph import is_map

AxisName = Literal["h", "w", "c"]


class Atom(NamedTuple):
    """A factor of an axis: an index i of it stands for position i * stride of the axis."""

    axis: AxisName
    size: int
    stride: int = 1


Dim = tuple[Atom, ...]


class CannotView(Exception):
    """A reshape that splits an atom unevenly."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Values of a step's map (or an input's), by number, as a tensor."""

    step: int
    dims: tuple[Dim, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(size(dim) for dim in self.dims)

    @property
    def rank(self) -> int:
        return len(self.dims)


def size(dim: Dim) -> int:
    return math.prod(atom.size for atom in dim)


def full(axis: AxisName, length: int) -> Dim:
    """All of an axis."""
    return (Atom(axis, length),) if length > 1 else ()


def planar(step: int, shape: Shape) -> Tensor:
    """A map as (1, channels, height, width)."""
    height, width, channels = shape
    return Tensor(step, ((), full("c", channels), full("h", height), full("w", width)))


def viewed(step: int, shape: Shape, axes: str) -> Tensor:
    """A map by the names of axes, "-" for a dim of one: "-hwc" is (1, height, width, channels)."""
    lengths = {"h": shape.height, "w": shape.width, "c": shape.channels}
    return Tensor(step, tuple(full(a, lengths[a]) if a in lengths else () for a in axes))  # type: ignore[arg-type]


def joined(atoms: Sequence[Atom]) -> Dim:
    """The same with neighbours put together that follow each other on their axis."""
    found: list[Atom] = []
    for atom in atoms:
        if atom.size == 1:
            continue
        if found:
            last = found[-1]
            if last.axis == atom.axis and last.stride == atom.size * atom.stride:
                found[-1] = Atom(atom.axis, last.size * atom.size, atom.stride)
                continue
        found.append(atom)
    return tuple(found)


def transposed(tensor: Tensor, order: Sequence[int]) -> Tensor:
    return Tensor(tensor.step, tuple(tensor.dims[each] for each in order))


def reshaped(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """The same values in other dims; CannotView where an atom would have to be cut unevenly."""
    rest = [atom for dim in tensor.dims for atom in dim][::-1]
    dims: list[Dim] = []
    for wanted in shape:
        own: list[Atom] = []
        length = wanted
        while length > 1:
            if not rest:
                raise CannotView
            atom = rest.pop()
            if length % atom.size == 0:
                own.append(atom)
                length //= atom.size
            elif atom.size % length == 0:
                inner = atom.size // length
                own.append(Atom(atom.axis, length, atom.stride * inner))
                rest.append(Atom(atom.axis, inner, atom.stride))
                length = 1
            else:
                raise CannotView
        dims.append(joined(own))
    if any(atom.size > 1 for atom in rest):
        raise CannotView
    return Tensor(tensor.step, tuple(dims))


def flat_order(tensor: Tensor) -> Dim:
    """All atoms in the order in which the values would lie in memory."""
    return joined([atom for dim in tensor.dims for atom in dim])


def axes_of(tensor: Tensor, dim: int) -> set[AxisName]:
    return {atom.axis for atom in tensor.dims[dim]}


def order_of(dim: Dim) -> tuple[int, ...]:
    """The positions on the axis that a dim goes through, in order."""
    order = np.zeros((), np.int64)
    for atom in dim:
        order = order[..., None] + np.arange(atom.size) * atom.stride
    assert order.size == size(dim)
    return tuple(order.ravel().tolist())


def spread(axis: AxisName, lengths: Sequence[int]) -> list[Dim]:
    """Dims that are, in order, the factors of an axis."""
    found: list[Dim] = []
    stride = math.prod(lengths)
    for length in lengths:
        stride //= length
        found.append(joined([Atom(axis, length, stride)]))
    return found


def rows_of(shape: Sequence[int]) -> int:
    """How many dims are rows of a map whose values lie as in an array of that shape: all but two,
    or none where these were more than a map has rows. The last one is channels."""
    at = max(0, len(shape) - 2)
    rows, columns = math.prod(shape[:at]), math.prod(shape[at:-1])
    return at if is_map(Shape(rows, columns, math.prod(shape[-1:]))) else 0


def lying(shape: Sequence[int], rows: int) -> list[Dim]:
    """Dims that lie as in an array, of which the first so many are rows."""
    columns = spread("w", shape[rows:-1])
    return [*spread("h", shape[:rows]), *columns, *spread("c", shape[-1:])]
