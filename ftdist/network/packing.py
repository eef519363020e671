"""The universal weight layout: one that every instruction set's kernels read as it is.

Outputs lie in blocks of 16, zero-padded, innermost: weights of shape (outputs, depth, ky, kx) in
`groups` groups are [groups x ceil(outputs / groups / 16)][ky][kx][depth][16]. The groups are those
of a convolution, one in all where it is depthwise, and the positions of a local layer. A bias has
the same blocks. Vectors of 4, 8 and 16 lanes all divide a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.operators.base import Weighted

BLOCK = 16
"""Outputs in a block of packed weights, on every instruction set."""

Array = NDArray[np.float32]


def packed_sizes(operation: Weighted, source: Shape) -> tuple[int, int]:
    """Floats of an operation's packed weights and of its packed bias."""
    filters, depth, height, width = operation.weight_shape(source)
    groups = operation.weight_groups(source)
    outputs = groups * -(-filters // groups // BLOCK) * BLOCK
    return outputs * depth * height * width, outputs


def pack(operation: Weighted, source: Shape, weights: Array, bias: Array) -> tuple[Array, Array]:
    """Flat packed (weights, bias) from (outputs, depth, rows, columns), (outputs,)."""
    groups = operation.weight_groups(source)
    filters, depth, height, width = weights.shape
    own = filters // groups
    blocks = -(-own // BLOCK)
    padded = np.zeros((groups, blocks * BLOCK, depth, height, width), np.float32)
    padded[:, :own] = weights.reshape(groups, own, depth, height, width)
    by_block = padded.reshape(groups * blocks, BLOCK, depth, height, width)
    padded_bias = np.zeros((groups, blocks * BLOCK), np.float32)
    padded_bias[:, :own] = bias.reshape(groups, own)
    return np.ascontiguousarray(by_block.transpose(0, 3, 4, 2, 1)).reshape(-1), padded_bias.ravel()


def unpack(operation: Weighted, source: Shape, weights: Array, bias: Array) -> tuple[Array, Array]:
    """The inverse of ``pack``."""
    groups = operation.weight_groups(source)
    filters, depth, height, width = operation.weight_shape(source)
    own = filters // groups
    blocks = -(-own // BLOCK)
    by_block = weights.reshape(groups * blocks, height, width, depth, BLOCK).transpose(
        0, 4, 3, 1, 2
    )
    padded = by_block.reshape(groups, blocks * BLOCK, depth, height, width)
    flat_bias = bias.reshape(groups, blocks * BLOCK)[:, :own].reshape(filters)
    return np.ascontiguousarray(padded[:, :own]).reshape(filters, depth, height, width), flat_bias
