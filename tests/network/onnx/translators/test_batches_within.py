"""Tensors with a batch of their own within a network: heads, frames, regions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, expected, imported
from support.randomplans import random_plan


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


Build = Callable[[Nodes, str], str]


def convolution(kernel: tuple[int, int], groups: int = 1, **how: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        weights = n.random(6, 4 // groups, *kernel)
        return str(n.add("Conv", x, weights, n.random(6), group=groups, **how))

    return build


def one(kind: str, *constants: Callable[[Nodes], str], **how: Any) -> Build:
    return lambda n, x: str(n.add(kind, x, *(each(n) for each in constants), **how))


def over_one_axis(n: Nodes, x: str) -> str:
    line = n.add("Reshape", x, n.constant(np.array([5, 4, 63])))
    return str(n.add("Conv", line, n.random(3, 4, 5), pads=[2, 2], strides=[2]))


OF_FRAMES = {
    "convolution": convolution((3, 3)),
    "padded convolution": convolution((3, 3), pads=[1, 1, 1, 1]),
    "strided convolution": convolution((3, 2), pads=[1, 0, 0, 1], strides=[2, 2]),
    "long strides": convolution((1, 1), strides=[3, 2]),
    "dilated convolution": convolution((3, 3), pads=[2, 2, 3, 2], dilations=[2, 1]),
    "grouped convolution": convolution((5, 3), groups=2, pads=[2, 1, 2, 1]),
    "pointwise convolution": convolution((1, 1)),
    "convolution over one axis": over_one_axis,
    "transposed convolution": one("ConvTranspose", lambda n: n.random(4, 3, 2, 2), strides=[2, 2]),
    "max pool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average pool": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "global pool": one("GlobalAveragePool"),
    "instance norm": one("InstanceNormalization", lambda n: n.random(4), lambda n: n.random(4)),
    "resized": lambda n, x: str(
        n.add("Resize", x, "", n.constant(np.array([1, 1, 2, 1.5], np.float32)), mode="linear")
    ),
    "joined channels": lambda n, x: str(n.add("Concat", x, n.add("Neg", x), axis=1)),
}


@pytest.mark.parametrize("name", OF_FRAMES)
def test_frames_do_not_see_each_other(name: str, tmp_path: Path) -> None:
    """Five frames (4, 7, 9), as windows of attention, moments and regions are."""
    n = Nodes()
    x = n.add("Conv", n.input(1, 2, 7, 9), n.random(20, 2, 3, 3), pads=[1, 1, 1, 1])
    frames = n.add("Reshape", x, n.constant(np.array([5, 4, 7, 9])))
    made = n.add("Relu", OF_FRAMES[name](n, frames))
    path = _saved(n, n.add("Reshape", made, n.constant(np.array([1, 5, -1]))), tmp_path)
    model = imported(path)
    assert_agree(path, model)
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for seed in range(3):
        plan = random_plan(model.network, seed, threads=1 + seed % 2)
        for output, array in computed(model, arrays, plan).items():
            np.testing.assert_array_equal(array.view(np.uint32), once[output].view(np.uint32))


def test_a_mask_may_be_infinite(tmp_path: Path) -> None:
    """What attention is not to see is minus infinity before the softmax, as DETR has it."""
    n = Nodes()
    x = n.input(1, 4, 6, 8)
    mask = np.where(np.arange(8) < 5, 0, -np.inf).astype(np.float32)
    masked = n.add("Add", x, n.constant(mask))
    chosen = n.add("Where", n.constant(np.arange(8) != 2), masked, n.constant(np.float32(-np.inf)))
    path = _saved(n, n.add("Softmax", chosen, axis=3), tmp_path)
    assert_agree(path, imported(path))


@pytest.mark.parametrize("shape", [(4, 6, -1), (8, 3, -1), (4, -1), (-1, 6, 10), (0, 6, -1)])
def test_shapes_that_were_written_for_a_batch_are_those_of_a_frame(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """A file made for four frames at once has a 4, or 8 for two heads of each, among its shapes."""
    n = Nodes()
    x = n.input(4, 6, 8, 10)
    path = _saved(n, n.add("Reshape", x, n.constant(np.array(shape))), tmp_path)
    model = imported(path)
    frame = arrays_for(model)["x"]
    (found,) = computed(model, {"x": frame}).values()
    (wanted,) = expected(path, {"x": np.repeat(frame, 4, axis=0)}).values()
    np.testing.assert_array_equal(found, wanted[: len(wanted) // 4])


@pytest.mark.parametrize(
    ("kernel", "groups", "how"),
    [
        ((3, 3, 3), 1, {"pads": [1, 1, 1, 1, 1, 1]}),
        ((2, 3, 1), 2, {"strides": [2, 1, 2], "pads": [1, 0, 0, 0, 1, 0]}),
        ((3, 1, 2), 4, {"dilations": [2, 1, 3], "pads": [2, 0, 0, 2, 0, 0]}),
        ((1, 3, 3), 1, {"auto_pad": "SAME_UPPER"}),
        ((6, 4, 5), 1, {}),
    ],
)
def test_convolutions_over_three_axes(
    kernel: tuple[int, ...], groups: int, how: dict[str, Any], tmp_path: Path
) -> None:
    """Of moments of a video, or of disparities: four channels of six places, (7, 9) each."""
    n = Nodes()
    x = n.input(1, 4, 6, 7, 9)
    made = n.add("Conv", x, n.random(8, 4 // groups, *kernel), n.random(8), group=groups, **how)
    path = _saved(n, n.add("Relu", made), tmp_path)
    model = imported(path)
    assert_agree(path, model)
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for output, array in computed(model, arrays, random_plan(model.network, 1)).items():
        np.testing.assert_array_equal(array.view(np.uint32), once[output].view(np.uint32))
