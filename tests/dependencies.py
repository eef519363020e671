"""Which input positions each output position reads, element by element, without ``Axis``.

Written from what the operations mean, not from the geometry that planning uses, so that both can be
held against each other.
"""

from __future__ import annotations

import numpy as np

from ftdist.geometry import Shape, Window
from ftdist.network.graph import Network
from ftdist.network.layers import Convolution, Pool, Reorg, Upsample


def _taps(window: Window, position: int, size: int, *, on_map: bool) -> list[int]:
    first = position * window.stride - window.pad_before
    taps = [first + tap * window.dilation for tap in range(window.kernel)]
    return [tap for tap in taps if 0 <= tap < size] if on_map else taps


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


def rows_read(network: Network, reader: int, source: int, row: int) -> set[int]:
    """The rows on the map of `source` that row `row` of layer `reader` reads."""
    operation = network.layers[reader].operation
    shape = network.shape(source)
    match operation:
        case Convolution(window=window) | Pool(window=window):
            return set(_taps(window.vertical, row, shape.height, on_map=True))
        case Upsample(scale=scale):
            return {row // scale}
        case Reorg(stride=stride, order="blocks"):
            return set(range(row * stride, (row + 1) * stride))
        case Reorg(stride=stride):
            flat = darknet_reorg_sources(shape, stride)[row]
            return set((flat // shape.width % shape.height).ravel().tolist())
    return {row}


def columns_read(network: Network, reader: int, source: int, column: int) -> set[int]:
    """The columns that column `column` reads; convolutions read padding columns, off the map."""
    operation = network.layers[reader].operation
    shape = network.shape(source)
    match operation:
        case Convolution(window=window):
            return set(_taps(window.horizontal, column, shape.width, on_map=False))
        case Pool(window=window):
            return set(_taps(window.horizontal, column, shape.width, on_map=True))
        case Upsample(scale=scale):
            return {column // scale}
        case Reorg(stride=stride):
            return set(range(column * stride, (column + 1) * stride))
    return {column}


def reads_without_gaps(network: Network, reader: int) -> bool:
    """Whether spans are exact for a layer: its reads leave no gaps and its geometry is local."""
    match network.layers[reader].operation:
        case Convolution(window=window) | Pool(window=window):
            axes = (window.vertical, window.horizontal)
            return all(axis.dilation == 1 and axis.stride <= axis.kernel for axis in axes)
        case Reorg(order="darknet"):
            return False
    return True
