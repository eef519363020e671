"""Places of maxima and what is put back there, as SegNet and ENet have it, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, imported

from ftdist.errors import InputError
from ftdist.network.operators.lists import NonZero
from ftdist.network.operators.placing import ScatterBy
from ftdist.network.operators.unpooling import Unpool
from ftdist.planning.plan import parse_notation

Build = Callable[[Nodes, str], tuple[str, ...]]

HALVES: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}


def segnet(n: Nodes, x: str) -> tuple[str, ...]:
    pooled, places = n.add("MaxPool", x, outputs=2, **HALVES)
    again, others = n.add(
        "MaxPool", n.add("Conv", pooled, n.random(6, 8, 1, 1)), outputs=2, **HALVES
    )
    wide = n.add("MaxUnpool", n.add("Neg", again), others, **HALVES)
    wide = n.add("Conv", wide, n.random(8, 6, 3, 3), pads=[1, 1, 1, 1])
    return (
        n.add("MaxUnpool", wide, n.add("Identity", places), n.constant([1, 8, 9, 13]), **HALVES),
    )


def other_size(n: Nodes, x: str) -> tuple[str, ...]:
    """Numbers that count another map's places."""
    pooled, places = n.add("MaxPool", x, outputs=2, **HALVES)
    return (n.add("MaxUnpool", pooled, places, n.constant([1, 8, 10, 14]), **HALVES),)


def overlapping(n: Nodes, x: str) -> tuple[str, ...]:
    how: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
    pooled, places = n.add("MaxPool", x, outputs=2, **how)
    return (n.add("MaxUnpool", pooled, places, **how),)


def of_rows(n: Nodes, x: str) -> tuple[str, ...]:
    rows = n.add("Reshape", x, n.constant([1, 8, 9 * 13]))
    how: dict[str, Any] = {"kernel_shape": [3], "strides": [3]}
    pooled, places = n.add("MaxPool", rows, outputs=2, **how)
    return (n.add("MaxUnpool", pooled, places, **how),)


def numbers(n: Nodes, x: str) -> tuple[str, ...]:
    how: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    pooled, places = n.add("MaxPool", x, outputs=2, ceil_mode=1, **how)
    flat = n.add("Reshape", x, n.constant([-1]))
    return pooled, n.add("Gather", flat, places), n.add("Cast", places, to=1)


def by_columns(n: Nodes, x: str) -> tuple[str, ...]:
    _, places = n.add("MaxPool", x, outputs=2, storage_order=1, **HALVES)
    return (n.add("Cast", places, to=1),)


CASES: dict[str, Build] = {
    "segnet": segnet,
    "other size": other_size,
    "overlapping": overlapping,
    "rows": of_rows,
    "numbers": numbers,
    "by columns": by_columns,
}


@pytest.mark.parametrize("name", CASES)
def test_places_of_maxima(name: str, tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(*CASES[name](nodes, nodes.input(1, 8, 9, 13)))
    path = nodes.save(tmp_path / "graph.onnx")
    model = imported(path)
    assert_agree(path, model)
    kinds = [type(layer.operation) for layer in model.network.layers]
    assert (Unpool in kinds) == (name in ("segnet", "rows"))
    assert (ScatterBy in kinds) == (name in ("other size", "overlapping"))
    assert NonZero not in kinds
    arrays = arrays_for(model)
    whole, cut = (
        computed(model, arrays, plan)
        for plan in (None, parse_notation("2x3s1", model.network) if name == "segnet" else None)
    )
    for each, array in whole.items():
        np.testing.assert_array_equal(cut[each], array)


def test_maps_beyond_what_floats_count_are_put_back_by_channels(tmp_path: Path) -> None:
    """Places are counted within a channel, so that 64 x 512 x 1024 of them are exact."""
    nodes = Nodes()
    x = nodes.input(1, 2, 512, 1024)
    wide = nodes.add("Conv", x, nodes.random(64, 2, 1, 1))
    pooled, places = nodes.add("MaxPool", wide, outputs=2, **HALVES)
    thin = nodes.add("MaxUnpool", pooled, places, **HALVES)
    nodes.output(nodes.add("Conv", thin, nodes.random(1, 64, 1, 1)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
    nodes.output(nodes.add("Cast", places, to=1))
    with pytest.raises(InputError, match="floats tell 16777216 places apart"):
        imported(nodes.save(path))
