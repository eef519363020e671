"""Convolutions between DequantizeLinear and QuantizeLinear, as quantisers write them (QDQ).

Their float meaning rounds each product, so that sums next to a tie fall to either side. Whoever
runs such files multiplies whole numbers, whose sums are exact, and scales once (QLinearConv): so is
it read here, and the values are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ftdist.network.onnx.nodes import Array, Node
from ftdist.network.onnx.views import Tensor

_GIVEN = 3
"""Value, scale and zero point."""


def of_whole_numbers(
    node: Node, made: Mapping[str, Node], values: Mapping[str, Any]
) -> tuple[Node, dict[str, Array]] | None:
    """The convolution of whole numbers that a QuantizeLinear ends, and what it reads; else None."""
    if node.kind != "QuantizeLinear" or len(node.inputs) < _GIVEN or "" in node.inputs[:_GIVEN]:
        return None
    conv = made.get(node.inputs[0])
    if conv is not None and conv.kind == "Relu" and _cuts_at_zero(values.get(node.inputs[2])):
        conv = made.get(conv.inputs[0])
    if (
        conv is None
        or conv.kind != "Conv"
        or not all(_is_number(values, n) for n in node.inputs[1:3])
    ):
        return None
    value, weights = (_dequantised(made.get(name)) for name in conv.inputs[:2])
    if value is None or weights is None or not isinstance(values.get(value.inputs[0]), Tensor):
        return None
    known = (*value.inputs[1:_GIVEN], *weights.inputs[:_GIVEN])
    if not all(_is_number(values, name) for name in known) or values[known[0]].size != 1:
        return None
    channels = values[known[2]].shape[0]
    scales = values[known[3]]
    if scales.size not in (1, channels) or (scales.size > 1 and weights.integer("axis", 1) != 0):
        return None
    bias = _whole_bias(conv, values, values[known[0]] * scales, channels)
    if bias is None:
        return None
    name = f"{node.outputs[0]} (bias)"
    inputs = (*value.inputs[:_GIVEN], *weights.inputs[:_GIVEN], *node.inputs[1:_GIVEN], name)
    attributes = {**conv.attributes, "opset": node.attributes.get("opset", 13)}
    return replace(node, kind="QLinearConv", inputs=inputs, attributes=attributes), {name: bias}


def _dequantised(node: Node | None) -> Node | None:
    """A DequantizeLinear that says all there is to say."""
    if node is None or node.kind != "DequantizeLinear" or len(node.inputs) < _GIVEN:
        return None
    return None if "" in node.inputs[:_GIVEN] or node.integer("block_size") else node


def _is_number(values: Mapping[str, Any], name: str) -> bool:
    return isinstance(values.get(name), np.ndarray)


def _cuts_at_zero(zero: Any) -> bool:
    """Whether whole numbers of that zero point mean nothing below 0."""
    if not isinstance(zero, np.ndarray) or zero.dtype.kind not in "iu" or zero.size != 1:
        return False
    return int(zero.reshape(-1)[0]) == np.iinfo(zero.dtype).min


def _whole_bias(conv: Node, values: Mapping[str, Any], scale: Array, channels: int) -> Array | None:
    """The bias in parts of the products' scale; None where it is not known."""
    if len(conv.inputs) < _GIVEN or not conv.inputs[2]:
        return np.zeros(channels, np.float32)
    bias = values.get(conv.inputs[2])
    if not isinstance(bias, np.ndarray):
        return None
    with np.errstate(all="ignore"):
        parts = np.rint(bias.astype(np.float64) / scale.astype(np.float64).reshape(-1))
    return parts.astype(np.float32) if np.isfinite(parts).all() else None
