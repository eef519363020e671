"""Constants where maps are expected, and operators that hardly look at what they are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from support.onnxgraphs import Nodes, assert_agree, computed, expected, imported

Build = Callable[[Nodes, str], str]


def learned_start(n: Nodes, x: str) -> str:
    """A generator's: a learned map, made larger, and weights that the input modulates."""
    sizes = n.constant(np.array([1, 8, 12, 16], np.int64))
    wide = n.add("Resize", n.random(1, 8, 6, 8), "", "", sizes, mode="linear")
    style = n.add("GlobalAveragePool", x)
    return str(n.add("Conv", wide, n.add("Mul", n.random(4, 8, 3, 3), style), pads=[1, 1, 1, 1]))


def tokens(n: Nodes, x: str) -> str:
    lying = n.add("Transpose", n.add("Reshape", x, n.constant([1, 8, 48])), perm=[0, 2, 1])
    return str(n.add("Concat", n.random(1, 2, 8), lying, n.random(1, 1, 8), axis=1))


CASES: dict[str, Build] = {
    "learned start": learned_start,
    "coordinates beside a map": lambda n, x: n.add("Concat", x, n.random(1, 2, 6, 8), axis=1),
    "tokens before others": tokens,
    "rows around a map": lambda n, x: n.add(
        "Concat", n.random(1, 8, 3, 8), x, n.random(1, 8, 2, 8), axis=2
    ),
    "upper triangle": lambda n, x: n.add("Trilu", x),
    "lower triangle": lambda n, x: n.add("Trilu", x, n.constant(np.int64(-1)), upper=0),
    "diagonal of its shape": lambda n, x: n.add(
        "MatMul",
        n.add("EyeLike", n.add("ReduceMax", x, n.constant([0, 1]), keepdims=0), k=1, dtype=1),
        n.random(8, 3),
    ),
    "diagonal of a constant's shape": lambda n, x: n.add(
        "MatMul", x, n.add("EyeLike", n.constant(np.ones((8, 8), np.float32)), k=1)
    ),
    "capital letters": lambda n, x: n.add(
        "Einsum", x, n.random(1, 8), equation="B C H W, B C->BHW"
    ),
    "letters and dots": lambda n, x: n.add("Einsum", x, n.random(8, 5), equation="...A,AD->...D"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_onnxruntime_has_it(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=18)
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 6, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_what_is_no_number_is_found(tmp_path: Path) -> None:
    nodes = Nodes(opset=18)
    x = nodes.input(1, 3, 2, 3)
    kinds = [nodes.add("IsNaN", x), nodes.add("IsInf", x)]
    kinds += [nodes.add("IsInf", x, detect_negative=0), nodes.add("IsInf", x, detect_positive=0)]
    kinds = [nodes.add("Cast", each, to=TensorProto.FLOAT) for each in kinds]
    masked = nodes.add("Where", nodes.add("IsNaN", x), nodes.constant(np.float32(7)), x)
    nodes.output(*kinds, nodes.add("Trilu", x), masked)
    path = nodes.save(tmp_path / "graph.onnx")
    values = np.array([np.nan, np.inf, -np.inf, 0, 1, -3e38] * 3, np.float32)
    given = {"x": values.reshape(1, 3, 2, 3)}
    wanted = expected(path, given)
    for name, found in computed(imported(path), given).items():
        np.testing.assert_array_equal(found.reshape(wanted[name].shape), wanted[name], name)
