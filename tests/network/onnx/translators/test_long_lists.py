"""Lists that are longer than a map has rows: boxes and places of large pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.network.graph import LARGEST_SIDE

ROWS, COLUMNS = 260, 256
COUNT = ROWS * COLUMNS

Built = tuple[str, ...]


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def f32(n: Nodes, value: Any) -> str:
    return n.constant(np.array(value, np.float32))


def listed(n: Nodes, x: str, values: int) -> str:
    """(1, places, values), as the heads of detectors are."""
    made = n.add("Conv", x, n.random(values, 2, 1, 1))
    turned = n.add("Transpose", made, perm=[0, 2, 3, 1])
    return str(n.add("Sigmoid", n.add("Reshape", turned, ints(n, 1, -1, values))))


def levels(n: Nodes, x: str) -> Built:
    """Heads of two scales, one behind the other, then boxes beside scores, and turned."""
    small = n.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    boxes, scores = (
        n.add("Concat", *(listed(n, each, values) for each in (x, small)), axis=1)
        for values in (4, 3)
    )
    both = n.add("Concat", boxes, scores, axis=2)
    return scores, n.add("Transpose", both, perm=[0, 2, 1])


def best(n: Nodes, x: str) -> Built:
    """The best scores of all places and classes, and their boxes by three operators."""
    boxes, scores = listed(n, x, 4), listed(n, x, 3)
    flat = n.add("Reshape", scores, ints(n, 1, -1))
    values, place = n.add("TopK", flat, ints(n, 20), outputs=2)
    box = n.add("Div", place, ints(n, 3))
    wide = n.add("Tile", n.add("Unsqueeze", box, ints(n, 2)), ints(n, 1, 1, 4))
    rows = n.add("Squeeze", box, ints(n, 0))
    return (
        values,
        n.add("GatherElements", boxes, wide, axis=1),
        n.add("Gather", boxes, rows, axis=1),
        n.add("GatherND", boxes, n.add("Unsqueeze", box, ints(n, 2)), batch_dims=1),
    )


def best_of_each(n: Nodes, x: str) -> Built:
    """Of several maps at once: the best places, the mean by a softmax over all places."""
    maps = n.add("Reshape", n.add("Conv", x, n.random(3, 2, 1, 1)), ints(n, 1, 3, -1))
    values, place = n.add("TopK", maps, ints(n, 5), axis=2, outputs=2)
    shares = n.add("Softmax", maps, axis=2)
    where = n.add("MatMul", shares, n.random(COUNT, 2))
    return values, n.add("GatherElements", maps, place, axis=2), where


def suppressed(n: Nodes, x: str) -> Built:
    """As many as are looked at, so that no length is open."""
    boxes, scores = listed(n, x, 4), listed(n, x, 1)
    turned = n.add("Transpose", scores, perm=[0, 2, 1])
    found = n.add("NonMaxSuppression", boxes, turned, ints(n, 4), f32(n, [1.0]))
    return (n.add("Cast", found, to=1),)


def decoded(n: Nodes, x: str) -> Built:
    """Beside constants for each place, and values that are repeated along it."""
    boxes, scores = listed(n, x, 4), listed(n, x, 2)
    moved = n.add("Mul", n.add("Add", boxes, n.random(1, COUNT, 4)), n.random(1, COUNT, 4))
    largest = n.add("ReduceMax", scores, axes=[2])
    number = n.add("Cast", n.add("ArgMax", scores, axis=2), to=1)
    return moved, n.add("Expand", largest, ints(n, 1, COUNT, 4)), number


def sampled(n: Nodes, x: str) -> Built:
    """At places one below the other; and some that the file names."""
    places = n.add("Unsqueeze", listed(n, x, 2), ints(n, 2))
    values = n.add("Reshape", n.add("GridSample", x, places), ints(n, 1, 2, -1))
    some = ints(n, *range(0, COUNT, 999), 3)
    return values, n.add("Gather", listed(n, x, 3), some, axis=1)


CASES: dict[str, Callable[[Nodes, str], Built]] = {
    "levels": levels,
    "best": best,
    "best of each": best_of_each,
    "suppressed": suppressed,
    "decoded": decoded,
    "sampled": sampled,
}


@pytest.mark.parametrize("name", CASES)
def test_lists_may_be_longer_than_a_side_of_a_map(name: str, tmp_path: Path) -> None:
    assert COUNT > LARGEST_SIDE
    nodes = Nodes(opset=17)
    nodes.output(*CASES[name](nodes, nodes.input(1, 2, ROWS, COLUMNS)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path), tolerance=1e-4)
