"""Operators that mix the channels of a map without weights, and activations on their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, Axes, Shape, Whole
from ftdist.network.operators.base import (
    EXPONENTIAL,
    Activation,
    Elementwise,
    KernelRecord,
    Operation,
    only,
    operator,
)


@operator
@dataclass(frozen=True, slots=True)
class Activate(Elementwise):
    """An activation that could not be fused into its producer."""

    kind: ClassVar[str] = "activate"
    kernels: ClassVar[tuple[str, ...]] = ("activate",)
    activation: Activation

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)

    def goes_by_positions(self, inputs: tuple[Shape, ...]) -> bool:
        return False

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("activate", activation=self.activation)


@operator
@dataclass(frozen=True, slots=True)
class PRelu(Elementwise):
    """x where it is above zero, else x times the slope of its channel.

    Weights: `slope`, float32 (channels,).
    """

    kind: ClassVar[str] = "prelu"
    kernels: ClassVar[tuple[str, ...]] = ("prelu",)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"slope": (source.channels,)}

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("prelu", weights={"weights": "slope"})


@operator
@dataclass(frozen=True, slots=True)
class Softmax(Operation):
    """exp(x / temperature), divided by its sum over the channels of one of the `groups`.

    With `spatial` each position has a sum of its own; without it there is one for the whole map.
    """

    kind: ClassVar[str] = "softmax"
    kernels: ClassVar[tuple[str, ...]] = ("softmax",)
    groups: int = 1
    temperature: float = 1.0
    spatial: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if self.groups < 1 or source.channels % self.groups:
            raise InputError(
                f"softmax: {source.channels} channels cannot be split into {self.groups} groups"
            )
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise InputError("softmax: the temperature must be above 0")
        return source

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        source = only(inputs)
        return not self.spatial and source.height * source.width > 1

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        return (PLAIN if self.spatial else Axes(Whole(source.height), Whole(source.width)),)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        again = 1 if self.spatial else output.height
        return (1 + again) * EXPONENTIAL * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields: dict[str, float] = {"groups": self.groups, "factor": self.temperature}
        if not self.spatial:
            fields |= {"kernel_height": output.height, "kernel_width": output.width}
        return KernelRecord("softmax", fields)


@operator
@dataclass(frozen=True, slots=True)
class NormalizeResponses(Elementwise):
    """Local response normalization across channels.

    x * (kappa + alpha * s) ** -beta, where s is the sum of squares over channels from
    (size - 1) // 2 before to size // 2 after, and, unless it is `complete`, less the square of
    channel size // 2: Darknet's [normalization] begins its running sum one channel short, and never
    makes up for it.
    """

    kind: ClassVar[str] = "normalize_responses"
    kernels: ClassVar[tuple[str, ...]] = ("normalize_responses",)
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    kappa: float = 1.0
    complete: bool = field(default=False, metadata={"added_later": True})

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if self.size < 1 or (self.size // 2 >= source.channels and not self.complete):
            raise InputError(
                f"normalization: a size of {self.size} does not suit {source.channels} channels"
            )
        return source

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return (2 * EXPONENTIAL + self.size) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = {"size": self.size, "factor": self.alpha, "shift": self.kappa, "power": self.beta}
        fields["kind"] = self.complete
        return KernelRecord("normalize_responses", fields)


@operator
@dataclass(frozen=True, slots=True)
class MaxChannels(Elementwise):
    """Each of `channels` outputs is the largest of every channels-th input (maxpool_depth)."""

    kind: ClassVar[str] = "max_channels"
    kernels: ClassVar[tuple[str, ...]] = ("max_channels",)
    channels: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if not 1 <= self.channels <= source.channels:
            raise InputError(
                f"max_channels: {source.channels} channels cannot become {self.channels}"
            )
        return Shape(source.height, source.width, self.channels)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * only(inputs).channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("max_channels")


def largest_channel() -> Operation:
    """The operator whose one output channel is the largest of all."""
    return MaxChannels(1)
