"""Two maps put together value by value, with broadcasting in both.

Either map may have one row, column or channel where the other has more: that one counts for all of
them. Truth is 1 where it is made, and whatever is not 0 where it is read. A choice between two maps
is ``where(a, condition) + unless(b, condition)``, exact but for the sign of a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ftdist.errors import InputError
from ftdist.geometry import SAME, Axes, Shape, Whole
from ftdist.network.operators.base import LINEAR, Activation, KernelRecord, Operation, operator

PairKind = Literal[
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "power",
    "equal",
    "greater",
    "greater_or_equal",
    "less",
    "less_or_equal",
    "and",
    "or",
    "xor",
    "modulo",
    "remainder",
    "where",
    "unless",
]
"""modulo has the sign of the divisor, remainder that of what is divided; where and unless are the
first map where the second is not, or is, 0, and else 0."""

_SLOW = {"power": 16, "modulo": 16, "remainder": 16}
"""What some functions count for beside a float moved."""


@operator
@dataclass(frozen=True, slots=True)
class Pair(Operation):
    """A function of two maps, value by value, then an activation."""

    kind: ClassVar[str] = "pair"
    kernels: ClassVar[tuple[str, ...]] = ("pair",)
    how: PairKind
    activation: Activation = LINEAR

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2:
            raise InputError(f"{self.how}: two maps are read, not {len(inputs)}")
        first, second = inputs
        if any(a != b and 1 not in (a, b) for a, b in zip(first, second, strict=True)):
            raise InputError(f"{self.how}: maps of {first} and {second} do not suit each other")
        return Shape(*map(max, first, second))

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        height, width, _ = self.output_shape(inputs)
        return tuple(
            Axes(
                SAME if each.height == height else Whole(1),
                SAME if each.width == width else Whole(1),
            )
            for each in inputs
        )

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return (2 + _SLOW.get(self.how, 1)) * output.channels

    def goes_by_positions(self, inputs: tuple[Shape, ...]) -> bool:
        return inputs[0] != inputs[1]

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        fields = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        fields |= {"out_height": output.height, "out_width": output.width}
        fields["kind"] = get_args(PairKind).index(self.how)
        return KernelRecord("pair", fields, activation=self.activation)
