"""onnxruntime's own operators that put several of ONNX's together, as files that it optimised have
them (levels basic and extended): a product or a convolution with the function of its result.

Source: ContribOperators.md of onnxruntime.
"""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.views import Tensor

_DOMAIN = "com.microsoft."
_QUICK = 1.702

Given = list[Value | None]

_PARAMETERS = {
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Elu": ("alpha",),
    "Selu": ("alpha", "gamma"),
}
"""What the parameters of an activation are called, in their order."""

_PLAIN = ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish")


def _own(name: str) -> str:
    return f"{_DOMAIN}{name}"


@translates(_own("QuickGelu"))
def _quick(building: Building, node: Node, given: Given) -> Value:
    return made(building, "Swish", given, {"alpha": node.number("alpha", _QUICK)})


@translates(_own("BiasGelu"), _own("FastGelu"))
def _biased(building: Building, node: Node, given: Given) -> Value:
    value: Value | None = given[0]
    if len(given) > 1 and given[1] is not None:
        value = made(building, "Add", given[:2])
    exact = node.kind == _own("BiasGelu")
    return made(building, "Gelu", [value], {"approximate": "none" if exact else "tanh"})


@translates(_own("SkipLayerNormalization"))
def _norm_of_a_sum(building: Building, node: Node, given: Given) -> list[Value]:
    """Its fourth output is the sum."""
    total = made(building, "Add", given[:2])
    if len(given) > 4 and given[4] is not None:
        total = made(building, "Add", [total, given[4]])
    if any(name for name in node.outputs[1:3]):
        raise Unsupported("its mean and deviation, which only training reads")
    how = {"axis": -1, "epsilon": node.number("epsilon", 1e-12)}
    norm = made(building, "LayerNormalization", [total, *given[2:4]], how)
    found: list[Value] = [norm, norm, norm, total]
    return found[: len(node.outputs)]


@translates(_own("FusedConv"))
def _convolution(building: Building, node: Node, given: Given) -> Value:
    """A fourth input is added to what the convolution makes."""
    word, parameters = node.word("activation", ""), node.attributes.get("activation_params", ())
    found = made(building, "Conv", given[:3], _without(node, "activation", "activation_params"))
    if len(given) > 3 and given[3] is not None:
        found = made(building, "Add", [found, given[3]])
    return _activated(building, found, word, list(parameters))


@translates(_own("FusedGemm"))
def _gemm(building: Building, node: Node, given: Given) -> Value:
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    parameters = [node.attributes[name] for name in names if name in node.attributes]
    found = made(building, "Gemm", given, _without(node, "activation", *names))
    return _activated(building, found, node.word("activation", ""), parameters)


@translates(_own("FusedMatMul"), _own("TransposeMatMul"))
def _matmul(building: Building, node: Node, given: Given) -> Value:
    if node.integer("transBatchA") or node.integer("transBatchB"):
        raise Unsupported("transBatchA or transBatchB")
    operands: Given = [
        _turned(building, value) if node.integer(name) else value
        for value, name in zip(given, ("transA", "transB"), strict=True)
    ]
    found = made(building, "MatMul", operands)
    factor = np.array(node.number("alpha", 1.0), np.float32)
    return found if factor == 1 else made(building, "Mul", [found, factor])


def _turned(building: Building, value: Value | None) -> Value | None:
    """With the last two dims the other way round."""
    if not isinstance(value, Tensor):
        return None if value is None else value.swapaxes(-1, -2)
    order = [*range(value.rank - 2), value.rank - 1, value.rank - 2]
    return made(building, "Transpose", [value], {"perm": order})


def _without(node: Node, *names: str) -> dict[str, object]:
    return {name: each for name, each in node.attributes.items() if name not in names}


def _activated(building: Building, value: Tensor, word: str, parameters: list[float]) -> Tensor:
    if not word:
        return value
    if word in _PLAIN:
        return made(building, word, [value])
    if word == "Clip":
        ends: Given = [np.array(each, np.float32) for each in parameters]
        return made(building, "Clip", [value, *ends])
    if word not in _PARAMETERS:
        raise Unsupported(f"activation: {word}")
    return made(building, word, [value], dict(zip(_PARAMETERS[word], parameters, strict=False)))
