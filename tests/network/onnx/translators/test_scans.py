"""Scan, whose rounds are as many as a dim is long, and windows of sound; against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.errors import InputError


def body(wrong: bool = False) -> Any:
    """A sum so far, and its distance from what comes."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Add", ["state", "one"], ["next"]),
        helper.make_node("Sub", ["next", "other"], ["apart"]),
    ]
    names = ("state", "one", "other", *(("more",) if wrong else ()))
    inputs = [value(each, TensorProto.FLOAT, None) for each in names]
    outputs = [value(each, TensorProto.FLOAT, None) for each in ("next", "apart")]
    return helper.make_graph(nodes, "body", inputs, outputs)


def scanned(nodes: Nodes, **how: Any) -> list[str]:
    x = nodes.input(1, 6, 4)
    rows = nodes.add("Reshape", x, nodes.constant([6, 4]))
    other = nodes.add("Transpose", rows) if how.pop("across", False) else nodes.add("Neg", rows)
    how = {"body": body(), "num_scan_inputs": 2, **how}
    made = nodes.add("Scan", nodes.random(4), rows, other, outputs=2, **how)
    return list(made)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"scan_input_directions": [0, 1], "scan_output_directions": [1]},
        {"across": True, "scan_input_axes": [0, -1]},
    ],
)
def test_a_scan_is_its_body_for_each_place(how: dict[str, Any], tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(*scanned(nodes, **how))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"num_scan_inputs": 5}, "another number of values"),
        ({"body": body(wrong=True)}, "another number of values"),
        ({"scan_output_axes": [1]}, "the first one is supported"),
        ({"across": True}, "differ in length"),
    ],
)
def test_a_scan_that_makes_no_sense_is_refused(
    how: dict[str, Any], words: str, tmp_path: Path
) -> None:
    nodes = Nodes()
    nodes.output(*scanned(nodes, **how))
    with pytest.raises(InputError, match=words):
        imported(nodes.save(tmp_path / "graph.onnx"))


@pytest.mark.parametrize("kind", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
def test_windows_are_constants(kind: str, periodic: int, tmp_path: Path) -> None:
    nodes = Nodes()
    window = nodes.add(kind, nodes.constant(np.int64(20)), periodic=periodic)
    nodes.output(nodes.add("Mul", nodes.input(1, 3, 20), window))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_a_window_of_any_size_is_not_made(tmp_path: Path) -> None:
    nodes = Nodes()
    window = nodes.add("HannWindow", nodes.constant(np.int64(1 << 60)))
    nodes.output(nodes.add("Mul", nodes.input(1, 3, 20), window))
    with pytest.raises(InputError, match="size: 1152921504606846976"):
        imported(nodes.save(tmp_path / "graph.onnx"))
