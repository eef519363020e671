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

from collections.abc import Mapping
from typing import ClassVar, Protocol

from ftdist.geometry import Anchored, Axes, Shape
from ftdist.network.operators.base import WEIGHTS_AND_BIAS, KernelRecord, Operation, Rate
from ftdist.network.operators.windows import Convolution
from ftdist.network.packing import BLOCK, BLOCKS, FORMS, Form

Arithmetic = tuple[tuple[int, str], ...]
"""(layer, algorithm) of each layer that is not computed directly, in order."""

Shapes = tuple[Shape, ...]


class Implementation(Protocol):
    """How an operator is computed."""

    @property
    def name(self) -> str: ...

    def suits(self, operation: Operation, inputs: Shapes) -> bool:
        """Whether it computes this operation, for inputs of these shapes."""
        ...

    def axes(self, operation: Operation, inputs: Shapes) -> tuple[Axes, ...]:
        """For each input how the output rows and columns that are made depend on its own."""
        ...

    def form(self, operation: Operation) -> Form:
        """The form in which its kernel reads the weights."""
        ...

    def streams(self, operation: Operation, source: Shape) -> bool:
        """Whether its kernel can read its weights chunk by chunk."""
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

    def suits(self, operation: Operation, inputs: Shapes) -> bool:
        return True

    def axes(self, operation: Operation, inputs: Shapes) -> tuple[Axes, ...]:
        return operation.axes(inputs)

    def form(self, operation: Operation) -> Form:
        return BLOCKS

    def streams(self, operation: Operation, source: Shape) -> bool:
        return operation.streams(source)

    def fuses_pool(self, operation: Operation, inputs: Shapes) -> bool:
        return operation.fuses_pool(inputs)

    def block(self, operation: Operation) -> int:
        return 1

    def scratch_floats(self, operation: Operation, inputs: Shapes) -> int:
        return 0

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

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"winograd{self.size}"

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
        return (Axes(rows, columns),)

    def form(self, operation: Operation) -> Form:
        return FORMS[self.name]

    def streams(self, operation: Operation, source: Shape) -> bool:
        return False

    def block(self, operation: Operation) -> int:
        return self.size

    def scratch_floats(self, operation: Operation, inputs: Shapes) -> int:
        products = (self.size + 2) ** 2
        outputs = _OUTPUT_BLOCKS * BLOCK
        return products * self._tiles(operation, inputs) * (inputs[0].channels + outputs)

    def _tiles(self, operation: Operation, inputs: Shapes) -> int:
        """Blocks that are worked on at a time."""
        height, width, _ = operation.output_shape(inputs)
        return min(_MOST_TILES, -(-height // self.size) * -(-width // self.size))

    def rate(self, operation: Operation, inputs: Shapes) -> Rate:
        return "winograd2" if self.size == 2 else "winograd4"

    def record(
        self, operation: Operation, inputs: Shapes, output: Shape, part: int
    ) -> KernelRecord:
        assert isinstance(operation, Convolution)
        return KernelRecord(
            "winograd",
            {"size": self.size, "tiles": self._tiles(operation, inputs)},
            WEIGHTS_AND_BIAS,
            form=self.name,
            window=operation.window,
            activation=operation.activation,
        )


_FEWEST_CHANNELS = 8
"""With fewer inputs or outputs the transforms take longer than the products save."""

_OUTPUT_BLOCKS = 2
"""The most blocks of 16 outputs that the kernel makes at a time."""

_MOST_TILES = 48
"""Measured with 512-bit vectors: from 28 to 48 the products run fastest, and scratch is small."""

DIRECT = Direct()

IMPLEMENTATIONS: Mapping[str, Implementation] = {
    each.name: each for each in (DIRECT, Winograd(2), Winograd(4))
}
"""All algorithms, by name."""
