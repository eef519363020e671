"""Where a map lies on the input, against what a single pixel of the input comes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, computed, imported

from ftdist.geometry import Shape
from ftdist.network.alignment import Alignment, AxisAlignment, aligned, stretched

SIZE = (44, 36)


def convolved(nodes: Nodes, x: str, side: int, kind: str = "Conv", **more: Any) -> str:
    made: str = nodes.add(kind, x, nodes.constant(np.ones((1, 1, side, side), np.float32)), **more)
    return made


def valid(nodes: Nodes, x: str) -> str:
    return convolved(nodes, convolved(nodes, x, 3), 5, dilations=[2, 2])


def enlarged(nodes: Nodes, x: str) -> str:
    """As waifu2x's upconv7 ends."""
    return convolved(nodes, valid(nodes, x), 4, "ConvTranspose", strides=[2, 2], pads=[3] * 4)


def strided(nodes: Nodes, x: str) -> str:
    smaller = nodes.add("MaxPool", convolved(nodes, x, 3), kernel_shape=[2, 2], strides=[2, 2])
    return convolved(nodes, smaller, 3)


def uneven(nodes: Nodes, x: str) -> str:
    return convolved(nodes, x, 3, pads=[0, 2, 0, 0])


def cropped(nodes: Nodes, x: str) -> str:
    """The skip of a U-Net without padding; the way through the deep part has more layers."""
    deep = convolved(nodes, valid(nodes, x), 3)
    begin, end, axes = (nodes.constant(np.array(each)) for each in ([6, 6], [-6, -6], [2, 3]))
    return str(nodes.add("Add", deep, nodes.add("Slice", x, begin, end, axes)))


def gated(nodes: Nodes, x: str) -> str:
    made = valid(nodes, x)
    return str(nodes.add("Mul", made, nodes.add("GlobalAveragePool", made)))


@pytest.mark.parametrize(
    ("grown", "start", "step"),
    [
        (valid, (5.0, 5.0), 1.0),
        (enlarged, (6.0, 6.0), 0.5),
        (strided, (3.0, 3.0), 2.0),
        (cropped, (6.0, 6.0), 1.0),
        (gated, (5.0, 5.0), 1.0),
        (uneven, (1.0, 0.0), 1.0),  # as many columns as before
    ],
)
def test_a_border_that_is_lost_shifts_the_map(
    tmp_path: Path, grown: Callable[[Nodes, str], str], start: tuple[float, float], step: float
) -> None:
    nodes = Nodes()
    nodes.output(grown(nodes, nodes.input(1, 1, *SIZE)))
    model = imported(nodes.save(tmp_path / "graph.onnx"))
    found = aligned(model.network, model.network.outputs[0])
    assert [along.start for along in found] == [*start]
    assert [along.step for along in found] == [step, step]
    if grown is uneven:
        return
    middles = []
    for row, column in ((20, 16), (20, 17), (21, 16), (21, 17)):
        image = np.zeros((1, 1, *SIZE), np.float32)
        image[0, 0, row, column] = 1
        (made,) = computed(model, {"x": image}).values()
        places = np.argwhere(made[0, 0] > 0) + 0.5
        middle = zip(found, places.mean(axis=0), strict=True)
        middles.append([along.start + along.step * each for along, each in middle])
    np.testing.assert_allclose(np.mean(middles, axis=0), (21, 17))


@pytest.mark.parametrize("size", [(44, 36), (45, 37)])
def test_edges_coincide_where_convolutions_are_padded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    nodes = Nodes()
    x = nodes.input(1, 1, *size)
    smaller = convolved(nodes, x, 3, strides=[2, 2], auto_pad="SAME_UPPER")
    sizes = nodes.constant(np.array([1, 1, *size]))
    larger = nodes.add("Resize", smaller, "", "", sizes, mode="linear",
                       coordinate_transformation_mode="align_corners")  # fmt: skip
    nodes.output(smaller, larger, nodes.add("GlobalAveragePool", x))
    network = imported(nodes.save(tmp_path / "graph.onnx")).network
    for output in network.outputs:
        found, wanted = aligned(network, output), stretched(network.shape(output), network.input)
        for along, each in zip(found, wanted, strict=True):
            assert (along.start, along.step) == (0.0, each.step)


def test_maps_that_lie_on_maps() -> None:
    assert AxisAlignment(7.0, 1, 2).of(AxisAlignment(3.0, 4, 1)) == AxisAlignment(8.5, 2, 1)
    assert stretched(Shape(6, 4, 1), Shape(3, 4, 1)) == Alignment(
        AxisAlignment(0.0, 3, 6), AxisAlignment(0.0, 4, 4)
    )
