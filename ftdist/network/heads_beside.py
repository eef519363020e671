"""Gives a network whose outputs are raw maps the heads of the Darknet network that it was made of.

Converters end before Darknet's heads, for other formats have no such layer. Where the .cfg lies
beside, it says what they are: each head goes to the output of its shape, in order.
"""

from __future__ import annotations

from dataclasses import replace

from ftdist.network.graph import Layer, Network
from ftdist.network.heads import Head


def with_heads(network: Network, darknet: Network) -> Network | None:
    """The network with a head behind each output, which takes its name; None where they differ."""
    heads = [darknet.layers[each] for each in darknet.outputs]
    if not all(isinstance(each.operation, Head) for each in heads):
        return None
    if network.input != darknet.input or len(heads) != len(network.outputs):
        return None
    layers, outputs = list(network.layers), []
    free = list(heads)
    for number in network.outputs:
        head = next((each for each in free if each.shape == network.shape(number)), None)
        if head is None or number >= len(network.layers):
            return None
        free.remove(head)
        raw = layers[number]
        layers[number] = replace(raw, name=f"{raw.name}.raw")
        outputs.append(len(layers))
        layers.append(Layer(raw.name, head.operation, (number,), raw.shape))
    layouts = tuple(
        (outputs[network.outputs.index(number)], layout) for number, layout in network.layouts
    )
    return replace(network, layers=tuple(layers), outputs=tuple(outputs), layouts=layouts)
