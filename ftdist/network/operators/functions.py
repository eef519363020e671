"""Functions of one value, which need nothing but the position that they write.

Those that networks have behind convolutions are activations (``base.Activation``), which go into
the kernel before them; these are the others, and those with numbers of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.operators.base import EXPONENTIAL, Elementwise, KernelRecord, only, operator

FunctionKind = Literal[
    "clip",
    "abs",
    "negative",
    "sign",
    "floor",
    "ceil",
    "round",
    "truncate",
    "sqrt",
    "reciprocal",
    "exp",
    "log",
    "erf",
    "softsign",
    "hard_sigmoid",
    "elu",
    "selu",
    "celu",
    "threshold",
    "swish",
    "shrink",
    "truth",
    "not",
    "divide",
    "power",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
]
"""With `first` a and `second` b: clip is at least a and at most b (b where a is above it);
hard_sigmoid is a * x + b clipped to 0..1; below zero elu is a * (e^x - 1), celu a * (e^(x/a) - 1),
and selu is b times elu; threshold is 0 up to a; swish is x / (1 + e^(-a x)); shrink moves what is
beyond a by b towards 0, and is 0 within; round goes to even numbers; truth is 1 for whatever is not
0, not is the contrary; divide is x / a, power x ** a."""

_SLOW = ("power", "exp", "log", "erf", "elu", "selu", "celu", "swish")
_ONE_BY_ONE = 30
"""What a function of angles counts for: they are not computed side by side."""

_ANGLES = frozenset(
    ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")
)


@operator
@dataclass(frozen=True, slots=True)
class Function(Elementwise):
    """A function of each value, with up to two numbers of its own."""

    kind: ClassVar[str] = "function"
    kernels: ClassVar[tuple[str, ...]] = ("function",)
    how: FunctionKind
    first: float = 0.0
    second: float = 0.0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if not (math.isfinite(self.first) and math.isfinite(self.second)):
            raise InputError(f"{self.how}: its numbers must be finite")
        return only(inputs)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        slow = EXPONENTIAL if self.how in _SLOW else _ONE_BY_ONE if self.how in _ANGLES else 1
        return (1 + slow) * output.channels

    def goes_by_positions(self, inputs: tuple[Shape, ...]) -> bool:
        return False

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        number = get_args(FunctionKind).index(self.how)
        fields = {"kind": number, "factor": self.first, "shift": self.second}
        return KernelRecord("function", fields)
