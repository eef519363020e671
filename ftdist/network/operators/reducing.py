"""Operators that put the values of whole axes together: reductions, products, recurrent layers.

Sums go in the order of the view's terms, outermost first, so no bit depends on how threads share
the output. Reductions are summed in double precision; products, as convolutions, by fused
multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.base import WEIGHTS_AND_BIAS, KernelRecord, only, operator
from ftdist.network.operators.tensors import WholeMaps, view_fields
from ftdist.network.operators.views import View

ReductionKind = Literal[
    "sum",
    "mean",
    "max",
    "min",
    "product",
    "l1",
    "l2",
    "sum_of_squares",
    "log_sum",
    "log_sum_exp",
    "arg_max",
    "arg_min",
    "arg_max_last",
    "arg_min_last",
]
"""What becomes of the terms; arg-* give the place of the first or last among the view's terms."""

_MACS_A_FLOAT = 12
"""Multiply-adds of a product in the time in which a float is copied."""


@operator
@dataclass(frozen=True, slots=True)
class Reduce(WholeMaps):
    """The terms that the view has for an output, as one value."""

    kind: ClassVar[str] = "reduce"
    kernels: ClassVar[tuple[str, ...]] = ("reduce",)
    how: ReductionKind
    view: View

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        self.view.check(self.kind, only(inputs))
        return self.view.shape

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return output.channels * (1 + self.view.term_count)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        fields = view_fields(output) | {"kind": get_args(ReductionKind).index(self.how)}
        return KernelRecord("reduce", fields, view=self.view.merged())


@operator
@dataclass(frozen=True, slots=True)
class Product(WholeMaps):
    """Sums, over the view's terms, of elements of one map times elements of another: (batched)
    matrix products in any order of axes.

    Rows and columns of the output say which rows are multiplied (and which matrices); channels are
    the columns of the second matrix, so they do not move in the first map.
    """

    kind: ClassVar[str] = "product"
    kernels: ClassVar[tuple[str, ...]] = ("product",)
    view: View

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2:
            raise InputError(f"{self.kind}: two maps are multiplied, not {len(inputs)}")
        self.view.check(self.kind, *inputs)
        if any(each.step for each in self.view.channels if each.count > 1):
            raise InputError(f"{self.kind}: channels of the output move in the first map")
        return self.view.shape

    def macs(self, source: Shape, output: Shape) -> int:
        return output.channels * self.view.term_count

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 2 * output.channels + self.macs(inputs[0], output) // _MACS_A_FLOAT

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        second = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        return KernelRecord("product", view_fields(output) | second, view=self.view.merged())


CellKind = Literal["lstm", "gru", "gru_reset_after", "tanh", "relu"]
"""Gates of lstm are input, output, forget and cell, its state is hidden values and cells; gates of
gru are update, reset and hidden, the last of which resets before its product or after it."""

_GATES = {"lstm": 4, "gru": 3, "gru_reset_after": 3}
_STATES = {"lstm": 2}
CELLS: tuple[CellKind, ...] = get_args(CellKind)
REVERSE = 8
"""A kernel's `kind` is a cell's place here, plus `REVERSE` where the last step comes first."""
MOST_SUMS = 1 << 13
"""Values of all gates together, at most."""


@operator
@dataclass(frozen=True, slots=True)
class Recurrent(WholeMaps):
    """Each row is a sequence, each column a step: its state, from what the input adds to the gates
    (the first map) and from the state of the step before, the first from the second map.

    Weights: `weights` (gates x size, size, 1, 1), by which the hidden values of the state before
    are multiplied, and `bias`.
    """

    kind: ClassVar[str] = "recurrent"
    kernels: ClassVar[tuple[str, ...]] = ("recurrent",)
    how: CellKind
    size: int
    reverse: bool = False

    @property
    def gates(self) -> int:
        return _GATES.get(self.how, 1) * self.size

    @property
    def states(self) -> int:
        return _STATES.get(self.how, 1) * self.size

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(inputs) != 2:
            raise InputError(f"{self.kind}: two maps are read, not {len(inputs)}")
        source, state = inputs
        if not 1 <= self.gates <= MOST_SUMS:
            raise InputError(
                f"{self.kind}: {self.gates} gate values; 1 to {MOST_SUMS} are possible"
            )
        if source.channels != self.gates or state != (source.height, 1, self.states):
            raise InputError(f"{self.kind}: maps of {source} and {state} do not suit its cells")
        return Shape(source.height, source.width, self.states)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"weights": (self.gates, self.size, 1, 1), "bias": (self.gates,)}

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return self.gates * (2 + self.size // _MACS_A_FLOAT)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        height, width, channels = inputs[1]
        kind = CELLS.index(self.how) + REVERSE * self.reverse
        fields = {"in2_height": height, "in2_width": width, "in2_channels": channels}
        return KernelRecord(
            "recurrent", fields | {"size": self.size, "kind": kind}, WEIGHTS_AND_BIAS
        )
