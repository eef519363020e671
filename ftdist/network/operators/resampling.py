"""Operators that move positions: upsampling, crops and space to depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ftdist.errors import InputError
from ftdist.geometry import Axes, Axis, Blocks, Repeat, Shape, Shifted, Whole
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
                f"depth to space: {source.channels} channels are no multiple of {stride**2}"
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
            raise InputError(f"reorg: {source.channels} channels are no multiple of {stride**2}")
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
