"""What an ONNX file says of itself beside its graph: names, notes, metadata, and how it begins."""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.nodes import Node
from ftdist.network.onnx.reading.file import Graph
from ftdist.network.source import Hints

_MOST_WORDS = 2000
_PASSED = ("Transpose", "Split", "Concat", "Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")
_SCALES = ("Sub", "Add", "Mul", "Div", "BatchNormalization", "ImageScaler")


def hints(graph: Graph) -> Hints:
    """What helps to guess what the network is for, and how pictures enter it."""
    shown = [f"{key} {value}" for key, value in graph.metadata.items() if len(value) < 200]
    words = " ".join((graph.name, graph.notes, *shown, *graph.inputs))
    return Hints(
        words[:_MOST_WORDS],
        graph.metadata,
        _opening(graph),
        frozenset(node.kind for node in graph.nodes),
        _endings(graph),
        next(iter(graph.inputs), "") in graph.whole_inputs,
        _is_wide(next(iter(graph.inputs.values()), ())),
    )


def _is_wide(dims: tuple[int | str, ...]) -> bool:
    """Whether the columns of a picture of these dims are left open; channels may come last."""
    if len(dims) > 1 and dims[-1] in (1, 3):
        dims = dims[:-1]
    return isinstance(dims[-1] if dims else 0, str)


def _endings(graph: Graph) -> frozenset[str]:
    """What the outputs are made by, beside what moves them."""
    made = {name: node for node in graph.nodes for name in node.outputs}
    found = set()
    for name in graph.outputs:
        node = made.get(name)
        for _ in graph.nodes:
            if node is None or node.kind not in _PASSED or not node.inputs:
                break
            node = made.get(node.inputs[0])
        if node is not None:
            found.add(node.kind)
    return frozenset(found)


def _opening(graph: Graph) -> tuple[str, float]:
    """What is done first to every value of the first input, beside moving it."""
    names = set(list(graph.inputs)[:1])
    for node in graph.nodes:
        if not names.intersection(node.inputs):
            continue
        if node.kind in _PASSED:
            names.update(node.outputs)
        elif node.kind in _SCALES:
            if node.kind == "ImageScaler":
                scale = node.attributes.get("scale")
                return "Mul", scale if isinstance(scale, float) else 1.0
            return node.kind, _largest(graph, node)
        else:
            return "", 0.0
    return "", 0.0


def _largest(graph: Graph, node: Node) -> float:
    """The largest number among a node's constants; of a batch norm among its means."""
    inputs = node.inputs[3:4] if node.kind == "BatchNormalization" else node.inputs
    sizes = [
        float(np.abs(np.asarray(graph.constants[name], np.float64)).max())
        for name in inputs
        if name in graph.constants and graph.constants[name].size
    ]
    return max(sizes, default=0.0)
