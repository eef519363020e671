"""Operators that see maps as arrays of any rank, and need whole maps for it.

They run as whole-map steps: what they read lies dense in memory. Threads share the output's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import SAME, Axes, Shape, Whole
from ftdist.network.operators.base import KernelRecord, Operation, only, operator
from ftdist.network.operators.views import AXES, AxisName, View


class WholeMaps(Operation):
    """Shared answers of operations that need whole maps of all that they read."""

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return tuple(Axes(Whole(each.height), Whole(each.width)) for each in inputs)


def view_fields(output: Shape) -> dict[str, float]:
    """What kernels that read by a view are told of the output's size."""
    return {"out_height": output.height, "out_width": output.width}


_ONE_BY_ONE = 20
"""What a channel counts for that is found by its index: no vector of them is moved at once."""


@operator
@dataclass(frozen=True, slots=True)
class Rearrange(WholeMaps):
    """A map reshaped, permuted, cut with steps, turned round or expanded.

    Each output element is the element of the map that the view names.
    """

    kind: ClassVar[str] = "rearrange"
    kernels: ClassVar[tuple[str, ...]] = ("rearrange",)
    view: View

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        self.view.check(self.kind, only(inputs))
        return self.view.shape

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("rearrange", view_fields(output), view=self.view.merged())


@operator
@dataclass(frozen=True, slots=True)
class Gather(Operation):
    """Rows, columns or channels of a map by `count` constant indices, in any order.

    Weights: `indices`, (count,), whole numbers from 0. One beside the map is taken for the nearest.
    """

    kind: ClassVar[str] = "gather"
    kernels: ClassVar[tuple[str, ...]] = ("gather",)
    axis: AxisName
    count: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        sides = list(only(inputs))
        sides[AXES.index(self.axis)] = self.count
        return Shape(*sides)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self.axis == "rows"

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        rows = Whole(source.height) if self.axis == "rows" else SAME
        return (Axes(rows, Whole(source.width) if self.axis == "columns" else SAME),)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"indices": (self.count,)}

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return (_ONE_BY_ONE if self.axis == "channels" else 2) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = view_fields(output) | {"kind": AXES.index(self.axis)}
        return KernelRecord("gather", fields, {"weights": "indices"})


@operator
@dataclass(frozen=True, slots=True)
class ConcatenatePositions(Operation):
    """Maps below each other (rows), or side by side (columns)."""

    kind: ClassVar[str] = "concatenate_positions"
    kernels: ClassVar[tuple[str, ...]] = ("place",)
    joins: ClassVar[bool] = True
    axis: AxisName

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        axis = AXES.index(self.axis)
        if self.axis == "channels":
            raise InputError(f"{self.kind}: channels have an operator of their own")
        if len({each[:axis] + each[axis + 1 :] for each in inputs}) != 1:
            raise InputError(f"{self.kind}: the maps differ: {', '.join(map(str, inputs))}")
        sides = list(inputs[0])
        sides[axis] = sum(each[axis] for each in inputs)
        return Shape(*sides)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self.axis == "rows"

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        if self.axis == "rows":
            return tuple(Axes(Whole(each.height), SAME) for each in inputs)
        return tuple(Axes(SAME, Whole(each.width)) for each in inputs)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        axis = AXES.index(self.axis)
        before = sum(each[axis] for each in inputs[:part])
        return KernelRecord("place", {("pad_top", "pad_left")[axis]: before})
