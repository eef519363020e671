"""Operators that put several maps together: sums, products, and maps side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, SAME, Axes, Axis, Sampled, Shape, Whole, Window
from ftdist.network.operators.base import (
    LINEAR,
    WEIGHTS_AND_BIAS,
    Activation,
    Elementwise,
    KernelRecord,
    Operation,
    operator,
)


@operator
@dataclass(frozen=True, slots=True)
class Add(Elementwise):
    """The sum of two maps of one shape (Darknet's shortcut), then an activation."""

    kind: ClassVar[str] = "add"
    kernels: ClassVar[tuple[str, ...]] = ("add",)
    activation: Activation = LINEAR

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _at_least_two(self.kind, inputs, most=2)
        first, second = inputs
        if first != second:
            raise InputError(f"add: the maps differ in shape, {first} and {second}")
        return first

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 3 * output.channels

    def goes_by_positions(self, inputs: tuple[Shape, ...]) -> bool:
        return False

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("add", activation=self.activation)


@operator
@dataclass(frozen=True, slots=True)
class Sum(Operation):
    """Maps added one after another to the first, whose shape the sum has; then an activation.

    A map with fewer channels is added to the first ones, of one with more the first are taken. A
    map that is smaller by `sample` is added to every sample-th row and column, of a larger one
    every stride-th is taken. Each step is ``kept * sum + added * map`` where there is something to
    add, and leaves the sum alone elsewhere (Darknet's alpha and beta).
    """

    kind: ClassVar[str] = "sum"
    kernels: ClassVar[tuple[str, ...]] = ("accumulate",)
    joins: ClassVar[bool] = True
    activation: Activation = LINEAR
    kept: float = 1.0
    added: float = 1.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _at_least_two(self.kind, inputs)
        for each in inputs[1:]:
            sampling(inputs[0], each)
        return inputs[0]

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        first, *others = inputs
        return (PLAIN, *(_sampled_axes(first, each) for each in others))

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 3 * len(inputs) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields: dict[str, float] = {"part": part}
        if part:
            stride, sample = sampling(inputs[0], inputs[part])
            fields |= {"kept": self.kept, "factor": self.added}
            fields |= {"stride_y": stride, "stride_x": stride, "sample": sample}
        return KernelRecord("accumulate", fields, activation=_at_last(self, inputs, part))


def sampling(first: Shape, other: Shape) -> tuple[int, int]:
    """(stride, sample) of a map that is added to one of shape `first`: Darknet's rule.

    InputError when the sizes are not multiples of each other alike on both axes.
    """
    stride, sample = other.width // first.width, first.width // other.width
    if (stride, sample) != (other.height // first.height, first.height // other.height):
        raise InputError(f"sum: a map of {other} cannot be added to one of {first}")
    return max(1, stride), max(1, sample)


def _sampled_axes(first: Shape, other: Shape) -> Axes:
    stride, sample = sampling(first, other)

    def axis(size: int, other_size: int) -> Axis:
        return Window(1, stride) if other_size >= size else Sampled(sample, other_size)

    return Axes(axis(first.height, other.height), axis(first.width, other.width))


@operator
@dataclass(frozen=True, slots=True)
class WeightedSum(Elementwise):
    """The sum of maps, each with weights of its own for its channels; then an activation.

    Weights are float32 (channels, maps, 1, 1), bias (channels,), both of the first map's channels;
    a map with fewer channels is added to the first ones.
    """

    kind: ClassVar[str] = "weighted_sum"
    kernels: ClassVar[tuple[str, ...]] = ("accumulate_weighted",)
    joins: ClassVar[bool] = True
    maps: int
    activation: Activation = LINEAR

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"weights": (source.channels, self.maps, 1, 1), "bias": (source.channels,)}

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _at_least_two(self.kind, inputs)
        if len(inputs) != self.maps:
            raise InputError(f"{self.kind}: {self.maps} maps are summed, not {len(inputs)}")
        _same_size(self.kind, inputs)
        return inputs[0]

    def macs(self, source: Shape, output: Shape) -> int:
        return self.maps * output.channels

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 3 * len(inputs) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = {"part": part, "size": self.maps}
        activation = _at_last(self, inputs, part)
        return KernelRecord("accumulate_weighted", fields, WEIGHTS_AND_BIAS, activation=activation)


@operator
@dataclass(frozen=True, slots=True)
class Multiply(Operation):
    """The product of two maps, then an activation.

    The second may have one row, one column or one channel where the first has more: that one
    counts for all of them.
    """

    kind: ClassVar[str] = "multiply"
    kernels: ClassVar[tuple[str, ...]] = ("multiply",)
    activation: Activation = LINEAR

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _at_least_two(self.kind, inputs, most=2)
        first, second = inputs
        if any(b not in (1, a) for a, b in zip(first, second, strict=True)):
            raise InputError(f"multiply: a map of {first} cannot be multiplied by one of {second}")
        return first

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        first, second = inputs
        rows = SAME if first.height == second.height else Whole(1)
        columns = SAME if first.width == second.width else Whole(1)
        return (PLAIN, Axes(rows, columns))

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 3 * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        fields = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        return KernelRecord("multiply", fields, activation=self.activation)


@operator
@dataclass(frozen=True, slots=True)
class Concatenate(Elementwise):
    """Maps side by side in the channels (Darknet's route).

    With `parts` above 1 only the channels of part number `part` of each input are taken.
    """

    kind: ClassVar[str] = "concatenate"
    kernels: ClassVar[tuple[str, ...]] = ("copy",)
    joins: ClassVar[bool] = True
    parts: int = 1
    part: int = 0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _same_size(self.kind, inputs)
        if not 0 <= self.part < self.parts:
            raise InputError(f"concatenate: part {self.part} of {self.parts} does not exist")
        if any(shape.channels % self.parts for shape in inputs):
            raise InputError(f"concatenate: channels cannot be split into {self.parts} parts")
        channels = sum(shape.channels // self.parts for shape in inputs)
        return Shape(inputs[0].height, inputs[0].width, channels)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        """One input: a copy of the channels that are taken of it to their place."""
        taken = [shape.channels // self.parts for shape in inputs]
        return KernelRecord(
            "copy",
            {"channels": taken[part], "filters": taken[part]},
            reads_from=self.part * taken[part],
            writes_to=sum(taken[:part]),
        )


def _at_last(operation: Sum | WeightedSum, inputs: tuple[Shape, ...], part: int) -> Activation:
    """The activation, once the last map is added."""
    return operation.activation if part == len(inputs) - 1 else LINEAR


def _same_size(kind: str, inputs: tuple[Shape, ...]) -> None:
    if len({(shape.height, shape.width) for shape in inputs}) != 1:
        raise InputError(f"{kind}: the maps differ in size: {', '.join(map(str, inputs))}")


def _at_least_two(kind: str, inputs: tuple[Shape, ...], most: int | None = None) -> None:
    if len(inputs) < 2 or (most is not None and len(inputs) > most):
        raise InputError(f"{kind}: {most or 'at least 2'} maps are read, not {len(inputs)}")
