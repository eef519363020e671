"""A network: layers in topological order, numbered as in the model file they came from.

The graph is pure data without weights. Layer i reads layers with smaller numbers, or INPUT. Layers
that compute nothing (dropout, a route to one layer, detection heads) keep their number and are
*aliases*: whoever reads one reads its source. Outputs are the layers that nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ftdist.errors import InputError
from ftdist.geometry import Axes, Shape
from ftdist.network.operators.base import Alias, Operation
from ftdist.network.operators.joining import Concatenate

INPUT = -1
"""The number by which layers refer to the network's input."""

LARGEST_SIDE = 1 << 16
"""The most rows, columns or channels of a map, and the most of anything that is counted in them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a name for people, what it computes, the numbers of what it reads, its shape."""

    name: str
    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True)
class Network:
    """A graph of layers over one input."""

    name: str
    input: Shape
    layers: tuple[Layer, ...]

    def shape(self, number: int) -> Shape:
        """The shape of a layer's output, or of the network's input."""
        return self.input if number == INPUT else self.layers[number].shape

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """For each layer the number of the layer that really makes its output (itself mostly)."""
        found: list[int] = []
        for number, layer in enumerate(self.layers):
            first = layer.inputs[0]
            if is_alias(layer):
                found.append(first if first == INPUT else found[first])
            else:
                found.append(number)
        return tuple(found)

    def source(self, number: int) -> int:
        """The layer (or INPUT) that really makes what layer `number` hands on."""
        return number if number == INPUT else self.sources[number]

    def reads(self, number: int) -> tuple[int, ...]:
        """The sources of what a layer reads, in the order of its inputs."""
        return tuple(self.source(each) for each in self.layers[number].inputs)

    def axes(self, reader: int, source: int) -> Axes:
        """How rows and columns of layer `reader` depend on those of a source that it reads."""
        return self._axes[reader, source]

    @cached_property
    def _axes(self) -> dict[tuple[int, int], Axes]:
        found: dict[tuple[int, int], Axes] = {}
        for number, layer in enumerate(self.layers):
            reads = self.reads(number)
            each = layer.operation.axes(tuple(map(self.shape, reads)))
            for source, axes in zip(reads, each, strict=True):
                known = found.get((number, source))
                found[number, source] = axes if known is None else known.hull(axes)
        return found

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The layers that nobody reads, in order: the network's outputs."""
        read = {each for layer in self.layers for each in layer.inputs}
        return tuple(number for number in range(len(self.layers)) if number not in read)

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
        """The network that ends with layer `last`."""
        if not 0 <= last < len(self.layers):
            count = len(self.layers)
            raise InputError(f"layer {last} does not exist: {self.name} has layers 0..{count - 1}")
        return Network(self.name, self.input, self.layers[: last + 1])


def is_alias(layer: Layer) -> bool:
    """Whether a layer hands on its input as it is."""
    operation = layer.operation
    if isinstance(operation, Concatenate):
        return len(layer.inputs) == 1 and operation.parts == 1
    return isinstance(operation, Alias)


class NetworkBuilder:
    """Collects layers one by one, infers their shapes, and refuses references ahead."""

    def __init__(self, name: str, shape: Shape) -> None:
        if not 1 <= min(shape) <= max(shape) <= LARGEST_SIDE:
            raise InputError(f"an input of {shape}: each side is 1 to {LARGEST_SIDE}")
        self._name = name
        self._input = shape
        self._layers: list[Layer] = []

    def __len__(self) -> int:
        return len(self._layers)

    def shape(self, number: int) -> Shape:
        return self._shape(number)

    def _shape(self, number: int) -> Shape:
        return self._input if number == INPUT else self._layers[number].shape

    def add(self, operation: Operation, inputs: Sequence[int], name: str | None = None) -> int:
        """Appends a layer and returns its number; InputError names the layer that does not fit."""
        number = len(self._layers)
        label = name or f"{operation.kind}{number}"
        for source in inputs:
            if not INPUT <= source < number:
                raise InputError(f"layer {number} ({label}) reads layer {source}, not before it")
        try:
            shape = operation.output_shape(tuple(self._shape(each) for each in inputs))
        except InputError as error:
            raise InputError(f"layer {number} ({label}): {error}") from None
        if not 1 <= min(shape) <= max(shape) <= LARGEST_SIDE:
            raise InputError(
                f"layer {number} ({label}): a map of {shape}; each side is 1 to {LARGEST_SIDE}"
            )
        if any(layer.name == label for layer in self._layers):
            raise InputError(f"layer {number}: another layer is called {label} too")
        self._layers.append(Layer(label, operation, tuple(inputs), shape))
        return number

    def finish(self) -> Network:
        if not self._layers:
            raise InputError(f"{self._name} has no layers")
        return Network(self._name, self._input, tuple(self._layers))


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
