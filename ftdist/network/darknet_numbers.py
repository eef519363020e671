"""Layers by Darknet's numbers, where one of Darknet's may take two here: binary convolutions.

A convolution with xnor=1 sees of each value only whether it is above zero, +1 or -1, and -1 beside
the map; its weights are the signs of the stored ones times their mean magnitude, filter by filter.
Here a depthwise layer before it makes 6 of what is above zero and 0 of the rest (a huge factor,
then relu6), with 0 beside the map: three times Darknet's value plus three. What that adds goes off
the bias.

Source: XNOR-Net (2016), and AlexeyAB's convolutional_layer.c, whose bits beside the map are unset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape
from ftdist.network.cfg import Section
from ftdist.network.graph import INPUT, NetworkBuilder
from ftdist.network.layers import Activation, Convolution, Operation, Sliding, Weighted

Floats = NDArray[np.float32]

HUGE = np.float32(1e20)
"""Makes at least 6 of any value that is not below 6e-20, and overflows for none below 1e18."""

_ABOVE_ZERO = 6.0


class DarknetBuilder(NetworkBuilder):
    """Collects layers; numbers that it is given, or asked for, are Darknet's."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self.numbers: list[int] = []

    def __len__(self) -> int:
        return len(self.numbers)

    def shape(self, number: int) -> Shape:
        return super().shape(self._own(number))

    def add(self, operation: Operation, inputs: Sequence[int], name: str | None = None) -> int:
        number = super().add(operation, [self._own(each) for each in inputs], name)
        self.numbers.append(number)
        return len(self) - 1

    def add_binary(self, operation: Convolution, source: int, name: str) -> None:
        """Appends a binary convolution, and before it the layer that tells signs apart."""
        channels = self.shape(source).channels
        signs = Convolution(channels, Sliding.square(1), channels, Activation("relu6"))
        before = super().add(signs, [self._own(source)], f"signs{len(self)}")
        self.numbers.append(super().add(operation, [before], name))

    def _own(self, number: int) -> int:
        return number if number == INPUT else self.numbers[number]


@dataclass(frozen=True, slots=True)
class Signs:
    """The layer before a binary convolution: nothing of it is in a .weights file."""

    def floats(self, operation: Weighted, source: Shape) -> int:
        return 0

    def read(
        self, take: object, operation: Weighted, source: Shape, *, flagged: bool
    ) -> tuple[Floats, Floats]:
        shape = operation.weight_shape(source)
        return np.full(shape, HUGE, np.float32), np.zeros(shape[0], np.float32)


def is_binary(section: Section) -> bool:
    """Whether a convolution is a binary one; InputError where Darknet computes it otherwise."""
    if not section.flag("xnor"):
        return False
    stride = section.integer("stride", 1)
    if section.integer("stride_x", stride) != section.integer("stride_y", stride):
        raise section.error("is supported where both strides are the same", "xnor")
    if section.integer("groups", 1) > 1:
        raise section.error("is not supported with groups", "xnor")
    section.remark("takes two layers, so layers are not numbered as in this file", "xnor")
    return True


def binarized(weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """What a binary convolution computes with, from the stored weights with batch norm folded."""
    magnitude = np.abs(weights).mean(axis=(1, 2, 3), dtype=np.float64)
    signs = np.where(weights > 0, 1, -1)
    both = signs * magnitude[:, None, None, None]
    shifted = bias - both.sum(axis=(1, 2, 3))
    return (both * (2 / _ABOVE_ZERO)).astype(np.float32), shifted.astype(np.float32)
