"""Convolutions between DequantizeLinear and QuantizeLinear are sums of whole numbers, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from support.onnxgraphs import Nodes, arrays_for, computed, expected, imported

from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.planning.search.rounded import rounded_layers

DOMAIN = "com.microsoft"


def placed(nodes: Nodes, scale: float, zero: int) -> tuple[str, str]:
    return nodes.constant(np.float32(scale)), nodes.constant(np.uint8(zero))


def quantised(path: Path, *, relu: bool, zero: int = 0, depth: int = 2) -> Path:
    """Convolutions as onnxruntime's quantiser writes them, one after the other. Their scales are
    such that every other sum is a tie, or next to one."""
    nodes = Nodes(5)
    scale, point = placed(nodes, 0.1, 128)
    value = nodes.add("QuantizeLinear", nodes.input(1, 8, 24, 24), scale, point)
    size = 0.1
    for _ in range(depth):
        weights = nodes.generator.integers(-1, 2, (8, 8, 3, 3)).astype(np.int8)
        scales = np.full(8, 0.1, np.float32)
        bias = nodes.generator.integers(-30, 30, 8).astype(np.int32)
        own, zeros = nodes.constant(scales), nodes.constant(np.zeros(8, np.int8))
        of_bias = nodes.constant(np.float32(size) * scales)
        none = nodes.constant(np.zeros(8, np.int32))
        made = nodes.add(
            "Conv",
            nodes.add("DequantizeLinear", value, scale, point),
            nodes.add("DequantizeLinear", nodes.constant(weights), own, zeros, axis=0),
            nodes.add("DequantizeLinear", nodes.constant(bias), of_bias, none, axis=0),
            pads=[1, 1, 1, 1],
        )
        if relu:
            made = nodes.add("Relu", made)
        size = size * 0.2
        scale, point = placed(nodes, size, zero)
        value = nodes.add("QuantizeLinear", made, scale, point)
    nodes.output(nodes.add("DequantizeLinear", value, scale, point))
    return nodes.save(path)


@pytest.mark.parametrize(
    ("relu", "zero"), [(False, 90), (True, 0), (False, 0)], ids=["plain", "relu", "cut"]
)
def test_not_a_single_value_is_a_step_away(relu: bool, zero: int, tmp_path: Path) -> None:
    path = quantised(tmp_path / "graph.onnx", relu=relu, zero=zero)
    model = imported(path)
    arrays = arrays_for(model, 3)
    found = computed(model, arrays)
    for name, wanted in expected(path, arrays).items():
        assert len(np.unique(wanted)) > 50
        assert (found[name] == wanted).all()


def test_a_relu_that_cuts_within_the_range_stays(tmp_path: Path) -> None:
    path = quantised(tmp_path / "graph.onnx", relu=True, zero=90, depth=1)
    model = imported(path)
    arrays = arrays_for(model, 3)
    (found,) = computed(model, arrays).values()
    assert found.min() == 0
    (wanted,) = expected(path, arrays).values()
    assert np.abs(found - wanted).max() < 0.0201  # a step


@pytest.mark.parametrize("condition", ["the input's", "a constant"])
def test_where_chooses_among_scales(condition: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=17)
    x = nodes.input(1, 3, 8, 9)
    own = [(*placed(nodes, scale, zero),) for scale, zero in ((0.03, 120), (0.017, 30))]
    sides = [
        (nodes.add("QuantizeLinear", each, *place), *place)
        for each, place in zip((x, nodes.add("Neg", x)), own, strict=True)
    ]
    if condition == "a constant":
        which = nodes.constant(nodes.generator.random((1, 3, 8, 9)) > 0.5)
    else:
        which = nodes.add("Greater", x, nodes.constant(np.float32(0.1)))
    result = placed(nodes, 0.041, 60)
    given = which, *sides[0], *sides[1], *result
    found = nodes.add("QLinearWhere", *given, domain=DOMAIN)
    nodes.output(nodes.add("DequantizeLinear", found, *result))
    model = nodes.model()
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    path = tmp_path / "graph.onnx"
    onnx.save(model, str(path))
    read = imported(path)
    arrays = arrays_for(read, 2)
    (wanted,) = expected(path, arrays).values()
    (got,) = computed(read, arrays).values()
    assert len(np.unique(wanted)) > 20
    assert np.abs(got - wanted).max() < 1e-5


def test_sums_that_are_rounded_are_never_winograds(tmp_path: Path) -> None:
    """The last one's are not: what is behind no rounding may be computed in any way."""
    nodes = Nodes()
    scale, point = placed(nodes, 0.1, 128)
    made = nodes.input(1, 16, 64, 64)
    for last in (False, True):
        made = nodes.add("Conv", made, nodes.random(16, 16, 3, 3), pads=[1, 1, 1, 1])
        if not last:
            made = nodes.add("QuantizeLinear", nodes.add("Relu", made), scale, point)
            made = nodes.add("DequantizeLinear", made, scale, point)
    nodes.output(made)
    network = imported(nodes.save(tmp_path / "graph.onnx")).network
    convolutions = [n for n, layer in enumerate(network.layers) if layer.shape.channels == 16]
    assert rounded_layers(network) == {convolutions[0]}
    chosen = {number for tried in arithmetics(network, DEFAULT) for number, _ in tried}
    assert convolutions[0] not in chosen
    assert chosen
