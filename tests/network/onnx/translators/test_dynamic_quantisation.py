"""Graphs as onnxruntime's quantize_dynamic writes them: scales are found while they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from support.onnxgraphs import Nodes, assert_agree, computed, expected, imported

BYTES = 255


def quantised_convolution(nodes: Nodes, x: str, channels: int, filters: int) -> str:
    whole, scale, zero = nodes.add("DynamicQuantizeLinear", x, outputs=3)
    weights = nodes.generator.integers(-127, 127, (filters, channels, 3, 3)).astype(np.int8)
    operands = whole, nodes.constant(weights), zero, nodes.constant(np.int8(0))
    product = nodes.add("ConvInteger", *operands, pads=[1, 1, 1, 1], strides=[2, 1])
    factor = nodes.add("Mul", scale, nodes.constant(np.float32(0.01)))
    found = nodes.add("Mul", nodes.add("Cast", product, to=TensorProto.FLOAT), factor)
    return str(nodes.add("Add", found, nodes.random(1, filters, 1, 1)))


def quantised_product(nodes: Nodes, x: str, length: int, outputs: int) -> str:
    whole, scale, zero = nodes.add("DynamicQuantizeLinear", x, outputs=3)
    weights = nodes.generator.integers(-127, 127, (length, outputs)).astype(np.int8)
    product = nodes.add("MatMulInteger", whole, nodes.constant(weights), zero)
    factor = nodes.add("Mul", scale, nodes.constant(np.float32(0.02)))
    return str(nodes.add("Mul", nodes.add("Cast", product, to=TensorProto.FLOAT), factor))


def test_a_network_with_dynamic_scales_is_as_onnxruntime_has_it(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 12, 16)
    made = nodes.add("Relu", quantised_convolution(nodes, x, 3, 6))
    flat = nodes.add("Flatten", nodes.add("GlobalAveragePool", made))
    nodes.output(made, quantised_product(nodes, flat, 6, 5))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize(("low", "high"), [(-1.5, 3.0), (0.5, 2.0), (-3.0, -0.5), (0.0, 0.0)])
def test_zero_is_among_the_values_whatever_is_given(
    low: float, high: float, tmp_path: Path
) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 5, 7)
    whole, scale, zero = nodes.add("DynamicQuantizeLinear", x, outputs=3)
    casts = [nodes.add("Cast", each, to=TensorProto.FLOAT) for each in (whole, zero)]
    nodes.output(*casts, scale)
    path = nodes.save(tmp_path / "graph.onnx")
    given = np.linspace(low, high, 105, dtype=np.float32).reshape(1, 3, 5, 7)
    wanted = expected(path, {"x": given})
    for name, found in computed(imported(path), {"x": given}).items():
        np.testing.assert_array_equal(found.reshape(wanted[name].shape), wanted[name], name)
    assert wanted[casts[0]].max() <= BYTES
