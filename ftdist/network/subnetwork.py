"""A part of a network as a network of its own, with maps of the whole as further inputs.

Layers and inputs get new numbers; each layer keeps its name, its operation, its algorithm and its
weights, so that it makes the same bits. Arrays of the new inputs and outputs lie as maps do inside
a network, channels innermost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import DIRECT, Arithmetic
from ftdist.network.modelfile import Model
from ftdist.network.ports import Input, Layout

_INTERLEAVED = Layout(planar=False)


@dataclass(frozen=True)
class Subnetwork:
    """What `network` has of another one: `layers` and `inputs` are the numbers there, by place.

    An input is an input of the other network, or a layer whose map is given.
    """

    network: Network
    layers: tuple[int, ...]
    inputs: tuple[int, ...]

    def arithmetic(self, whole: Arithmetic) -> Arithmetic:
        """The algorithms of its layers, from those of the other network's."""
        named = dict(whole)
        found = enumerate(named.get(each, DIRECT.name) for each in self.layers)
        return tuple((number, name) for number, name in found if name != DIRECT.name)

    def arithmetic_of_whole(self, own: Arithmetic) -> Arithmetic:
        """The same algorithms, by the other network's numbers."""
        return tuple(sorted((self.layers[number], name) for number, name in own))

    @property
    def outputs(self) -> tuple[int, ...]:
        """The numbers, in the other network, of what it makes."""
        return tuple(self.layers[each] for each in self.network.outputs)

    def of_model(self, model: Model) -> Model:
        """The model of it, with the weights of that of the other network."""
        if self.network is model.network:
            return model
        blobs = {}
        for number, layer in enumerate(self.layers):
            if layer in model.blobs:
                blob = model.blobs[layer]
                arrays = {name._replace(layer=number): at for name, at in blob.arrays.items()}
                blobs[number] = replace(blob, arrays=arrays)
        return model.told(self.network, model.about, blobs)


def itself(network: Network) -> Subnetwork:
    """A network as a part of itself."""
    inputs = tuple(-1 - at for at in range(len(network.inputs)))
    return Subnetwork(network, tuple(range(len(network.layers))), inputs)


def subnetwork(network: Network, targets: Iterable[int], given: Collection[int]) -> Subnetwork:
    """What makes the maps `targets` of the network's inputs and of the maps that are `given`.

    The network's own first input is the first, where it is needed.
    """
    wanted = sorted(set(targets))
    needed, read = set(wanted), set[int]()
    for number in range(max(wanted), -1, -1):
        if number in needed and number not in given:
            needed.update(network.reads(number))
    layers = tuple(sorted(n for n in needed if n >= 0 and n not in given))
    for number in layers:
        read.update(each for each in network.reads(number) if each < 0 or each in given)
    inputs = tuple(sorted(read, key=lambda each: (each != INPUT, each < 0, each)))
    place = {number: at for at, number in enumerate(layers)}
    place |= {source: -1 - at for at, source in enumerate(inputs)}
    own = tuple(
        replace(network.layers[n], inputs=tuple(place[each] for each in network.reads(n)))
        for n in layers
    )
    outputs = tuple(place[each] for each in wanted)
    found = Network(
        network.name,
        tuple(_input(network, each) for each in inputs),
        own,
        outputs,
        tuple((each, _INTERLEAVED) for each in outputs),
    )
    return Subnetwork(found, layers, inputs)


def of_outputs(model: Model, names: Collection[str]) -> Model:
    """The model with the outputs of these names alone, whose arrays lie as before.

    The same model where nothing is left out, or where the rest would read fewer inputs.
    """
    network = model.network
    wanted = [number for number in network.outputs if network.layers[number].name in names]
    if not 0 < len(wanted) < len(network.outputs):
        return model
    part = subnetwork(network, wanted, ())
    if len(part.inputs) < len(network.inputs):
        return model
    place = {number: at for at, number in enumerate(part.layers)}
    found = replace(
        part.network,
        inputs=tuple(network.inputs[-1 - each] for each in part.inputs),
        outputs=tuple(place[each] for each in wanted),
        layouts=tuple((place[n], layout) for n, layout in network.layouts if n in wanted),
    )
    return replace(part, network=found).of_model(model)


def _input(network: Network, source: int) -> Input:
    if source < 0:
        return replace(network.inputs[-1 - source], layout=_INTERLEAVED)
    return Input(f"{network.layers[source].name}.given", network.shape(source), _INTERLEAVED)
