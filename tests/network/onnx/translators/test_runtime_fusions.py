"""Graphs as onnxruntime saves them when it has put operators together (optimised files)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.errors import InputError

DOMAIN = "com.microsoft"

_SEVEN_BITS = 63
"""The oracle adds products of bytes in pairs, which it cuts to 16 bits where the processor has no
better instruction: weights of seven bits stay within."""


def saved(nodes: Nodes, path: Path) -> Path:
    model = nodes.model()
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.save(model, str(path / "graph.onnx"))
    return path / "graph.onnx"


ACTIVATIONS = [
    ("", []),
    ("Relu", []),
    ("Sigmoid", []),
    ("Tanh", []),
    ("LeakyRelu", [0.2]),
    ("HardSigmoid", [0.15, 0.4]),
    ("Clip", [-0.5, 0.75]),
]


@pytest.mark.parametrize("is_added", [False, True])
@pytest.mark.parametrize(("word", "parameters"), ACTIVATIONS)
def test_convolutions_have_their_function(
    word: str, parameters: list[float], is_added: bool, tmp_path: Path
) -> None:
    nodes = Nodes()
    x = nodes.input(1, 4, 8, 9)
    more = [nodes.random(6), nodes.add("Conv", x, nodes.random(6, 4, 1, 1))] if is_added else []
    how: dict[str, Any] = {"activation": word} if word else {}
    how |= {"activation_params": parameters} if parameters else {}
    given = x, nodes.random(6, 4, 3, 3), *more
    nodes.output(nodes.add("FusedConv", *given, pads=[1] * 4, domain=DOMAIN, **how))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize("alpha", [1.0, 1.702])
def test_sigmoids_of_a_steepness(alpha: float, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Conv", nodes.input(1, 3, 6, 7), nodes.random(5, 3, 1, 1))
    nodes.output(nodes.add("QuickGelu", x, alpha=alpha, domain=DOMAIN))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize("kind", ["BiasGelu", "FastGelu"])
def test_gelu_of_a_sum(kind: str, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Transpose", nodes.input(1, 5, 6, 7), perm=[0, 2, 3, 1])
    nodes.output(nodes.add(kind, x, nodes.random(5), domain=DOMAIN))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path), tolerance=2e-5)


@pytest.mark.parametrize("biased", [False, True])
def test_norms_of_a_sum(biased: bool, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Transpose", nodes.input(1, 8, 12), perm=[0, 2, 1])
    other = nodes.add("MatMul", x, nodes.random(8, 8))
    given = x, other, nodes.random(8), nodes.random(8), *((nodes.random(8),) if biased else ())
    norm, _, _, total = nodes.add(
        "SkipLayerNormalization", *given, outputs=4, epsilon=1e-5, domain=DOMAIN
    )
    nodes.nodes[-1].output[1] = nodes.nodes[-1].output[2] = ""
    nodes.output(norm, nodes.add("Relu", total))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


def test_samples_on_a_grid_as_the_runtime_had_them_first(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 5, 6, 7)
    grid = nodes.random(1, 3, 4, 2)
    nodes.output(nodes.add("GridSample", x, grid, mode="bilinear", domain=DOMAIN))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize(("word", "more"), [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.1})])
def test_products_have_their_function(word: str, more: dict[str, float], tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Flatten", nodes.input(1, 3, 4, 5))
    how: dict[str, Any] = {"activation": word, "transB": 1, "alpha": 0.5, **more}
    given = x, nodes.random(7, 60), nodes.random(7)
    nodes.output(nodes.add("FusedGemm", *given, domain=DOMAIN, **how))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize("is_constant", [False, True])
@pytest.mark.parametrize("turned", [{}, {"transA": 1}, {"transB": 1}, {"transA": 1, "transB": 1}])
def test_products_of_turned_matrices(
    turned: dict[str, int], is_constant: bool, tmp_path: Path
) -> None:
    nodes = Nodes()
    x = nodes.input(1, 2, 6, 6)
    other = nodes.random(6, 6) if is_constant else nodes.add("Sigmoid", x)
    nodes.output(nodes.add("FusedMatMul", x, other, alpha=0.25, domain=DOMAIN, **turned))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


def test_a_product_in_floats_of_whole_numbers(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Flatten", nodes.input(1, 3, 4, 5))
    whole, scale, zero = nodes.add("DynamicQuantizeLinear", x, outputs=3)
    matrix = nodes.constant(
        nodes.generator.integers(-_SEVEN_BITS, _SEVEN_BITS, (60, 8)).astype(np.int8)
    )
    scales = nodes.constant(nodes.generator.random(8, np.float32) / 50)
    given = whole, matrix, scale, scales, zero, nodes.constant(np.int8(3)), nodes.random(8)
    nodes.output(nodes.add("MatMulIntegerToFloat", *given, domain=DOMAIN))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


def test_a_product_that_finds_its_own_scale(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Flatten", nodes.input(1, 3, 4, 5))
    matrix = nodes.constant(nodes.generator.integers(0, 200, (60, 8)).astype(np.uint8))
    scale, zero = nodes.constant(np.float32(0.02)), nodes.constant(np.uint8(100))
    given = x, matrix, scale, zero, nodes.random(8)
    nodes.output(nodes.add("DynamicQuantizeMatMul", *given, domain=DOMAIN))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize("gates", [1, 20])
def test_recurrent_weights_of_bytes_are_what_their_scales_say(gates: int, tmp_path: Path) -> None:
    """Not to the bit of the runtime, which brings what they are multiplied with to bytes, too."""
    nodes = Nodes()
    x = nodes.add("Squeeze", nodes.input(1, 6, 1, 9), nodes.constant(np.array([2], np.int64)))
    steps = nodes.add("Transpose", x, perm=[2, 0, 1])
    random = nodes.generator
    whole = [
        random.integers(-_SEVEN_BITS, _SEVEN_BITS, (2, size, 20)).astype(np.int8) for size in (6, 5)
    ]
    scale = [(random.random((2, gates), np.float32) / 127).squeeze() for _ in whole]
    zero = [np.zeros(each.shape, np.int8) for each in scale]
    bias = nodes.random(2, 40)
    pairs = [nodes.constant(each) for pair in zip(scale, zero, strict=True) for each in pair]
    given = steps, *map(nodes.constant, whole), bias, "", "", "", "", *pairs
    how: dict[str, Any] = {"hidden_size": 5, "direction": "bidirectional"}
    nodes.output(nodes.add("DynamicQuantizeLSTM", *given, domain=DOMAIN, **how))
    path = saved(nodes, tmp_path)
    assert_agree(path, imported(path), tolerance=0.02)


def test_weights_that_are_made_of_bytes_by_the_file_are_computed(tmp_path: Path) -> None:
    """Its quantiser takes weights that nodes hold for values of the network."""
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 9)
    parts = nodes.add("DynamicQuantizeLinear", nodes.random(6, 3, 3, 3), outputs=3)
    whole, scale, zero = nodes.add("DynamicQuantizeLinear", x, outputs=3)
    product = nodes.add("ConvInteger", whole, parts[0], zero, parts[2])
    product = nodes.add("Mul", nodes.add("Cast", product, to=1), nodes.add("Mul", scale, parts[1]))
    nodes.output(product)
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_functions_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    nodes = Nodes()
    given = nodes.input(1, 4, 8, 9), nodes.random(6, 4, 3, 3)
    nodes.output(nodes.add("FusedConv", *given, domain=DOMAIN, activation="Sine"))
    with pytest.raises(InputError, match="activation: Sine"):
        imported(saved(nodes, tmp_path))
