"""Which input positions each output position reads, element by element, without ``Axis``.

Written from what the operations mean, not from the geometry that planning uses, so that both can be
held against each other.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.graph import Network
from ftdist.network.operators.channels import Softmax
from ftdist.network.operators.joining import Multiply, Sum
from ftdist.network.operators.normalizing import SoftmaxAlong
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.placing import Pad
from ftdist.network.operators.reducing import Reduce
from ftdist.network.operators.resampling import Crop, DepthToSpace, Reorg, Resize, Upsample
from ftdist.network.operators.tensors import ConcatenatePositions, Rearrange
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution, Local, Pool


def _taps(window: Window, position: int, size: int, *, on_map: bool) -> list[int]:
    first = position * window.stride - window.pad_before
    taps = [first + tap * window.dilation for tap in range(window.kernel)]
    return [tap for tap in taps if 0 <= tap < size] if on_map else taps


def _met(window: Window, position: int, size: int) -> set[int]:
    """The input positions on the map one of whose taps is at an output position."""
    places = [position + window.pad_before - tap * window.dilation for tap in range(window.kernel)]
    return {
        place // window.stride
        for place in places
        if place % window.stride == 0 and 0 <= place // window.stride < size
    }


def darknet_reorg_sources(source: Shape, stride: int) -> np.ndarray:
    """For each output element (row, column, channel) the flat (C, H, W) index that it copies."""
    height, width, channels = source
    index = np.arange(source.elements)
    k, j, i = index // (height * width), index // width % height, index % width
    depth = channels // stride**2
    offset = k // depth
    row, column = j * stride + offset // stride, i * stride + offset % stride
    flat = column + width * stride * (row + height * stride * (k % depth))
    shape = (channels * stride**2, height // stride, width // stride)
    return flat.reshape(shape).transpose(1, 2, 0)


def _added(position: int, size: int, of: int) -> set[int]:
    """Where Darknet's shortcut takes what it adds to a position, from a map of another size."""
    stride, sample = max(1, size // of), max(1, of // size)
    read = position // sample * stride
    return {read} if position % sample == 0 and read < size else set()


def _joined(network: Network, reader: int, source: int, position: int, side: int) -> set[int]:
    """What sums and products read of a source, which may be several of their inputs."""
    layer = network.layers[reader]
    found: set[int] = set()
    for place, number in enumerate(network.reads(reader)):
        if number == source:
            size, of = network.shape(source)[side], layer.shape[side]
            if isinstance(layer.operation, Sum):
                found |= _added(position, size, of) if place else {position}
            else:
                found.add(position if size == of else 0)
    return found


def resized_from(resize: Resize, side: int, length: int, position: int) -> list[tuple[int, float]]:
    """The input positions that an output position is made of, and what each of them counts."""
    made = (resize.height, resize.width)[side]
    up, down = (resize.rows, resize.columns)[side]
    step = Fraction(down, up) if up else Fraction(length, made)
    half = Fraction(1, 2)
    middle = (position + half) * step - half
    place = {
        "asymmetric": position * step,
        "half_pixel": middle,
        "half_pixel_for_nn": middle + half,
        "half_pixel_symmetric": middle + (length - made * step) / 2,
        "align_corners": position * Fraction(length - 1, max(1, made - 1)),
    }[resize.transform]
    first = {
        "half_down": math.ceil(place - half),
        "half_up": math.floor(place + half),
        "ceil": math.ceil(place),
    }.get(resize.rounding, math.floor(place))
    part = float(place - first)
    taps = [(first, 1.0)]
    if resize.rounding == "linear":
        taps = [(first, 1 - part), (first + 1, part)]
    elif resize.rounding == "cubic":
        taps = [(first + n, _keys(part - n, resize.coefficient)) for n in range(-1, 3)]
        if resize.only_inside:
            taps = [(tap, weight * (0 <= tap < length)) for tap, weight in taps]
            total = sum(weight for _, weight in taps)
            taps = [(tap, weight / total) for tap, weight in taps]
    return [(min(max(tap, 0), length - 1), weight) for tap, weight in taps]


def _keys(away: float, a: float) -> float:
    """Keys' weight of a position so far away."""
    away = abs(away)
    if away > 1:
        return a * (away**3 - 5 * away**2 + 8 * away - 4)
    return (a + 2) * away**3 - (a + 3) * away**2 + 1


def _resize_taps(resize: Resize, side: int, length: int, position: int) -> set[int]:
    return {tap for tap, _ in resized_from(resize, side, length, position)}


def padded_from(pad: Pad, side: int, length: int, position: int) -> set[int]:
    """The position that an output position is taken from; none for a constant."""
    before = (pad.top, pad.left)[side]
    inside = 0 <= position - before < length
    if pad.mode == "constant":
        return {position - before} if inside else set()
    widths = before, max(0, position + 1 - before - length)
    return {int(np.pad(np.arange(length), widths, pad.mode)[position])}


def rows_read(network: Network, reader: int, source: int, row: int) -> set[int]:
    """The rows on the map of `source` that row `row` of layer `reader` reads."""
    return _added_positions(network, reader, source, row) | _rows_read(network, reader, source, row)


def _added_positions(network: Network, reader: int, source: int, position: int) -> set[int]:
    """The position of what a convolution adds to what it makes."""
    return {position} if _adds(network, reader, source) else set()


def _adds(network: Network, reader: int, source: int) -> bool:
    is_convolution = isinstance(network.layers[reader].operation, Convolution)
    return is_convolution and source in network.reads(reader)[1:]


def _rows_read(network: Network, reader: int, source: int, row: int) -> set[int]:
    operation = network.layers[reader].operation
    shape = network.shape(source)
    match operation:
        case Convolution() if source != network.reads(reader)[0]:
            return set()
        case Convolution(window=window) | Local(window=window) | Pool(window=window):
            return set(_taps(window.vertical, row, shape.height, on_map=True))
        case TransposedConvolution(window=window):
            return _met(window.vertical, row, shape.height)
        case Sum() | Multiply() | Pair():
            return _joined(network, reader, source, row, 0)
        case Softmax(spatial=False) | SoftmaxAlong(rows=True) | Rearrange() | Reduce():
            return set(range(shape.height))
        case ConcatenatePositions(axis="rows"):
            return set(range(shape.height))
        case Crop(top=top):
            return {row + top}
        case Resize():
            return _resize_taps(operation, 0, shape.height, row)
        case Pad():
            return padded_from(operation, 0, shape.height, row)
        case Upsample(scale=scale) | DepthToSpace(stride=scale):
            return {row // scale}
        case Reorg(stride=stride, order="blocks"):
            return set(range(row * stride, (row + 1) * stride))
        case Reorg(stride=stride):
            flat = darknet_reorg_sources(shape, stride)[row]
            return set((flat // shape.width % shape.height).ravel().tolist())
    return {row}


def columns_read(network: Network, reader: int, source: int, column: int) -> set[int]:
    """The columns that column `column` reads; convolutions read padding columns, off the map."""
    return _added_positions(network, reader, source, column) | _columns_read(
        network, reader, source, column
    )


def _columns_read(network: Network, reader: int, source: int, column: int) -> set[int]:
    operation = network.layers[reader].operation
    shape = network.shape(source)
    match operation:
        case Convolution() if source != network.reads(reader)[0]:
            return set()
        case Convolution(window=window) | Local(window=window):
            return set(_taps(window.horizontal, column, shape.width, on_map=False))
        case TransposedConvolution(window=window):
            return _met(window.horizontal, column, shape.width)
        case Sum() | Multiply() | Pair():
            return _joined(network, reader, source, column, 1)
        case Softmax(spatial=False) | SoftmaxAlong(columns=True) | Rearrange() | Reduce():
            return set(range(shape.width))
        case ConcatenatePositions(axis="columns"):
            return set(range(shape.width))
        case Crop(left=left):
            return {column + left}
        case Resize():
            return _resize_taps(operation, 1, shape.width, column)
        case Pad():
            return padded_from(operation, 1, shape.width, column)
        case Pool(window=window):
            return set(_taps(window.horizontal, column, shape.width, on_map=True))
        case Upsample(scale=scale) | DepthToSpace(stride=scale):
            return {column // scale}
        case Reorg(stride=stride):
            return set(range(column * stride, (column + 1) * stride))
    return {column}


def reads_without_gaps(network: Network, reader: int) -> bool:
    """Whether spans are exact for a layer: its reads leave no gaps and its geometry is local."""
    match network.layers[reader].operation:
        case Convolution(window=window) | Local(window=window) | Pool(window=window):
            axes = (window.vertical, window.horizontal)
            return all(axis.dilation == 1 and axis.stride <= axis.kernel for axis in axes)
        case Reorg(order="darknet") | Softmax(spatial=False) | Resize():
            return False
        case Rearrange() | Reduce() | SoftmaxAlong() | ConcatenatePositions() | Pad():
            return False
        case TransposedConvolution():
            return False
        case Sum():
            sizes = {network.shape(each)[:2] for each in network.reads(reader)}
            return len(sizes) == 1
    return True
