"""Operators that put tensors side by side, or take parts of them."""

from __future__ import annotations

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.graph import LARGEST_SIDE
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, tensor, whole
from ftdist.network.onnx.registry import translates
from ftdist.network.onnx.translators.values.pointwise import whole_axis
from ftdist.network.onnx.views import Atom, Tensor, full
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.resampling import Crop
from ftdist.network.operators.windows import Pool
from ftdist.network.rewriting.rearranging import Reorder

Given = list[Value | None]


@translates("Concat")
def _concatenate(building: Building, node: Node, given: Given) -> Value:
    given = [each for each in given if isinstance(each, Tensor) or (each is not None and each.size)]
    first = next(each for each in given if isinstance(each, Tensor))
    if len(given) == 1:
        return first
    axis = node.integer("axis") % first.rank
    given = [each if _fits_channels(each, axis) else _lying(building, each) for each in given]
    stacked = _stacked(building, given, axis)
    if stacked is not None:
        return stacked
    alone = first.rank == 4 and not first.dims[0]
    if alone and axis == 1 and not _of_channels(building, given, axis):
        given = [
            building.planar(building.map(each)) if isinstance(each, Tensor) else each
            for each in given
        ]
        first = next(each for each in given if isinstance(each, Tensor))
    if not _of_channels(building, given, axis):
        split = building.split_by(first, axis)
        given = [
            building.by_channels(each, axis, split) if isinstance(each, Tensor) else each
            for each in given
        ]
        first = next(each for each in given if isinstance(each, Tensor))
        if not _of_channels(building, given, axis):
            raise Unsupported("its inputs differ in other dims than the axis")
    steps = [
        each.step if isinstance(each, Tensor) else _constant_map(building, first, each, axis)
        for each in given
        if isinstance(each, Tensor) or (each is not None and each.size)
    ]
    joined = steps[0] if len(steps) == 1 else building.add(Concatenate(), steps)
    dims = list(first.dims)
    dims[axis] = full("c", building.shape(joined).channels)
    return Tensor(joined, tuple(dims))


def _stacked(building: Building, given: Given, axis: int) -> Tensor | None:
    """Tensors that lie alike, along a dim that none of them has yet: it becomes the outermost
    factor of the channels, whatever the other dims are. None where it is not that."""
    tensors = [each for each in given if isinstance(each, Tensor)]
    shapes = {building.shape(each.step) for each in tensors}
    if len(tensors) < len(given) or len({each.dims for each in tensors}) > 1 or len(shapes) > 1:
        return None
    channels = shapes.pop().channels
    if tensors[0].dims[axis] or len(tensors) * channels > LARGEST_SIDE:
        return None
    dims = list(tensors[0].dims)
    dims[axis] = (Atom("c", len(tensors), channels),)
    return Tensor(building.add(Concatenate(), [each.step for each in tensors]), tuple(dims))


def _of_channels(building: Building, given: Given, axis: int) -> bool:
    """Whether the axis is all channels of each tensor, and they lie alike in all else."""
    tensors = [each for each in given if isinstance(each, Tensor)]
    rests = {each.dims[:axis] + each.dims[axis + 1 :] for each in tensors}
    sizes = {building.shape(each.step)[:2] for each in tensors}
    return len(rests) == len(sizes) == 1 and all(
        each.rank > axis and whole_axis(building, each, axis, "c") for each in tensors
    )


def _constant_map(building: Building, like: Tensor, array: Array, axis: int) -> int:
    """A map of constant channels, as large as that of another tensor."""
    if array.ndim != like.rank:
        raise Unsupported(f"a constant of {array.shape} beside {like.shape}")
    return building.channels_of(like.step, _first(array, axis).reshape(-1))


def _first(array: Array, axis: int) -> Array:
    """The values along an axis at the first place of all others."""
    for at in range(array.ndim):
        if at != axis:
            array = array.take([0], at)
    return array


def _fits_channels(value: Value | None, axis: int) -> bool:
    """Whether a value is a tensor, or one that constant channels can stand for."""
    if not isinstance(value, np.ndarray) or axis >= value.ndim:
        return True
    return bool((_first(value, axis) == value).all())


def _lying(building: Building, value: Value | None) -> Value | None:
    """A constant that differs from position to position, as a map: coordinates, tokens."""
    return building.constant(value.astype(np.float32)) if isinstance(value, np.ndarray) else value


