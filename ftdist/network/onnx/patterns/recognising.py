"""The nodes that a node becomes which is the last one of a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.nodes import Array, Node, Unsupported
from ftdist.network.onnx.patterns.activations import Named, activation
from ftdist.network.onnx.patterns.expressions import Expressions, Unlike
from ftdist.network.onnx.patterns.norms import norm
from ftdist.network.onnx.patterns.quantised import of_whole_numbers
from ftdist.network.onnx.views import Tensor

_SINGLE = ("Add", "Sub", "Mul", "Div", "Max", "Reciprocal")
_BY_CHANNELS = ("InstanceNormalization", "GroupNormalization")
_BROADCAST = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")


_UNLIKE = (
    *(Unsupported, Unlike, LookupError, ValueError, TypeError, ArithmeticError, RecursionError),
)
"""What nodes bring about that are no pattern, or make no sense."""


class Recogniser:
    """Reads the nodes of a graph, of which `values` have what is known so far."""

    def __init__(self, nodes: list[Node], values: Mapping[str, Any]) -> None:
        self._made = {name: node for node in nodes for name in node.outputs if name}
        self._values = values
        self._given = Expressions(self._made, self._constant, self._shape)

    def know(self, node: Node) -> None:
        """A node in the place of another that made the same, or before it."""
        self._made.update((name, node) for name in node.outputs if name)

    def _constant(self, name: str) -> NDArray[np.float64] | None:
        value = self._values.get(name)
        is_number = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        return np.asarray(value, np.float64) if is_number else None

    def _shape(self, name: str) -> tuple[int, ...] | None:
        value = self._values.get(name)
        return value.shape if isinstance(value, Tensor | np.ndarray) else None

    def become(self, node: Node) -> tuple[list[Node], dict[str, Array]]:
        """The nodes that take the place of a node, often itself, and constants that they read."""
        try:
            return self._become(node)
        except _UNLIKE:  # if it makes no sense, its translator says why
            return [node], {}

    def _become(self, node: Node) -> tuple[list[Node], dict[str, Array]]:
        whole = of_whole_numbers(node, self._given.made, self._values)
        if whole is not None:
            return [whole[0]], whole[1]
        node = self._unexpanded(node)
        if node.kind not in _SINGLE or len(node.outputs) != 1 or self._computed(node):
            return [node], {}
        found = norm(self._given, node) or activation(self._given, node)
        if found is None or not self._suits(node, found):
            return [node], {}
        return self._norm(node, found) if found.kind == "Norm" else self._named(node, found)

    def _computed(self, node: Node) -> bool:
        return all(self._constant(name) is not None for name in node.inputs)

    def _suits(self, node: Node, found: Named) -> bool:
        """Whether the result has the shape of the value, and both are what the input makes."""
        shapes = [self._shape(name) for name in node.inputs]
        shape = self._shape(found.value)
        if shape is None or None in shapes or not isinstance(self._values[found.value], Tensor):
            return False
        return np.broadcast_shapes(*(each for each in shapes if each is not None)) == shape

    def _unexpanded(self, node: Node) -> Node:
        """A node that reads what others expand, which it would do itself."""
        if node.kind not in _BROADCAST or len(node.inputs) != 2:
            return node
        inputs = list(node.inputs)
        for at in (0, 1):
            before = self._given.made.get(inputs[at])
            if before is None or before.kind != "Expand":
                continue
            small, large = self._shape(before.inputs[0]), self._shape(inputs[at])
            other = self._shape(inputs[1 - at])
            if None in (small, large, other):
                continue
            try:
                if np.broadcast_shapes(small, other) == np.broadcast_shapes(large, other):  # type: ignore[arg-type]
                    inputs[at] = before.inputs[0]
            except ValueError:
                continue
        return replace(node, inputs=tuple(inputs))

    def _named(self, node: Node, found: Named) -> tuple[list[Node], dict[str, Array]]:
        constants = {
            f"{node.outputs[0]} ({at})": each.astype(np.float32)
            for at, each in enumerate(found.constants)
        }
        attributes = {"opset": node.attributes.get("opset", 13), **found.attributes}
        inputs = (found.value, *constants)
        return [replace(node, kind=found.kind, inputs=inputs, attributes=attributes)], constants

    def _channels(self, name: str) -> int:
        """Which dim of a value of three or more has its map's channels; 0 for none."""
        value = self._values[name]
        found = [at for at, dim in enumerate(value.dims) if {each.axis for each in dim} == {"c"}]
        return found[0] if len(found) == 1 and value.rank > 2 else 0

    def _norm(self, node: Node, found: Named) -> tuple[list[Node], dict[str, Array]]:
        """Layer norm over the dims that are last, instance or group norm over channels' maps.

        Over other dims they are brought to the end first, and back afterwards: views, no work.
        """
        shape = self._values[found.value].shape
        rank, axes = len(shape), found.attributes["axes"]
        assert isinstance(axes, tuple)
        scale, bias = found.constants
        rest = [axis for axis in range(rank) if axis not in axes]
        varying = {axis for each in found.constants for axis in range(rank) if each.shape[axis] > 1}
        alone = shape[0] == 1 and rest[:1] == [0]
        channels = self._channels(found.value)
        if not found.attributes["centered"]:
            if not varying <= set(axes):
                return [node], {}
            kind, order, first = "RMSNormalization", (*rest, *axes), len(rest)
            size = tuple(shape[axis] for axis in axes)
        elif alone and axes == tuple(range(1, rank)) and channels and varying <= {channels}:
            others = [axis for axis in range(1, rank) if axis != channels]
            kind, order, first = "GroupNormalization", (0, channels, *others), 2
            size = (shape[channels],)
        elif alone and len(rest) == 2 and len(axes) > 1 and varying <= {rest[1]}:
            # Each channel has moments of its own.
            kind, order, first = "InstanceNormalization", (*rest, *axes), 2
            size = (shape[rest[1]],)
        elif varying <= set(axes):
            kind, order, first = "LayerNormalization", (*rest, *axes), len(rest)
            size = tuple(shape[axis] for axis in axes)
        else:
            return [node], {}
        arrays = [_spread(each, shape, order, first, kind, size) for each in (scale, bias)]
        return _moved(node, found, kind, order, first, arrays)


