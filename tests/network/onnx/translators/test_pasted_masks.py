"""Masks that are put where their regions lie, as torchvision exports Mask R-CNN's last step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Nodes, computed, expected, imported

from ftdist.errors import InputError

SIDE, HEIGHT, WIDTH, COUNT = 6, 20, 24, 5


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def number(n: Nodes, value: int) -> str:
    return n.constant(np.array(value, np.int64))


def row(n: Nodes, value: str) -> str:
    return str(n.add("Unsqueeze", value, ints(n, 0)))


def limited(n: Nodes, how: str, value: str, limit: int) -> str:
    return str(n.add(how, n.add("Concat", value, ints(n, limit), axis=0), keepdims=0))


def side(n: Nodes, low: str, high: str) -> str:
    return limited(n, "ReduceMax", n.add("Add", n.add("Sub", high, low), ints(n, 1)), 1)


def resized(n: Nodes, mask: str, height: str, width: str) -> str:
    """Of one mask, whose shape is asked for again and again, as scripts are exported."""
    own = [n.add("Gather", n.add("Shape", mask), number(n, at), axis=0) for at in (0, 1)]
    shape = n.add("Concat", ints(n, 1), ints(n, 1), *(row(n, each) for each in own), axis=0)
    shape = n.add("Reshape", shape, ints(n, -1))
    one = helper.make_tensor("value", TensorProto.INT64, [1], [1])
    ones = n.add("ConstantOfShape", n.add("Shape", shape), value=one)
    is_open = n.add("Equal", shape, n.add("Mul", ones, ints(n, -1)))
    wide = n.add("Expand", mask, n.add("Where", is_open, ones, shape))
    sizes = n.add("Concat", row(n, height), row(n, width), axis=0)
    front = n.add("Slice", n.add("Shape", wide), ints(n, 0), ints(n, 2), ints(n, 0))
    sizes = n.add("Concat", front, n.add("Cast", sizes, to=TensorProto.INT64), axis=0)
    made = n.add("Resize", wide, "", "", sizes, mode="linear", nearest_mode="floor")
    for _ in range(2):
        made = n.add("Gather", made, number(n, 0), axis=0)
    return str(made)


def zeros(n: Nodes, rows: str, columns: str) -> str:
    shape = n.add("Concat", row(n, rows), row(n, columns), axis=0)
    return str(n.add("ConstantOfShape", shape))


def cut(n: Nodes, value: str, first: str, last: str, axis: int) -> str:
    return str(n.add("Slice", value, first, last, ints(n, axis), ints(n, 1)))


def pasting_body(n: Nodes, masks: str, boxes: str) -> Any:
    outer, n.nodes = n.nodes, [*n.nodes]
    mask = n.add("Gather", n.add("Gather", masks, "round", axis=0), number(n, 0), axis=0)
    box = n.add("Gather", boxes, "round", axis=0)
    right, left, below, top = (n.add("Gather", box, number(n, at), axis=0) for at in (2, 0, 3, 1))
    width, height = side(n, left, right), side(n, top, below)
    mask = resized(n, mask, height, width)
    first_x = limited(n, "ReduceMax", row(n, left), 0)
    last_x = limited(n, "ReduceMin", n.add("Add", row(n, right), ints(n, 1)), WIDTH)
    first_y = limited(n, "ReduceMax", row(n, top), 0)
    last_y = limited(n, "ReduceMin", n.add("Add", row(n, below), ints(n, 1)), HEIGHT)
    for axis, origin, ends in ((0, top, (first_y, last_y)), (1, left, (first_x, last_x))):
        own = [row(n, n.add("Sub", each, origin)) for each in ends]
        mask = cut(n, mask, own[0], own[1], axis)
    columns = n.add("Gather", n.add("Shape", mask), number(n, 1), axis=0)
    above = zeros(n, first_y, columns)
    under = zeros(n, n.add("Sub", number(n, HEIGHT), last_y), columns)
    mask = n.add("Concat", above, n.add("Cast", mask, to=TensorProto.FLOAT), under, axis=0)
    mask = cut(n, mask, ints(n, 0), ints(n, HEIGHT), 0)
    mask = cut(n, mask, ints(n, 0), ints(n, 1 << 40), 1)
    rows = n.add("Gather", n.add("Shape", mask), number(n, 0), axis=0)
    before = zeros(n, rows, first_x)
    behind = zeros(n, rows, n.add("Sub", number(n, WIDTH), last_x))
    mask = n.add("Concat", before, mask, behind, axis=1)
    mask = cut(n, mask, ints(n, 0), ints(n, 1 << 40), 0)
    mask = cut(n, mask, ints(n, 0), ints(n, WIDTH), 1)
    made = n.add("Concat", "before", row(n, mask), axis=0)
    still = n.add("Identity", "goes")
    nodes, n.nodes = n.nodes[len(outer) :], outer
    value = helper.make_tensor_value_info
    sizes = [None, HEIGHT, WIDTH]
    return helper.make_graph(
        nodes,
        "body",
        [
            value("round", TensorProto.INT64, []),
            value("goes", TensorProto.BOOL, []),
            value("before", TensorProto.FLOAT, sizes),
        ],
        [value(still, TensorProto.BOOL, []), value(made, TensorProto.FLOAT, sizes)],
    )


def graph(path: Path, body: Any = pasting_body) -> Path:
    """Of regions whose scores are above a threshold."""
    n = Nodes(opset=16)
    masks = n.input(COUNT, 1, SIDE, SIDE, name="masks")
    boxes, scores = n.input(COUNT, 4, name="boxes"), n.input(COUNT, name="scores")
    where = n.add("NonZero", n.add("Greater", scores, n.constant(np.float32(0.5))))
    where = n.add("Squeeze", where, ints(n, 0))
    masks, boxes = (n.add("Gather", each, where, axis=0) for each in (masks, boxes))
    boxes = n.add("Cast", boxes, to=TensorProto.INT64)
    count = n.add("Gather", n.add("Shape", boxes), number(n, 0), axis=0)
    start = n.add("ConstantOfShape", ints(n, 0, HEIGHT, WIDTH))
    goes = n.constant(np.array(True))
    made = n.add("Loop", count, goes, start, body=body(n, masks, boxes))
    n.output(n.add("Unsqueeze", made, ints(n, 1)))
    return n.save(path)


def given(seed: int) -> dict[str, Any]:
    """Boxes within the picture and beyond it, one of them of a single pixel."""
    generator = np.random.default_rng(seed)
    low = generator.integers(-6, 16, (COUNT, 2))
    high = low + generator.integers(6, 30, (COUNT, 2))
    low[0] = high[0] = 3
    return {
        "masks": generator.random((COUNT, 1, SIDE, SIDE), np.float32),
        "boxes": np.concatenate([low, high], 1).astype(np.float32),
        "scores": np.maximum(generator.random(COUNT, np.float32), [0.9, 0, 0, 0, 0]).astype("f4"),
    }


def test_masks_lie_where_their_regions_do(tmp_path: Path) -> None:
    path = graph(tmp_path / "graph.onnx")
    model = imported(path, batch="whole")
    for seed in range(4):
        arrays = given(seed)
        (wanted,) = expected(path, arrays).values()
        (found,) = computed(model, arrays).values()
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_another_loop_of_as_many_rounds_is_refused(tmp_path: Path) -> None:
    """With what ends the network before it: what the rounds read."""

    def body(n: Nodes, masks: str, boxes: str) -> Any:
        outer, n.nodes = n.nodes, [*n.nodes]
        mask = n.add("Gather", masks, "round", axis=0)
        made = n.add("Concat", "before", mask, axis=0)
        still = n.add("Identity", "goes")
        nodes, n.nodes = n.nodes[len(outer) :], outer
        value = helper.make_tensor_value_info
        starts = value("round", TensorProto.INT64, []), value("goes", TensorProto.BOOL, [])
        before = value("before", TensorProto.FLOAT, None)
        ends = value(still, TensorProto.BOOL, []), value(made, TensorProto.FLOAT, None)
        return helper.make_graph(nodes, "body", [*starts, before], ends)

    path = graph(tmp_path / "graph.onnx", body)
    told = r"Loop\): how often it runs depends on the input\. --until Gather\d+_0 ends the network"
    with pytest.raises(InputError, match=told):
        imported(path, batch="whole")
