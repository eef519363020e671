"""Operators that say where maxima lay, and put values back there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import Axes, Shape, Spread
from ftdist.network.operators.base import KernelRecord, Operation, Rate, Sliding, operator
from ftdist.network.operators.windows import Pool

MOST_PLACES = 1 << 24
"""Up to here floats tell all places of a map apart."""


@operator
@dataclass(frozen=True, slots=True)
class MaxPlaces(Operation):
    """Where the first maximum of each window lies: row x width + column of the map, by channels."""

    kind: ClassVar[str] = "max_places"
    kernels: ClassVar[tuple[str, ...]] = ("max_places",)
    window: Sliding

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = self._pool.output_shape(inputs)
        if inputs[0].height * inputs[0].width > MOST_PLACES:
            raise InputError(
                f"{self.kind}: a map of {inputs[0]} has more than {MOST_PLACES} places"
            )
        return shape

    @property
    def _pool(self) -> Pool:
        return Pool("max", self.window)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self._pool.whole(inputs)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return self._pool.axes(inputs)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * self._pool.moved(inputs, output)

    def rate(self, inputs: tuple[Shape, ...]) -> Rate:
        return "pool"

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("max_places", window=self.window)


@operator
@dataclass(frozen=True, slots=True)
class Unpool(Operation):
    """A map of `height` x `width`: each value of the first map where the second says that it lay
    (row x width + column), and zeros elsewhere.

    `window` is that of the pool, whose windows do not overlap: a value that lay in no other than
    its own window is found by its place alone.
    """

    kind: ClassVar[str] = "unpool"
    kernels: ClassVar[tuple[str, ...]] = ("unpool",)
    window: Sliding
    height: int
    width: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2 or inputs[0] != inputs[1]:
            raise InputError(f"{self.kind}: values and as many places are read, not {inputs}")
        sides = self.window.vertical, self.window.horizontal
        if any(side.extent > side.stride for side in sides):
            raise InputError(f"{self.kind}: windows overlap")
        if min(self.height, self.width) < 1 or self.height * self.width > MOST_PLACES:
            size = f"{self.height}x{self.width}"
            raise InputError(f"{self.kind}: a map of {size}, which may have {MOST_PLACES} places")
        return Shape(self.height, self.width, inputs[0].channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source, window = inputs[0], self.window
        rows = Spread(window.vertical, source.height)
        return (Axes(rows, Spread(window.horizontal, source.width)),) * 2

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 3 * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        fields: dict[str, float] = {"out_height": output.height, "out_width": output.width}
        fields |= {"in2_height": height, "in2_width": width, "in2_channels": channels}
        return KernelRecord("unpool", fields, window=self.window)
