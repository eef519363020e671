"""Reductions over space take no whole map where the rows that they reduce pass by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, imported
from support.randomplans import random_plan

from ftdist.network.modelfile import Model
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.search.search import Search
from ftdist.planning.steps import split

HEIGHT, WIDTH, CHANNELS = 40, 36, 16


def model_of(tmp_path: Path, kind: str, **attributes: Any) -> Model:
    nodes = Nodes(seed=1)
    x = nodes.input(1, 3, HEIGHT, WIDTH)
    wide = nodes.add("Conv", x, nodes.random(CHANNELS, 3, 3, 3), pads=[1, 1, 1, 1])
    nodes.output(nodes.add(kind, nodes.add("Relu", wide), **attributes))
    path = nodes.save(tmp_path / "net.onnx")
    model = imported(path)
    assert_agree(path, model, tolerance=1e-6)
    return model


REDUCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("GlobalAveragePool", {}),
    ("GlobalMaxPool", {}),
    ("ReduceMean", {"axes": [2, 3]}),
    ("ReduceMax", {"axes": [2, 3], "keepdims": 0}),
    ("AveragePool", {"kernel_shape": [HEIGHT, WIDTH], "strides": [2, 2]}),
]


@pytest.mark.parametrize(("kind", "attributes"), REDUCTIONS)
def test_a_reduction_over_space_holds_no_whole_map(
    tmp_path: Path, kind: str, attributes: dict[str, Any]
) -> None:
    model = model_of(tmp_path, kind, **attributes)
    network = model.network
    plan = Plan(split(network, [GroupPlan(0, len(network.layers), strip=1)]))
    lowered = lower(network, plan, model.offsets, picture=False)
    assert lowered.block_bytes < HEIGHT * WIDTH * CHANNELS * 4 / 4


@pytest.mark.parametrize(("kind", "attributes"), REDUCTIONS[:2])
def test_no_plan_changes_a_bit_of_a_reduction_over_space(
    tmp_path: Path, kind: str, attributes: dict[str, Any]
) -> None:
    model = model_of(tmp_path, kind, **attributes)
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for seed in range(6):
        found = computed(model, arrays, random_plan(model.network, seed, threads=1 + seed % 2))
        for name, array in found.items():
            np.testing.assert_array_equal(array.view(np.uint32), once[name].view(np.uint32))


@pytest.mark.parametrize("groups", [1, 4, CHANNELS])
def test_a_norm_over_space_holds_its_input_and_nothing_beside(tmp_path: Path, groups: int) -> None:
    nodes = Nodes(seed=1, opset=21)
    x = nodes.input(1, 3, HEIGHT, WIDTH)
    wide = nodes.add("Conv", x, nodes.random(CHANNELS, 3, 3, 3), pads=[1, 1, 1, 1])
    weights = nodes.random(CHANNELS), nodes.random(CHANNELS)
    made = nodes.add("GroupNormalization", wide, *weights, num_groups=groups)
    nodes.output(nodes.add("Conv", nodes.add("Relu", made), nodes.random(2, CHANNELS, 3, 3)))
    path = nodes.save(tmp_path / "net.onnx")
    model = imported(path)
    assert_agree(path, model, tolerance=5e-6)
    map_bytes = HEIGHT * WIDTH * CHANNELS * 4
    assert Search(model.network, threads=1).smallest().peak_bytes < 1.5 * map_bytes
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for seed in range(6):
        found = computed(model, arrays, random_plan(model.network, seed, threads=1 + seed % 2))
        for name, array in found.items():
            np.testing.assert_array_equal(array.view(np.uint32), once[name].view(np.uint32))
