"""Operators that choose among values, and places that other values name.

What has a size that depends on the values is padded to the most that it can be. All of them run as
kernels in the same block, as every other operator does: what they have found so far stands in their
output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, SAME, Axes, Shape, Whole
from ftdist.network.operators.base import Elementwise, KernelRecord, Operation, only, operator
from ftdist.network.operators.tensors import WholeMaps, view_fields
from ftdist.network.operators.views import AXES, AxisName


@operator
@dataclass(frozen=True, slots=True)
class TopChannels(Elementwise):
    """The `count` largest (or smallest) channels of each position in order, then their numbers.

    Of equal values the first comes first.
    """

    kind: ClassVar[str] = "top_channels"
    kernels: ClassVar[tuple[str, ...]] = ("top_channels",)
    count: int
    smallest: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if not 1 <= self.count <= source.channels:
            raise InputError(f"{self.kind}: {self.count} of {source.channels} channels")
        return Shape(source.height, source.width, 2 * self.count)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return only(inputs).channels * 8 + output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("top_channels", {"size": self.count, "kind": self.smallest})


@operator
@dataclass(frozen=True, slots=True)
class CumulateChannels(Elementwise):
    """The sum of all channels so far, without the own one if `exclusive`; from the last one back if
    `reverse`."""

    kind: ClassVar[str] = "cumulate_channels"
    kernels: ClassVar[tuple[str, ...]] = ("cumulate_channels",)
    exclusive: bool = False
    reverse: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("cumulate_channels", {"kind": self.exclusive + 2 * self.reverse})


@operator
@dataclass(frozen=True, slots=True)
class GatherBy(Operation):
    """Rows, columns or channels of the first map by the indices that the second one holds.

    By rows the second map is (rows, 1, 1), by columns (1, columns, 1); by channels it has an index
    for each output. An index
    below zero counts from the end, or, with `empty`, is none, and its row is zeros; one beside the
    map is taken for the nearest.
    """

    kind: ClassVar[str] = "gather_by"
    kernels: ClassVar[tuple[str, ...]] = ("gather_by",)
    axis: AxisName
    empty: bool = field(default=False, metadata={"added_later": True})

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _two(self.kind, inputs)
        source, indices = inputs
        if self.empty and self.axis != "rows":
            raise InputError(f"{self.kind}: only rows can be empty")
        if self.axis == "rows":
            if indices[1:] != (1, 1):
                raise InputError(f"{self.kind}: indices are a map of one column, not {indices}")
            return Shape(indices.height, source.width, source.channels)
        if self.axis == "columns":
            if (indices.height, indices.channels) != (1, 1):
                raise InputError(f"{self.kind}: indices are a map of one row, not {indices}")
            return Shape(source.height, indices.width, source.channels)
        if source[:2] != indices[:2]:
            raise InputError(f"{self.kind}: maps of {source} and {indices} differ in size")
        return indices

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self.axis != "channels"

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        if self.axis == "channels":
            return PLAIN, PLAIN
        if self.axis == "columns":
            return Axes(SAME, Whole(inputs[0].width)), Axes(Whole(1), SAME)
        return Axes(Whole(inputs[0].height), SAME), Axes(SAME, Whole(1))

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        kind = 4 if self.empty else AXES.index(self.axis)
        return KernelRecord("gather_by", {"kind": kind, **_second(inputs[1])})


@operator
@dataclass(frozen=True, slots=True)
class Suppress(WholeMaps):
    """Non-maximum suppression of boxes (1, N, 4) by scores (1, classes, N), as ONNX has it.

    (0, class, box) of each box that is chosen, class by class and best first: one that does not
    overlap a chosen one of its class by more than `overlap` of their union. Places that are left of
    (1, classes x most, 3) hold -1. Boxes are (y, x, y, x) of opposite corners, or (x, y, width,
    height) around a centre.
    """

    kind: ClassVar[str] = "suppress"
    kernels: ClassVar[tuple[str, ...]] = ("suppress",)
    most: int
    overlap: float = 0.0
    threshold: float = -3e38
    centered: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _two(self.kind, inputs)
        boxes, scores = inputs
        if (boxes.height, boxes.channels, scores.height) != (1, 4, 1):
            raise InputError(f"{self.kind}: boxes are (1, N, 4), not {boxes}")
        if scores.channels != boxes.width:
            raise InputError(f"{self.kind}: {scores.channels} scores for {boxes.width} boxes")
        if self.most < 1 or not (math.isfinite(self.overlap) and math.isfinite(self.threshold)):
            raise InputError(f"{self.kind}: at least one box of a class, and finite thresholds")
        return Shape(1, scores.width * min(self.most, boxes.width), 3)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * inputs[0].width

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = view_fields(output) | _second(inputs[1])
        fields |= {"size": min(self.most, inputs[0].width), "kind": self.centered}
        return KernelRecord("suppress", fields | {"factor": self.overlap, "shift": self.threshold})


@operator
@dataclass(frozen=True, slots=True)
class GridSample(Operation):
    """The first map at the places (x, y), from -1 to 1, that the second has for each output.

    Where places lie beside the map its values are 0, those of the border, or reflected. `frames`
    may lie one below the other, in the map as among the places: each is a map of its own.

    Of a volume, whose `slices` lie one below the other, places are (x, y, z).
    """

    kind: ClassVar[str] = "grid_sample"
    kernels: ClassVar[tuple[str, ...]] = ("grid_sample",)
    mode: Literal["linear", "nearest", "cubic"] = "linear"
    beside: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: bool = False
    frames: int = field(default=1, metadata={"added_later": True})
    slices: int = field(default=0, metadata={"added_later": True})
    """0 where it is no volume."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _two(self.kind, inputs)
        source, grid = inputs
        if grid.channels != (3 if self.slices else 2):
            axes = "x, y and z" if self.slices else "x and y"
            raise InputError(f"{self.kind}: a grid has {axes}, not {grid.channels} channels")
        if self.slices and (self.frames > 1 or self.mode == "cubic"):
            raise InputError(f"{self.kind}: volumes are sampled one at a time, and not cubically")
        if self.slices < 0 or source.height % max(1, self.slices):
            raise InputError(f"{self.kind}: {source.height} rows are not {self.slices} slices")
        if not self.frames or source.height % self.frames or grid.height % self.frames:
            rows = f"{source.height} and {grid.height} rows"
            raise InputError(f"{self.kind}: {rows} are not those of {self.frames} frames")
        return Shape(grid.height, grid.width, source.channels)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return Axes(Whole(inputs[0].height), Whole(inputs[0].width)), PLAIN

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return (32 if self.mode == "cubic" else 16 if self.slices else 8) * output.channels

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        kind = (self.mode == "nearest") + 2 * self.align_corners
        kind += {"zeros": 0, "border": 4, "reflection": 8}[self.beside]
        kind += 16 * (self.mode == "cubic")
        fields = {"kind": kind, "size": self.slices or self.frames, **_second(inputs[1])}
        return KernelRecord("grid_sample", fields)


def _two(kind: str, inputs: tuple[Shape, ...]) -> None:
    if len(inputs) != 2:
        raise InputError(f"{kind}: two maps are read, not {len(inputs)}")


def _second(shape: Shape) -> dict[str, float]:
    return {
        "in2_height": shape.height,
        "in2_width": shape.width,
        "in2_channels": shape.channels,
    }
