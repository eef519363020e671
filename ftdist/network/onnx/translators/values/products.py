"""Matrix products with constants, which are convolutions, and softmax."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ftdist.geometry import Window
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.translators.values.pointwise import operand, whole_axis
from ftdist.network.onnx.views import Dim, Tensor, full, spread, transposed
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.channels import Softmax
from ftdist.network.operators.reducing import Product
from ftdist.network.operators.views import Factor, View
from ftdist.network.operators.windows import Convolution

Given = list[Value | None]


@translates("Gemm")
def _gemm(building: Building, node: Node, given: Given) -> Value:
    if not isinstance(given[0], Tensor) or any(isinstance(e, Tensor) for e in given[1:]):
        return _gemm_of_tensors(building, node, given)
    value, matrix = given[0], constant(given[1], "the matrix")
    if value.rank != 2 or matrix.ndim != 2:
        raise Unsupported(f"a product of {value.shape} and {matrix.shape}")
    value = transposed(value, (1, 0)) if node.integer("transA") else value
    matrix, factor = matrix.T if node.integer("transB") else matrix, node.number("alpha", 1.0)
    bias = np.zeros(matrix.shape[1])
    if len(given) > 2 and given[2] is not None:
        bias = np.atleast_2d(constant(given[2], "the bias")) * node.number("beta", 1.0)
        if len(bias) > 1:
            made = _product(building, value, matrix, np.zeros(matrix.shape[1]), factor)
            made, shift = operand(building, made, bias)
            return Tensor(building.scale(made.step, np.ones(len(shift)), shift), made.dims)
        bias = np.broadcast_to(bias[0], matrix.shape[1:])
    return _product(building, value, matrix, bias, factor)


def _gemm_of_tensors(building: Building, node: Node, given: Given) -> Value:
    """Of which the matrix, or what is added, depends on the input, too."""
    pair: Given = [building.tensor(each, "a matrix") for each in given[:2]]
    for at, name in enumerate(("transA", "transB")):
        if node.integer(name):
            pair[at] = transposed(tensor(pair[at]), (1, 0))
    found = made(building, "MatMul", pair)
    bias = given[2] if len(given) > 2 else None
    for how, value in (("alpha", found), ("beta", bias)):
        factor = np.array(node.number(how, 1.0), np.float32)
        if factor != 1 and value is not None:
            scaled = made(building, "Mul", [building.tensor(value, "a matrix"), factor])
            found, bias = (scaled, bias) if value is found else (found, scaled)
    return found if bias is None else made(building, "Add", [found, bias])


@translates("MatMul")
def _matmul(building: Building, node: Node, given: Given) -> Value:
    if not isinstance(given[0], Tensor) or isinstance(given[1], Tensor):
        first, second = (building.tensor(each, "a matrix") for each in given)
        return _of_tensors(building, first, second)
    value, matrix = given[0], constant(given[1], "the second matrix")
    if matrix.ndim > 2 and matrix.shape[:-2] == (1,) * (matrix.ndim - 2) <= (1,) * value.rank:
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim != 2 or value.rank < 2:
        return _of_tensors(building, value, building.constant(matrix))
    return _product(building, value, matrix, np.zeros(matrix.shape[1]))


def _of_tensors(building: Building, first: Tensor, second: Tensor) -> Tensor:
    """Matrices in the last two dims; those before them are broadcast. A list is a row times, or a
    column behind, a matrix."""
    if min(first.rank, second.rank) < 1:
        raise Unsupported(f"a product of {first.shape} and {second.shape}")
    if first.rank == 1:
        found = _of_tensors(building, Tensor(first.step, ((), *first.dims)), second)
        row = max(0, second.rank - 2)
        return Tensor(found.step, found.dims[:row] + found.dims[row + 1 :])
    if second.rank == 1:
        found = _of_tensors(building, first, Tensor(second.step, (*second.dims, ())))
        return Tensor(found.step, found.dims[:-1])
    rank = max(first.rank, second.rank)
    sides = "".join(chr(ord("A") + at) for at in range(rank - 2))
    one, other = sides[rank - first.rank :] + "mk", sides[rank - second.rank :] + "kn"
    return summed_product(building, (first, second), (one, other), sides + "mn")


def summed_product(
    building: Building, operands: tuple[Tensor, Tensor], names: tuple[str, str], result: str
) -> Tensor:
    """The product of two tensors by the names of their dims, summed over those not in `result`.

    A dim of 1 is repeated where the other has more. The last dim of the result must be one of the
    second operand only.
    """
    listed = [building.listed(each) for each in operands]
    found: list[dict[str, tuple[int, int]]] = []
    for value, own in zip(listed, names, strict=True):
        factors = [building.factors(value, [axis]) for axis in range(value.rank)]
        found.append(
            {
                name: (each[0].count, each[0].step) if each else (1, 0)
                for name, each in zip(own, factors, strict=True)
            }
        )
    letters = [*result, *sorted({*names[0], *names[1]} - {*result})]
    joint: dict[str, Factor] = {}
    for name in letters:
        pair = [each.get(name, (1, 0)) for each in found]
        count = max(each[0] for each in pair)
        if any(each[0] not in (1, count) for each in pair):
            raise Unsupported(f"a product of {operands[0].shape} and {operands[1].shape}")
        joint[name] = Factor(count, pair[0][1], pair[1][1])
    groups = result[:-2], result[-2:-1], result[-1:]
    rows, columns, channels = (tuple(joint[name] for name in group) for group in groups)
    terms = tuple(joint[name] for name in letters[len(result) :])
    step = building.add(
        Product(View(rows, columns, channels, terms).merged()), [each.step for each in listed]
    )
    dims = [
        dim
        for group, side in zip(groups, "hwc", strict=True)
        for dim in spread(side, [joint[name].count for name in group])  # type: ignore[arg-type]
    ]
    return Tensor(step, tuple(dims))


def _product(
    building: Building, value: Tensor, matrix: Array, bias: Array, factor: float = 1.0
) -> Tensor:
    """Rows of the last dim times a matrix (inputs, outputs) and a number.

    The matrix, which may be large, is read when its layer is written.
    """
    inputs, outputs = matrix.shape
    if value.shape[-1] != inputs:
        raise Unsupported(f"{value.shape} times a matrix of {matrix.shape}")
    shape = building.shape(value.step)
    is_list = all(not dim for dim in value.dims[:-1])
    if not is_list and not whole_axis(building, value, value.rank - 1, "c"):
        value = building.listed(value)
    if whole_axis(building, value, value.rank - 1, "c"):
        operation = Convolution(outputs, Sliding.square(1))
        in_order = partial(np.reshape, matrix.T, (outputs, inputs, 1, 1))
    else:
        if len(matrix) != math.prod(shape):
            raise Unsupported("it reads a part of the map")
        window = Sliding(Window(shape.height), Window(shape.width))
        operation = Convolution(outputs, window)
        in_order = partial(_in_map_order, matrix, value.dims[-1], shape)

    def weights() -> Array:
        found = in_order()
        return found if factor == 1 else factor * found.astype(np.float64)

    step = building.add(operation, [value.step], {"weights": weights, "bias": lambda: bias})
    return Tensor(step, (*value.dims[:-1], full("c", outputs)))


def _in_map_order(matrix: Array, dim: Dim, shape: tuple[int, int, int]) -> Array:
    """Weights (outputs, channels, rows, columns), whatever order the list of values is in."""
    height, width, channels = shape
    split = matrix.T.reshape(-1, *(atom.size for atom in dim))
    order = sorted(range(len(dim)), key=lambda at: ("chw".index(dim[at].axis), -dim[at].stride))
    moved = split.transpose(0, *(at + 1 for at in order))
    return moved.reshape(-1, channels, height, width)


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
