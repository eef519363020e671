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

from ftdist.geometry import Axes, Shape
from ftdist.network.operators.base import KernelRecord, Operation, Rate
from ftdist.network.packing import BLOCKS, Form

Arithmetic = tuple[tuple[int, str], ...]
"""(layer, algorithm) of each layer that is not computed directly, in order."""

Shapes = tuple[Shape, ...]


class Implementation(Protocol):
    """How an operator is computed."""

    name: ClassVar[str]

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

    def rate(self, operation: Operation, inputs: Shapes) -> Rate:
        return operation.rate(inputs)

    def record(
        self, operation: Operation, inputs: Shapes, output: Shape, part: int
    ) -> KernelRecord:
        return operation.record(inputs, output, part)


DIRECT = Direct()

IMPLEMENTATIONS: Mapping[str, Implementation] = {DIRECT.name: DIRECT}
"""All algorithms, by name."""
