"""How random graphs end: with lists of values, places, products and sums of other shapes."""

from __future__ import annotations

from random import Random

import numpy as np

from support.onnxgraphs import Nodes


def tail(chance: Random, n: Nodes, value: str, shape: tuple[int, int, int], *, exact: bool) -> str:
    """A value of another rank, made of a map (1, channels, height, width)."""
    channels, positions = shape[0], shape[1] * shape[2]
    flat = n.add("Reshape", value, whole(n, 1, channels, positions))
    rows = str(n.add("Transpose", flat, perm=[0, 2, 1]))
    kinds = [_softmax, _attention, _maxima, _matrix, _sums_so_far, _einsum, _layers, _all_sums]
    if exact:
        kinds += [_places, _top]
    made = chance.choice(kinds)(chance, n, rows, (positions, channels))
    return str(made)


def whole(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


Size = tuple[int, int]
"""Rows and columns of a list of lists."""


def _softmax(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    return str(n.add(chance.choice(["Softmax", "LogSoftmax"]), rows, axis=chance.choice([1, 2])))


def _attention(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    flat = n.add("Transpose", rows, perm=[0, 2, 1])
    scores = n.add("Softmax", n.add("MatMul", n.add("Tanh", rows), n.add("Tanh", flat)))
    return str(n.add("MatMul", scores, rows))


def _maxima(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    kind = chance.choice(["ReduceMax", "ReduceMin", "ReduceMean"])
    return str(n.add(kind, rows, whole(n, chance.choice([1, 2])), keepdims=chance.randint(0, 1)))


def _matrix(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    return str(n.add("MatMul", rows, n.random(size[1], chance.randint(1, 6))))


def _sums_so_far(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    axis = whole(n, chance.choice([1, 2]))
    how = {"exclusive": chance.randint(0, 1), "reverse": chance.randint(0, 1)}
    return str(n.add("CumSum", rows, axis, **how))


def _einsum(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    equation = chance.choice(["bpc,cd->bpd", "bpc,cd->bdp", "bpc,cd->pd"])
    return str(n.add("Einsum", rows, n.random(size[1], 3), equation=equation))


def _layers(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    inputs = [rows, n.random(size[1]), n.random(size[1])]
    return str(n.add("LayerNormalization", *inputs, epsilon=chance.choice([0.1, 0.01])))


def _all_sums(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    flat = n.add("Flatten", rows)
    return str(n.add("Gemm", flat, n.random(size[0] * size[1], 4), n.random(4)))


def _places(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    kind = chance.choice(["ArgMax", "ArgMin"])
    found = n.add(kind, rows, axis=chance.choice([1, 2]), keepdims=chance.randint(0, 1))
    return str(n.add("Cast", found, to=1))


def _top(chance: Random, n: Nodes, rows: str, size: Size) -> str:
    axis = chance.choice([1, 2])
    count = whole(n, chance.randint(1, min(4, size[axis - 1])))
    how = {"axis": axis, "largest": chance.randint(0, 1)}
    values, _ = n.add("TopK", rows, count, outputs=2, **how)
    return str(values)
