"""Operators that few networks have, as onnxruntime has them: indices, regions, loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Nodes, assert_agree, computed, expected, imported

from ftdist.errors import InputError

Build = Callable[[Nodes, str], str]


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def f32(n: Nodes, value: Any) -> str:
    return n.constant(np.array(value, np.float32))


def one(kind: str, *constants: Any, **how: Any) -> Build:
    def build(n: Nodes, x: str) -> str:
        given = [n.constant(np.array(each)) if each is not None else "" for each in constants]
        return str(n.add(kind, x, *given, **how))

    return build


def wide(kind: str, **how: Any) -> Build:
    """Over three axes: the map as (1, 2, 4, 6, 8)."""

    def build(n: Nodes, x: str) -> str:
        return str(n.add(kind, n.add("Reshape", x, ints(n, 1, 2, 4, 6, 8)), **how))

    return build


def on_rows(kind: str, **how: Any) -> Build:
    """Over one axis: the map as (1, 8, 48)."""

    def build(n: Nodes, x: str) -> str:
        return str(n.add(kind, n.add("Reshape", x, ints(n, 1, 8, 48)), **how))

    return build


def _transform(name: str) -> dict[str, Any]:
    return {"coordinate_transformation_mode": name}


def mirrored_list(n: Nodes, x: str) -> str:
    rows = n.add("Reshape", x, ints(n, 1, 8, 48))
    return str(n.add("Pad", rows, ints(n, 0, 0, 3, 0, 0, 5), mode="reflect"))


def turned_rows(n: Nodes, x: str) -> str:
    rows = n.add("Reshape", x, ints(n, 1, 8, 48))
    how: dict[str, Any] = {"strides": [2], "dilations": [2], "group": 2, "pads": [1, 2]}
    return str(n.add("ConvTranspose", rows, n.random(8, 3, 3), n.random(6), **how))


def taken_by_what_is_computed(n: Nodes, x: str) -> str:
    best = n.add("ArgMax", x, axis=2, keepdims=0)
    return str(n.add("Gather", x, best, axis=3))


def slices_by_what_is_computed(n: Nodes, x: str) -> str:
    best = n.add("ArgMax", n.add("Squeeze", x, ints(n, 0)), axis=1, keepdims=0)
    zeros = n.add("Mul", best, ints(n, 0))
    pairs = [n.add("Unsqueeze", each, ints(n, 2)) for each in (zeros, best)]
    return str(n.add("GatherND", x, n.add("Concat", *pairs, axis=2)))


def elements(n: Nodes, x: str) -> str:
    places = np.random.default_rng(3).integers(-6, 6, (1, 8, 4, 7))
    return str(n.add("GatherElements", x, n.constant(places), axis=2))


def updated(n: Nodes, x: str) -> str:
    """As exporters write x[..., 1:3] = ...: part of the last dim is set."""
    places = np.stack(np.meshgrid([0], range(8), range(6), [1, 2], indexing="ij"), -1)
    half = n.add("Mul", n.add("Slice", x, ints(n, 1), ints(n, 3), ints(n, 3)), f32(n, 0.5))
    return str(n.add("ScatterND", x, n.constant(places), half))


def updated_elements(n: Nodes, x: str) -> str:
    places = np.random.default_rng(3).integers(0, 6, (1, 2, 3, 4))
    return str(n.add("ScatterElements", x, n.constant(places), n.random(1, 2, 3, 4), axis=2))


def regions(mode: str, transform: str, samples: int) -> Build:
    def build(n: Nodes, x: str) -> str:
        boxes = f32(n, [[1, 1, 9, 7], [0, 0, 4, 4], [3, 2, 30, 20]])
        how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": transform}
        how |= {"output_height": 3, "output_width": 2}
        return str(n.add("RoiAlign", x, boxes, ints(n, 0, 0, 0), sampling_ratio=samples, **how))

    return build


def boxes_that_are_left(n: Nodes, x: str) -> str:
    """The boxes that suppression leaves; as many as it looks at, so that no place is open."""
    flat = n.add("Reshape", x, ints(n, 1, 96, 4))
    low = n.add("Slice", flat, ints(n, 0), ints(n, 2), ints(n, 2))
    size = n.add("Slice", flat, ints(n, 2), ints(n, 4), ints(n, 2))
    boxes = n.add("Concat", low, n.add("Add", low, n.add("Abs", size)), axis=2)
    scores = n.add("ReduceMax", n.add("Transpose", flat, perm=[0, 2, 1]), ints(n, 1))
    found = n.add("NonMaxSuppression", boxes, scores, ints(n, 3), f32(n, [0.3]))
    index = n.add("Squeeze", n.add("Slice", found, ints(n, 2), ints(n, 3), ints(n, 1)), ints(n, 1))
    return str(n.add("Gather", boxes, index, axis=1))


def quantised(n: Nodes, x: str) -> str:
    """QDQ: weights and values of whole numbers, by scales."""
    weights = n.constant(n.generator.integers(-128, 127, (4, 8, 3, 3)).astype(np.int8))
    scales, zeros = f32(n, [0.01, 0.02, 0.005, 0.01]), n.constant(np.zeros(4, np.int8))
    weight = n.add("DequantizeLinear", weights, scales, zeros, axis=0)
    scale, zero = f32(n, 1 / 256), n.constant(np.uint8(3))
    whole = n.add("QuantizeLinear", x, scale, zero)
    made = n.add("Conv", n.add("DequantizeLinear", whole, scale, zero), weight)
    return str(made)


def scaled_convolution(n: Nodes, x: str) -> str:
    scale, zero = f32(n, 1 / 256), n.constant(np.uint8(3))
    whole = n.add("QuantizeLinear", x, scale, zero)
    # Of 7 bits, for onnxruntime cuts sums of two products to 16 on older x86 machines.
    weights = n.constant(n.generator.integers(-64, 63, (4, 8, 3, 3)).astype(np.int8))
    weight_scale, weight_zero = f32(n, 0.01), n.constant(np.int8(0))
    bias = n.constant(n.generator.integers(-999, 999, 4).astype(np.int32))
    out_scale, out_zero = f32(n, 0.5), n.constant(np.uint8(128))
    given = [whole, scale, zero, weights, weight_scale, weight_zero, out_scale, out_zero, bias]
    made = n.add("QLinearConv", *given, pads=[1, 1, 1, 1])
    return str(n.add("DequantizeLinear", made, out_scale, out_zero))


def of_integers(kind: str, *shape: int) -> Build:
    def build(n: Nodes, x: str) -> str:
        zero = n.constant(np.uint8(9))
        whole = n.add("QuantizeLinear", x, f32(n, 1 / 256), zero)
        weights = n.constant(n.generator.integers(0, 255, shape).astype(np.uint8))
        made = n.add(kind, whole, weights, zero, n.constant(np.uint8(100)))
        return str(n.add("Cast", made, to=TensorProto.FLOAT))

    return build


def whole_division(n: Nodes, x: str) -> str:
    whole = n.add("Cast", n.add("Mul", x, f32(n, 40)), to=TensorProto.INT32)
    shifted = n.add("Sub", whole, n.constant(np.int32(20)))
    parts = n.add("Div", shifted, n.constant(np.int32(7)))
    left = n.add("Mod", shifted, n.constant(np.int32(-7)))
    cut = n.add("Mod", shifted, n.constant(np.int32(6)), fmod=1)
    total = n.add("Add", n.add("Mul", parts, n.constant(np.int32(100))), n.add("Add", left, cut))
    return str(n.add("Cast", total, to=TensorProto.FLOAT))


def truth_of_numbers(n: Nodes, x: str) -> str:
    truth = n.add("Cast", n.add("Relu", n.add("Sub", x, f32(n, 0.5))), to=TensorProto.BOOL)
    return str(n.add("Where", n.add("Not", truth), x, f32(n, -1)))


def repeated(n: Nodes, x: str) -> str:
    """A loop that runs three times, each time beside what it carries on."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Cast", ["number"], ["times"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["carried", "times"], ["next"]),
            helper.make_node("Identity", ["goes"], ["still"]),
            helper.make_node("Sin", ["times"], ["wave"]),
        ],
        "body",
        [
            value("number", TensorProto.INT64, []),
            value("goes", TensorProto.BOOL, []),
            value("carried", TensorProto.FLOAT, None),
        ],
        [
            value("still", TensorProto.BOOL, []),
            value("next", TensorProto.FLOAT, None),
            value("wave", TensorProto.FLOAT, None),
        ],
    )
    given = n.constant(np.int64(3)), n.constant(np.array(True)), x
    found, waves = n.add("Loop", *given, body=body, outputs=2)
    return str(n.add("Mul", found, n.add("ReduceSum", waves)))


