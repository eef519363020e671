"""What is put to computed places or spread out, maxima of regions, samples of volumes; against
onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, assert_agree, imported

Build = Callable[[Nodes, str], str]


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def f32(n: Nodes, value: Any) -> str:
    return n.constant(np.array(value, np.float32))


def added_by_what_is_computed(kind: str) -> Build:
    """Several updates of one place, one after another."""

    def build(n: Nodes, x: str) -> str:
        best = n.add("ArgMax", x, axis=2, keepdims=1)
        return str(n.add("ScatterElements", x, best, n.random(1, 8, 1, 6), axis=2, reduction=kind))

    return build


def slices_added(kind: str) -> Build:
    def build(n: Nodes, x: str) -> str:
        best = n.add("ArgMax", n.add("Reshape", x, ints(n, 8, 8, 6)), axis=2, keepdims=1)
        data, updates = n.random(6, 5, 3), n.random(8, 8, 5, 3)
        return str(n.add("ScatterND", data, best, updates, reduction=kind))

    return build


def volume(*kernel: int, **how: Any) -> Build:
    """Transposed over three axes: of the map as (1, 4, 3, 4, 8)."""

    def build(n: Nodes, x: str) -> str:
        value = n.add("Reshape", x, ints(n, 1, 4, 3, 4, 8))
        groups = how.get("group", 1)
        weights = n.random(4, 6 // groups, *kernel)
        return str(n.add("ConvTranspose", value, weights, n.random(6), **how))

    return build


def turned_frames(n: Nodes, x: str) -> str:
    """A batch within the network whose windows overlap."""
    frames = n.add("Reshape", x, ints(n, 4, 2, 6, 8))
    how: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 0]}
    return str(n.add("ConvTranspose", frames, n.random(2, 3, 3, 3), n.random(3), **how))


def pooled_regions(n: Nodes, x: str) -> str:
    boxes = f32(n, [[0, 1, 1, 9, 7], [0, 0, 0, 4, 4], [0, 3.4, 2.6, 30, 20], [0, -9, -9, -5, -5]])
    return str(n.add("MaxRoiPool", x, boxes, pooled_shape=[3, 2], spatial_scale=0.7))


def from_the_end(n: Nodes, x: str) -> str:
    """Some indices are below zero."""
    best = n.add("Sub", n.add("ArgMax", x, axis=2, keepdims=1), ints(n, 4))
    return str(n.add("ScatterElements", x, best, n.random(1, 8, 1, 6), axis=2, reduction="add"))


def slices_from_the_end(kind: str) -> Build:
    def build(n: Nodes, x: str) -> str:
        rows = n.add("Reshape", x, ints(n, 64, 6))
        pair = [n.add(each, rows, axis=1, keepdims=1) for each in ("ArgMax", "ArgMin")]
        places = n.add("Sub", n.add("Concat", *pair, axis=1), ints(n, 3, 2))
        data = n.add("Mul", n.random(6, 6, 3), n.add("ReduceMean", x, keepdims=0))
        more = [n.random(64, 3)] if kind == "ScatterND" else []
        how: dict[str, Any] = {"reduction": "add"} if more else {}
        return str(n.add(kind, data, places, *more, **how))

    return build


def looked_up(**how: Any) -> Build:
    """A table of colours, mixed by the picture itself, as it is for three colours."""

    def build(n: Nodes, x: str) -> str:
        table = n.add("Mul", n.random(1, 3, 5, 4, 6), n.add("ReduceMean", x))
        colours = n.add("Slice", x, ints(n, 0), ints(n, 3), ints(n, 1))
        places = n.add("Transpose", n.add("Sub", colours, f32(n, 0.4)), perm=[0, 2, 3, 1])
        places = n.add("Unsqueeze", n.add("Mul", places, f32(n, 2.2)), ints(n, 1))
        return str(n.add("GridSample", table, places, **how))

    return build


def list_added(n: Nodes, x: str) -> str:
    """Of what is above a bound, of which there may be any number, each counts for its column."""
    flat = n.add("Reshape", x, ints(n, 64, 6))
    found = n.add("NonZero", n.add("Greater", flat, f32(n, 0.8)))
    values = n.add("GatherND", flat, n.add("Transpose", found))
    columns = n.add("Unsqueeze", n.add("Gather", found, ints(n, 1)), ints(n, 2))
    columns = n.add("Reshape", columns, ints(n, -1, 1))
    return str(n.add("ScatterND", f32(n, np.zeros(6)), columns, values, reduction="add"))


CASES: dict[str, Build] = {
    **{
        f"elements {kind}": added_by_what_is_computed(kind) for kind in ("add", "mul", "max", "min")
    },
    **{f"slices {kind}": slices_added(kind) for kind in ("none", "add", "mul", "max", "min")},
    "from the end": from_the_end,
    "slices from the end": slices_from_the_end("ScatterND"),
    "slices taken from the end": slices_from_the_end("GatherND"),
    "list": list_added,
    "regions": pooled_regions,
    "volume that is looked up": looked_up(mode="linear", align_corners=1),
    "border of a volume": looked_up(mode="linear", padding_mode="border"),
    "mirrored volume": looked_up(mode="linear", padding_mode="reflection"),
    "nearest of a volume": looked_up(mode="nearest"),
    "frames": turned_frames,
    "volume": volume(2, 2, 2, strides=[2, 2, 2]),
    "padded volume": volume(
        3, 3, 2, strides=[2, 2, 2], pads=[1, 1, 0, 1, 0, 1], output_padding=[1, 0, 1]
    ),
    "volume that is dilated": volume(
        2, 3, 3, strides=[3, 1, 2], dilations=[2, 2, 1], pads=[0, 1, 1, 1, 0, 0]
    ),
    "volume by groups": volume(3, 2, 2, strides=[2, 1, 1], group=2, pads=[1, 0, 0, 1, 0, 0]),
    "volume with gaps": volume(1, 1, 2, strides=[3, 2, 2]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_onnxruntime_has_it(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=20)
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 8, 6)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
