"""Operators that bring values to scale by what they find in whole axes.

What they find (means, variances, sums of exponentials) is added up in double precision and in one
order, each time from the map where it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, SAME, Axes, Shape, Whole
from ftdist.network.operators.base import (
    EXPONENTIAL,
    LINEAR,
    Activation,
    KernelRecord,
    Operation,
    only,
    operator,
)


@operator
@dataclass(frozen=True, slots=True)
class Normalize(Operation):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, then an activation.

    Unless it is `centered` the mean is taken for 0, so that the variance is the mean square.

    Mean and variance are those of each of the `groups` of channels: over the whole map (instance
    normalization where every channel is a group, else group normalization), or, with `spatial`, at
    each position (layer normalization over channels). Weights: `scale` and `bias`, (channels,).
    """

    kind: ClassVar[str] = "normalize"
    kernels: ClassVar[tuple[str, ...]] = ("normalize",)
    groups: int = 1
    epsilon: float = 1e-5
    spatial: bool = False
    activation: Activation = LINEAR
    centered: bool = field(default=True, metadata={"added_later": True})

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if self.groups < 1 or source.channels % self.groups:
            raise InputError(
                f"{self.kind}: {source.channels} channels cannot be split into {self.groups} groups"
            )
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise InputError(f"{self.kind}: epsilon is at least 0")
        return source

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        source = only(inputs)
        return not self.spatial and source.height * source.width > 1

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        return (PLAIN if self.spatial else Axes(Whole(source.height), Whole(source.width)),)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"scale": (source.channels,), "bias": (source.channels,)}

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 4 * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = {
            "groups": self.groups,
            "factor": self.epsilon,
            "kind": (not self.spatial) + 2 * (not self.centered),
        }
        weights = {"weights": "scale", "bias": "bias"}
        return KernelRecord("normalize", fields, weights, activation=self.activation)


@operator
@dataclass(frozen=True, slots=True)
class SoftmaxAlong(Operation):
    """exp(x) divided by its sum along some axes, or, with `logarithm`, x less the sum's logarithm.

    Along channels alone, ``Softmax`` is the same without a logarithm.
    """

    kind: ClassVar[str] = "softmax_along"
    kernels: ClassVar[tuple[str, ...]] = ("softmax_along",)
    rows: bool = False
    columns: bool = False
    channels: bool = False
    logarithm: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if not (self.rows or self.columns or self.channels):
            raise InputError(f"{self.kind}: there must be an axis")
        return only(inputs)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self.rows and only(inputs).height > 1

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        rows = Whole(source.height) if self.rows else SAME
        return (Axes(rows, Whole(source.width) if self.columns else SAME),)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * EXPONENTIAL * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        bits = (self.rows, self.columns, self.channels, self.logarithm)
        kind = sum(bit << number for number, bit in enumerate(bits))
        return KernelRecord("softmax_along", {"kind": kind})
