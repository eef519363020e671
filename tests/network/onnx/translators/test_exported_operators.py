"""Operators as exporters of other frameworks write them: numbers that the network computes where
most files have constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.errors import InputError

Build = Callable[[Nodes, str], str]


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def f32(n: Nodes, value: Any) -> str:
    return n.constant(np.array(value, np.float32))


def put_where_it_is_computed(n: Nodes, x: str) -> str:
    """By numbers of slices, then by those of elements; the last one counts where several meet."""
    rows = n.add("Squeeze", x, ints(n, 0))
    best = n.add("ArgMax", n.add("ReduceMax", rows, ints(n, 1, 2), keepdims=0), keepdims=1)
    put = n.add("ScatterND", rows, n.add("Unsqueeze", best, ints(n, 1)), n.random(1, 6, 8))
    place = n.add("ArgMax", put, axis=1, keepdims=1)
    made = n.add("ScatterElements", put, place, n.random(8, 1, 8), axis=1)
    return str(n.add("Unsqueeze", made, ints(n, 0)))


def slices_of_each_frame(n: Nodes, x: str) -> str:
    rows = n.add("Reshape", x, ints(n, 8, 6, 8))
    best = n.add("ArgMax", n.add("ReduceMax", rows, ints(n, 2)), axis=1, keepdims=0)
    return str(n.add("GatherND", rows, best, batch_dims=1))


def hot(axis: int) -> Build:
    def build(n: Nodes, x: str) -> str:
        place = n.add("Sub", n.add("ArgMax", x, axis=1, keepdims=0), ints(n, 4))
        return str(n.add("OneHot", place, ints(n, 8), f32(n, [0.5, 2]), axis=axis))

    return build


def blocks(block: tuple[int, int], image: tuple[int, int], **how: Any) -> Build:
    """What im2col made, added where it lay."""

    def build(n: Nodes, x: str) -> str:
        flat = n.add("Reshape", x, ints(n, 1, 2 * block[0] * block[1], -1))
        return str(n.add("Col2Im", flat, ints(n, *image), ints(n, *block), **how))

    return build


def norm_by_computed(n: Nodes, x: str) -> str:
    """As Keras exports LayerNormalization: positions are channels, by their own statistics."""
    rows = n.add("Reshape", x, ints(n, 1, -1, 8, 1))
    mean = n.add("ReduceMean", rows, ints(n, 0, 2, 3), keepdims=0)
    apart = n.add("Sub", rows, n.add("Reshape", mean, ints(n, 1, -1, 1, 1)))
    square = n.add("ReduceMean", n.add("Mul", apart, apart), ints(n, 0, 2, 3), keepdims=0)
    ones, zeros = n.constant(np.ones(48, np.float32)), n.constant(np.zeros(48, np.float32))
    found = n.add("BatchNormalization", rows, ones, zeros, mean, square, epsilon=1e-3)
    return str(n.add("Reshape", found, ints(n, 1, 8, 6, 8)))


def norm_of_itself(n: Nodes, x: str) -> str:
    statistics = [n.random(8) for _ in range(3)]
    spread = n.constant(np.ones(8, np.float32))
    how: dict[str, Any] = {"outputs": 3, "training_mode": 1, "epsilon": 1e-3}
    return str(n.add("BatchNormalization", x, *statistics, spread, **how)[0])


def general_products(n: Nodes, x: str) -> str:
    """Whose first matrix is a constant, or whose second one and bias depend on the input."""
    rows = n.add("Reshape", x, ints(n, 8, 48))
    square = n.add("Gemm", rows, rows, n.add("ReduceMean", rows, ints(n, 1)), transB=1, beta=2.0)
    return str(n.add("Gemm", n.random(8, 5), square, transA=1, alpha=0.5))


def by_a_scale_of_32_bits(n: Nodes, x: str) -> str:
    """6 times 7/6 is 7, though that scale is a little less in 32 bits."""
    return str(n.add("Resize", x, "", f32(n, [1, 1, 7 / 6, 1.1]), mode="linear"))


def parts_by_rounds(n: Nodes, x: str) -> str:
    """As TensorFlow takes regions one by one: the number of the round is no list."""
    outer, n.nodes = n.nodes, []
    row = n.add("Slice", f32(n, [[0.5], [2.0]]), "number", n.add("Add", "number", ints(n, 1)))
    made = n.add("Mul", x, row)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [*n.nodes, helper.make_node("Identity", ["goes"], ["still"])],
        "body",
        [value("number", TensorProto.INT64, [1]), value("goes", TensorProto.BOOL, [])],
        [value("still", TensorProto.BOOL, []), value(made, TensorProto.FLOAT, None)],
    )
    n.nodes = outer
    return str(n.add("Loop", ints(n, 2), n.constant(np.array(True)), body=body))


def twice_scattered(n: Nodes, x: str) -> str:
    """What is known is computed at import, as tf2onnx's symmetric pads need it."""
    truths = n.constant(np.ones(6, bool))
    kept = n.add("ScatterElements", truths, ints(n, 2, -1), n.constant(np.array([False, False])))
    return str(n.add("Compress", x, kept, axis=2))


