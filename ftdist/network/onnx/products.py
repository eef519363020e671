"""Matrix products with constants, which are convolutions, and softmax."""

from __future__ import annotations

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.pointwise import whole_axis
from ftdist.network.onnx.registry import (
    Array,
    Node,
    Unsupported,
    Value,
    constant,
    tensor,
    translates,
)
from ftdist.network.onnx.views import Dim, Tensor, full
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.channels import Softmax
from ftdist.network.operators.windows import Convolution

Given = list[Value | None]


@translates("Gemm")
def _gemm(building: Building, node: Node, given: Given) -> Value:
    value, matrix = tensor(given[0]), constant(given[1], "the matrix").astype(np.float64)
    if node.integer("transA") or matrix.ndim != 2:
        raise Unsupported("transA")
    matrix = node.number("alpha", 1.0) * (matrix.T if node.integer("transB") else matrix)
    bias = np.zeros(matrix.shape[1])
    if len(given) > 2 and given[2] is not None:
        added = constant(given[2], "the bias").astype(np.float64).reshape(-1)
        bias = bias + node.number("beta", 1.0) * added
    return _product(building, value, matrix, bias)


@translates("MatMul")
def _matmul(building: Building, node: Node, given: Given) -> Value:
    value, matrix = tensor(given[0]), constant(given[1], "the second matrix")
    if matrix.ndim != 2:
        raise Unsupported(f"a product with {matrix.shape}; a matrix is needed")
    return _product(building, value, matrix, np.zeros(matrix.shape[1]))


def _product(building: Building, value: Tensor, matrix: Array, bias: Array) -> Tensor:
    """Rows of the last dim times a matrix (inputs, outputs)."""
    inputs, outputs = matrix.shape
    if value.shape[-1] != inputs:
        raise Unsupported(f"{value.shape} times a matrix of {matrix.shape}")
    shape = building.shape(value.step)
    is_list = all(not dim for dim in value.dims[:-1])
    if not is_list and not whole_axis(building, value, value.rank - 1, "c"):
        value = building.listed(value)
    if whole_axis(building, value, value.rank - 1, "c"):
        operation = Convolution(outputs, Sliding.square(1))
        weights = matrix.T.reshape(outputs, inputs, 1, 1)
    else:
        window = Sliding(Window(shape.height), Window(shape.width))
        operation = Convolution(outputs, window)
        weights = _in_map_order(matrix, value.dims[-1], shape)
    named = {"weights": lambda: weights, "bias": lambda: bias}
    step = building.add(operation, [value.step], named)
    return Tensor(step, (*value.dims[:-1], full("c", outputs)))


def _in_map_order(matrix: Array, dim: Dim, shape: tuple[int, int, int]) -> Array:
    """Weights (outputs, channels, rows, columns), whatever order the list of values is in."""
    height, width, channels = shape
    if len(matrix) != height * width * channels:
        raise Unsupported("it reads a part of the map")
    split = matrix.T.reshape(-1, *(atom.size for atom in dim))
    order = sorted(range(len(dim)), key=lambda at: ("chw".index(dim[at].axis), -dim[at].stride))
    moved = split.transpose(0, *(at + 1 for at in order))
    return np.ascontiguousarray(moved).reshape(-1, channels, height, width)


@translates("Softmax")
def _softmax(building: Building, node: Node, given: Given) -> Value:
    value = tensor(given[0])
    old = node.integer("opset", 13) < 13
    axis = node.integer("axis", 1 if old else -1) % value.rank
    behind = [dim for dim in value.dims[axis + 1 :] if dim]
    if old and behind:
        if any(value.dims[:axis]):
            raise Unsupported("axis: a softmax over several dims")
        return Tensor(building.add(Softmax(), [value.step]), value.dims)
    if not whole_axis(building, value, axis, "c"):
        value = building.by_channels(value, axis)
    return Tensor(building.add(Softmax(spatial=True), [value.step]), value.dims)
