"""Functions that are a pair with a constant: roots, exponentials, remainders; and choices."""

from __future__ import annotations

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.registry import Node, Unsupported, Value, translates
from ftdist.network.onnx.translators.pairs import paired
from ftdist.network.onnx.views import Tensor

Given = list[Value | None]


@translates("Mod")
def _modulo(building: Building, node: Node, given: Given) -> Value:
    return paired(building, "remainder" if node.integer("fmod") else "modulo", given[0], given[1])


@translates("Where")
def _where(building: Building, node: Node, given: Given) -> Value:
    condition, first, second = given
    if not isinstance(condition, Tensor):
        raise Unsupported("the condition is a constant")
    one = paired(building, "where", first, condition)
    return paired(building, "add", one, paired(building, "unless", second, condition))


@translates("Sqrt")
def _root(building: Building, node: Node, given: Given) -> Value:
    return paired(building, "power", given[0], np.array(0.5, np.float32))


@translates("Reciprocal")
def _reciprocal(building: Building, node: Node, given: Given) -> Value:
    return paired(building, "divide", np.array(1, np.float32), given[0])


@translates("Exp")
def _exponential(building: Building, node: Node, given: Given) -> Value:
    return paired(building, "power", np.array(np.e, np.float32), given[0])


@translates("Not")
def _not(building: Building, node: Node, given: Given) -> Value:
    return paired(building, "equal", given[0], np.array(0, np.float32))
