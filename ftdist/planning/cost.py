"""What the kernels of one layer cost, as numbers for every number of rows and columns.

A layer's time in a group is linear in what its calls do::

    seconds = rows x row_s(columns) + calls x (overhead + weights)

A convolution's row is cut into blocks of pixels as the kernel cuts it, each at the measured rate of
its size. A call reads all weights of the layer once; unless the previous strip left them in the
caches, that costs their bytes over the bandwidth at the working set of the group.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Shape
from ftdist.network.graph import INPUT, Network
from ftdist.network.layers import Convolution, Pool, Weighted
from ftdist.network.packing import BLOCK, packed_sizes
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.weights import PIECE_BLOCKS


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Seconds a row of one layer (at given columns), and what each call reads of its weights.

    `pieces`: reads of a call when the weights are streamed.
    """

    row_s: float
    weight_bytes: int = 0
    pieces: int = 0


def layer_cost(network: Network, number: int, columns: int, profile: DeviceProfile) -> LayerCost:
    """The cost of a layer, or of loading the network's input, for rows of so many columns."""
    if number == INPUT:
        return LayerCost(4 * columns * network.input.channels / profile.planar_bytes_per_s)
    layer = network.layers[number]
    source = network.shape(network.reads(number)[0])
    operation = layer.operation
    if isinstance(operation, Convolution):
        weights = 4 * sum(packed_sizes(operation, source))
        row_s = _convolution_row_s(operation, source, columns, profile)
        blocks = -(-operation.filters // operation.groups // BLOCK)
        pieces = operation.groups * -(-blocks // PIECE_BLOCKS)
        return LayerCost(row_s, weights, 0 if operation.is_depthwise(source) else pieces)
    inputs = tuple(map(network.shape, network.reads(number)))
    moved = 4 * columns * operation.moved(inputs, layer.shape)
    if isinstance(operation, Pool):
        return LayerCost(moved / profile.pool_bytes_per_s)
    weights = 4 * sum(packed_sizes(operation, source)) if isinstance(operation, Weighted) else 0
    return LayerCost(moved / profile.copy_bytes_per_s, weights)


def copy_row_s(shape: Shape, columns: int, planar: bool, profile: DeviceProfile) -> float:
    """Seconds to copy a row of a map into or out of the arena."""
    moved = 4 * columns * shape.channels
    return moved / (profile.planar_bytes_per_s if planar else profile.copy_bytes_per_s / 2)


def _convolution_row_s(
    operation: Convolution, source: Shape, columns: int, profile: DeviceProfile
) -> float:
    _, depth, height, width = operation.weight_shape(source)
    terms = depth * height * width
    if operation.is_depthwise(source):
        blocks = -(-operation.filters // BLOCK)
        return columns * blocks * BLOCK * terms / profile.depthwise_macs_per_s
    blocks = -(-operation.filters // operation.groups // BLOCK)
    wide, narrow = (blocks // 2, blocks % 2) if profile.wide else (0, blocks)
    seconds = wide * _blocks_s(profile.wide, columns, 2 * BLOCK * terms)
    seconds += narrow * _blocks_s(profile.narrow, columns, BLOCK * terms)
    return operation.groups * (seconds + columns * blocks * profile.sum_s)


def _blocks_s(rates: tuple[float, ...], columns: int, macs_per_pixel: int) -> float:
    """Seconds of a row of pixels, cut into blocks as evenly as the kernel cuts it."""
    if not rates:
        return 0.0
    parts = -(-columns // len(rates))
    small, larger = columns // parts, columns % parts
    seconds = (parts - larger) * small * macs_per_pixel / rates[small - 1]
    if larger:
        seconds += larger * (small + 1) * macs_per_pixel / rates[small]
    return seconds