CASES: dict[str, Build] = {
    "put where it is computed": put_where_it_is_computed,
    "slices of each frame": slices_of_each_frame,
    "hot channels": hot(1),
    "hot places": hot(-1),
    "blocks beside each other": blocks((2, 4), image=(8, 24), strides=[2, 4]),
    "blocks that overlap": blocks((2, 2), image=(7, 8), pads=[0, 0, 0, 1]),
    "norm by computed statistics": norm_by_computed,
    "norm of itself": norm_of_itself,
    "general products": general_products,
    "by a scale of 32 bits": by_a_scale_of_32_bits,
    "parts by rounds": parts_by_rounds,
    "twice scattered": twice_scattered,
}


@pytest.mark.parametrize("name", CASES)
def test_an_exported_operator_is_as_onnxruntime_has_it(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=18)
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 6, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


@pytest.mark.parametrize("how", ["heads", "side by side", "mask", "truths", "causal"])
def test_attention_is_as_onnxruntime_has_it(how: str, tmp_path: Path) -> None:
    """As one operator; two heads of queries look by one of keys, or all by their own."""
    n = Nodes(opset=23)
    x = n.input(1, 8, 6, 8)
    wide = n.add("Reshape", x, ints(n, 1, 4, 12, 8))
    few = n.add("Slice", wide, ints(n, 1), ints(n, 3), ints(n, 1))
    if how == "heads":
        made = n.add("Attention", wide, few, few, scale=0.7)
    elif how == "side by side":
        rows = n.add("Reshape", x, ints(n, 1, 12, 32))
        made = n.add("Attention", rows, rows, rows, q_num_heads=4, kv_num_heads=4)
    elif how == "causal":
        made = n.add("Attention", wide, wide, wide, is_causal=1)
    else:
        mask = n.random(12, 12)
        if how == "truths":
            mask = n.add("Greater", n.add("ReduceMax", wide, ints(n, 1, 3)), f32(n, 0.97))
            mask = n.add("Expand", n.add("Reshape", mask, ints(n, 1, 12)), ints(n, 12, 12))
        made = n.add("Attention", wide, wide, wide, mask)
    n.output(made)
    path = n.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_attention_with_what_it_does_not_know_is_refused(tmp_path: Path) -> None:
    n = Nodes(opset=23)
    wide = n.add("Reshape", n.input(1, 8, 6, 8), ints(n, 1, 4, 12, 8))
    n.output(n.add("Attention", wide, wide, wide, softcap=2.0))
    with pytest.raises(InputError, match=r"Attention\): softcap: attention without it"):
        imported(n.save(tmp_path / "graph.onnx"))


@pytest.mark.parametrize("shares", [1, 2])
@pytest.mark.parametrize("how", ["plain", "mask and bias", "strides"])
def test_a_deformable_convolution_is_as_onnxruntime_has_it(
    how: str, shares: int, tmp_path: Path
) -> None:
    """Each tap is moved by what the network says, also beside the map."""
    n = Nodes(opset=22)
    x = n.input(1, 8, 6, 8)
    settings: dict[str, Any] = {"pads": [1, 1, 1, 1], "offset_group": shares}
    if how == "strides":
        settings |= {"strides": [2, 1], "dilations": [1, 2], "pads": [1, 2, 1, 2], "group": 2}
    rows = n.add("MaxPool", x, kernel_shape=[1, 1], strides=[2, 1]) if how == "strides" else x
    offsets = n.add("Conv", rows, n.random(18 * shares, 8, 1, 1, scale=1.5))
    given = [x, n.random(4, 4 if how == "strides" else 8, 3, 3), offsets]
    if how == "mask and bias":
        mask = n.add("Sigmoid", n.add("Conv", rows, n.random(9 * shares, 8, 1, 1)))
        given += [n.random(4), mask]
    n.output(n.add("DeformConv", *given, **settings))
    path = n.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
