"""Attention as one operator (opset 23), which exporters write where older files spell it out."""

from __future__ import annotations

import math

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Node, Unsupported, Value
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.types import TRUTH
from ftdist.network.onnx.views import Tensor, transposed

Given = list[Value | None]

_KNOWN = {
    *("is_causal", "kv_num_heads", "opset", "q_num_heads", "qk_matmul_output_mode", "scale"),
    *("softcap", "softmax_precision"),
}

_NEVER = np.float32(-1e30)
"""What is added to the score of a place that must not be looked at."""


@translates("Attention")
def _attention(building: Building, node: Node, given: Given) -> Value:
    """Shares of values (batch, heads, places, depth), or with all heads side by side."""
    if any(each is not None for each in given[4:]) or any(node.outputs[1:]):
        raise Unsupported("past_key, past_value and what is handed on of them: leave them out")
    beyond = sorted({*node.attributes} - _KNOWN)
    if node.number("softcap", 0.0) or beyond:
        raise Unsupported(f"{(*beyond, 'softcap')[0]}: attention without it is supported")
    read = [building.tensor(given[at], name) for at, name in enumerate(("Q", "K", "V"))]
    query, key, value = (
        _heads(building, each, node.integer(name))
        for each, name in zip(read, ("q_num_heads", *("kv_num_heads",) * 2), strict=True)
    )
    groups = query.shape[1] // max(1, key.shape[1])
    key, value = (_repeated(building, each, groups) for each in (key, value))
    scale = node.number("scale", 0.0) or 1 / math.sqrt(query.shape[-1])
    query = made(building, "Mul", [query, np.array(scale, np.float32)])
    scores = made(building, "MatMul", [query, transposed(key, (0, 1, 3, 2))])
    scores = _masked(building, node, scores, (*given, None)[3])
    shares = made(building, "Softmax", [scores], {"axis": -1})
    found = made(building, "MatMul", [shares, value])
    if read[0].rank == 4:
        return found
    batch, heads, places, depth = found.shape
    return building.reshaped(transposed(found, (0, 2, 1, 3)), (batch, places, heads * depth))


def _heads(building: Building, value: Tensor, heads: int) -> Tensor:
    """With a dim for the heads: (batch, heads, places, depth)."""
    if value.rank == 4:
        return value
    if value.rank != 3 or heads < 1 or value.shape[2] % heads:
        raise Unsupported(f"{heads} heads of {value.shape}")
    batch, places, depth = value.shape
    wide = building.reshaped(value, (batch, places, heads, depth // heads))
    return transposed(wide, (0, 2, 1, 3))


def _repeated(building: Building, value: Tensor, groups: int) -> Tensor:
    """Each head so often: several queries look by the same one."""
    if groups == 1:
        return value
    batch, heads, places, depth = value.shape
    wide = Tensor(value.step, (*value.dims[:2], (), *value.dims[2:]))
    wide = building.expanded(wide, (batch, heads, groups, places, depth))
    return building.reshaped(wide, (batch, heads * groups, places, depth))


def _masked(building: Building, node: Node, scores: Tensor, mask: Value | None) -> Tensor:
    """Scores with a mask of truths, or of numbers that are added, and without what is to come."""
    rows, columns = scores.shape[-2:]
    if mask is not None and mask.shape[-1] != columns:
        raise Unsupported(f"attn_mask: {mask.shape} beside {scores.shape}")
    if mask is not None and node.type_of(3) == TRUTH:
        scores = made(building, "Where", [mask, scores, np.array(_NEVER)])
    elif mask is not None:
        scores = made(building, "Add", [scores, _finite(mask)])
    if node.integer("is_causal"):
        later = np.triu(np.ones((rows, columns), np.float32), 1)
        scores = made(building, "Add", [scores, later * _NEVER])
    return scores


def _finite(mask: Value) -> Value:
    return np.maximum(mask, _NEVER) if isinstance(mask, np.ndarray) else mask
