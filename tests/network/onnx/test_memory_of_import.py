"""Networks are imported in little memory, whatever their weights take."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.network.modelfile import write_model
from ftdist.network.onnx.importer import read_onnx

MIB = 1 << 20


def peak_bytes(path: Path, target: Path) -> int:
    """What importing holds at most of what Python allocates, with NumPy's arrays."""
    read_onnx(path)  # with all that is made once
    tracemalloc.start()
    try:
        found = read_onnx(path)
        write_model(target, found.network, found.parameters())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("turned", [0, 1])
def test_a_matrix_is_packed_in_pieces(turned: int, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Relu", nodes.add("Conv", nodes.input(1, 3, 10, 10), nodes.random(64, 3, 3, 3)))
    size = (2000, 4096) if turned else (4096, 2000)
    made = nodes.add("Gemm", nodes.add("Flatten", x), nodes.random(*size), transB=turned)
    nodes.output(made)
    path = nodes.save(tmp_path / "graph.onnx")
    assert path.stat().st_size > 30 * MIB > 2 * peak_bytes(path, tmp_path / "made.ftd")


def test_folded_factors_take_no_array_of_a_higher_precision(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    for channels, filters in ((3, 512), (512, 512), (512, 512)):
        x = nodes.add("Conv", x, nodes.random(filters, channels, 3, 3), pads=[1] * 4)
        moments = [nodes.random(filters) for _ in range(3)]
        variance = nodes.constant(np.ones(filters, np.float32))
        x = nodes.add("Relu", nodes.add("BatchNormalization", x, *moments, variance))
    nodes.output(x)
    path = nodes.save(tmp_path / "graph.onnx")
    largest = 512 * 512 * 9 * 4
    assert peak_bytes(path, tmp_path / "made.ftd") < 2 * largest + 3 * MIB


@pytest.mark.parametrize("is_cast", [False, True])
def test_half_wide_weights_are_widened_a_layer_at_a_time(is_cast: bool, tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    for channels, filters in ((3, 512), (512, 512), (512, 512), (512, 64)):
        weights = nodes.generator.standard_normal((filters, channels, 3, 3)) / 64
        named = nodes.constant(weights.astype(np.float16))
        if is_cast:
            named = nodes.add("Cast", named, to=TensorProto.FLOAT)
        x = nodes.add("Relu", nodes.add("Conv", x, named, pads=[1] * 4))
    nodes.output(x)
    path = nodes.save(tmp_path / "graph.onnx")
    assert path.stat().st_size > 9 * MIB
    assert peak_bytes(path, tmp_path / "made.ftd") < 4 * MIB
    if is_cast:  # without, the file's types do not suit each other
        assert_agree(path, imported(path), tolerance=3e-5)


def test_half_wide_constants_that_are_no_weights_are_floats(tmp_path: Path) -> None:
    """Computed with in floats, as all values are, whatever their file holds them in."""
    nodes = Nodes()
    x = nodes.input(1, 5000, 1, 2)
    half = nodes.constant(nodes.generator.random((1, 5000, 1, 1)).astype(np.float16))
    factor = nodes.add("Exp", nodes.add("Cast", half, to=TensorProto.FLOAT))
    nodes.output(nodes.add("Mul", x, factor))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
