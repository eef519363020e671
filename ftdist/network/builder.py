"""Builds a network layer by layer: infers shapes, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.graph import LARGEST_SIDE, ONLY_INPUT, Layer, Network, is_map, unread
from ftdist.network.operators.base import Operation
from ftdist.network.ports import PLANAR, Input, Layout, check_inputs


class NetworkBuilder:
    """Collects layers one by one, infers their shapes, and refuses references ahead.

    It begins with one input of that shape, or with all of these.
    """

    def __init__(self, name: str, inputs: Shape | Sequence[Input]) -> None:
        self._name = name
        if isinstance(inputs, Shape):
            inputs = [Input(ONLY_INPUT, inputs)]
        self._inputs = tuple(inputs)
        self._layers: list[Layer] = []
        self._names = {each.name for each in self._inputs}
        check_inputs(name, self._inputs, LARGEST_SIDE)
        if len(self._inputs) == 1:
            self._names.clear()  # a layer may be called as the only input is

    def __len__(self) -> int:
        return len(self._layers)

    def shape(self, number: int) -> Shape:
        """The shape of a layer or an input; who counts layers otherwise overrides this alone."""
        return self._shape(number)

    def _shape(self, number: int) -> Shape:
        return self._layers[number].shape if number >= 0 else self._inputs[-1 - number].shape

    def add(self, operation: Operation, inputs: Sequence[int], name: str | None = None) -> int:
        """Appends a layer and returns its number; InputError names the layer that does not fit."""
        number = len(self._layers)
        label = name or f"{operation.kind}{number}"
        for source in inputs:
            if not -len(self._inputs) <= source < number:
                raise InputError(f"layer {number} ({label}) reads layer {source}, not before it")
        try:
            shape = operation.output_shape(tuple(self._shape(each) for each in inputs))
        except InputError as error:
            raise InputError(f"layer {number} ({label}): {error}") from None
        if not is_map(shape):
            raise InputError(
                f"layer {number} ({label}): a map of {shape}; each side is 1 to {LARGEST_SIDE}"
            )
        if label in self._names:
            raise InputError(f"layer {number}: another layer is called {label} too")
        self._names.add(label)
        self._layers.append(Layer(label, operation, tuple(inputs), shape))
        return number

    def finish(self, outputs: Mapping[int, Layout] | None = None) -> Network:
        """The network; its outputs, with their layouts, are those that nobody reads if not said."""
        if not self._layers:
            raise InputError(f"{self._name} has no layers")
        ends = unread(self._layers)
        wanted = dict.fromkeys(ends, PLANAR) if outputs is None else dict(outputs)
        for number in wanted:
            if not 0 <= number < len(self._layers):
                raise InputError(f"{self._name}: output {number} is not a layer")
            wanted[number].check(self._layers[number].name, self._shape(number))
        if idle := [self._layers[number].name for number in ends if number not in wanted]:
            raise InputError(f"{self._name}: nobody reads layer {idle[0]}, and it is not an output")
        layouts = tuple((number, each) for number, each in wanted.items() if each != PLANAR)
        network = Network(self._name, self._inputs, tuple(self._layers), tuple(wanted), layouts)
        _refuse_two_orders(network)
        return network


def _refuse_two_orders(network: Network) -> None:
    """One map is one array, whatever names it has."""
    orders = {network.source(each): network.layout(each).planar for each in network.outputs}
    for number in network.outputs:
        if orders[network.source(number)] != network.layout(number).planar:
            name = network.layers[number].name
            raise InputError(f"{network.name}: output {name} lies otherwise than one of its source")
