"""Layers of constants: operators that are otherwise run, where all they read is known.

Weights that are normalised whenever a network runs, or positions that are encoded by a convolution,
are constants all the same. They are computed at import, by the reference implementation of the
package ``onnx``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftdist.extras import needing
from ftdist.network.onnx.nodes import Array, Node, Unsupported

MOST_PRODUCTS = 1 << 33
"""The most multiplications that a layer of constants may take: seconds."""

LAYERS = frozenset(
    (
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization"),
        *("GroupNormalization", "RMSNormalization", "LpNormalization", "LRN"),
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
        *("LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "ThresholdedRelu"),
        *("HardSigmoid", "HardSwish", "Softsign", "LogSoftmax", "DepthToSpace", "SpaceToDepth"),
    )
)
"""Operators that make no more values than they read, or as many times more as weights say."""


def computed_layer(node: Node, given: Sequence[Array | None]) -> list[Array]:
    """What a layer makes of constants; Unsupported when it makes no sense, or takes too long."""
    with needing("computing layers of constants", "onnx", "onnx"):
        from onnx import TypeProto, helper
        from onnx.defs import onnx_opset_version
        from onnx.reference import ReferenceEvaluator

    if node.kind in ("Conv", "ConvTranspose"):
        _refuse_long(node, given)
    names = [f"i{at}" if each is not None else "" for at, each in enumerate(given)]
    outputs = [f"o{at}" if name else "" for at, name in enumerate(node.outputs)]
    attributes: dict[str, Any] = dict(node.attributes)
    opset = attributes.pop("opset", onnx_opset_version())
    graph = helper.make_graph(
        [helper.make_node(node.kind, names, outputs, **attributes)],
        node.kind,
        [helper.make_value_info(name, TypeProto()) for name in names if name],
        [helper.make_value_info(name, TypeProto()) for name in outputs if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    feeds = {name: each for name, each in zip(names, given, strict=True) if each is not None}
    found = ReferenceEvaluator(model).run([each for each in outputs if each], feeds)
    results = iter(found)
    return [next(results) if each else None for each in outputs]  # type: ignore[misc]


def _refuse_long(node: Node, given: Sequence[Array | None]) -> None:
    source, weights = given[:2]
    if source is None or weights is None or source.ndim < 3 or 0 in source.shape:
        raise Unsupported("makes no sense of its constants")
    products = source.size // source.shape[1] * weights.size
    if products > MOST_PRODUCTS:
        raise Unsupported(f"takes {products} multiplications of constants")
