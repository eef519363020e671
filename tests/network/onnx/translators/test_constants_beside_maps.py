"""Constants that are more than a number for each channel, and layers of nothing but constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.errors import InputError

Build = Callable[[Nodes, str], str]
MANY, FEW = (24, 64, 48), (8, 24, 28)
"""More numbers than a map may have channels, and more than are made channels of."""


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def weights_that_are_normalised(n: Nodes, x: str) -> str:
    """As in networks without batch norm: mean and deviation of a kernel are taken at each run."""
    flat = n.random(1, 6, 8 * 9)
    statistics = [n.constant(np.full(6, value, np.float32)) for value in (1.5, 0.0, 0.0, 1.0)]
    kernel = n.add("BatchNormalization", flat, *statistics, outputs=3, training_mode=1)[0]
    return str(n.add("Conv", x, n.add("Reshape", kernel, ints(n, 6, 8, 3, 3))))


def encoded_positions(n: Nodes, x: str) -> str:
    encoded = n.add("Conv", n.random(1, 4, 6, 8), n.random(8, 4, 1, 1))
    return str(n.add("Add", x, n.add("LeakyRelu", encoded)))


def stacked_and_weighed(n: Nodes, x: str) -> str:
    """Selective kernels: paths along a dim of their own, weighed by a softmax over them."""
    paths = [n.add("Conv", x, n.random(5, 8, 1, 1)) for _ in range(3)]
    stack = n.add("Concat", *(n.add("Unsqueeze", each, ints(n, 1)) for each in paths), axis=1)
    mean = n.add("ReduceMean", stack, ints(n, 3, 4), keepdims=1)
    weighed = n.add("Mul", stack, n.add("Softmax", mean, axis=1))
    return str(n.add("ReduceSum", weighed, ints(n, 1), keepdims=0))


def no_numbers(n: Nodes, x: str) -> str:
    """Medians are undefined where a value is: which depends on the input, here on one channel."""
    large = n.add("Greater", x, n.constant(np.float32(0.5)))
    undefined = n.constant(
        np.array([np.nan, 2, np.nan, np.inf] * 2, np.float32).reshape(1, 8, 1, 1)
    )
    some = n.add("Where", large, undefined, x)
    bad = n.add("IsNaN", some)
    every = n.add("Where", bad, n.constant(np.float32(np.nan)), x)
    return str(n.add("Where", n.add("IsNaN", every), n.add("Neg", x), every))


CASES = {
    build.__name__: build
    for build in (weights_that_are_normalised, encoded_positions, stacked_and_weighed, no_numbers)
}


@pytest.mark.parametrize("name", CASES)
def test_constants_are_as_onnxruntime_has_them(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=18)
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 6, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("shape", [MANY, FEW])
@pytest.mark.parametrize(
    "build",
    [
        lambda n, x, c: n.add("Sub", x, c),
        lambda n, x, c: n.add("Sub", c, x),
        lambda n, x, c: n.add("Mul", c, x),
        lambda n, x, c: n.add("Div", x, c),
        lambda n, x, c: n.add("Max", x, c),
    ],
)
def test_a_number_for_each_position_stands_beside_a_map(
    build: Callable[[Nodes, str, str], str], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    """A mean picture is subtracted, positions are encoded."""
    nodes = Nodes()
    x = nodes.input(1, *shape)
    conv = nodes.add("Conv", x, nodes.random(shape[0], shape[0], 1, 1))
    numbers = nodes.generator.uniform(0.5, 1.5, (1, *shape)).astype(np.float32)
    nodes.output(nodes.add("Relu", build(nodes, conv, nodes.constant(numbers))))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("shape", [(300, 300), (3, 200, 300)])
def test_lists_of_numbers_stand_beside_lists(shape: tuple[int, ...], tmp_path: Path) -> None:
    nodes = Nodes()
    count = int(np.prod(shape))
    flat = nodes.add("Reshape", nodes.input(1, 1, count // 100, 100), ints(nodes, *shape))
    nodes.output(nodes.add("Add", flat, nodes.random(*shape)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_a_layer_of_constants_takes_no_longer_than_seconds(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 512, 8, 8)
    wide = nodes.add("Expand", nodes.constant(np.ones((1, 1, 1, 1), np.float32)),
                     ints(nodes, 1, 16, 512, 512))  # fmt: skip
    kernel = nodes.add("Expand", nodes.constant(np.ones((1, 1, 1, 1), np.float32)),
                       ints(nodes, 512, 16, 9, 9))  # fmt: skip
    nodes.output(nodes.add("Add", x, nodes.add("Conv", wide, kernel)))
    with pytest.raises(InputError, match="multiplications of constants"):
        imported(nodes.save(tmp_path / "graph.onnx"))
