"""Arithmetic on constants beside that of shapes: reductions, functions, quantised weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ftdist.network.onnx.nodes import Array, Node, Unsupported

Compute = Callable[[Node, list[Any]], Any]

MOST_VALUES = 1 << 27
"""The most values that a node may make: those of the largest weights that anybody has."""

RANGES = {2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767)}
"""The least and the most of whole numbers, by ONNX's numbers of their types."""

_DTYPES = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16}


def axes_of(node: Node, given: list[Any]) -> tuple[int, ...]:
    if len(given) > 1 and given[1] is not None:
        return tuple(int(each) for each in np.ravel(given[1]))
    return node.integers("axes")


def along(array: Array, node: Node, shape: Sequence[int]) -> Array:
    """A scale or zero point for each value of a tensor, or for each position of one of its dims."""
    array = np.asarray(array)
    block = node.integer("block_size")
    if array.size == 1 and not block:
        return array.reshape(())
    axis = node.integer("axis", 1) % len(shape)
    if block:
        return np.take(array, np.arange(shape[axis]) // block, axis)
    lengths = [1] * len(shape)
    lengths[axis] = -1
    return array.reshape(lengths)


def _reduced(function: Callable[..., Any], empty: float) -> Compute:
    """Over some axes; `empty` is what nothing comes to."""

    def compute(node: Node, given: list[Any]) -> Any:
        axes = axes_of(node, given)
        if not axes and node.integer("noop_with_empty_axes"):
            return given[0]
        x, keep = given[0], bool(node.integer("keepdims", 1))
        if x.size == 0:
            every = {axis % x.ndim for axis in axes or range(x.ndim)}
            shape = [1 if at in every else n for at, n in enumerate(x.shape)]
            made = np.full(shape, _bounded(empty, x.dtype), x.dtype)
            return made if keep else made.squeeze(tuple(every))
        found = function(x, axis=axes or None, keepdims=keep)
        return np.asarray(found, x.dtype)

    return compute


def _bounded(value: float, dtype: Any) -> Any:
    if dtype.kind == "b":
        return value > 0
    if dtype.kind in "iu" and math.isinf(value):
        return np.iinfo(dtype).max if value > 0 else np.iinfo(dtype).min
    return value


def _log_sum_exp(x: Array, axis: Any, keepdims: bool) -> Any:
    most = x.max(axis=axis, keepdims=True)
    found = np.log(np.exp(x - most).sum(axis=axis, keepdims=True)) + most
    return found if keepdims else found.squeeze(axis)


def _place(find: Callable[..., Any]) -> Compute:
    def compute(node: Node, given: list[Any]) -> Any:
        x, axis = given[0], node.integer("axis")
        if node.integer("select_last_index"):
            found = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis)
        else:
            found = find(x, axis=axis)
        return np.expand_dims(found, axis) if node.integer("keepdims", 1) else found

    return compute


def _clip(node: Node, given: list[Any]) -> Any:
    low, high = (*given, None, None)[1:3]
    low = node.attributes.get("min") if low is None else low
    high = node.attributes.get("max") if high is None else high
    found = given[0] if low is None else np.maximum(given[0], low)
    return np.asarray(found if high is None else np.minimum(found, high), given[0].dtype)


def _sums_so_far(node: Node, given: list[Any]) -> Any:
    axis = int(np.ravel(given[1])[0])
    x = np.flip(given[0], axis) if node.integer("reverse") else given[0]
    found = np.cumsum(x, axis, dtype=x.dtype)
    found = found - x if node.integer("exclusive") else found
    return np.flip(found, axis) if node.integer("reverse") else found


def _softmax(node: Node, given: list[Any]) -> Any:
    axis = node.integer("axis", -1)
    away = np.exp(given[0] - given[0].max(axis=axis, keepdims=True))
    return away / away.sum(axis=axis, keepdims=True)


def _slices(node: Node, given: list[Any]) -> Any:
    data, indices = given
    if node.integer("batch_dims"):
        raise Unsupported("batch_dims: of constants")
    return data[tuple(np.moveaxis(indices, -1, 0))]


def _one_hot(node: Node, given: list[Any]) -> Any:
    depth = int(np.ravel(given[1])[0])
    if not 0 < depth * given[0].size <= 1 << 24:
        raise Unsupported(f"depth: {depth}")
    hot = (given[0] % depth)[..., None] == np.arange(depth)
    return np.moveaxis(np.where(hot, given[2][1], given[2][0]), -1, node.integer("axis", -1))


def _triangle(node: Node, given: list[Any]) -> Any:
    diagonal = int(np.ravel(given[1])[0]) if len(given) > 1 and given[1] is not None else 0
    return (np.triu if node.integer("upper", 1) else np.tril)(given[0], diagonal)


def _dequantized(node: Node, given: list[Any]) -> Any:
    x, scale = given[0], along(given[1], node, given[0].shape)
    values = x.astype(np.float32)
    if len(given) > 2 and given[2] is not None:
        values = values - along(given[2], node, x.shape).astype(np.float32)
    return values * scale


def _quantized(node: Node, given: list[Any]) -> Any:
    x, scale = given[0], along(given[1], node, given[0].shape)
    zero = given[2] if len(given) > 2 else None
    kind = node.integer("output_dtype") or 2
    dtype = _DTYPES[kind] if zero is None else zero.dtype
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    point = 0 if zero is None else along(zero, node, x.shape).astype(np.float32)
    return np.clip(np.rint(x / scale) + point, low, high).astype(dtype)


