"""Convolutions whose weights are made by the network itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.onnxgraphs import Nodes, assert_agree, imported


def template(n: Nodes, x: str, z: str, **how: Any) -> str:
    """A tracker's: where the second picture's features are in the first one's."""
    filters = n.random(8, 3, 3, 3)
    one, other = (n.add("Relu", n.add("Conv", each, filters)) for each in (x, z))
    return str(n.add("Conv", one, other, **how))


def template_by_channel(n: Nodes, x: str, z: str) -> str:
    other = n.add("Transpose", n.add("Conv", z, n.random(3, 3, 2, 2)), perm=[1, 0, 2, 3])
    return str(n.add("Conv", x, other, n.random(3), group=3, pads=[1, 0, 2, 1], strides=[2, 1]))


def mixture(n: Nodes, x: str, z: str) -> str:
    """Weights by attention, of several experts, with a bias that depends on the input, too."""
    attention = n.add("Sigmoid", n.add("Conv", n.add("GlobalAveragePool", z), n.random(4, 3, 1, 1)))
    lying = n.add("Reshape", attention, n.constant([1, 4]))
    weights = n.add("MatMul", lying, n.random(4, 6 * 1 * 3 * 3))
    weights = n.add("Reshape", weights, n.constant([6, 1, 3, 3]))
    bias = n.add("Reshape", n.add("MatMul", lying, n.random(4, 6)), n.constant([6]))
    return str(n.add("Conv", x, weights, bias, group=3, auto_pad="SAME_UPPER", strides=[1, 2]))


def of_a_constant(n: Nodes, x: str, z: str) -> str:
    weights = n.add("Mul", n.add("Conv", z, n.random(3, 3, 1, 1)), n.add("ReduceMean", x))
    return str(n.add("Conv", n.random(1, 3, 20, 18), weights))


def dilated_template(n: Nodes, x: str, z: str) -> str:
    """Transposed: what a picture's map is spread out by comes of the other one."""
    weights = n.add(
        "Reshape",
        n.add("Slice", z, *(n.constant([e]) for e in (0, 4, 3))),
        n.constant([3, 4, 3, 2]),
    )
    how: dict[str, Any] = {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 0]}
    return str(n.add("ConvTranspose", x, weights, n.random(4), dilations=[2, 1], **how))


def spread_by_channel(n: Nodes, x: str, z: str) -> str:
    weights = n.add("Transpose", n.add("Conv", z, n.random(3, 3, 5, 5)), perm=[1, 0, 2, 3])
    return str(n.add("ConvTranspose", x, weights, group=3, strides=[2, 2]))


CASES: dict[str, Callable[[Nodes, str, str], str]] = {
    "template": template,
    "padded template": lambda n, x, z: template(n, x, z, pads=[1, 2, 1, 2]),
    "template by channel": template_by_channel,
    "mixture": mixture,
    "constant under computed weights": of_a_constant,
    "spread out": dilated_template,
    "spread out by channel": spread_by_channel,
}


@pytest.mark.parametrize("name", CASES)
def test_weights_may_be_computed(name: str, tmp_path: Path) -> None:
    nodes = Nodes()
    x, z = nodes.input(1, 3, 18, 22, name="x"), nodes.input(1, 3, 6, 7, name="z")
    nodes.output(CASES[name](nodes, x, z))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
