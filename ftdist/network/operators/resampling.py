"""Operators that move positions: upsampling, crops and space to depth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from ftdist.errors import InputError
from ftdist.geometry import Axes, Axis, Between, Blocks, Repeat, Shape, Shifted, Whole
from ftdist.network.operators.base import KernelRecord, Operation, only, operator


@operator
@dataclass(frozen=True, slots=True)
class Upsample(Operation):
    """Nearest upsampling by a whole factor on both axes; values are multiplied by `factor`."""

    kind: ClassVar[str] = "upsample"
    kernels: ClassVar[tuple[str, ...]] = ("upsample",)
    scale: int
    factor: float = field(default=1.0, metadata={"added_later": True})

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        return Shape(source.height * self.scale, source.width * self.scale, source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(Repeat(self.scale), Repeat(self.scale)),)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = {"stride_y": self.scale, "stride_x": self.scale, "factor": self.factor}
        return KernelRecord("upsample", fields)


Transform = Literal[
    "half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric", "half_pixel_for_nn"
]
"""Which place of the input an output position stands for; a position is a point or a pixel."""

Rounding = Literal["linear", "floor", "ceil", "half_down", "half_up", "cubic"]
"""What is taken there: a mixture of two neighbours, the nearest one by one of four rules, or a
mixture of four neighbours."""


@operator
@dataclass(frozen=True, slots=True)
class Resize(Operation):
    """Another number of rows and columns, by what lies at places of the input, clamped to the map.

    With u output positions for each d input positions, output position i stands for i * d / u
    (asymmetric), (i + 1/2) * d / u - 1/2 (half_pixel), (i + 1/2) * d / u (half_pixel_for_nn), or
    i * (inputs - 1) / (outputs - 1) (align_corners), in exact arithmetic; half_pixel_symmetric is
    half_pixel with the output in the middle of what the input would become, were it not cut to
    whole positions. `rows` and `columns` are (u, d), which (0, 0) leaves to the sizes.

    Cubic mixtures are Keys' with `coefficient`; with `only_inside` what lies beside the map counts
    nothing, rather than as the nearest position.
    """

    kind: ClassVar[str] = "resize"
    kernels: ClassVar[tuple[str, ...]] = ("resize_linear", "resize_nearest", "resize_cubic")
    height: int
    width: int
    transform: Transform = "half_pixel"
    rounding: Rounding = "linear"
    rows: tuple[int, int] = (0, 0)
    columns: tuple[int, int] = (0, 0)
    coefficient: float = field(default=-0.75, metadata={"added_later": True})
    only_inside: bool = field(default=False, metadata={"added_later": True})

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        for up, down in (self.rows, self.columns):
            if min(up, down) < 0 or (min(up, down) == 0 < max(up, down)):
                raise InputError(f"resize: {up} positions for {down} make no sense")
        if not math.isfinite(self.coefficient):
            raise InputError("resize: the coefficient must be finite")
        return Shape(self.height, self.width, source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        rows, columns = self._places(source)
        if self.rounding == "cubic":  # begins one position before the place
            rows, columns = (
                replace(each, before=each.before - each.divisor) for each in (rows, columns)
            )
        down = _clamped(rows, source.height, self.height)
        return (Axes(down, _clamped(columns, source.width, self.width)),)

    def _places(self, source: Shape) -> tuple[Between, Between]:
        return (
            self._place(source.height, self.height, self.rows),
            self._place(source.width, self.width, self.columns),
        )

    def _place(self, length: int, made: int, scale: tuple[int, int]) -> Between:
        """Where output positions of an axis begin to read; places are fractions of `divisor`."""
        up, down = scale if scale[0] else (made, length)
        if self.transform == "align_corners":
            # One position stands for the first; an only input position is all of them.
            multiplier, divisor = (length - 1, made - 1) if made > 1 else (1, 1)
            multiplier, divisor = (multiplier, divisor) if multiplier else (1, made)
            before = 0
        elif self.transform == "asymmetric":
            multiplier, before, divisor = down, 0, up
        elif self.transform == "half_pixel_for_nn":
            multiplier, before, divisor = 2 * down, down, 2 * up
        elif self.transform == "half_pixel_symmetric":
            # length / 2 * (1 - made / (length * u / d)) more than half_pixel.
            multiplier, before, divisor = 2 * down, down - up + length * up - made * down, 2 * up
        else:
            multiplier, before, divisor = 2 * down, down - up, 2 * up
        if self.rounding == "linear":
            return Between(multiplier, before, divisor, 2)
        if self.rounding == "cubic":
            return Between(multiplier, before, divisor, 4)
        more = {"floor": 0, "ceil": 2 * divisor - 2, "half_down": divisor - 1, "half_up": divisor}
        return Between(2 * multiplier, 2 * before + more[self.rounding], 2 * divisor, 1)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        rows, columns = self._places(only(inputs))
        fields = {
            "stride_y": rows.multiplier,
            "pad_top": rows.before,
            "dilation_y": rows.divisor,
            "stride_x": columns.multiplier,
            "pad_left": columns.before,
            "dilation_x": columns.divisor,
        }
        if self.rounding == "cubic":
            cubic = {"factor": self.coefficient, "kind": self.only_inside}
            return KernelRecord("resize_cubic", fields | cubic)
        return KernelRecord(f"resize_{'linear' if rows.taps == 2 else 'nearest'}", fields)


def _clamped(place: Between, length: int, made: int) -> Between:
    """What is read where the positions beside the map stand for the first and the last one on it.

    It begins early enough that the last output position still reads the last one of `length`, and
    has taps enough that the first output position reads the first.
    """
    multiplier, before, divisor, taps = place.multiplier, place.before, place.divisor, place.taps
    first, last = before // divisor, ((made - 1) * multiplier + before) // divisor
    behind, ahead = max(0, 1 - taps - first), max(0, last - length + 1)
    return Between(multiplier, before - ahead * divisor, divisor, taps + behind + ahead)


@operator
@dataclass(frozen=True, slots=True)
class Crop(Operation):
    """Rows from `top` and columns from `left` of a map; values become factor * x + shift."""

    kind: ClassVar[str] = "crop"
    kernels: ClassVar[tuple[str, ...]] = ("crop",)
    height: int
    width: int
    top: int = 0
    left: int = 0
    factor: float = 1.0
    shift: float = 0.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        bottom, right = self.top + self.height, self.left + self.width
        if min(self.top, self.left) < 0 or bottom > source.height or right > source.width:
            raise InputError(
                f"crop: {self.height}x{self.width} positions from {self.top},{self.left} on are "
                f"not all on a map of {source}"
            )
        return Shape(self.height, self.width, source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(Shifted(self.top), Shifted(self.left)),)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = {"pad_top": -self.top, "pad_left": -self.left}
        return KernelRecord("crop", {**fields, "factor": self.factor, "shift": self.shift})


@operator
@dataclass(frozen=True, slots=True)
class DepthToSpace(Operation):
    """Channels become blocks of stride x stride positions: the inverse of Reorg's "blocks".

    Output channel c at (y, x) is input channel (y % stride * stride + x % stride) * C + c of block
    (y // stride, x // stride), C being the output's channels.
    """

    kind: ClassVar[str] = "depth_to_space"
    kernels: ClassVar[tuple[str, ...]] = ("depth_to_space",)
    stride: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source, stride = only(inputs), self.stride
        if stride < 1 or source.channels % stride**2:
            raise InputError(
                f"depth to space: {source.channels} channels are not a multiple of {stride**2}"
            )
        return Shape(source.height * stride, source.width * stride, source.channels // stride**2)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(Repeat(self.stride), Repeat(self.stride)),)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("depth_to_space", {"stride_y": self.stride, "stride_x": self.stride})


@operator
@dataclass(frozen=True, slots=True)
class Reorg(Operation):
    """Space to depth: blocks of stride x stride positions become channels.

    "blocks": output channel (dy * stride + dx) * C + c is input channel c at (dy, dx) of the block.
    "darknet": the order of Darknet's [reorg], which reinterprets the flat (C, H, W) array as
    (C / stride^2, H * stride, W * stride) and gathers from that. An output row then also reads
    blocks above and below its own; when a block row straddles two channels of the flat array
    (output height not a multiple of the stride), any row may be read.
    """

    kind: ClassVar[str] = "reorg"
    kernels: ClassVar[tuple[str, ...]] = (
        "reorg",
        "reorg_darknet",
    )
    stride: int
    order: Literal["blocks", "darknet"] = "blocks"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        stride = self.stride
        if stride < 1 or source.height % stride or source.width % stride:
            raise InputError(f"reorg: a map of {source} is not a whole number of {stride}x{stride}")
        if self.order == "darknet" and source.channels % stride**2:
            raise InputError(f"reorg: {source.channels} channels are not a multiple of {stride**2}")
        return Shape(
            source.height // stride,
            source.width // stride,
            source.channels * stride * stride,
        )

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source = only(inputs)
        rows: Axis = Blocks(self.stride)
        if self.order == "darknet":
            straddles = (source.height // self.stride) % self.stride
            rows = Whole(source.height) if straddles else Blocks(self.stride, self.stride - 1)
        return (Axes(rows, Blocks(self.stride)),)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        kernel = "reorg" if self.order == "blocks" else "reorg_darknet"
        return KernelRecord(kernel, {"stride_y": self.stride, "stride_x": self.stride})
