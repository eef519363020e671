"""Nodes that read constants only, computed here and now: shape arithmetic, folded weights.

Sizes are fixed when a file is imported, so everything that is computed from shapes is known. What a
node would make is bounded: a file may claim any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ftdist.network.onnx.constant_layers import LAYERS, computed_layer
from ftdist.network.onnx.constant_maths import COMPUTED, MOST_VALUES, Compute, axes_of
from ftdist.network.onnx.nodes import Array, Node, Unsupported
from ftdist.network.onnx.types import FLOAT

_TYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
    16: np.float32,
}  # fmt: skip
"""NumPy's types by ONNX's numbers."""


def computes(kind: str) -> bool:
    return kind in _COMPUTED or kind in LAYERS


def computed(node: Node, given: Sequence[Array | None]) -> list[Array]:
    """What a node makes of constants; Unsupported when it makes no sense, or too much."""
    try:
        with np.errstate(all="ignore"):
            if node.kind in LAYERS:
                return computed_layer(node, given)
            found = _COMPUTED[node.kind](node, list(given))
    except (Unsupported, MemoryError):
        raise
    except Exception as error:  # whatever a hostile file makes NumPy raise
        raise Unsupported(f"makes no sense of its constants ({type(error).__name__})") from None
    results = found if isinstance(found, list) else [found]
    return [np.asarray(each) for each in results]


def shape_of(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What Shape says of a shape: all of it, or the lengths between start and end."""
    return shape[node.integer("start") : node.attributes.get("end")]


