"""Layers by Darknet's numbers, where one of Darknet's may take more here: binary and smooth ones.
(``composed`` has other layers that take several.)

A convolution with xnor=1 sees of each value only whether it is above zero, +1 or -1, and -1 beside
the map; its weights are the signs of the stored ones times their mean magnitude, filter by filter.
Here a depthwise layer before it makes 6 of what is above zero and 0 of the rest (a huge factor,
then relu6), with 0 beside the map: three times Darknet's value plus three. What that adds goes off
the bias.

A convolution or pool with antialiasing goes from position to position, and its strides are those of
a depthwise blur behind it: 3x3 binomial, or 2x2 even where antialiasing is 2.

Sources: XNOR-Net (2016), and AlexeyAB's convolutional_layer.c, whose bits beside the map are unset;
Making Convolutional Networks Shift-Invariant Again (2019), and maxpool_layer.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape, Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.cfg import Section
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Activation, Operation, Sliding
from ftdist.network.operators.windows import Convolution

Floats = NDArray[np.float32]
Take = Callable[[tuple[int, ...]], Floats]
"""Reads the next floats of a .weights file in a shape."""

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a layer's weights, by name."""

HUGE = np.float32(1e20)
"""Makes at least 6 of any value that is not below 6e-20, and overflows for none below 1e18."""

_ABOVE_ZERO = 6.0


class Form(Protocol):
    """How one layer's parameters lie in a .weights file."""

    def floats(self, operation: Operation, source: Shape) -> int:
        """How many there are."""
        ...

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        """The layer's weights, in the order in which the operation names them.

        `flagged` is set for the oldest files, which transpose matrices.
        """
        ...


class Unstored:
    """Shared answer of forms of which a .weights file has nothing."""

    def floats(self, operation: Operation, source: Shape) -> int:
        return 0


class DarknetBuilder(NetworkBuilder):
    """Collects layers; numbers that it is given, or asked for, are Darknet's.

    For each of Darknet's layers: `numbers` has the one that hands on its result, `weighted` the one
    with its stored weights. `inserted` are those that Darknet does not count.
    """

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self.numbers: list[int] = []
        self.weighted: list[int] = []
        self.inserted: dict[int, Form] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def shape(self, number: int) -> Shape:
        return super().shape(self.own(number))

    def add(self, operation: Operation, inputs: Sequence[int], name: str | None = None) -> int:
        return self.add_with(operation, inputs, name)

    def add_with(
        self,
        operation: Operation,
        inputs: Sequence[int],
        name: str | None = None,
        *,
        binary: bool = False,
        blur: Convolution | None = None,
        norm: Callable[[int, str | None], int] | None = None,
    ) -> int:
        """Appends a layer with what goes before it where it is binary, and a blur behind it.

        `norm` appends, behind layer number so and so, by this name, what goes between the two.
        """
        number, own = len(self), [self.own(each) for each in inputs]
        if binary:
            channels = super().shape(own[0]).channels
            signs = Convolution(channels, Sliding.square(1), channels, Activation("relu6"))
            own = [self.insert(signs, own, f"signs{number}", Signs())]
        last = f"sharp{number}" if blur else name
        result = weighted = super().add(operation, own, f"plain{number}" if norm else last)
        if norm is not None:
            result = norm(result, last)
        if blur is not None:
            result = self.insert(blur, [result], name, Blur())
        return self.count(result, weighted)

    def insert(
        self, operation: Operation, own: Sequence[int], name: str | None, form: Form | None = None
    ) -> int:
        """Appends a layer that Darknet does not count; numbers here, `own` ones, are those of the
        network."""
        number = super().add(operation, own, name)
        if form is not None:
            self.inserted[number] = form
        return number

    def count(self, result: int, weighted: int) -> int:
        """Darknet's next layer: layer `result` hands on what it makes."""
        self.numbers.append(result)
        self.weighted.append(weighted)
        return len(self) - 1

    def own(self, number: int) -> int:
        """The network's number of the layer that hands on the result of one of Darknet's."""
        return number if number == INPUT else self.numbers[number]


@dataclass(frozen=True, slots=True)
class Fixed(Unstored):
    """Constants; `make` says them for the shapes of the layer's weights."""

    make: Callable[[Shapes], tuple[Floats, ...]]

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        return self.make(operation.weights(source))


class Signs(Unstored):
    """The layer before a binary convolution."""

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shape = operation.weights(source)["weights"]
        return np.full(shape, HUGE, np.float32), np.zeros(shape[0], np.float32)


class Blur(Unstored):
    """The layer behind a convolution or pool with antialiasing."""

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shape = operation.weights(source)["weights"]
        taps = np.array([1, 2, 1] if shape[2] == 3 else [1, 1], np.float32)
        kernel = np.outer(taps, taps) / taps.sum() ** 2
        weights = np.broadcast_to(kernel, shape).astype(np.float32)
        return np.ascontiguousarray(weights), np.zeros(shape[0], np.float32)


def blur(section: Section, channels: int, strides: tuple[int, int]) -> Convolution | None:
    """The blur that a section asks for, with its own strides (down, across)."""
    kind = section.integer("antialiasing", 0)
    if not kind:
        return None
    size, padding = (2, 0) if kind == 2 else (3, 1)
    down, across = (Window(size, stride, 1, padding, padding) for stride in strides)
    section.remark("takes a layer more, so layers are not numbered as in this file", "antialiasing")
    return Convolution(channels, Sliding(down, across), channels)


def is_binary(section: Section) -> bool:
    """Whether a convolution is a binary one; InputError where Darknet computes it otherwise."""
    if not section.flag("xnor"):
        return False
    stride = section.integer("stride", 1)
    if section.integer("stride_x", stride) != section.integer("stride_y", stride):
        raise section.error("is supported where both strides are the same", "xnor")
    if section.integer("groups", 1) > 1 or section.flag("flipped"):
        raise section.error("is not supported with groups, nor with flipped weights", "xnor")
    section.remark("takes a layer more, so layers are not numbered as in this file", "xnor")
    return True


_READERS = {"route": "layers", "shortcut": "from", "scale_channels": "from", "sam": "from"}
"""The sections that read layers by number, each with the key that names them."""


def only_signs(sections: Sequence[tuple[str, Section]]) -> frozenset[int]:
    """The binary convolutions with bin_output=1, whose activation AlexeyAB's Darknet leaves out.

    `sections` are those of the layers, in order, each with its kind. A convolution that a [route]
    reads, or what joins it to another layer, keeps its activation.
    """
    asking = {
        number
        for number, (kind, section) in enumerate(sections)
        if kind == "convolutional" and section.flag("xnor") and section.flag("bin_output")
    }
    for number, (kind, section) in enumerate(sections):
        if asking and kind in _READERS and section.has(_READERS[kind]):
            named = section.integers(_READERS[kind])
            asking.difference_update(each if each >= 0 else number + each for each in named)
            if kind != "route":
                asking.discard(number - 1)
    return frozenset(asking)


def binarized(weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """What a binary convolution computes with, from the stored weights with batch norm folded."""
    magnitude = np.abs(weights).mean(axis=(1, 2, 3), dtype=np.float64)
    signs = np.where(weights > 0, 1, -1)
    both = signs * magnitude[:, None, None, None]
    shifted = bias - both.sum(axis=(1, 2, 3))
    return (both * (2 / _ABOVE_ZERO)).astype(np.float32), shifted.astype(np.float32)