def _spread(
    array: Array,
    shape: tuple[int, ...],
    order: tuple[int, ...],
    first: int,
    kind: str,
    size: tuple[int, ...],
) -> Array:
    """The numbers of a scale as the operator wants them."""
    moved = array.transpose(order)
    own = moved.shape[1:2] if kind in _BY_CHANNELS else moved.shape[first:]
    return np.broadcast_to(moved.reshape(own), size).astype(np.float32)


def _moved(
    node: Node, found: Named, kind: str, order: tuple[int, ...], first: int, arrays: list[Array]
) -> tuple[list[Node], dict[str, Array]]:
    result, opset = node.outputs[0], node.attributes.get("opset", 13)
    before, after = f"{result} (moved)", f"{result} (normalized)"
    constants = {f"{result} (scale)": arrays[0], f"{result} (bias)": arrays[1]}
    back = tuple(int(each) for each in np.argsort(order))
    attributes = {
        "opset": opset,
        "epsilon": found.attributes["epsilon"],
        "axis": first,
        "num_groups": 1,
    }
    if kind == "RMSNormalization":
        del constants[f"{result} (bias)"]
    names = (before, *constants)
    return [
        Node(node.name, "Transpose", (found.value,), (before,), {"opset": opset, "perm": order}),
        Node(node.name, kind, names, (after,), attributes),
        Node(node.name, "Transpose", (after,), (result,), {"opset": opset, "perm": back}),
    ], constants
