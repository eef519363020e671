"""Lists of open length: which values are there, the best of them, what stands behind them.

How long such a list is depends on the values. It is a map of one row, a column an entry, as wide as
the list can become (its capacity); a map of a single value beside it counts its entries, and what
stands behind them means nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import Axes, Shape, Whole
from ftdist.network.operators.base import KernelRecord, only, operator
from ftdist.network.operators.tensors import WholeMaps, view_fields

ONE = Shape(1, 1, 1)
"""The map of a count."""


@operator
@dataclass(frozen=True, slots=True)
class NonZero(WholeMaps):
    """The places of all values of a map that are not zero, in memory's order; behind them -1.

    The output is (1, elements, 1).
    """

    kind: ClassVar[str] = "non_zero"
    kernels: ClassVar[tuple[str, ...]] = ("non_zero",)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return Shape(1, only(inputs).elements, 1)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("non_zero", view_fields(output))


@operator
@dataclass(frozen=True, slots=True)
class Fill(WholeMaps):
    """A list (1, capacity, channels), `value` in all channels behind what the second map counts."""

    kind: ClassVar[str] = "fill"
    kernels: ClassVar[tuple[str, ...]] = ("fill",)
    value: float = 0.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _list_and_count(self.kind, inputs)
        if not math.isfinite(self.value):
            raise InputError(f"{self.kind}: its value must be finite")
        return inputs[0]

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return Axes(Whole(1), Whole(inputs[0].width)), Axes(Whole(1), Whole(1))

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("fill", view_fields(output) | _COUNT | {"factor": self.value})


@operator
@dataclass(frozen=True, slots=True)
class TopOfList(WholeMaps):
    """The `count` largest (or smallest) values of a list (1, capacity, 1) in order, each with its
    place: (1, count, 2).

    Of equal values the first comes first. The second map counts the list; where it has fewer than
    `count` entries, zeros follow.
    """

    kind: ClassVar[str] = "top_of_list"
    kernels: ClassVar[tuple[str, ...]] = ("top_of_list",)
    count: int
    smallest: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _list_and_count(self.kind, inputs)
        if inputs[0].channels != 1 or not 1 <= self.count <= inputs[0].width:
            raise InputError(f"{self.kind}: {self.count} of a list of {inputs[0]}")
        return Shape(1, self.count, 2)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 + 8 * inputs[0].width // output.width

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = view_fields(output) | _COUNT | {"kind": self.smallest}
        return KernelRecord("top_of_list", fields)


_COUNT: dict[str, float] = {"in2_height": 1, "in2_width": 1, "in2_channels": 1}


def _list_and_count(kind: str, inputs: tuple[Shape, ...]) -> None:
    if len(inputs) != 2 or inputs[0].height != 1 or inputs[1] != ONE:
        told = " and ".join(map(str, inputs))
        raise InputError(f"{kind}: a list in one row and its count are read, not {told}")
