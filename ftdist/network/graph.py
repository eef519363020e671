"""A network: layers in topological order, numbered as in the model file they came from.

The graph is pure data without weights. Layer i reads layers with smaller numbers, or inputs, whose
numbers are below zero: INPUT is the first, the one before it the second. Layers that compute
nothing (dropout, a route to one layer, detection heads) keep their number and are *aliases*:
whoever reads one reads its source. Outputs are named by their layers; others may read them too.
What nobody reads is an output always, for else nobody would need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from ftdist.errors import InputError
from ftdist.geometry import Axes, Shape
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Arithmetic, Implementation
from ftdist.network.operators.base import Alias, Operation
from ftdist.network.operators.joining import Concatenate
from ftdist.network.ports import PLANAR, Input, Layout

Made = TypeVar("Made")

INPUT = -1
"""The number by which layers refer to the network's (first) input."""

ONLY_INPUT = "input"
"""The name of an input where nobody has named it."""

LARGEST_SIDE = 1 << 16
"""The most rows, columns or channels of a map, and the most of anything that is counted in them."""

LONGEST_LIST = 1 << 22
"""The most columns or channels of a map of one row: lists of positions, as attention has them, of
the boxes of a large picture, and the same by channels, where one function is of all of them."""


def is_map(shape: Shape) -> bool:
    """Whether there are maps of that shape."""
    if shape.height > 1:
        return min(shape) >= 1 and max(shape) <= LARGEST_SIDE
    shorter, longer = sorted(shape[1:])
    return min(shape) >= 1 and shorter <= LARGEST_SIDE and longer <= LONGEST_LIST


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a name for people, what it computes, the numbers of what it reads, its shape.

    `algorithm` is the name of the implementation that computes it.
    """

    name: str
    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape
    algorithm: str = DIRECT.name

    @property
    def implementation(self) -> Implementation:
        """How the layer is computed."""
        return IMPLEMENTATIONS[self.algorithm]


@dataclass(frozen=True)
class Network:
    """A graph of layers over its inputs; `outputs` are the numbers of layers, in order.

    `layouts` says of outputs how their arrays lie, where that is not planar.
    """

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[int, ...]
    layouts: tuple[tuple[int, Layout], ...] = ()

    def once(self, make: Callable[[Network], Made]) -> Made:
        """What `make` makes of the network: made when it is first asked for."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def _made(self) -> dict[Callable[[Network], Any], Any]:
        return {}

    @property
    def input(self) -> Shape:
        """The shape of the first input: that of the picture, where the network takes one."""
        return self.inputs[0].shape

    @property
    def input_numbers(self) -> range:
        """The numbers of the inputs, ascending: the first is the last of them."""
        return range(-len(self.inputs), 0)

    def shape(self, number: int) -> Shape:
        """The shape of a layer's output, or of an input."""
        return self.layers[number].shape if number >= 0 else self.inputs[-1 - number].shape

    def output(self, name: str) -> int:
        """The number of the output of that name."""
        return next(each for each in self.outputs if self.layers[each].name == name)

    def layout(self, output: int) -> Layout:
        """How the array of an output lies."""
        return self._layouts.get(output, PLANAR)

    @cached_property
    def _layouts(self) -> dict[int, Layout]:
        return dict(self.layouts)

    @cached_property
    def planar_sources(self) -> frozenset[int]:
        """The inputs and the sources of outputs whose arrays lie channel by channel."""
        outputs = {self.source(each) for each in self.outputs if self.layout(each).planar}
        inputs = {-1 - at for at, each in enumerate(self.inputs) if each.layout.planar}
        return frozenset(inputs | outputs)

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """For each layer the number of the layer that really makes its output (itself mostly)."""
        found: list[int] = []
        for number, layer in enumerate(self.layers):
            first = layer.inputs[0]
            if is_alias(layer):
                found.append(first if first < 0 else found[first])
            else:
                found.append(number)
        return tuple(found)

    def source(self, number: int) -> int:
        """The layer (or input) that really makes what layer `number` hands on."""
        return number if number < 0 else self.sources[number]

    def reads(self, number: int) -> tuple[int, ...]:
        """The sources of what a layer reads, in the order of its inputs."""
        return self._reads[number]

    @cached_property
    def _reads(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(map(self.source, each.inputs)) for each in self.layers)

    def asked(self, number: int) -> tuple[Operation, tuple[Shape, ...]]:
        """What an implementation is asked about a layer: its operation and its inputs' shapes."""
        return self.layers[number].operation, tuple(map(self.shape, self.reads(number)))

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """The algorithm of each layer that is not computed directly."""
        layers = enumerate(self.layers)
        return tuple((n, each.algorithm) for n, each in layers if each.algorithm != DIRECT.name)

    def computed_by(self, arithmetic: Arithmetic) -> Network:
        """The same network by another arithmetic; InputError when that does not suit it."""
        self.check_arithmetic(arithmetic)
        if arithmetic == self.arithmetic:
            return self
        layers, changes = [*self.layers], dict.fromkeys(dict(self.arithmetic), DIRECT.name)
        for number, name in (changes | dict(arithmetic)).items():
            layers[number] = replace(layers[number], algorithm=name)
        return replace(self, layers=tuple(layers))

    def check_arithmetic(self, arithmetic: Arithmetic) -> None:
        """InputError when an arithmetic does not suit the network."""
        if arithmetic == self.arithmetic:
            return
        for number, name in arithmetic:
            if not 0 <= number < len(self.layers):
                raise InputError(f"there is not a layer {number} to be computed by '{name}'")
            known = IMPLEMENTATIONS.get(name)
            if known is None or not known.suits(*self.asked(number)):
                label = self.layers[number].name
                raise InputError(f"layer {number} ({label}) cannot be computed by '{name}'")

    def axes(self, reader: int, source: int) -> Axes:
        """How rows and columns of layer `reader` depend on those of a source that it reads."""
        return self._axes[reader, source]

    @cached_property
    def _axes(self) -> dict[tuple[int, int], Axes]:
        found: dict[tuple[int, int], Axes] = {}
        for number, layer in enumerate(self.layers):
            reads = self.reads(number)
            each = layer.implementation.axes(*self.asked(number))
            for source, axes in zip(reads, each, strict=True):
                known = found.get((number, source))
                found[number, source] = axes if known is None else known.hull(axes)
        return found

    @cached_property
    def whole_layers(self) -> frozenset[int]:
        """The layers that need whole maps of what they read: softmax over space, global pooling."""
        return frozenset(
            number
            for number, layer in enumerate(self.layers)
            if layer.operation.whole(tuple(map(self.shape, self.reads(number))))
        )

    @cached_property
    def output_sources(self) -> frozenset[int]:
        """The layers that really make the network's outputs."""
        return frozenset(self.source(number) for number in self.outputs)

    @cached_property
    def last_use(self) -> dict[int, int]:
        """For each source the last layer that reads it; len(layers) for the network's outputs."""
        last: dict[int, int] = {}
        for number, layer in enumerate(self.layers):
            if not is_alias(layer):
                for source in self.reads(number):
                    last[source] = number
        for number in self.outputs:
            last[self.source(number)] = len(self.layers)
        return last

    def macs(self, number: int) -> int:
        """Multiply-accumulates of one output position of a layer."""
        layer = self.layers[number]
        return layer.operation.macs(self.shape(layer.inputs[0]), layer.shape)

    def until(self, last: int) -> Network:
        """The network that ends with layer `last`; what nobody reads any more is an output."""
        if not 0 <= last < len(self.layers):
            count = len(self.layers)
            raise InputError(f"layer {last} does not exist: {self.name} has layers 0..{count - 1}")
        layers = self.layers[: last + 1]
        outputs = sorted({*unread(layers), *(each for each in self.outputs if each <= last)})
        layouts = tuple(each for each in self.layouts if each[0] <= last)
        return Network(self.name, self.inputs, layers, tuple(outputs), layouts)


def unread(layers: Sequence[Layer]) -> tuple[int, ...]:
    """The layers that no other one reads, in order: Darknet's outputs."""
    read = {each for layer in layers for each in layer.inputs}
    return tuple(number for number in range(len(layers)) if number not in read)


def is_alias(layer: Layer) -> bool:
    """Whether a layer hands on its input as it is."""
    operation = layer.operation
    if isinstance(operation, Concatenate):
        return len(layer.inputs) == 1 and operation.parts == 1
    return isinstance(operation, Alias)


def weighted_layers(
    network: Network, first: int = 0, stop: int | None = None
) -> tuple[tuple[int, Operation, Shape], ...]:
    """(number, operation, shape of the first input) of each layer with weights, in order.

    Only of layers `first` to before `stop`, where these are given.
    """
    found = (
        (number, layer.operation, network.shape(layer.inputs[0]))
        for number, layer in enumerate(network.layers[first:stop], start=first)
        if layer.inputs
    )
    return tuple(each for each in found if each[1].weights(each[2]))