CASES: dict[str, Build] = {
    "one-hot of the largest": one("Hardmax", axis=1),
    "norm of zeros": lambda n, x: n.add(
        "LpNormalization", n.add("Relu", n.add("Sub", x, f32(n, 0.8))), axis=1
    ),
    "responses": one("LRN", size=5, alpha=0.3, beta=0.6, bias=2.0),
    "max over three axes": wide("MaxPool", kernel_shape=[2, 3, 2], strides=[1, 2, 2], pads=[1] * 6),
    "average over three axes": wide("AveragePool", kernel_shape=[2, 3, 2], pads=[1, 1, 0] * 2),
    "global over three axes": wide("GlobalAveragePool"),
    "average over one axis": on_rows("AveragePool", kernel_shape=[4], strides=[3], ceil_mode=1),
    "lp pool": one("LpPool", kernel_shape=[2, 3], strides=[1, 2], pads=[1, 0, 0, 1], p=3),
    "global lp pool": one("GlobalLpPool", p=2),
    "padding that counts, past the end": one(
        *("AveragePool",),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1] * 4,
        ceil_mode=1,
        count_include_pad=1,
    ),
    "transposed over rows": turned_rows,
    "transposed, dilated": lambda n, x: n.add(
        "ConvTranspose", x, n.random(8, 2, 3, 2), strides=[2, 1], dilations=[2, 3], group=4
    ),
    "transposed, wider than it reaches": lambda n, x: n.add(
        "ConvTranspose", x, n.random(8, 2, 2, 2), n.random(2), strides=[3, 3], output_shape=[18, 25]
    ),
    "channels beside": one("Pad", np.array([0, 2, 0, 0, 0, 1, 0, 0]), np.float32(0.5)),
    "edges of channels": one("Pad", np.array([0, 2, 1, 0, 0, 1, 0, 2]), mode="edge"),
    "mirror": one("Pad", np.array([0, 0, 3, 2, 0, 0, 1, 4]), mode="reflect"),
    "mirror of a list": mirrored_list,
    **{
        f"resize {mode}, {more}": one(
            "Resize", None, np.array([1, 1, *scales], np.float32), mode=mode, **how
        )
        for mode in ("linear", "cubic")
        for more, scales, how in (
            ("filtered", (0.6, 0.4), {"antialias": 1}),
            ("odd scale", (1.2345, 0.7654), {}),
            ("half pixel symmetric", (1.3, 0.7), _transform("half_pixel_symmetric")),
        )
    },
    "resize to no more than": one(
        "Resize", None, None, np.array([9, 30]), axes=[2, 3], keep_aspect_ratio_policy="not_larger"
    ),
    "resize channels": one("Resize", None, np.array([1, 2, 1, 1], np.float32), mode="linear"),
    "crop and resize": one(
        *("Resize", np.array([0, 0, 0.2, -0.1, 1, 1, 0.7, 1.2], np.float32), None),
        np.array([1, 8, 5, 7]),
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=3.0,
    ),
    "taken by what is computed": taken_by_what_is_computed,
    "slices by what is computed": slices_by_what_is_computed,
    "taken in any order": one("Gather", np.array([[3, 0], [7, -1], [3, 3]]), axis=1),
    "elements": elements,
    "slices": one("GatherND", np.array([[[0, 3], [0, -1]]])),
    "updated": updated,
    "updated elements": updated_elements,
    **{
        f"regions {mode}, {transform}, {samples}": regions(mode, transform, samples)
        for mode in ("avg", "max")
        for transform in ("half_pixel", "output_half_pixel")
        for samples in (0, 2)
    },
    "boxes that are left": boxes_that_are_left,
    "quantised": quantised,
    "scaled convolution": scaled_convolution,
    "convolution of integers": of_integers("ConvInteger", 3, 8, 2, 2),
    "product of integers": of_integers("MatMulInteger", 8, 5),
    "whole division": whole_division,
    "truth of numbers": truth_of_numbers,
    "loop": repeated,
    "first part of a convolution": lambda n, x: n.add(
        "Split", n.add("Conv", x, n.random(7, 8, 1, 1)), ints(n, 3, 4), axis=1, outputs=2
    )[0],
    "larger than a number": one("Max", np.float32(0.4)),
    "number smaller than": lambda n, x: n.add("Min", f32(n, 0.4), x),
    "power of a half": one("Pow", np.float32(1.5)),
    "cut and padded around the middle": one("CenterCropPad", np.array([9, 3]), axes=[1, -1]),
    "padded around the middle": one("CenterCropPad", np.array([1, 8, 9, 11])),
    "standardized": one("MeanVarianceNormalization"),
    "standardized by channels": one("MeanVarianceNormalization", axes=[1]),
    "tiled": one("Tile", np.array([1, 2, 1, 3])),
    "diagonal": lambda n, x: n.add(
        "Einsum", n.add("Slice", x, ints(n, 0), ints(n, 6), ints(n, 3)), equation="bcii->bic"
    ),
    "outer product": lambda n, x: n.add("Einsum", x, n.random(8), equation="bchw,c->bhwc"),
    "sums of rows and columns of one length": lambda n, x: n.add(
        "Add",
        n.add("Transpose", n.add("ReduceMax", x, ints(n, 2, 3)), perm=[1, 0, 2, 3]),
        n.add("ReduceMin", x, ints(n, 2, 3)),
    ),
    "products of lists of one length": lambda n, x: n.add(
        "Mul",
        n.add("Reshape", n.add("ReduceMax", x, ints(n, 2, 3)), ints(n, 8, 1)),
        n.add("Reshape", n.add("ReduceMin", x, ints(n, 2, 3)), ints(n, 1, 8)),
    ),
    "recurrent state that begins as zeros": lambda n, x: n.add(
        "Add",
        n.add("Gemm", n.add("ReduceMax", n.add("Flatten", x), keepdims=1), n.random(1, 5)),
        n.add(
            "Gemm", n.random(4, 1), n.random(5, 4), f32(n, [0.5] * 5), transA=1, transB=1, beta=2.0
        ),
    ),
    "row times matrix": lambda n, x: n.add("MatMul", n.random(6), x),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_as_onnxruntime_has_it(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=20)
    nodes.output(CASES[name](nodes, nodes.input(1, 8, 6, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_suppression_hands_on_what_it_chose(tmp_path: Path) -> None:
    """Boxes that are none are not among them, and nothing is taken by their numbers."""
    nodes = Nodes(opset=20)
    boxes, scores = nodes.input(1, 5, 4, name="boxes"), nodes.input(1, 1, 5, name="scores")
    given = ints(nodes, 4), f32(nodes, [0.5]), f32(nodes, [0.5])
    found = nodes.add("NonMaxSuppression", boxes, scores, *given)
    last = ints(nodes, 2), ints(nodes, 3), ints(nodes, 1)
    index = nodes.add("Squeeze", nodes.add("Slice", found, *last), ints(nodes, 1))
    nodes.output(nodes.add("Gather", boxes, index, axis=1))
    nodes.output(nodes.add("Cast", found, to=TensorProto.FLOAT))
    path = nodes.save(tmp_path / "graph.onnx")
    low = np.arange(5, dtype=np.float32)[:, None] * [3, 3]
    arrays = {
        "boxes": np.concatenate([low, low + 2], 1).astype(np.float32)[None],
        "scores": np.array([[[0.1, 0.9, 0.7, 0.2, 0.3]]], np.float32),
    }
    taken, places = computed(imported(path), arrays).values()
    wanted, chosen = expected(path, arrays).values()
    np.testing.assert_array_equal(taken, wanted)
    np.testing.assert_array_equal(places, chosen)


def test_inputs_may_be_whole_numbers(tmp_path: Path) -> None:
    nodes = Nodes(opset=20)
    x = nodes.input(1, 3, 4, 5, kind=TensorProto.INT32)
    half = nodes.add("Div", x, nodes.constant(np.int32(-2)))
    nodes.output(nodes.add("Cast", half, to=TensorProto.FLOAT))
    path = nodes.save(tmp_path / "graph.onnx")
    given = np.arange(-30, 30, dtype=np.int32).reshape(1, 3, 4, 5)
    model = imported(path)
    (found,) = computed(model, {"x": given.astype(np.float32)}).values()
    (wanted,) = expected(path, {"x": given}).values()
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


def test_outputs_may_be_constants(tmp_path: Path) -> None:
    nodes = Nodes(opset=20)
    x = nodes.input(1, 3, 4, 5)
    nodes.output(nodes.add("Relu", x), nodes.add("Cast", nodes.add("Shape", x), to=1))
    path = nodes.save(tmp_path / "graph.onnx")
    model = imported(path)
    _, shape = computed(model, {"x": np.zeros((1, 3, 4, 5), np.float32)}).values()
    np.testing.assert_array_equal(shape.ravel(), [1, 3, 4, 5])


def test_a_loop_without_an_end_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes"], ["still"]),
            helper.make_node("Identity", ["carried"], ["next"]),
        ],
        "body",
        [
            value("number", TensorProto.INT64, []),
            value("goes", TensorProto.BOOL, []),
            value("carried", TensorProto.FLOAT, None),
        ],
        [value("still", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )
    nodes = Nodes(opset=20)
    x = nodes.input(1, 3, 4, 5)
    nodes.output(nodes.add("Loop", "", nodes.constant(np.array(True)), x, body=body))
    with pytest.raises(InputError, match="comes to more than 10000 nodes"):
        imported(nodes.save(tmp_path / "graph.onnx"))


def test_a_transposed_convolution_of_another_inputs_size_is_refused(tmp_path: Path) -> None:
    nodes = Nodes(opset=17)
    x = nodes.input(1, 2, 40, 40)  # it was exported for 9x9
    weights = nodes.random(2, 2, 2, 2)
    nodes.output(nodes.add("ConvTranspose", x, weights, strides=[2, 2], output_shape=[18, 18]))
    with pytest.raises(InputError, match=r"output_shape: 18 is of another input's size"):
        imported(nodes.save(tmp_path / "graph.onnx"))
