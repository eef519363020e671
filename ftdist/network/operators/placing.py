"""Operators that put values where borders, indices and boxes say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ftdist.errors import InputError
from ftdist.geometry import Axes, Axis, Between, Shape, Whole
from ftdist.network.operators.base import KernelRecord, Operation, only, operator
from ftdist.network.operators.tensors import WholeMaps

PadMode = Literal["constant", "edge", "reflect", "wrap"]
"""What lies beside a map: a value, what lies at its edge, the map in a mirror that does not repeat
the edge, or the map again."""


@operator
@dataclass(frozen=True, slots=True)
class Pad(Operation):
    """A map with rows and columns around it; `value` is that of "constant"."""

    kind: ClassVar[str] = "pad"
    kernels: ClassVar[tuple[str, ...]] = ("pad",)
    mode: PadMode
    top: int
    bottom: int
    left: int
    right: int
    value: float = 0.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if min(self.top, self.bottom, self.left, self.right) < 0:
            raise InputError(f"{self.kind}: there cannot be less than no rows or columns around")
        if not math.isfinite(self.value):
            raise InputError(f"{self.kind}: its value must be finite")
        height = self.top + source.height + self.bottom
        return Shape(height, self.left + source.width + self.right, source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        return (
            Axes(
                self._axis(source.height, self.top, self.bottom),
                self._axis(source.width, self.left, self.right),
            ),
        )

    def _axis(self, size: int, before: int, after: int) -> Axis:
        """What must be at hand never moves back, so mirrors at both ends are held all the way."""
        if self.mode == "wrap" and before + after:
            return Whole(size)
        if self.mode == "reflect":
            if max(before, after) >= size:
                return Whole(size)
            return Between(1, -before - 2 * after, 1, 2 * (before + after) + 1)
        return Between(1, -before - after, 1, before + after + 1)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields: dict[str, float] = {"pad_top": self.top, "pad_left": self.left}
        fields |= {"kind": get_args(PadMode).index(self.mode), "factor": self.value}
        return KernelRecord("pad", fields)


ScatterKind = Literal["set", "add", "multiply", "max", "min"]


@operator
@dataclass(frozen=True, slots=True)
class Scatter(WholeMaps):
    """The first map, some of whose slices of `size` values that follow each other in memory are set
    to, or put together with, those of the second map, one after another.

    Weights: `indices`, (updates,), the number of the slice that each update is for.
    """

    kind: ClassVar[str] = "scatter"
    kernels: ClassVar[tuple[str, ...]] = ("scatter",)
    updates: int
    size: int
    how: ScatterKind = "set"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2:
            raise InputError(f"{self.kind}: two maps are read, not {len(inputs)}")
        source, updates = inputs
        if min(self.size, self.updates) < 1 or updates.elements != self.size * self.updates:
            raise InputError(
                f"{self.kind}: {self.updates} slices of {self.size} are not a map of {updates}"
            )
        if source.elements % self.size:
            raise InputError(f"{self.kind}: a map of {source} has no slices of {self.size}")
        return source

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"indices": (self.updates,)}

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        fields = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        fields |= {"size": self.size, "kind": get_args(ScatterKind).index(self.how)}
        return KernelRecord("scatter", fields, {"weights": "indices"})


@operator
@dataclass(frozen=True, slots=True)
class ScatterBy(WholeMaps):
    """The first map (1, places, channels), some of whose columns are set to, or put together with,
    entries of the second (1, entries, 1 + channels), one after another.

    An entry is the number of a column and then its values; what is no such number, as -1, is none.
    """

    kind: ClassVar[str] = "scatter_by"
    kernels: ClassVar[tuple[str, ...]] = ("scatter_by",)
    how: ScatterKind = "set"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        rows = [each.height for each in inputs]
        if rows != [1, 1] or inputs[1].channels != inputs[0].channels + 1:
            told = " and ".join(map(str, inputs))
            raise InputError(f"{self.kind}: a row and entries for it are read, not {told}")
        return inputs[0]

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return (2 + 3 * inputs[1].width // output.width) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        fields = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        return KernelRecord("scatter_by", fields | {"kind": get_args(ScatterKind).index(self.how)})


class Regions(Operation):
    """Shared answers of operations that make `rows` x `columns` positions of each region (N, 1, 4),
    one below the other."""

    rows: int
    columns: int
    scale: float

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2:
            raise InputError(f"{self.kind}: two maps are read, not {len(inputs)}")
        source, regions = inputs
        if regions[1:] != (1, 4):
            raise InputError(f"{self.kind}: regions are (N, 1, 4), not {regions}")
        if min(self.rows, self.columns) < 1 or not math.isfinite(self.scale):
            size = f"{self.rows}x{self.columns}"
            raise InputError(f"{self.kind}: {size} positions, at a scale of {self.scale}")
        return Shape(regions.height * self.rows, self.columns, source.channels)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source, regions = inputs
        return Axes(Whole(source.height), Whole(source.width)), Axes(
            Whole(regions.height), Whole(1)
        )

    def fields(self, regions: Shape) -> dict[str, float]:
        """What both kernels are told."""
        fields: dict[str, float] = {"kernel_height": self.rows, "kernel_width": self.columns}
        for name, size in zip(("height", "width", "channels"), regions, strict=True):
            fields[f"in2_{name}"] = size
        return fields | {"factor": self.scale}


@operator
@dataclass(frozen=True, slots=True)
class RoiPool(Regions):
    """Regions (x1, y1, x2, y2), times `scale` and rounded to whole positions, both of which belong
    to them: the largest value of each part; parts may overlap by a position, empty ones are 0."""

    kind: ClassVar[str] = "roi_pool"
    kernels: ClassVar[tuple[str, ...]] = ("roi_pool",)
    rows: int
    columns: int
    scale: float = 1.0

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        source = inputs[0]
        parts = self.rows * self.columns
        return output.channels * (1 + source.height * source.width // parts // 4)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("roi_pool", self.fields(inputs[1]))


@operator
@dataclass(frozen=True, slots=True)
class RoiAlign(Regions):
    """Regions of interest (N, 1, 4), each as `rows` x `columns` positions one below the other.

    Regions are (x1, y1, x2, y2) times `scale`. Each position is the mean (or the largest term, with
    `largest`) of `samples` x `samples` places of its part of the region, 0 for as many as the part
    has positions; what lies at a place is a mixture of its four neighbours. With `half_pixel`
    positions are pixels, and regions may be smaller than one.
    """

    kind: ClassVar[str] = "roi_align"
    kernels: ClassVar[tuple[str, ...]] = ("roi_align",)
    rows: int
    columns: int
    scale: float = 1.0
    samples: int = 0
    largest: bool = False
    half_pixel: bool = True

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if not 0 <= self.samples <= _MOST_SAMPLES:
            raise InputError(f"{self.kind}: {self.samples} samples")
        return super(RoiAlign, self).output_shape(inputs)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 4 * max(1, self.samples) ** 2 * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        kind = self.largest + 2 * self.half_pixel
        return KernelRecord(
            "roi_align", self.fields(inputs[1]) | {"size": self.samples, "kind": kind}
        )


_MOST_SAMPLES = 1024