def _bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape that is not too large; Unsupported for others."""
    lengths = tuple(int(each) for each in shape)
    if any(each < 0 for each in lengths) or math.prod(lengths) > MOST_VALUES or len(lengths) > 16:
        raise Unsupported(f"claims a shape of {lengths[:16]}")
    return lengths


def _broadcast(function: Callable[..., Any]) -> Compute:
    def compute(node: Node, given: list[Any]) -> Any:
        arrays = [each for each in given if each is not None]
        _bounded(np.broadcast_shapes(*(each.shape for each in arrays)))
        result = arrays[0]
        if len(arrays) == 1:
            return function(result)
        for each in arrays[1:]:
            result = function(result, each)
        return result

    return compute


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(a / b).astype(a.dtype))
    return np.asarray(a / b)


def _cast(node: Node, given: list[Any]) -> Array:
    if given[0].dtype == np.float16 and node.integer("to") == FLOAT:
        return np.asarray(given[0])  # widened by whoever reads it
    return np.asarray(given[0].astype(_TYPES[node.integer("to")]))


def _reshape(node: Node, given: list[Any]) -> Array:
    shape = node.integers("shape") or tuple(int(each) for each in given[1])
    if not node.integer("allowzero"):
        shape = tuple(given[0].shape[at] if n == 0 else n for at, n in enumerate(shape))
    return np.asarray(given[0].reshape(shape))


def _unsqueeze(node: Node, given: list[Any]) -> Array:
    return np.asarray(np.expand_dims(given[0], axes_of(node, given)))


def _squeeze(node: Node, given: list[Any]) -> Array:
    return np.asarray(np.squeeze(given[0], axes_of(node, given) or None))


def _slice(node: Node, given: list[Any]) -> Array:
    if len(given) > 1:
        given = [None if each is None else np.atleast_1d(each) for each in given]
        starts, ends = given[1], given[2]
        axes = given[3] if len(given) > 3 and given[3] is not None else range(len(starts))
        steps = given[4] if len(given) > 4 and given[4] is not None else [1] * len(starts)
    else:
        starts, ends = node.integers("starts"), node.integers("ends")
        axes, steps = node.integers("axes") or range(len(starts)), [1] * len(starts)
    place = [slice(None)] * given[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        place[int(axis)] = slice(int(start), None if end < -(1 << 31) else int(end), int(step))
    return np.asarray(given[0][tuple(place)])


def _gather(node: Node, given: list[Any]) -> Array:
    axis = node.integer("axis")
    _bounded((*given[1].shape, *np.delete(given[0].shape, axis)))
    return np.asarray(np.take(given[0], given[1], axis))


def _range(node: Node, given: list[Any]) -> Array:
    start, limit, step = (each.reshape(()) for each in given)
    count = max(0, math.ceil((float(limit) - float(start)) / float(step)))
    _bounded((count,))
    return np.asarray(start + np.arange(count, dtype=start.dtype) * step, start.dtype)


def _constant_of_shape(node: Node, given: list[Any]) -> Array:
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    # Of whatever size it takes a few bytes, until somebody needs its values.
    return np.broadcast_to(value, _bounded(given[0].tolist()))


def _expand(node: Node, given: list[Any]) -> Array:
    shape = _bounded(np.broadcast_shapes(given[0].shape, tuple(int(n) for n in given[1])))
    return np.broadcast_to(given[0], shape)


def _tile(node: Node, given: list[Any]) -> Array:
    repeats = tuple(int(each) for each in given[1])
    _bounded([a * b for a, b in zip(given[0].shape, repeats, strict=True)])
    return np.tile(given[0], repeats)


def _concatenate(node: Node, given: list[Any]) -> Array:
    axis = node.integer("axis")
    _bounded([sum(each.size for each in given)])
    return np.concatenate(given, axis)


def _split(node: Node, given: list[Any]) -> list[Array]:
    axis, length = node.integer("axis"), given[0].shape[node.integer("axis")]
    sizes = node.integers("split")
    if len(given) > 1 and given[1] is not None:
        sizes = tuple(int(each) for each in given[1])
    if not sizes:
        each = -(-length // len(node.outputs))
        sizes = tuple(min(each, length - at * each) for at in range(len(node.outputs)))
    return [np.asarray(each) for each in np.split(given[0], np.cumsum(sizes)[:-1], axis)]


def _pad(node: Node, given: list[Any]) -> Array:
    pads = node.integers("pads") or tuple(int(each) for each in given[1])
    axes = given[3] if len(given) > 3 and given[3] is not None else range(given[0].ndim)
    pairs = [(0, 0)] * given[0].ndim
    for at, axis in enumerate(axes):
        pairs[int(axis)] = pads[at], pads[at + len(axes)]
    _bounded([n + a + b for n, (a, b) in zip(given[0].shape, pairs, strict=True)])
    mode = node.word("mode", "constant")
    if mode in ("edge", "reflect", "wrap"):
        return np.asarray(np.pad(given[0], pairs, mode))  # type: ignore[call-overload]
    value = given[2].reshape(()) if len(given) > 2 and given[2] is not None else 0
    return np.pad(given[0], pairs, constant_values=value)


def _constant(node: Node, given: list[Any]) -> Array:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            found = node.attributes[name]
            kind = {"f": np.float32, "i": np.int64}.get(name.removeprefix("value_")[:1])
            return np.asarray(found, None if name == "value" else kind)
    raise Unsupported("a constant without numbers")


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), x.dtype)


_COMPUTED: dict[str, Compute] = {
    **COMPUTED,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": lambda node, given: given[0],
    "Dropout": lambda node, given: given[0],
    "Cast": _cast,
    "Reshape": _reshape,
    "Transpose": lambda node, given: np.transpose(given[0], node.integers("perm") or None),
    "Flatten": lambda node, given: given[0].reshape(
        math.prod(given[0].shape[: node.integer("axis", 1)]), -1
    ),
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Slice": _slice,
    "Gather": _gather,
    "Range": _range,
    "Expand": _expand,
    "Tile": _tile,
    "Concat": _concatenate,
    "Split": _split,
    "Pad": _pad,
    "Shape": lambda node, given: np.array(shape_of(node, given[0].shape), np.int64),
    "Size": lambda node, given: np.int64(given[0].size),
    "NonZero": lambda node, given: np.array(np.nonzero(given[0]), np.int64),
    "Where": lambda node, given: np.where(given[0], *np.broadcast_arrays(*given[1:])),
    "Add": _broadcast(np.add),
    "Sub": _broadcast(np.subtract),
    "Mul": _broadcast(np.multiply),
    "Div": _broadcast(_divide),
    "Pow": _broadcast(np.power),
    "Sum": _broadcast(np.add),
    "Xor": _broadcast(np.logical_xor),
    "GreaterOrEqual": _broadcast(np.greater_equal),
    "LessOrEqual": _broadcast(np.less_equal),
    "Min": _broadcast(np.minimum),
    "Max": _broadcast(np.maximum),
    "Equal": _broadcast(np.equal),
    "Less": _broadcast(np.less),
    "Greater": _broadcast(np.greater),
    "And": _broadcast(np.logical_and),
    "Or": _broadcast(np.logical_or),
    "Not": _broadcast(np.logical_not),
    "Neg": _broadcast(np.negative),
    "Abs": _broadcast(np.abs),
    "Sqrt": _broadcast(np.sqrt),
    "Exp": _broadcast(np.exp),
    "Log": _broadcast(np.log),
    "Floor": _broadcast(np.floor),
    "Ceil": _broadcast(np.ceil),
    "Round": _broadcast(np.round),
    "Reciprocal": _broadcast(np.reciprocal),
    "Relu": _broadcast(lambda x: np.maximum(x, 0)),
    "Sigmoid": _broadcast(_sigmoid),
    "Tanh": _broadcast(np.tanh),
}