def _quantized_by_own(node: Node, given: list[Any]) -> list[Array]:
    """Bytes, the scale for which the values just fit beside 0, and the zero point."""
    x = np.asarray(given[0], np.float32)
    low, high = min(0.0, float(x.min(initial=0))), max(0.0, float(x.max(initial=0)))
    scale = np.float32((high - low) / 255) or np.float32(1)
    point = np.clip(np.rint(np.float32(-low) / scale), 0, 255)
    whole = np.clip(np.rint(x / scale) + point, 0, 255).astype(np.uint8)
    return [whole, np.array(scale), point.astype(np.uint8)]


def _product(a: Array, b: Array) -> Any:
    rows = a.size // max(1, a.shape[-1])
    columns = b.size // max(1, b.shape[max(-2, -b.ndim)])
    if rows * columns > MOST_VALUES:
        raise Unsupported(f"claims a product of {rows} by {columns} values")
    return np.matmul(a, b)


def _general_product(node: Node, given: list[Any]) -> Any:
    a, b, *more = given
    a = a.T if node.integer("transA") else a
    b = b.T if node.integer("transB") else b
    found = np.asarray(node.number("alpha", 1.0) * _product(a, b), a.dtype)
    if not more or more[0] is None:
        return found
    return found + np.asarray(node.number("beta", 1.0) * more[0], a.dtype)


def _plain(function: Callable[[Any], Any]) -> Compute:
    return lambda node, given: np.asarray(function(given[0]), given[0].dtype)


_PUT: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _scattered(node: Node, given: list[Any]) -> Any:
    """Updates at places of the first array, one after another."""
    data, indices, updates = np.array(given[0]), given[1], given[2]
    if node.kind == "ScatterND":
        places = tuple(np.moveaxis(indices, -1, 0))
    else:
        grid: list[Any] = list(np.indices(indices.shape))
        grid[node.integer("axis")] = indices
        places = tuple(grid)
    how = node.word("reduction", "none")
    if how == "none":
        data[places] = updates
    else:
        _PUT[how].at(data, places, updates)
    return data


def _window(*parts: float) -> Compute:
    """A sum of cosines over `size` points, of a period of as many, or of one less."""

    def compute(node: Node, given: list[Any]) -> Any:
        size = int(np.ravel(given[0])[0])
        if not 0 < size <= MOST_VALUES or node.integer("output_datatype", 1) not in (1, 10, 11):
            raise Unsupported(f"size: {size}, or numbers that are no floats")
        period = size if node.integer("periodic", 1) else max(1, size - 1)
        turns = 2 * np.pi * np.arange(size) / period
        found = sum(part * np.cos(at * turns) for at, part in enumerate(parts))
        return np.asarray(found, np.float32)

    return compute


COMPUTED: dict[str, Compute] = {
    "HannWindow": _window(0.5, -0.5),
    "HammingWindow": _window(25 / 46, -21 / 46),
    "BlackmanWindow": _window(0.42, -0.5, 0.08),
    "MatMul": lambda node, given: _product(given[0], given[1]),
    "Gemm": _general_product,
    "ReduceSum": _reduced(np.sum, 0),
    "ReduceMean": _reduced(np.mean, math.nan),
    "ReduceProd": _reduced(np.prod, 1),
    "ReduceMax": _reduced(np.max, -math.inf),
    "ReduceMin": _reduced(np.min, math.inf),
    "ReduceL1": _reduced(lambda x, **how: np.abs(x).sum(**how), 0),
    "ReduceL2": _reduced(lambda x, **how: np.sqrt(np.square(x).sum(**how)), 0),
    "ReduceSumSquare": _reduced(lambda x, **how: np.square(x).sum(**how), 0),
    "ReduceLogSum": _reduced(lambda x, **how: np.log(x.sum(**how)), -math.inf),
    "ReduceLogSumExp": _reduced(_log_sum_exp, -math.inf),
    "ArgMax": _place(np.argmax),
    "ArgMin": _place(np.argmin),
    "Clip": _clip,
    "CumSum": _sums_so_far,
    "Softmax": _softmax,
    "GatherND": _slices,
    "GatherElements": lambda node, given: np.take_along_axis(
        given[0], given[1] % given[0].shape[node.integer("axis")], node.integer("axis")
    ),
    "ScatterND": _scattered,
    "ScatterElements": _scattered,
    "Compress": lambda node, given: np.compress(given[1], given[0], node.attributes.get("axis")),
    "OneHot": _one_hot,
    "Trilu": _triangle,
    "DequantizeLinear": _dequantized,
    "QuantizeLinear": _quantized,
    "DynamicQuantizeLinear": _quantized_by_own,
    "Sign": _plain(np.sign),
    "Sin": _plain(np.sin),
    "Cos": _plain(np.cos),
    "Tan": _plain(np.tan),
    "Atan": _plain(np.arctan),
    "Erf": _plain(np.vectorize(math.erf, otypes=[np.float64])),
    "Softplus": _plain(lambda x: np.logaddexp(0, x)),
    "IsNaN": lambda node, given: np.isnan(given[0]),
    "Mod": lambda node, given: (np.fmod if node.integer("fmod") else np.mod)(given[0], given[1]),
}
