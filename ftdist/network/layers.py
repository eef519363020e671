"""What each kind of layer is: its parameters, the shape it makes, and what it reads.

An operation is a frozen value without weights and without wiring. It answers three questions, and
planning asks nothing else of it: the output shape for given input shapes, for each input the axes
that relate output rows and columns to the input's, and the multiply-accumulates of one output
position.

To add a layer type: write its class here, a kernel for it (``kernels/``) and one line in
``planning/lowering.py`` that fills in the kernel's descriptor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, Axes, Axis, Blocks, Repeat, Shape, Whole, Window

ActivationKind = Literal[
    "linear", "leaky", "relu", "relu6", "logistic", "swish", "mish", "hardswish"
]


@dataclass(frozen=True, slots=True)
class Activation:
    """An element-wise function at a layer's end; `slope` is leaky's factor below zero."""

    kind: ActivationKind = "linear"
    slope: float = 0.1


LINEAR = Activation()


class Operation(Protocol):
    """What a layer computes, apart from its weights and its place in the graph."""

    kind: ClassVar[str]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape; InputError when the inputs do not suit the operation."""
        ...

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        """For each input how output rows and columns depend on its rows and columns."""
        ...

    def macs(self, source: Shape, output: Shape) -> int:
        """Multiply-accumulates of one output position (all channels)."""
        ...


class _Elementwise:
    """Shared answers of operations that read just the position they write."""

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (PLAIN,) * len(inputs)

    def macs(self, source: Shape, output: Shape) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Sliding:
    """Two windows, one an axis: the geometry of convolutions and pools."""

    vertical: Window
    horizontal: Window

    @classmethod
    def square(cls, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Sliding:
        """The same window on both axes, `padding` on each of the four sides."""
        window = Window(kernel, stride, dilation, padding, padding)
        return cls(window, window)

    def output_size(self, source: Shape, what: str) -> tuple[int, int]:
        height = self.vertical.output_size(source.height)
        width = self.horizontal.output_size(source.width)
        if height < 1 or width < 1:
            window = f"{self.vertical.extent}x{self.horizontal.extent}"
            raise InputError(f"{what}: a {window} window does not fit a map of {source}")
        return height, width


@dataclass(frozen=True, slots=True)
class Convolution:
    """Grouped 2-D convolution with bias, then an activation.

    Weights are float32 (filters, channels // groups, kernel rows, kernel columns), bias (filters,).
    """

    kind: ClassVar[str] = "convolutional"
    filters: int
    window: Sliding
    groups: int = 1
    activation: Activation = LINEAR

    def weight_shape(self, source: Shape) -> tuple[int, int, int, int]:
        window = self.window
        depth = source.channels // self.groups
        return (self.filters, depth, window.vertical.kernel, window.horizontal.kernel)

    def is_depthwise(self, source: Shape) -> bool:
        return 1 < self.groups == source.channels == self.filters

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        if (
            min(self.filters, self.groups) < 1
            or source.channels % self.groups
            or self.filters % self.groups
        ):
            raise InputError(
                f"{self.kind}: {source.channels} channels and {self.filters} filters "
                f"cannot be split into {self.groups} groups"
            )
        return Shape(*self.window.output_size(source, self.kind), self.filters)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(self.window.vertical, self.window.horizontal, padded=True),)

    def macs(self, source: Shape, output: Shape) -> int:
        filters, depth, height, width = self.weight_shape(source)
        return filters * depth * height * width


@dataclass(frozen=True, slots=True)
class Pool:
    """Max or average pooling.

    A maximum never sees padding; an average divides by the positions on the map, or by the whole
    window where `count_padding` is set.
    """

    kind: ClassVar[str] = "pool"
    mode: Literal["max", "average"]
    window: Sliding
    count_padding: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        for axis, size in (
            (self.window.vertical, source.height),
            (self.window.horizontal, source.width),
        ):
            if _misses_the_map(axis, size):
                raise InputError(f"{self.mode} pool: some windows lie wholly in the padding")
        return Shape(*self.window.output_size(source, f"{self.mode} pool"), source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(self.window.vertical, self.window.horizontal),)

    def macs(self, source: Shape, output: Shape) -> int:
        return 0


