"""Transposed convolutions: what deconvolutions, learned upsampling and decoders are made of.

Each output position sums over the taps that meet an input position, in the order of the window, so
that cutting the map changes no bit. Nothing is spread into a larger map first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftdist.errors import InputError
from ftdist.geometry import Axes, Shape, Spread, Window
from ftdist.network.operators.base import (
    LINEAR,
    WEIGHTS_AND_BIAS,
    Activation,
    KernelRecord,
    Operation,
    Rate,
    Sliding,
    only,
    operator,
)


@operator
@dataclass(frozen=True, slots=True)
class TransposedConvolution(Operation):
    """Grouped transposed 2-D convolution with bias, then an activation.

    Input position i times weight `tap` is added to output position i * stride - pad_before +
    tap * dilation, on both axes. Of the positions that this reaches the last `pad_after` are left
    out; `more_rows` and `more_columns` come behind (ONNX calls them output_padding).

    Weights are float32 (filters, channels // groups, kernel rows, kernel columns), bias (filters,).
    """

    kind: ClassVar[str] = "transposed_convolution"
    kernels: ClassVar[tuple[str, ...]] = ("transposed_convolution",)
    filters: int
    window: Sliding
    groups: int = 1
    activation: Activation = LINEAR
    more_rows: int = 0
    more_columns: int = 0

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        if (
            min(self.filters, self.groups) < 1
            or source.channels % self.groups
            or self.filters % self.groups
        ):
            raise InputError(
                f"{self.kind}: {source.channels} channels and {self.filters} filters "
                f"cannot be split into {self.groups} groups"
            )
        if min(self.more_rows, self.more_columns) < 0:
            raise InputError(f"{self.kind}: it cannot have a negative number of rows more")
        height = _reached(self.window.vertical, source.height) + self.more_rows
        width = _reached(self.window.horizontal, source.width) + self.more_columns
        if min(height, width) < 1:
            raise InputError(f"{self.kind}: its padding leaves nothing of a map of {source}")
        return Shape(height, width, self.filters)

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        source, window = only(inputs), self.window
        rows = Spread(window.vertical, source.height)
        return (Axes(rows, Spread(window.horizontal, source.width)),)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        window, depth = self.window, source.channels // self.groups
        shape = self.filters, depth, window.vertical.kernel, window.horizontal.kernel
        return {"weights": shape, "bias": (self.filters,)}

    def weight_groups(self, source: Shape) -> int:
        return self.groups

    def streams(self, source: Shape) -> bool:
        return True

    def macs(self, source: Shape, output: Shape) -> int:
        """On average: an output position meets one of so many taps as the strides say, and no more
        than there are positions."""
        down, across = self.window.vertical, self.window.horizontal
        taps = min(down.kernel, source.height * down.stride)
        taps *= min(across.kernel, source.width * across.stride)
        terms = taps * self.filters * (source.channels // self.groups)
        return -(-terms // (down.stride * across.stride))

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return 0

    def rate(self, inputs: tuple[Shape, ...]) -> Rate:
        return "convolution"

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord(
            "transposed_convolution",
            {"groups": self.groups},
            WEIGHTS_AND_BIAS,
            window=self.window,
            activation=self.activation,
        )


def _reached(window: Window, size: int) -> int:
    """The output positions that an input of `size` reaches, without the padding."""
    return (size - 1) * window.stride + window.extent - window.pad_before - window.pad_after
