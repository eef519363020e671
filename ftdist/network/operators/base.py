"""What every operator answers, and what operators share.

An operation is a frozen value without weights and without wiring. Planning asks it for the output
shape, for the axes that relate output rows and columns to those of each input, and for what one
output position costs; lowering, which kernel it becomes; the importer and the model file, which
weights it has. All of that stands in one class, in the file of its family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal, TypeVar

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, Axes, Shape, Window
from ftdist.network.operators.views import View

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
    "gelu_exact",
    "softplus",
]


@dataclass(frozen=True, slots=True)
class Activation:
    """An element-wise function at a layer's end; `slope` is leaky's factor below zero."""

    kind: ActivationKind = "linear"
    slope: float = 0.1


LINEAR = Activation()


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

    def covers(self, source: Shape) -> bool:
        """Whether its only position is a whole map of more than one position."""
        axes = ((self.vertical, source.height), (self.horizontal, source.width))
        alone = all(
            axis.output_size(size) == 1 and axis.extent == size and axis.pad_before == 0
            for axis, size in axes
        )
        return alone and source.height * source.width > 1

    def output_size(self, source: Shape, what: str) -> tuple[int, int]:
        height = self.vertical.output_size(source.height)
        width = self.horizontal.output_size(source.width)
        if height < 1 or width < 1:
            window = f"{self.vertical.extent}x{self.horizontal.extent}"
            raise InputError(f"{what}: a {window} window does not fit a map of {source}")
        return height, width


Rate = Literal["copy", "pool", "convolution", "depthwise", "winograd2", "winograd4"]
"""The measured rate by which a kernel's time is reckoned."""


EXPONENTIAL = 8
"""What an exponential counts for beside a float moved."""

WEIGHTS_AND_BIAS: Mapping[str, str] = MappingProxyType({"weights": "weights", "bias": "bias"})
"""The weights of operators that multiply and add, and the fields of a record that they go to."""


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """What an operation is to a kernel, as pure data: lowering writes it into a descriptor.

    `fields` are those of a descriptor (``kernels.program.KERNEL``) that are neither 0 nor neutral.
    `weights` says which fields hold the place of which weights, in the form ``network.packing`` has
    by the name `form`.
    `window` and `activation` stand for the fields that they have. `reads_from` and `writes_to` are
    the channels of the input and of the output at which the kernel begins. `view` is what it reads
    of whole maps.
    """

    kernel: str
    fields: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    form: str = "blocks"
    window: Sliding | None = None
    activation: Activation = LINEAR
    reads_from: int = 0
    writes_to: int = 0
    view: View | None = None


class Operation:
    """What a layer computes, apart from its weights and its place in the graph.

    Subclasses are frozen dataclasses with a `kind`, registered by ``operator``. Those that compute
    something name their `kernels` and say by `record` which of them they become.
    """

    kind: ClassVar[str]

    kernels: ClassVar[tuple[str, ...]] = ()
    """The kernels that a layer may become; each has its row in a C++ family, and its reference."""

    joins: ClassVar[bool] = False
    """Whether a layer is one kernel for each input, rather than one for all of them."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape; InputError when the inputs do not suit the operation."""
        raise NotImplementedError

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        """For each input how output rows and columns depend on its rows and columns."""
        raise NotImplementedError

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether it needs whole maps of its inputs: plans run it as a step of its own."""
        return False

    def splits_channels(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether a kernel can make some of the output channels: with their weights, or, without
        weights, of the input's channels of the same numbers."""
        return False

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        """The kernel that a layer becomes; where `joins` is set, the one for input `part`.

        Height, width and channels of the input that it reads, and the output's channels, are
        filled in already; `fields` may say otherwise.
        """
        raise NotImplementedError

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        """The shape of each of its weights, by name, for a first input of shape `source`.

        The first axis of each counts outputs. ``WEIGHTS_AND_BIAS`` are those of multiplications:
        weights (outputs, depth, rows, columns), and a bias for each output.
        """
        return {}

    def weight_groups(self, source: Shape) -> int:
        """Outputs lie in so many groups, each of which fills whole blocks of its own."""
        return 1

    def streams(self, source: Shape) -> bool:
        """Whether the kernel can read its weights chunk by chunk."""
        return False

    def macs(self, source: Shape, output: Shape) -> int:
        """Multiply-accumulates of one output position (all channels)."""
        return 0

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Floats read and written for one output position, by operations that do little else."""
        return 2 * output.channels

    def rate(self, inputs: tuple[Shape, ...]) -> Rate:
        """How its time is reckoned: from `moved` at a rate of bytes, or from its weights."""
        return "copy"

    def goes_by_positions(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether its kernel goes from position to position, not over all values of a row at once:
        by whole vectors of channels, however few there are."""
        return True

    def fuses_pool(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether its kernel can write only the maxima of what it makes."""
        return False

    def maxima(self) -> tuple[int, int] | None:
        """(rows, columns) of the windows, side by side on the map, whose maxima are the output.

        None for whatever is not just that.
        """
        return None


OPERATIONS: dict[str, type[Operation]] = {}
"""All kinds of layers whose modules are imported, by the name that a model file has for them."""

_Kind = TypeVar("_Kind", bound=type[Operation])


def operator(kind: _Kind) -> _Kind:
    """Registers a kind of layer: model files can hold it, and its kernels are known by name."""
    if kind.kind in OPERATIONS:
        raise ValueError(f"two operations are called {kind.kind}")
    OPERATIONS[kind.kind] = kind
    return kind


class Elementwise(Operation):
    """Shared answers of operations that read just the position they write."""

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (PLAIN,) * len(inputs)


class Alias(Elementwise):
    """Base of operations that pass their input on and compute nothing."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)


@operator
@dataclass(frozen=True, slots=True)
class Identity(Alias):
    """A layer that is nothing at inference: dropout."""

    kind: ClassVar[str] = "identity"


def only(inputs: tuple[Shape, ...]) -> Shape:
    """The single input; InputError when there are more."""
    if len(inputs) != 1:
        raise InputError(f"one map is read, not {len(inputs)}")
    return inputs[0]
