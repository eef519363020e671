"""Tensors with a batch of their own within a network: heads, frames, regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported


def _saved(n: Nodes, made: str, path: Path) -> Path:
    n.output(made)
    return n.save(path / "graph.onnx")


@pytest.mark.parametrize("levels", [1, 3])
def test_each_head_of_deformable_attention_is_sampled_by_itself(
    levels: int, tmp_path: Path
) -> None:
    """As RT-DETR has it: (heads, depth, rows, columns) at (heads, queries, points, 2)."""
    n = Nodes()
    x = n.input(1, 8, 6, 10)
    split = n.add("Reshape", x, n.constant(np.array([4, 2, 6, 10])))
    sampled = []
    for _ in range(levels):
        grid = n.add("Tanh", n.random(4, 5, 3, 2, scale=1.0))
        sampled.append(n.add("GridSample", split, grid, align_corners=0))
    joined = n.add("Concat", *sampled, axis=-1)
    path = _saved(n, n.add("ReduceSum", joined, n.constant(np.array([-1])), keepdims=0), tmp_path)
    assert_agree(path, imported(path))


def test_what_is_joined_needs_not_fit_one_side_of_a_map(tmp_path: Path) -> None:
    """64 x 1100 positions beside the axis are more than a map has rows."""
    n = Nodes()
    x = n.input(1, 64, 1100, 5)
    joined = n.add("Concat", x, n.add("Relu", x), axis=3)
    path = _saved(n, n.add("ReduceSum", joined, n.constant(np.array([3])), keepdims=0), tmp_path)
    assert_agree(path, imported(path))
