"""What every operator answers, and what operators share.

An operation is a frozen value without weights and without wiring. Planning asks it for the output
shape, for the axes that relate output rows and columns to those of each input, and for what one
output position costs; the importer and the model file ask which weights it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, Axes, Shape, Window

ActivationKind = Literal[
    "linear",
    "leaky",
    "relu",
    "relu6",
    "logistic",
    "swish",
    "mish",
    "hardswish",
    "tanh",
    "elu",
    "selu",
    "gelu",
    "hardmish",
    "hardtan",
    "lhtan",
    "loggy",
    "plse",
    "ramp",
    "stair",
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

    joins: ClassVar[bool] = False
    """Whether a layer is one kernel for each input, rather than one for all of them."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape; InputError when the inputs do not suit the operation."""
        ...

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        """For each input how output rows and columns depend on its rows and columns."""
        ...

    def macs(self, source: Shape, output: Shape) -> int:
        """Multiply-accumulates of one output position (all channels)."""
        ...

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Floats read and written for one output position, by operations that do little else."""
        ...


@runtime_checkable
class Weighted(Operation, Protocol):
    """An operation with weights (outputs, depth, rows, columns) and a bias for each output."""

    def weight_shape(self, source: Shape) -> tuple[int, int, int, int]:
        """The shape of the weights for a first input of shape `source`."""
        ...

    def weight_groups(self, source: Shape) -> int:
        """Outputs lie in so many groups, each of which fills whole blocks of its own."""
        ...

    def streams(self, source: Shape) -> bool:
        """Whether the kernel can read its weights piece by piece."""
        ...


class Unweighted:
    """Shared answers of operations that multiply no weights."""

    joins: ClassVar[bool] = False

    def macs(self, source: Shape, output: Shape) -> int:
        return 0

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * output.channels


class Elementwise(Unweighted):
    """Shared answers of operations that read just the position they write."""

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (PLAIN,) * len(inputs)


class Alias(Elementwise):
    """Base of operations that pass their input on and compute nothing."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)


@dataclass(frozen=True, slots=True)
class Identity(Alias):
    """A layer that is nothing at inference: dropout."""

    kind: ClassVar[str] = "identity"


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

    def axes(self, *, padded: bool) -> tuple[Axes]:
        """The axes of an operation that reads one map through these windows."""
        return (Axes(self.vertical, self.horizontal, padded),)

    def output_size(self, source: Shape, what: str) -> tuple[int, int]:
        height = self.vertical.output_size(source.height)
        width = self.horizontal.output_size(source.width)
        if height < 1 or width < 1:
            window = f"{self.vertical.extent}x{self.horizontal.extent}"
            raise InputError(f"{what}: a {window} window does not fit a map of {source}")
        return height, width


def only(inputs: tuple[Shape, ...]) -> Shape:
    """The single input; InputError when there are more."""
    if len(inputs) != 1:
        raise InputError(f"one map is read, not {len(inputs)}")
    return inputs[0]
