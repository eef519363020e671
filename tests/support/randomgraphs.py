"""Random ONNX graphs: convolutions, pools, joins, and tails that need whole maps."""

from __future__ import annotations

from random import Random

import numpy as np

from support.onnxgraphs import Nodes

_POINTWISE = ("Relu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Neg", "LeakyRelu")


def random_graph(seed: int) -> Nodes:
    """A graph of one input and at least one output; all maps are (1, channels, height, width)."""
    chance, nodes = Random(seed), Nodes(seed)
    shape = chance.choice([1, 3, 8]), chance.randint(6, 20), chance.randint(6, 20)
    maps = [(nodes.input(1, *shape), shape)]
    for _ in range(chance.randint(3, 9)):
        maps.append(_grown(chance, nodes, maps))
    last, (channels, height, width) = maps[-1]
    nodes.output(last)
    if chance.random() < 0.5:
        nodes.output(_tail(chance, nodes, last, channels, height * width))
    return nodes


def _grown(
    chance: Random, nodes: Nodes, maps: list[tuple[str, tuple[int, int, int]]]
) -> tuple[str, tuple[int, int, int]]:
    value, (channels, height, width) = chance.choice(maps[-3:])
    kind = chance.choice(["conv", "depthwise", "pointwise", "pool", "join", "scale", "excite"])
    if kind == "conv":
        made, kernel = chance.randint(1, 12), chance.choice([1, 3, 5])
        weights = nodes.random(made, channels, kernel, kernel, scale=1 / kernel)
        pads = [kernel // 2] * 4
        return nodes.add("Conv", value, weights, nodes.random(made), pads=pads), (
            made,
            height,
            width,
        )
    if kind == "depthwise":
        weights = nodes.random(channels, 1, 3, 3)
        value = nodes.add("Conv", value, weights, group=channels, pads=[1, 1, 1, 1])
    elif kind == "pool" and min(height, width) > 3:
        how = chance.choice(["MaxPool", "AveragePool"])
        value = nodes.add(how, value, kernel_shape=[2, 2], strides=[2, 2])
        return value, (channels, height // 2, width // 2)
    elif kind == "join":
        alike = [each for each, shape in maps if shape[1:] == (height, width)]
        other = chance.choice(alike)
        depth = dict(maps)[other][0]
        if depth == channels:
            value = nodes.add(chance.choice(["Add", "Mul", "Sub", "Max"]), value, other)
        else:
            value, channels = nodes.add("Concat", value, other, axis=1), channels + depth
    elif kind == "scale":
        value = nodes.add("Mul", value, nodes.random(channels, 1, 1))
    elif kind == "excite":
        gate = nodes.add("Sigmoid", nodes.add("GlobalAveragePool", value))
        value = nodes.add("Mul", value, gate)
    else:
        value = nodes.add(chance.choice(_POINTWISE), value)
    return value, (channels, height, width)


def _tail(chance: Random, nodes: Nodes, value: str, channels: int, positions: int) -> str:
    """Lists of values by position, as detectors and transformers make them."""
    flat = nodes.add("Reshape", value, nodes.constant(np.array([1, channels, positions])))
    rows = str(nodes.add("Transpose", flat, perm=[0, 2, 1]))
    kind = chance.choice(["softmax", "attention", "sum", "product"])
    if kind == "softmax":
        return str(nodes.add("Softmax", rows, axis=chance.choice([1, 2])))
    if kind == "attention":
        return str(nodes.add("MatMul", nodes.add("Softmax", nodes.add("MatMul", rows, flat)), rows))
    if kind == "sum":
        return str(nodes.add("ReduceMax", rows, axes=[chance.choice([1, 2])]))
    return str(nodes.add("MatMul", rows, nodes.random(channels, 5)))
