"""Operators that see maps as arrays of any rank, and need whole maps for it.

They run as whole-map steps: what they read lies dense in memory. Threads share the output's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.geometry import Axes, Shape, Whole
from ftdist.network.operators.base import KernelRecord, Operation, only, operator
from ftdist.network.operators.views import View


class WholeMaps(Operation):
    """Shared answers of operations that need whole maps of all that they read."""

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return tuple(Axes(Whole(each.height), Whole(each.width)) for each in inputs)


def view_fields(output: Shape) -> dict[str, float]:
    """What kernels that read by a view are told of the output's size."""
    return {"out_height": output.height, "out_width": output.width}


@operator
@dataclass(frozen=True, slots=True)
class Rearrange(WholeMaps):
    """A map reshaped, permuted, cut with steps, turned round or expanded.

    Each output element is the element of the map that the view names.
    """

    kind: ClassVar[str] = "rearrange"
    kernels: ClassVar[tuple[str, ...]] = ("rearrange",)
    view: View

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        self.view.check(self.kind, only(inputs))
        return self.view.shape

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("rearrange", view_fields(output), view=self.view.merged())
