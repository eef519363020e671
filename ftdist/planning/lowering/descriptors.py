"""Kernels as pure data: each a mapping of the fields of its descriptor that are not neutral.

They are collected as plain numbers and written into a table as one record each: writing a record
field by field takes ten times as long. What an operator's own record says (``network.operators``)
goes into it here; nothing here knows any operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ftdist.kernels.program import ACTIVATIONS, FLOAT32, KERNEL, PICTURE_CHANNELS, Table, op
from ftdist.network.operators.base import KernelRecord, Sliding
from ftdist.network.ports import WHITE

Kernel = dict[str, Any]
"""Fields of a KERNEL, by name."""


class Buffer(NamedTuple):
    """Where rows of a map lie: the fields of a BUFFER, in its order."""

    base: int = 0
    type: int = FLOAT32
    column: int = 0
    columns: int = 0
    offset: int = 0
    row: int = 0
    pixel: int = 0
    channel: int = 0

    def moved(self, elements: int) -> Buffer:
        """The same, so many elements further on."""
        return self._replace(offset=self.offset + elements) if elements else self


_ONES = (
    *("groups", "kernel_height", "kernel_width", "stride_y", "stride_x"),
    *("dilation_y", "dilation_x", "pool_height", "pool_width", "sample"),
    *("factor", "kept"),
)

NEUTRAL: Kernel = {
    **dict.fromkeys(KERNEL.names or (), 0),
    **dict.fromkeys(("in", "in2", "out"), Buffer()),
    **dict.fromkeys(_ONES, 1),
    "mean": (0,) * PICTURE_CHANNELS,
    "deviation": (WHITE,) * PICTURE_CHANNELS,
}
"""A descriptor whose every field changes nothing, in the order of KERNEL."""


def write(kernel: Kernel, table: Table, number: int) -> None:
    """Writes a kernel into a table of dtype KERNEL."""
    table[number] = tuple((NEUTRAL | kernel).values())


def described(record: KernelRecord) -> Kernel:
    """The fields that a record says, but for those that depend on memory."""
    kernel: Kernel = {
        "op": op(record.kernel),
        "activation": ACTIVATIONS.index(record.activation.kind),
        "slope": record.activation.slope,
    }
    if record.window is not None:
        kernel.update(_window(record.window))
    kernel.update(record.fields)
    return kernel


def _window(window: Sliding) -> Iterator[tuple[str, int]]:
    for axis, name, size, pad in (
        (window.vertical, "y", "kernel_height", "pad_top"),
        (window.horizontal, "x", "kernel_width", "pad_left"),
    ):
        yield size, axis.kernel
        yield pad, axis.pad_before
        yield f"stride_{name}", axis.stride
        yield f"dilation_{name}", axis.dilation
