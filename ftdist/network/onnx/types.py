"""Types of values: maps hold floats whatever they are, so what is whole or true is remembered here.

Few operators ask: a division of whole numbers is cut, a cast from what is whole already does
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftdist.network.onnx.nodes import Array, Node

FLOAT, INT64, TRUTH, FLOAT16 = 1, 7, 9, 10

_BY_DTYPE = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
"""ONNX's numbers by NumPy's names."""

_TRUTHS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not")
_PLACES = ("ArgMax", "ArgMin", "Shape", "Size", "NonZero", "NonMaxSuppression")


def type_of(array: Array) -> int:
    """ONNX's number of a constant's type, 0 for types that it has no number for here."""
    return _BY_DTYPE.get(np.asarray(array).dtype.name, 0)


def result_types(node: Node, count: int) -> Sequence[int]:
    """The type of each of `count` results, by those of what the node reads."""
    first = node.type_of(0)
    if node.kind in _TRUTHS:
        return (TRUTH,) * count
    if node.kind in _PLACES:
        return (INT64,) * count
    if node.kind == "Cast":
        return (node.integer("to"),) * count
    if node.kind == "ConstantOfShape":
        value = node.attributes.get("value")
        return (FLOAT if value is None else type_of(value),) * count
    if node.kind in ("Where", "CastLike"):
        return (node.type_of(1),) * count
    if node.kind in ("TopK", "MaxPool"):
        return (first, INT64)[:count]
    if node.kind == "Dropout":
        return (first, TRUTH)[:count]
    if node.kind == "DequantizeLinear":
        return (FLOAT,) * count
    if node.kind == "QuantizeLinear":
        return (node.type_of(2) or node.integer("output_dtype") or 2,) * count
    return (first,) * count