def _misses_the_map(axis: Window, size: int) -> bool:
    """Whether a window of the axis has no tap on a map of `size` positions."""
    last = (axis.output_size(size) - 1) * axis.stride - axis.pad_before
    if axis.pad_before >= axis.extent or last >= size:
        return True
    if axis.dilation <= size:
        return False  # taps are too close together to step over the map
    # From a top before the map, the first tap at or after position 0 is at top % dilation.
    return any(top % axis.dilation >= size for top in range(-axis.pad_before, 0, axis.stride))


@dataclass(frozen=True, slots=True)
class Add(_Elementwise):
    """The sum of two maps of one shape (Darknet's shortcut), then an activation."""

    kind: ClassVar[str] = "add"
    activation: Activation = LINEAR

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        first, second = inputs
        if first != second:
            raise InputError(f"add: the maps differ in shape, {first} and {second}")
        return first


@dataclass(frozen=True, slots=True)
class Concatenate(_Elementwise):
    """Maps side by side in the channels (Darknet's route).

    With `parts` above 1 only the channels of part number `part` of each input are taken.
    """

    kind: ClassVar[str] = "concatenate"
    parts: int = 1
    part: int = 0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        sizes = {(shape.height, shape.width) for shape in inputs}
        if len(sizes) != 1:
            shapes = ", ".join(map(str, inputs))
            raise InputError(f"concatenate: the maps differ in size: {shapes}")
        if not 0 <= self.part < self.parts:
            raise InputError(f"concatenate: part {self.part} of {self.parts} does not exist")
        if any(shape.channels % self.parts for shape in inputs):
            raise InputError(f"concatenate: channels cannot be split into {self.parts} parts")
        channels = sum(shape.channels // self.parts for shape in inputs)
        return Shape(inputs[0].height, inputs[0].width, channels)


@dataclass(frozen=True, slots=True)
class Activate(_Elementwise):
    """An activation that could not be fused into its producer."""

    kind: ClassVar[str] = "activate"
    activation: Activation

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        return source


@dataclass(frozen=True, slots=True)
class Upsample:
    """Nearest upsampling by a whole factor on both axes."""

    kind: ClassVar[str] = "upsample"
    scale: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        return Shape(source.height * self.scale, source.width * self.scale, source.channels)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (Axes(Repeat(self.scale), Repeat(self.scale)),)

    def macs(self, source: Shape, output: Shape) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Reorg:
    """Space to depth: blocks of stride x stride positions become channels.

    "blocks": output channel (dy * stride + dx) * C + c is input channel c at (dy, dx) of the block.
    "darknet": the order of Darknet's [reorg], which reinterprets the flat (C, H, W) array as
    (C / stride^2, H * stride, W * stride) and gathers from that. An output row then also reads
    blocks above and below its own; when a block row straddles two channels of the flat array
    (output height not a multiple of the stride), any row may be read.
    """

    kind: ClassVar[str] = "reorg"
    stride: int
    order: Literal["blocks", "darknet"] = "blocks"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        stride = self.stride
        if stride < 1 or source.height % stride or source.width % stride:
            raise InputError(f"reorg: a map of {source} is no whole number of {stride}x{stride}")
        if self.order == "darknet" and source.channels % stride**2:
            raise InputError(f"reorg: {source.channels} channels are no multiple of {stride**2}")
        return Shape(
            source.height // stride,
            source.width // stride,
            source.channels * stride * stride,
        )

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        (source,) = inputs
        rows: Axis = Blocks(self.stride)
        if self.order == "darknet":
            straddles = (source.height // self.stride) % self.stride
            rows = Whole(source.height) if straddles else Blocks(self.stride, self.stride - 1)
        return (Axes(rows, Blocks(self.stride)),)

    def macs(self, source: Shape, output: Shape) -> int:
        return 0


class Alias(_Elementwise):
    """Base of operations that pass their input on and compute nothing."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        (source,) = inputs
        return source


@dataclass(frozen=True, slots=True)
class Identity(Alias):
    """A layer that is nothing at inference: dropout."""

    kind: ClassVar[str] = "identity"
