"""Forms of weights: how a layer's named weights lie in a model file, as kernels read them.

An implementation of an operator asks for a form by name. Model files hold "blocks", universal:
every instruction set's kernels read it as it is. Outputs lie in blocks of 16, zero-padded,
innermost: an array of shape (outputs, ...) in `groups` groups becomes
[groups x ceil(outputs / groups / 16)][... axes, the second last][16]. Weights (outputs, depth, ky,
kx) are [blocks][ky][kx][depth][16], a bias is [blocks][16]. The groups are those of a convolution,
one in all where it is depthwise, and the positions of a local layer. Vectors of 4, 8 and 16 lanes
all divide a block.

Other forms are made from it when a model is run, and lie in memory of their own: "winograd2" and
"winograd4", the transformed weights of 3x3 convolutions, with 1.8 and 4 times the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.operators.base import Operation

BLOCK = 16
"""Outputs in a block of packed weights, on every instruction set."""

CHUNK_BLOCKS = 2
"""Blocks of output channels in a chunk of weights: what the widest kernel works on at a time."""

TOGETHER_BLOCKS = 4
"""Blocks of output channels whose products Winograd's kernel holds at one time. Measured with 256-
and 512-bit vectors: 2 and 4 are equally fast, 8 and 16 slower by some percent."""

SLICE_CHANNELS = 64
"""Input channels whose weights Winograd's kernel transforms at a time: TOGETHER_BLOCKS blocks of
outputs by so many take 0.6 MB, and stay in the second cache."""

_PIECE_VALUES = 1 << 19
"""What is packed at a time of weights that are larger."""

Array = NDArray[np.float32]
Named = Mapping[str, Array]
"""Weights by name."""


class Form(Protocol):
    """One way in which weights lie."""

    @property
    def name(self) -> str: ...

    stored: ClassVar[bool]
    """Whether model files hold it."""

    def sizes(self, operation: Operation, source: Shape) -> dict[str, int]:
        """Floats of each array of the form, by name, in the order in which they lie."""
        ...

    def pack(self, operation: Operation, source: Shape, weights: Named) -> dict[str, Array]:
        """Those arrays, flat."""
        ...


class Blocks:
    """Blocks of 16 outputs: an array for each of the operation's weights, by the same name."""

    name: ClassVar[str] = "blocks"
    stored: ClassVar[bool] = True

    def sizes(self, operation: Operation, source: Shape) -> dict[str, int]:
        groups = operation.weight_groups(source)
        return {
            name: groups * -(-shape[0] // groups // BLOCK) * BLOCK * math.prod(shape[1:])
            for name, shape in operation.weights(source).items()
        }

    def pack(self, operation: Operation, source: Shape, weights: Named) -> dict[str, Array]:
        groups, shapes = operation.weight_groups(source), operation.weights(source)
        return {name: _blocks(groups, weights[name].reshape(shapes[name])) for name in shapes}

    def pieces(
        self, operation: Operation, source: Shape, weights: Named
    ) -> Iterator[Iterator[Array]]:
        """The arrays as ``pack`` has them, one after the other, large ones in pieces."""
        groups, shapes = operation.weight_groups(source), operation.weights(source)
        for name, shape in shapes.items():
            array = weights[name].reshape(shape)
            outputs = BLOCK * max(1, _PIECE_VALUES * len(array) // max(1, array.size) // BLOCK)
            if groups > 1 or outputs >= len(array):
                outputs = len(array)
            yield (
                _blocks(groups, array[first : first + outputs])
                for first in range(0, len(array), outputs)
            )

    def unpack(self, operation: Operation, source: Shape, arrays: Named) -> dict[str, Array]:
        """The inverse of ``pack``."""
        groups, shapes = operation.weight_groups(source), operation.weights(source)
        return {name: _unblocked(groups, arrays[name], shape) for name, shape in shapes.items()}


BLOCKS = Blocks()


class Winograd:
    """Weights g of 3x3 convolutions as G g G^T: [blocks][(size + 2)^2][depth][16]; then the bias.

    For blocks of `size` x `size` outputs (Lavin and Gray, arXiv:1509.09308), with the points 0, 1,
    -1 (and 2, -2) and infinity. Each expression is that of ``src/minimal.hpp``, in the same order:
    so the bits are the same wherever they are made.
    """

    stored: ClassVar[bool] = False

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def name(self) -> str:
        return f"winograd{self.size}"

    def sizes(self, operation: Operation, source: Shape) -> dict[str, int]:
        sizes = BLOCKS.sizes(operation, source)
        return {**sizes, "weights": sizes["weights"] // 9 * (self.size + 2) ** 2}

    def pack(self, operation: Operation, source: Shape, weights: Named) -> dict[str, Array]:
        outputs, *rest = weights["weights"].shape
        taps = np.zeros((-(-outputs // BLOCK) * BLOCK, *rest), np.float32)
        taps[:outputs] = weights["weights"]
        rows = expanded(self.size, *np.moveaxis(taps, 2, 0))  # by row; (outputs, depth, 3)
        both = expanded(self.size, *np.moveaxis(rows, -1, 0))  # by column, row; (outputs, depth)
        transformed = np.moveaxis(both, (0, 1), (3, 2))
        return {
            "weights": _blocks(1, transformed),
            "bias": _blocks(1, weights["bias"]),
        }


def expanded(size: int, a: Any, b: Any, c: Any) -> Any:
    """G times columns of three, along a new first axis."""
    total = a + c
    if size == 2:
        return np.stack([a, (total + b) * 0.5, (total - b) * 0.5, c])
    even, odd = a * (1 / 24) + c * (1 / 6), b * (1 / 12)
    sixth = -1 / 6
    return np.stack([a * 0.25, (total + b) * sixth, (total - b) * sixth, even + odd, even - odd, c])


FORMS: Mapping[str, Form] = {each.name: each for each in (BLOCKS, Winograd(2), Winograd(4))}
"""All forms, by name."""


def _blocks(groups: int, array: Array) -> Array:
    outputs, *rest = array.shape
    own = outputs // groups
    blocks = -(-own // BLOCK)
    full, left = own // BLOCK, own % BLOCK
    turned = _turned(len(rest))
    lying = np.zeros([(groups * blocks, BLOCK, *rest)[axis] for axis in turned], np.float32)
    found, given = (
        lying.reshape(groups, blocks, *lying.shape[1:]),
        array.reshape(groups, own, *rest),
    )
    for group in range(groups):
        of_full = given[group, : full * BLOCK].reshape(full, BLOCK, *rest)
        found[group, :full] = of_full.transpose(turned)
        if left:
            others = given[group, full * BLOCK :].reshape(1, left, *rest)
            found[group, full:, ..., :left] = others.transpose(turned)
    return lying.reshape(-1)


def _unblocked(groups: int, flat: Array, shape: tuple[int, ...]) -> Array:
    outputs, *rest = shape
    own = outputs // groups
    blocks = -(-own // BLOCK)
    turned = _turned(len(rest))
    lying = [(groups * blocks, BLOCK, *rest)[axis] for axis in turned]
    by_block = flat.reshape(lying).transpose(np.argsort(turned))
    padded = by_block.reshape(groups, blocks * BLOCK, *rest)
    return np.ascontiguousarray(padded[:, :own]).reshape(shape)


def _turned(rest: int) -> tuple[int, ...]:
    """The order in which axes (block, output, first, others...) lie: block, others, first, output.

    Of weights (depth, ky, kx) the depth is innermost but for the outputs.
    """
    return (0, *range(3, 2 + rest), *([2] if rest else []), 1)
