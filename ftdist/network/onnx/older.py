"""Nodes as ONNX's first opsets (1 to 6) had them, said as opset 7 says them.

Until then broadcasting was asked for by an attribute, and `axis` said along which dim of the first
value the second one lies; shapes, scales and repeats were attributes too. Operators that were on
trial then, and that converters from Core ML write still, are said by those that came to stay.

Sources: ONNX's Changelog.md, Broadcasting.md as of opset 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ftdist.network.onnx.nodes import Array, Node, Unsupported
from ftdist.network.onnx.views import Tensor

_PAIRS = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")

_NUMBERS = {
    "FLOAT": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BOOL": 9,
    "FLOAT16": 10, "DOUBLE": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip
"""ONNX's numbers of types by their names."""

Values = Mapping[str, Any]


class _Renewal:
    """The nodes that take the place of one, and the constants that they read."""

    def __init__(self, node: Node, values: Values) -> None:
        self.node, self._values = node, values
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}

    def shape(self, at: int) -> tuple[int, ...] | None:
        """The shape of an input; None where that is not known, or no input is there."""
        if at >= len(self.node.inputs):
            return None
        value = self._values.get(self.node.inputs[at])
        return value.shape if isinstance(value, Tensor | np.ndarray) else None

    def array(self, at: int) -> Array | None:
        """An input that is a constant."""
        value = self._values.get(self.node.inputs[at]) if at < len(self.node.inputs) else None
        return value if isinstance(value, np.ndarray) else None

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        name = f"{self.node.outputs[0]} <{len(self.constants)}>"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node before the last one."""
        made = f"{self.node.outputs[0]} <node {len(self.nodes)}>"
        given = {"opset": 7, **attributes}
        self.nodes.append(Node(self.node.name, kind, inputs, (made,), given))
        return made

    def last(self, kind: str, *inputs: str, **attributes: Any) -> None:
        """The node that makes what the old one does."""
        given = {"opset": 7, **attributes}
        self.nodes.append(replace(self.node, kind=kind, inputs=inputs, attributes=given))

    def lengthened(self, at: int, rank: int) -> tuple[str, ...]:
        """The inputs, of which one gets dims of length 1 behind its own: it has `rank` then."""
        inputs, shape = list(self.node.inputs), self.shape(at)
        if shape is not None and len(shape) < rank:
            axes = tuple(range(len(shape), rank))
            value = self.array(at)
            if value is not None:
                inputs[at] = self.constant(np.expand_dims(value, axes), value.dtype.type)
            else:
                inputs[at] = self.add("Unsqueeze", inputs[at], axes=axes)
        return tuple(inputs)

    def same(self, *inputs: str, without: tuple[str, ...] = (), **attributes: Any) -> None:
        """The node itself, with these inputs and attributes."""
        kept = {k: v for k, v in self.node.attributes.items() if k not in without}
        given = inputs or self.node.inputs
        self.nodes.append(replace(self.node, inputs=given, attributes={**kept, **attributes}))


def renewed(node: Node, values: Values) -> tuple[list[Node], dict[str, Array]]:
    """The nodes of opset 7 or newer that a node becomes, mostly itself, and constants they read.

    `values` are those of what it reads. Attributes tell old nodes, as files do not always say
    their opset rightly.
    """
    renew = _RENEWED.get(node.kind)
    if renew is None or not node.outputs:
        return [node], {}
    renewal = _Renewal(node, values)
    try:
        renew(renewal)
    except (Unsupported, TypeError, ValueError, IndexError):  # the node's translator says why
        return [node], {}
    return (renewal.nodes, renewal.constants) if renewal.nodes else ([node], {})


def _is_old(renewal: _Renewal) -> bool:
    return renewal.node.integer("opset", 13) < 7


def _pair(renewal: _Renewal) -> None:
    """The second value lies along the first one's dims from `axis` on, without it the last ones."""
    node, first, second = renewal.node, renewal.shape(0), renewal.shape(1)
    if "axis" not in node.attributes or not node.integer("broadcast", 1):
        return
    if first is None or second is None:
        return
    axis = node.integer("axis") % len(first) if first else 0
    inputs = renewal.lengthened(1, len(first) - axis) if len(second) < len(first) else node.inputs
    renewal.same(*inputs, without=("axis", "broadcast"))


def _slopes(renewal: _Renewal) -> None:
    """Slopes of PRelu are one for each channel."""
    shape, slopes = renewal.shape(0), renewal.shape(1)
    if _is_old(renewal) and shape and slopes and len(slopes) == 1 and len(shape) > 2:
        renewal.same(*renewal.lengthened(1, len(shape) - 1))


