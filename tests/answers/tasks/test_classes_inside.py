"""How many classes a network tells apart that hands on lists of what it found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, imported

from ftdist.answers.tasks.of_network import task_of_outputs


def ints(nodes: Nodes, *values: int) -> str:
    return nodes.constant(np.array(values, np.int64))


def _of_two_anchors(nodes: Nodes, x: str, values: int) -> str:
    made = nodes.add("Conv", x, nodes.random(2 * values, 3, 1, 1))
    last = nodes.add("Transpose", made, perm=[0, 2, 3, 1])
    return str(nodes.add("Reshape", last, ints(nodes, 1, -1, values)))


@pytest.mark.parametrize(("count", "told"), [(91, 91), (77, 0)])
def test_cocos_own_numbers_are_told_by_rows_of_scores(
    count: int, told: int, tmp_path: Path
) -> None:
    """As TensorFlow's detectors have them: scores of 91 classes, of which the first is none."""
    nodes = Nodes()
    x = nodes.input(1, 3, 16, 16)
    levels = x, nodes.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    boxes, scores = (
        nodes.add("Concat", *(_of_two_anchors(nodes, each, values) for each in levels), axis=1)
        for values in (4, count)
    )
    own = nodes.add("Slice", nodes.add("Sigmoid", scores), *(ints(nodes, e) for e in (1, 999, 2)))
    scores = nodes.add("ReduceMax", own, axes=[2], keepdims=0)
    classes = nodes.add("Cast", nodes.add("ArgMax", own, axis=2, keepdims=0), to=1)
    nodes.output(boxes, scores, classes)
    network = imported(nodes.save(tmp_path / "detector.onnx")).network
    task = task_of_outputs(network, "", ())
    assert (task.kind, task.layout, task.classes) == ("detect", "counted", told)
