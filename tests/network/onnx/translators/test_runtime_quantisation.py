"""Graphs as onnxruntime's quantiser writes them in its own domain (QOperator, 16 bits)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from support.onnxgraphs import Nodes, assert_agree, imported

DOMAIN = "com.microsoft"


def saved(nodes: Nodes, path: Path) -> Path:
    model = nodes.model()
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.save(model, str(path))
    return path


def scaled(nodes: Nodes, scale: float, zero: int, kind: type = np.uint8) -> tuple[str, str]:
    return nodes.constant(np.float32(scale)), nodes.constant(np.array(zero, kind))


def quantised(nodes: Nodes, x: str, scale: float = 0.03, zero: int = 120) -> tuple[str, str, str]:
    place = scaled(nodes, scale, zero)
    return nodes.add("QuantizeLinear", x, *place), *place


def floats(nodes: Nodes, x: str, scale: float, zero: int, kind: type = np.uint8) -> None:
    nodes.output(nodes.add("DequantizeLinear", x, *scaled(nodes, scale, zero, kind)))


@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
def test_two_operands_have_scales_of_their_own(kind: str, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 9)
    first, second = quantised(nodes, x), quantised(nodes, nodes.add("Neg", x), 0.017, 30)
    found = nodes.add(kind, *first, *second, *scaled(nodes, 0.041, 60), domain=DOMAIN)
    floats(nodes, found, 0.041, 60)
    path = saved(nodes, tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.2}),
        ("QLinearSoftmax", {"axis": 1, "opset": 13}),
        ("QLinearGlobalAveragePool", {}),
        ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ],
)
def test_one_operand(kind: str, attributes: dict[str, Any], tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 9)
    place = scaled(nodes, 0.0039, 3)
    found = nodes.add(kind, *quantised(nodes, x), *place, domain=DOMAIN, **attributes)
    floats(nodes, found, 0.0039, 3)
    path = saved(nodes, tmp_path / "graph.onnx")
    step = 1.01 / 255  # onnxruntime computes its softmax by tables of whole numbers
    assert_agree(path, imported(path), tolerance=2 * step if "Softmax" in kind else 1e-5)


def test_joined_parts_have_scales_of_their_own(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 9)
    parts = *quantised(nodes, x), *quantised(nodes, nodes.add("Neg", x), 0.011, 7)
    found = nodes.add("QLinearConcat", *scaled(nodes, 0.05, 90), *parts, domain=DOMAIN, axis=1)
    floats(nodes, found, 0.05, 90)
    path = saved(nodes, tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("to_floats", [False, True])
def test_a_product_by_columns(by_column: bool, to_floats: bool, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 12)
    weights = nodes.constant(nodes.generator.integers(-99, 99, (5, 12)).astype(np.int8))
    scales = np.linspace(0.01, 0.03, 5, dtype=np.float32) if by_column else np.float32(0.02)
    zeros = np.arange(5, dtype=np.int8) if by_column else np.int8(3)
    bias = nodes.constant(nodes.generator.integers(-500, 500, 5).astype(np.int32))
    right = weights, nodes.constant(scales), nodes.constant(zeros)
    place = () if to_floats else scaled(nodes, 0.07, 110)
    given = *quantised(nodes, x), *right, bias, *place
    found = nodes.add("QGemm", *given, domain=DOMAIN, transB=1, alpha=1.5)
    if to_floats:
        nodes.output(found)
    else:
        floats(nodes, found, 0.07, 110)
    path = saved(nodes, tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_sixteen_bits_of_its_own_domain(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 9)
    place = scaled(nodes, 0.0005, 32000, np.uint16)
    whole = nodes.add("QuantizeLinear", x, *place, domain=DOMAIN)
    found = nodes.add("DequantizeLinear", whole, *place, domain=DOMAIN)
    weights = nodes.constant(nodes.generator.integers(-99, 99, (4, 3, 3, 3)).astype(np.int8))
    kernel = nodes.add("DequantizeLinear", weights, *scaled(nodes, 0.01, 0, np.int8), domain=DOMAIN)
    nodes.output(nodes.add("Conv", found, kernel))
    path = saved(nodes, tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_its_gelu_is_that_of_onnx(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Gelu", nodes.input(1, 3, 8, 9), domain=DOMAIN))
    path = saved(nodes, tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
