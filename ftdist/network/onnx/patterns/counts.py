"""The smaller or larger of counts, which exporters cast to floats and back.

Before opset 12 Min and Max are of floats alone, so "the best hundred, or as many as there are" is a
count that becomes a float, the smaller of it and a hundred, and a whole number again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ftdist.network.onnx.lists import Lengths
from ftdist.network.onnx.nodes import Array, Node

_FLOATS, _WHOLE = (1, 11), (6, 7)


def of_counts(
    node: Node, made: Mapping[str, Node], values: Mapping[str, Any]
) -> tuple[Node, dict[str, Array]] | None:
    """The Min or Max of whole numbers that a Cast is the end of, and constants that it reads."""
    inner = made.get(node.inputs[0]) if node.kind == "Cast" and node.inputs else None
    if inner is None or inner.kind not in ("Min", "Max") or node.integer("to") not in _WHOLE:
        return None
    inputs: list[str] = []
    constants: dict[str, Array] = {}
    for name in inner.inputs:
        value, before = values.get(name), made.get(name)
        if isinstance(value, np.ndarray):
            if not (np.isfinite(value) & (value == np.round(value))).all():
                return None
            inputs.append(f"{node.outputs[0]} ({len(constants)})")
            constants[inputs[-1]] = value.astype(np.int64)
        elif before is not None and before.kind == "Cast" and before.integer("to") in _FLOATS:
            inputs.append(before.inputs[0])
            if not isinstance(values.get(inputs[-1]), Lengths):
                return None
        else:
            return None
    found = Node(node.name, inner.kind, tuple(inputs), node.outputs, inner.attributes)
    return found, constants