@translates("Split")
def _split(building: Building, node: Node, given: Given) -> list[Value]:
    value = tensor(given[0])
    axis = node.integer("axis") % value.rank
    length, count = value.shape[axis], len(node.outputs)
    sizes = node.integers("split")
    if len(given) > 1 and given[1] is not None:
        sizes = whole(given[1], "split")
    if not sizes:
        each = -(-length // count)
        sizes = tuple(min(each, length - at * each) for at in range(count))
    if sum(sizes) != length or len(sizes) != count or min(sizes) < 0:
        raise Unsupported(f"split: {sizes} of {length}")
    found: list[Value] = []
    start = 0
    for size in sizes:
        if size:
            found.append(part(building, value, axis, range(start, start + size)))
        else:
            nothing = (*value.shape[:axis], 0, *value.shape[axis + 1 :])
            found.append(np.zeros(nothing, np.float32))
        start += size
    return found


@translates("Slice")
def _slice(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    if len(given) > 1:
        starts, ends = whole(given[1], "starts"), whole(given[2], "ends")
        axes = whole(given[3], "axes") if len(given) > 3 and given[3] is not None else None
        steps = whole(given[4], "steps") if len(given) > 4 and given[4] is not None else None
    else:
        starts, ends = node.integers("starts"), node.integers("ends")
        axes, steps = node.integers("axes") or None, None
    axes = axes or tuple(range(len(starts)))
    steps = steps or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Unsupported("starts, ends, axes and steps: they differ in length")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        chosen = range(value.shape[axis])[slice(start, end, step)]
        if not chosen:
            return _nothing(value.shape, axes, starts, ends, steps)
        value = part(building, value, axis % value.rank, chosen)
    return value


@translates("ReverseSequence")
def _reverse(building: Building, node: Node, given: Given) -> Value:
    """Of sequences that all have every step, as Keras exports a layer that goes backwards."""
    value = tensor(given[0])
    axis = node.integer("time_axis") % value.rank
    length = value.shape[axis]
    if any(each != length for each in whole(given[1], "sequence_lens")):
        raise Unsupported("sequence_lens: sequences that end before the last step")
    return part(building, value, axis, range(length)[::-1])


def _nothing(shape: tuple[int, ...], axes: tuple[int, ...], *places: tuple[int, ...]) -> Array:
    """What a slice leaves is known where it leaves nothing."""
    lengths = list(shape)
    for axis, start, end, step in zip(axes, *places, strict=True):
        lengths[axis] = len(range(shape[axis])[slice(start, end, step)])
    return np.zeros(lengths, np.float32)


def part(building: Building, value: Tensor, axis: int, chosen: range) -> Tensor:
    """The chosen positions of one dim."""
    length = value.shape[axis]
    if chosen == range(length):
        return value
    shape = building.shape(value.step)
    dims = list(value.dims)
    if whole_axis(building, value, axis, "c"):
        step, name = _channels(building, value.step, shape, chosen), "c"
    elif chosen.step > 0 and whole_axis(building, value, axis, "h"):
        step, name = _positions(building, value.step, shape, chosen, 0), "h"
    elif chosen.step > 0 and whole_axis(building, value, axis, "w"):
        step, name = _positions(building, value.step, shape, chosen, 1), "w"
    else:
        value = building.by_channels(value, axis)
        dims = list(value.dims)
        step, name = _channels(building, value.step, building.shape(value.step), chosen), "c"
    dims[axis] = full(name, len(chosen))  # type: ignore[arg-type]
    return Tensor(step, tuple(dims))


def _channels(building: Building, step: int, shape: Shape, chosen: range) -> int:
    size = len(chosen)
    if chosen.step == 1 and shape.channels % size == 0 and chosen.start % size == 0:
        return building.add(Concatenate(shape.channels // size, chosen.start // size), [step])
    return building.add(Reorder(tuple(chosen)), [step])


def _positions(building: Building, step: int, shape: Shape, chosen: range, axis: int) -> int:
    """Rows (axis 0) or columns: a crop, and of every n-th a pool of one tap."""
    start, length = chosen.start, chosen[-1] + 1 - chosen.start
    size, place = [shape.height, shape.width], [0, 0]
    size[axis], place[axis] = length, start
    if (size[0], size[1]) != shape[:2]:
        step = building.add(Crop(size[0], size[1], place[0], place[1]), [step])
    if chosen.step > 1:
        every = Window(1, chosen.step)
        sliding = Sliding(every, Window(1)) if axis == 0 else Sliding(Window(1), every)
        step = building.add(Pool("max", sliding), [step])
    return step