def _reshape(renewal: _Renewal) -> None:
    if "shape" in renewal.node.attributes and len(renewal.node.inputs) < 2:
        shape = renewal.constant(renewal.node.integers("shape"), np.int64)
        renewal.same(renewal.node.inputs[0], shape, without=("shape",))


def _concat(renewal: _Renewal) -> None:
    if "axis" not in renewal.node.attributes:
        renewal.same(axis=1)


def _cast(renewal: _Renewal) -> None:
    """The type may be told by its name."""
    to = renewal.node.attributes.get("to")
    if isinstance(to, str):
        renewal.same(to=_NUMBERS.get(to, 0))


def _pad(renewal: _Renewal) -> None:
    if "paddings" in renewal.node.attributes:
        renewal.same(pads=renewal.node.integers("paddings"), without=("paddings",))


def _upsample(renewal: _Renewal) -> None:
    node = renewal.node
    if "height_scale" in node.attributes:
        scales = 1.0, 1.0, node.number("height_scale", 1), node.number("width_scale", 1)
        renewal.same(scales=scales, without=("height_scale", "width_scale"))


def _tile(renewal: _Renewal) -> None:
    """How often, and along which axis."""
    shape, tiles, axis = renewal.shape(0), renewal.array(1), renewal.array(2)
    if shape is not None and tiles is not None and axis is not None:
        repeats = np.ones(len(shape), np.int64)
        repeats[int(axis.ravel()[0])] = int(tiles.ravel()[0])
        renewal.same(renewal.node.inputs[0], renewal.constant(repeats, np.int64))


def _selu(renewal: _Renewal) -> None:
    if renewal.node.integer("opset", 13) < 6:
        renewal.same(**{"alpha": 1.6732, "gamma": 1.0507, **renewal.node.attributes})


def _batch_norm(renewal: _Renewal) -> None:
    """`spatial` 0: each value of the map has moments of its own, unless those are a channel's.

    MXNet wrote it of channels' moments.
    """
    node = renewal.node
    arrays = [renewal.array(at) for at in range(1, 5)]
    if node.integer("spatial", 1) or any(each is None or each.ndim < 2 for each in arrays):
        return
    scale, bias, mean, variance = (np.asarray(each, np.float64) for each in arrays)
    factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
    scaled = renewal.add("Mul", node.inputs[0], renewal.constant(factor))
    renewal.last("Add", scaled, renewal.constant(bias - mean * factor))


def _image_scaler(renewal: _Renewal) -> None:
    node = renewal.node
    bias = np.reshape(node.attributes.get("bias", (0.0,)), (-1, 1, 1))
    scale = renewal.constant(node.number("scale", 1))
    renewal.last("Add", renewal.add("Mul", node.inputs[0], scale), renewal.constant(bias))


def _affine(renewal: _Renewal) -> None:
    node = renewal.node
    alpha, beta = (renewal.constant(node.number(*each)) for each in (("alpha", 1), ("beta", 0)))
    renewal.last("Add", renewal.add("Mul", node.inputs[0], alpha), beta)


def _scale(renewal: _Renewal) -> None:
    scale = renewal.constant(renewal.node.number("scale", 1))
    renewal.last("Mul", renewal.node.inputs[0], scale)


def _of_scaled(kind: str) -> Callable[[_Renewal], None]:
    """alpha * function(beta * x)."""

    def renew(renewal: _Renewal) -> None:
        node = renewal.node
        alpha, beta = (renewal.constant(node.number(each, 1)) for each in ("alpha", "beta"))
        made = renewal.add(kind, renewal.add("Mul", node.inputs[0], beta))
        renewal.last("Mul", made, alpha)

    return renew


def _crop(renewal: _Renewal) -> None:
    """`border` is left, top, right, bottom; `scale` the height and width that are left instead."""
    node, shape = renewal.node, renewal.shape(0)
    border = node.integers("border")
    if shape is None or len(shape) != 4 or len(border) != 4:
        return
    left, top, right, bottom = border
    size = node.integers("scale")
    ends = (top + size[0], left + size[1]) if size else (shape[2] - bottom, shape[3] - right)
    renewal.last("Slice", node.inputs[0], axes=(2, 3), starts=(top, left), ends=ends)


_RENEWED: dict[str, Callable[[_Renewal], None]] = {
    **dict.fromkeys(_PAIRS, _pair),
    "PRelu": _slopes,
    "Reshape": _reshape,
    "Concat": _concat,
    "Cast": _cast,
    "Pad": _pad,
    "Upsample": _upsample,
    "Tile": _tile,
    "Selu": _selu,
    "BatchNormalization": _batch_norm,
    "ImageScaler": _image_scaler,
    "Affine": _affine,
    "Scale": _scale,
    "ScaledTanh": _of_scaled("Tanh"),
    "ParametricSoftplus": _of_scaled("Softplus"),
    "Crop": _crop,
}
