"""What the kernels of one layer cost, as numbers for every number of rows and columns.

A layer's time in a group is linear in what its calls do::

    seconds = rows x row_s(columns) + calls x overhead + reads x weights

A convolution's row is cut into blocks of pixels as the kernel cuts it, each at the measured rate of
its size. A call reads all weights of the layer once, Winograd's kernel once for every `batch` of
positions; unless they were left in the caches, that costs their bytes over the bandwidth at the
working set of the group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.kernels.program import BLOCK
from ftdist.network.graph import Network
from ftdist.network.implementations import DIRECT, output_blocks
from ftdist.network.operators.base import Operation
from ftdist.network.packing import BLOCKS
from ftdist.planning.profile import DeviceProfile

Numbers = NDArray[np.float64]

_BLOCK_SIDES = {"winograd2": 2, "winograd4": 4}
"""By rate the side of Winograd's blocks of outputs."""

_STEP_BYTES = 400
"""A kernel that goes from position to position takes for a step the time of copying so many bytes:
400 to 500 for pairs, products and moves of one to four channels."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Seconds of a row of one layer (of given columns), and what each reading of its weights takes.

    A call reads them once for every `batch` positions of its output. `weight_bytes` are read where
    they are resident; where they are streamed `file_bytes`, in `weight_chunks`, and `transform_s`
    are the seconds of making of them what the kernel wants; `expand_s` those of a kernel that does
    so wherever they are.
    """

    row_s: float
    weight_bytes: int = 0
    weight_chunks: int = 0
    file_bytes: int = 0
    transform_s: float = 0.0
    batch: float = math.inf
    expand_s: float = 0.0


