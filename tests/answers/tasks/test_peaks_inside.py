"""Boxes that a network chooses from the peaks of its own heat map, as CenterNet's decoding does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, imported

from ftdist.answers.tasks.of_network import task_of_outputs

CLASSES, COUNT = 3, 20


def ints(nodes: Nodes, *values: int) -> str:
    return nodes.constant(np.array(values, np.int64))


def decoded(path: Path, kernel: int, strides: tuple[int, int]) -> Path:
    """A heat map of two convolutions; its peaks, found by a pool, and rows of six numbers."""
    nodes = Nodes()
    made = nodes.input(1, 3, 64, 96)
    for stride, filters, channels in zip(strides, (8, CLASSES), (3, 8), strict=True):
        weights = nodes.random(filters, channels, 3, 3)
        made = nodes.add("Conv", made, weights, pads=[1] * 4, strides=[stride] * 2)
    heat = nodes.add("Sigmoid", made)
    around = nodes.add("MaxPool", heat, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4)
    peaks = nodes.add("Cast", nodes.add("Equal", around, heat), to=1)
    flat = nodes.add("Reshape", nodes.add("Mul", heat, peaks), ints(nodes, 1, -1))
    scores, places = nodes.add("TopK", flat, ints(nodes, COUNT), outputs=2)
    columns = [nodes.add("Cast", places, to=1)] * 4 + [scores] * 2
    rows = [nodes.add("Unsqueeze", each, ints(nodes, 2)) for each in columns]
    nodes.output(nodes.add("Concat", *rows, axis=2))
    return nodes.save(path)


@pytest.mark.parametrize(
    ("kernel", "strides", "layout"),
    [(3, (2, 2), "selected_cells"), (5, (2, 2), "selected"), (3, (2, 4), "selected")],
    ids=["CenterNet's", "another window", "another stride"],
)
def test_peaks_of_a_heat_map_tell_cells(kernel, strides, layout, tmp_path: Path) -> None:
    network = imported(decoded(tmp_path / "peaks.onnx", kernel, strides)).network
    task = task_of_outputs(network, "", ())
    assert (task.kind, task.layout) == ("detect", layout)
    assert task.classes == (CLASSES if layout == "selected_cells" else 0)


def test_names_of_other_classes_are_no_centres(tmp_path: Path) -> None:
    network = imported(decoded(tmp_path / "peaks.onnx", 3, (2, 2))).network
    assert task_of_outputs(network, "", ("a", "b")).layout == "selected"
