"""Random graphs: onnxruntime's answers, and the same bits whatever the plan is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnxgraphs import arrays_for, computed, expected, imported
from support.randomgraphs import random_graph
from support.randomplans import random_plan


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_agree_and_no_plan_changes_a_bit(seed: int, tmp_path: Path) -> None:
    path = random_graph(seed).save(tmp_path / "graph.onnx")
    model = imported(path)
    arrays = arrays_for(model, seed)
    once = computed(model, arrays)
    for name, wanted in expected(path, arrays).items():
        np.testing.assert_allclose(
            once[name], wanted, rtol=0, atol=1e-4 * max(1, abs(wanted).max())
        )
    plan = random_plan(model.network, seed, threads=1 + seed % 2)
    for name, array in computed(model, arrays, plan).items():
        np.testing.assert_array_equal(array.view(np.uint32), once[name].view(np.uint32))
