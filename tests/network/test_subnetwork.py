"""A part of a network: what some outputs alone take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.onnxgraphs import Nodes, arrays_for, computed, imported

from ftdist.network.subnetwork import of_outputs


def two_ends(path: Path) -> tuple[Path, str, str]:
    """A mask with its channels last, and what a branch of its own makes."""
    nodes = Nodes()
    x = nodes.add("Relu", nodes.add("Conv", nodes.input(1, 3, 12, 16), nodes.random(8, 3, 3, 3)))
    mask = nodes.add("Transpose", nodes.add("Conv", x, nodes.random(2, 8, 1, 1)), perm=[0, 2, 3, 1])
    deep = nodes.add("Conv", x, nodes.random(64, 8, 3, 3))
    nodes.output(deep, mask)
    return nodes.save(path / "graph.onnx"), mask, deep


def test_what_other_outputs_take_is_left_out(tmp_path: Path) -> None:
    path, mask, deep = two_ends(tmp_path)
    whole = imported(path)
    part = of_outputs(whole, (mask,))
    assert len(part.network.layers) < len(whole.network.layers)
    arrays = arrays_for(whole)
    wanted = computed(whole, arrays)
    found = computed(part, arrays)
    assert {*found} == {mask} and {*wanted} == {mask, deep}
    np.testing.assert_array_equal(found[mask], wanted[mask])


def test_what_leaves_nothing_out_is_the_same(tmp_path: Path) -> None:
    path, mask, deep = two_ends(tmp_path)
    whole = imported(path)
    assert of_outputs(whole, (deep, mask)) is whole
    assert of_outputs(whole, ()) is whole


def test_all_inputs_are_still_asked_for(tmp_path: Path) -> None:
    nodes = Nodes()
    first, second = nodes.input(1, 3, 8, 8, name="a"), nodes.input(1, 3, 8, 8, name="b")
    one, both = nodes.add("Relu", first), nodes.add("Add", first, second)
    nodes.output(one, both)
    whole = imported(nodes.save(tmp_path / "graph.onnx"))
    assert of_outputs(whole, (one,)) is whole
    assert len(of_outputs(whole, (both,)).network.outputs) == 1
