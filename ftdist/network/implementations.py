"""Implementations: the algorithms by which an operator becomes a kernel.

An operator says what is computed, an implementation how: which positions it reads, in which form
it wants the weights, whether a pool can be fused into it, what its time is reckoned by, and its
kernel record. Every operator has "direct", for which the operator itself answers. Bits differ from
algorithm to algorithm, so which layer is computed by which (the *arithmetic*) is a value of the
plan, and the same for every worker of a frame.

Another algorithm is another class here, named in ``IMPLEMENTATIONS``. Its form of the weights
stands in ``network.packing``, its kernel in a C++ family and in the reference, its rate in the
profile. Whatever it reads must depend on absolute output positions only: one that works in blocks
of 4x4 says so by axes that reach from the first block's first row to the last block's last one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Protocol

from ftdist.geometry import Anchored, Axes, Shape
from ftdist.network.operators.base import WEIGHTS_AND_BIAS, KernelRecord, Operation, Rate
from ftdist.network.operators.windows import Convolution
from ftdist.network.packing import (
    BLOCK,
    BLOCKS,
    CHUNK_BLOCKS,
    FORMS,
    SLICE_CHANNELS,
    TOGETHER_BLOCKS,
    Form,
)

Arithmetic = tuple[tuple[int, str], ...]
"""(layer, algorithm) of each layer that is not computed directly, in order."""

Shapes = tuple[Shape, ...]


class Implementation(Protocol):
    """How an operator is computed."""

    @property
    def name(self) -> str: ...

    @property
    def error(self) -> float:
        """Its error class: the largest error against exact sums, relative to the largest value."""
        ...

    def suits(self, operation: Operation, inputs: Shapes) -> bool:
        """Whether it computes this operation, for inputs of these shapes."""
        ...

    def axes(self, operation: Operation, inputs: Shapes) -> tuple[Axes, ...]:
        """For each input how the output rows and columns that are made depend on its own."""
        ...

    def form(self, operation: Operation, source: Shape) -> Form:
        """The form in which weights that stay in memory lie there."""
        ...

    def streams(self, operation: Operation, source: Shape) -> bool:
        """Whether its kernel can read its weights chunk by chunk."""
        ...

    chunk_blocks: ClassVar[int]
    """Blocks of outputs in a chunk of streamed weights."""

    def chunk_floats(self, operation: Operation, source: Shape) -> int:
        """Floats of an arena into which its kernel reads a chunk of streamed weights."""
        ...

    def expands(self, operation: Operation, source: Shape) -> bool:
        """Whether its kernel makes what it multiplies with as it goes, a chunk at a time, also of
        weights that stay in memory: in its scratch. Otherwise only of streamed ones: in the
        staging, before what is read."""
        ...

    def expanded_floats(self, operation: Operation, source: Shape) -> int:
        """Floats of an arena that such a chunk takes; 0 where weights are used as they are
        stored."""
        ...

    def transformed_floats(self, operation: Operation, source: Shape) -> int:
        """What it multiplies with where that is made of the stored weights; else 0."""
        ...

    def fuses_pool(self, operation: Operation, inputs: Shapes) -> bool:
        """Whether its kernel can write only the maxima of what it makes."""
        ...

    def block(self, operation: Operation) -> int:
        """Output rows that are made at one time, counted from row 0: strips end between them."""
        ...

    def scratch_floats(self, operation: Operation, inputs: Shapes) -> int:
        """Floats of an arena in which its kernel works beside the maps."""
        ...

    def batch(self, operation: Operation, inputs: Shapes) -> float:
        """Output positions for which its kernel reads all weights once; infinite: those of a
        call."""
        ...

    def rate(self, operation: Operation, inputs: Shapes) -> Rate:
        """How its time is reckoned."""
        ...

    def record(
        self, operation: Operation, inputs: Shapes, output: Shape, part: int
    ) -> KernelRecord:
        """The kernel that the layer, or its part for one input, becomes."""
        ...


class Direct:
    """Computed as the operator is defined."""

    name: ClassVar[str] = "direct"
    chunk_blocks: ClassVar[int] = CHUNK_BLOCKS

    @property
    def error(self) -> float:
        return 1e-6

    def suits(self, operation: Operation, inputs: Shapes) -> bool:
        return True

    def axes(self, operation: Operation, inputs: Shapes) -> tuple[Axes, ...]:
        return operation.axes(inputs)

    def form(self, operation: Operation, source: Shape) -> Form:
        return BLOCKS

    def streams(self, operation: Operation, source: Shape) -> bool:
        return operation.streams(source)

    def chunk_floats(self, operation: Operation, source: Shape) -> int:
        blocks = output_blocks(operation, source)
        return self.chunk_blocks * (sum(BLOCKS.sizes(operation, source).values()) // blocks)

    def expands(self, operation: Operation, source: Shape) -> bool:
        return False

    def expanded_floats(self, operation: Operation, source: Shape) -> int:
        return 0

    def transformed_floats(self, operation: Operation, source: Shape) -> int:
        return 0

    def fuses_pool(self, operation: Operation, inputs: Shapes) -> bool:
        return operation.fuses_pool(inputs)

    def block(self, operation: Operation) -> int:
        return 1

    def scratch_floats(self, operation: Operation, inputs: Shapes) -> int:
        return 0

    def batch(self, operation: Operation, inputs: Shapes) -> float:
        return math.inf

    def rate(self, operation: Operation, inputs: Shapes) -> Rate:
        return operation.rate(inputs)

    def record(
        self, operation: Operation, inputs: Shapes, output: Shape, part: int
    ) -> KernelRecord:
        return operation.record(inputs, output, part)


class Winograd(Direct):
    """3x3 convolutions by minimal filtering: blocks of `size` x `size` outputs at a time.

    Blocks begin at multiples of `size` of the whole map's rows and columns. Rounding errors are
    larger than direct ones, the more so the larger the blocks.
    """

    chunk_blocks: ClassVar[int] = TOGETHER_BLOCKS

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"winograd{self.size}"

    @property
    def error(self) -> float:
        return 5e-6 if self.size == 2 else 2e-5

    def suits(self, operation: Operation, inputs: Shapes) -> bool:
        if not isinstance(operation, Convolution) or operation.groups > 1:
            return False
        window = operation.window
        plain = all(
            (axis.kernel, axis.stride, axis.dilation) == (3, 1, 1)
            for axis in (window.vertical, window.horizontal)
        )
        enough = min(inputs[0].channels, operation.filters) >= _FEWEST_CHANNELS
        return plain and enough and not operation.whole(inputs)

    def axes(self, operation: Operation, inputs: Shapes) -> tuple[Axes, ...]:
        assert isinstance(operation, Convolution)
        window = operation.window
        rows, columns = (Anchored(axis, self.size) for axis in (window.vertical, window.horizontal))
        return (Axes(rows, columns), *operation.axes(inputs)[1:])

    def form(self, operation: Operation, source: Shape) -> Form:
        return BLOCKS if self.expands(operation, source) else FORMS[self.name]

    def chunk_floats(self, operation: Operation, source: Shape) -> int:
        """Some blocks with their biases; and what is made of them, unless that has its place."""
        blocks = TOGETHER_BLOCKS * (9 * source.channels + 1) * BLOCK
        before = 0 if self.expands(operation, source) else self.expanded_floats(operation, source)
        return before + blocks

    def expands(self, operation: Operation, source: Shape) -> bool:
        return 4 * self.transformed_floats(operation, source) > _LIGHT_BYTES

    def expanded_floats(self, operation: Operation, source: Shape) -> int:
        channels = min(SLICE_CHANNELS, source.channels)
        return TOGETHER_BLOCKS * (self.size + 2) ** 2 * _apart(channels * BLOCK)

    def transformed_floats(self, operation: Operation, source: Shape) -> int:
        """The floats of its form: asked often, so reckoned here."""
        assert isinstance(operation, Convolution)
        outputs = -(-operation.filters // BLOCK) * BLOCK
        return (self.size + 2) ** 2 * source.channels * outputs

    def block(self, operation: Operation) -> int:
        return self.size

    def scratch_floats(self, operation: Operation, inputs: Shapes) -> int:
        tiles, channels = self.tiles(operation, inputs), inputs[0].channels
        outputs = min(output_blocks(operation, inputs[0]), TOGETHER_BLOCKS) * BLOCK
        together = min(SLICE_CHANNELS, channels)  # where weights are transformed: streamed ones too
        values = -(-channels // together) * _apart(tiles * together)
        heavy = self.expands(operation, inputs[0])
        values = values if heavy else max(values, _apart(tiles * channels))
        expanded = self.expanded_floats(operation, inputs[0]) if heavy else 0
        return (self.size + 2) ** 2 * (values + _apart(tiles * outputs)) + expanded

    def tiles(self, operation: Operation, inputs: Shapes) -> int:
        """Blocks that are worked on at a time, each time with all weights."""
        height, width, _ = operation.output_shape(inputs[:1])  # the added map may be a part
        heavy = self.expands(operation, inputs[0])
        most = _MOST_HEAVY_TILES if heavy else _MOST_TILES
        return min(most, -(-height // self.size) * -(-width // self.size))

    def batch(self, operation: Operation, inputs: Shapes) -> float:
        return float(self.tiles(operation, inputs) * self.size**2)

    def rate(self, operation: Operation, inputs: Shapes) -> Rate:
        return "winograd2" if self.size == 2 else "winograd4"

    def record(
        self, operation: Operation, inputs: Shapes, output: Shape, part: int
    ) -> KernelRecord:
        assert isinstance(operation, Convolution)
        return KernelRecord(
            "winograd",
            {
                "size": self.size,
                "tiles": self.tiles(operation, inputs),
                "kind": len(inputs) - 1,
            },
            WEIGHTS_AND_BIAS,
            form=self.form(operation, inputs[0]).name,
            window=operation.window,
            activation=operation.activation,
        )


_FEWEST_CHANNELS = 8
"""With fewer inputs or outputs the transforms take longer than the products save."""

_MOST_TILES, _MOST_HEAVY_TILES, _LIGHT_BYTES = 32, 100, 8 << 20
"""Blocks at a time, of layers with transformed weights up to a size and above. Measured with 256-
and 512-bit vectors, a second cache of 1 MiB and a third one of 32: with light weights from 20 to 40
are fastest, for the transformed inputs then stay in the second cache. Heavy weights come from
beyond it, the more seldom the better: 100 blocks are 1.3 times as fast as 34 (256-bit vectors)."""


def _apart(floats: int) -> int:
    """Floats from one product to the next: an odd number of cache lines (src/minimal.hpp)."""
    return 16 * (-(-floats // 16) | 1)


def output_blocks(operation: Operation, source: Shape) -> int:
    """Blocks of outputs of an operation with weights, counted over all groups."""
    (outputs, *_), *_ = operation.weights(source).values()
    groups = operation.weight_groups(source)
    return groups * -(-outputs // groups // BLOCK)


DIRECT = Direct()

IMPLEMENTATIONS: Mapping[str, Implementation] = {
    each.name: each for each in (DIRECT, Winograd(2), Winograd(4))
}
"""All algorithms, by name."""
