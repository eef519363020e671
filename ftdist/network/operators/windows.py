"""Operators that slide a window over a map: convolutions, local connections and pools."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from ftdist.errors import InputError
from ftdist.geometry import PLAIN, Axes, Shape, Window
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
class Convolution(Operation):
    """Grouped 2-D convolution with bias, then an activation.

    A second map, of the output's shape, is added before the activation; not by a depthwise one.
    Weights are float32 (filters, channels // groups, kernel rows, kernel columns), bias (filters,).
    A fully connected layer is a convolution whose window is the whole map.
    """

    kind: ClassVar[str] = "convolutional"
    kernels: ClassVar[tuple[str, ...]] = (
        "convolution",
        "depthwise",
        "winograd",
    )
    filters: int
    window: Sliding
    groups: int = 1
    activation: Activation = LINEAR

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        window = self.window
        depth = source.channels // self.groups
        shape = self.filters, depth, window.vertical.kernel, window.horizontal.kernel
        return {"weights": shape, "bias": (self.filters,)}

    def weight_groups(self, source: Shape) -> int:
        return 1 if self.is_depthwise(source) else self.groups

    def streams(self, source: Shape) -> bool:
        return not self.is_depthwise(source)

    def is_depthwise(self, source: Shape) -> bool:
        return 1 < self.groups == source.channels == self.filters

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source, *added = inputs
        if (
            min(self.filters, self.groups) < 1
            or source.channels % self.groups
            or self.filters % self.groups
        ):
            raise InputError(
                f"{self.kind}: {source.channels} channels and {self.filters} filters "
                f"cannot be split into {self.groups} groups"
            )
        made = Shape(*self.window.output_size(source, self.kind), self.filters)
        if added and (added != [made] or self.is_depthwise(source)):
            told = ", ".join(map(str, added))
            raise InputError(f"{self.kind}: {told} cannot be added to a map of {made}")
        return made

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        """Fully connected: its window is the whole map."""
        return self.window.covers(inputs[0])

    def splits_channels(self, inputs: tuple[Shape, ...]) -> bool:
        return self.groups == 1 and not self.is_depthwise(inputs[0])

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return (*self.window.axes(padded=True), *(PLAIN for _ in inputs[1:]))

    def macs(self, source: Shape, output: Shape) -> int:
        return math.prod(self.weights(source)["weights"])

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return output.channels * len(inputs[1:])

    def rate(self, inputs: tuple[Shape, ...]) -> Rate:
        return "depthwise" if self.is_depthwise(inputs[0]) else "convolution"

    def fuses_pool(self, inputs: tuple[Shape, ...]) -> bool:
        return len(inputs) == 1 and not self.is_depthwise(inputs[0])

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord(
            "depthwise" if self.is_depthwise(inputs[0]) else "convolution",
            {"groups": self.groups, "kind": len(inputs) - 1},
            WEIGHTS_AND_BIAS,
            window=self.window,
            activation=self.activation,
        )


@operator
@dataclass(frozen=True, slots=True)
class Local(Operation):
    """As a convolution, but each output position has weights of its own (Darknet's local).

    Weights are float32 (positions x filters, channels, kernel rows, kernel columns), positions row
    by row; bias (positions x filters,).
    """

    kind: ClassVar[str] = "local"
    kernels: ClassVar[tuple[str, ...]] = ("local",)
    filters: int
    window: Sliding
    activation: Activation = LINEAR

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        window, positions = self.window, self.weight_groups(source)
        kernel = window.vertical.kernel, window.horizontal.kernel
        outputs = positions * self.filters
        return {"weights": (outputs, source.channels, *kernel), "bias": (outputs,)}

    def weight_groups(self, source: Shape) -> int:
        height, width = self.window.output_size(source, self.kind)
        return height * width

    def streams(self, source: Shape) -> bool:
        return True

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.filters < 1:
            raise InputError(f"{self.kind}: there must be at least one filter")
        return Shape(*self.window.output_size(only(inputs), self.kind), self.filters)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        return self.window.covers(only(inputs))

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return self.window.axes(padded=True)

    def macs(self, source: Shape, output: Shape) -> int:
        window = self.window
        kernel = window.vertical.kernel * window.horizontal.kernel
        return self.filters * source.channels * kernel

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Every position reads weights of its own: moving them is most of the work."""
        return self.macs(inputs[0], output)

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        size = {"out_height": output.height, "out_width": output.width}
        return KernelRecord(
            "local", size, WEIGHTS_AND_BIAS, window=self.window, activation=self.activation
        )


@operator
@dataclass(frozen=True, slots=True)
class Pool(Operation):
    """Max or average pooling.

    A maximum never sees padding; an average divides by the positions on the map, or by the whole
    window where `count_padding` is set.
    """

    kind: ClassVar[str] = "pool"
    kernels: ClassVar[tuple[str, ...]] = (
        "max_pool",
        "average_pool",
    )
    mode: Literal["max", "average"]
    window: Sliding
    count_padding: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        source = only(inputs)
        for axis, size in (
            (self.window.vertical, source.height),
            (self.window.horizontal, source.width),
        ):
            if _misses_the_map(axis, size):
                raise InputError(f"{self.mode} pool: some windows lie wholly in the padding")
        return Shape(*self.window.output_size(source, f"{self.mode} pool"), source.channels)

    def whole(self, inputs: tuple[Shape, ...]) -> bool:
        """Global pooling: its window is the whole map."""
        return self.window.covers(only(inputs))

    def splits_channels(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        return self.window.axes(padded=False)

    def moved(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return output.channels * self.window.vertical.kernel * self.window.horizontal.kernel

    def rate(self, inputs: tuple[Shape, ...]) -> Rate:
        return "pool"

    def maxima(self) -> tuple[int, int] | None:
        sides = self.window.vertical, self.window.horizontal
        plain = all(
            side.kernel == side.stride
            and side.dilation == 1
            and side.pad_before == side.pad_after == 0
            for side in sides
        )
        return (sides[0].kernel, sides[1].kernel) if plain and self.mode == "max" else None

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        kernel = "max_pool" if self.mode == "max" else "average_pool"
        return KernelRecord(kernel, {"count_padding": self.count_padding}, window=self.window)


def _misses_the_map(axis: Window, size: int) -> bool:
    """Whether a window of the axis has no tap on a map of `size` positions."""
    last = (axis.output_size(size) - 1) * axis.stride - axis.pad_before
    if axis.pad_before >= axis.extent or last >= size:
        return True
    if axis.dilation <= size:
        return False  # taps are too close together to step over the map
    # From a top before the map, the first tap at or after position 0 is at top % dilation.
    return any(top % axis.dilation >= size for top in range(-axis.pad_before, 0, axis.stride))