def layer_cost(network: Network, number: int, columns: int, profile: DeviceProfile) -> LayerCost:
    """The cost of a layer, or of loading the network's input, for rows of `columns` columns."""
    row_s = float(row_seconds(network, number, np.array([columns]), profile)[0])
    if number < 0:
        return LayerCost(row_s)
    operation, source = network.layers[number].operation, network.shape(network.reads(number)[0])
    implementation = network.layers[number].implementation
    weights = 4 * sum(implementation.form(operation, source).sizes(operation, source).values())
    if not implementation.streams(operation, source):
        return LayerCost(row_s, weights, file_bytes=weights)
    groups = operation.weight_groups(source)
    blocks = output_blocks(operation, source) // groups
    chunks = groups * -(-blocks // implementation.chunk_blocks)
    if implementation.name == DIRECT.name:
        return LayerCost(row_s, weights, chunks, weights)
    stored = 4 * sum(BLOCKS.sizes(operation, source).values())
    batch = implementation.batch(*network.asked(number))
    transform_s = implementation.transformed_floats(operation, source) * profile.expanded_s
    cost = LayerCost(row_s, weights, chunks, stored, transform_s, batch)
    if implementation.expands(operation, source):
        return replace(cost, expand_s=transform_s, transform_s=0.0)
    return cost


def row_seconds(
    network: Network, number: int, columns: NDArray[Any], profile: DeviceProfile
) -> Numbers:
    """Seconds of a row of a layer, or of loading one of the network's input, for each number of
    columns."""
    if number < 0:
        return columns * (4 * network.shape(number).channels / profile.planar_bytes_per_s)
    layer = network.layers[number]
    operation = layer.operation
    inputs = tuple(map(network.shape, network.reads(number)))
    rate = layer.implementation.rate(operation, inputs)
    moved = 4.0 * operation.moved(inputs, layer.shape)
    moving_s = columns * (moved / profile.copy_bytes_per_s)
    if rate in _BLOCK_SIDES:
        size = _BLOCK_SIDES[rate]
        most = layer.implementation.batch(operation, inputs) / size**2
        return moving_s + _winograd_row_s(size, inputs[0], layer.shape, most, columns, profile)
    if rate in ("convolution", "depthwise"):
        terms = network.macs(number) // layer.shape.channels
        return moving_s + _convolution_row_s(
            operation, rate == "depthwise", inputs[0], terms, columns, profile
        )
    if rate == "copy" and operation.goes_by_positions(inputs):
        channels = layer.shape.channels
        moved = moved * (-(-channels // BLOCK) * BLOCK / channels) + _STEP_BYTES
    return columns * (
        moved / (profile.pool_bytes_per_s if rate == "pool" else profile.copy_bytes_per_s)
    )


def copy_row_s(shape: Shape, columns: int, planar: bool, profile: DeviceProfile) -> float:
    """Seconds to copy a row of a map into or out of the arena."""
    moved = 4 * columns * shape.channels
    return moved / (profile.planar_bytes_per_s if planar else profile.copy_bytes_per_s / 2)


def _convolution_row_s(
    operation: Operation,
    depthwise: bool,
    source: Shape,
    terms: int,
    columns: NDArray[Any],
    profile: DeviceProfile,
) -> Numbers:
    """`terms`: multiply-accumulates of one output of one position."""
    groups = operation.weight_groups(source)
    blocks = output_blocks(operation, source) // groups
    if depthwise:
        return columns * (blocks * BLOCK * terms / profile.depthwise_macs_per_s)
    wide, narrow = (blocks // 2, blocks % 2) if profile.wide else (0, blocks)
    seconds = columns * (blocks * profile.sum_s)
    if wide:
        seconds = seconds + wide * _blocks_s(profile.wide, columns, 2 * BLOCK * terms)
    if narrow:
        seconds = seconds + narrow * _blocks_s(profile.narrow, columns, BLOCK * terms)
    return groups * seconds


def _winograd_row_s(
    size: int,
    source: Shape,
    output: Shape,
    most: float,
    columns: NDArray[Any],
    profile: DeviceProfile,
) -> Numbers:
    """Seconds of a row of blocks, over the rows of a block: its products and its transforms.

    A product is that of as many pixels as there are blocks in what is made of the map, `most` at a
    time.
    """
    across = np.ceil(columns / size)
    pixels = np.clip(across * math.ceil(output.height / size), 1, most)
    blocks, macs = -(-output.channels // BLOCK), BLOCK * source.channels
    wide, narrow = (blocks // 2, blocks % 2) if profile.wide else (0, blocks)
    products_s = narrow * _blocks_s(profile.narrow, pixels, macs)
    if wide:
        products_s = products_s + wide * _blocks_s(profile.wide, pixels, 2 * macs)
    block_s = products_s / pixels + (source.channels + output.channels) * profile.transformed_s
    return np.asarray(across * ((size + 2) ** 2 * block_s / size))


def transformed_input_s(network: Network, number: int, profile: DeviceProfile) -> float:
    """Seconds of transforming the whole input of a layer, where Winograd's kernel does."""
    layer = network.layers[number]
    inputs = tuple(map(network.shape, network.reads(number)))
    size = _BLOCK_SIDES.get(layer.implementation.rate(layer.operation, inputs))
    if size is None:
        return 0.0
    blocks = math.ceil(layer.shape.height / size) * math.ceil(layer.shape.width / size)
    return blocks * (size + 2) ** 2 * inputs[0].channels * profile.transformed_s


def _blocks_s(rates: tuple[float, ...], columns: NDArray[Any], macs_per_pixel: int) -> Numbers:
    """Seconds of rows of pixels, cut into blocks as evenly as the kernel cuts them."""
    pixels = columns.astype(np.int64)
    parts = np.maximum(-(-pixels // len(rates)), 1)
    small, larger = np.divmod(pixels, parts)
    pixel_s = macs_per_pixel / np.array((np.inf, *rates, np.inf))
    seconds = (parts - larger) * small * pixel_s[small] + larger * (small + 1) * pixel_s[small + 1]
    return np.asarray(seconds)
