"""Lists whose length depends on the input: what detectors have behind their heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Array, Nodes, assert_agree, computed, expected, imported

from ftdist.errors import InputError

COUNT = 12

Build = Callable[[Nodes, str, str], tuple[str, ...]]


def ints(n: Nodes, *values: int) -> str:
    return n.constant(np.array(values, np.int64))


def f32(n: Nodes, value: Any) -> str:
    return n.constant(np.array(value, np.float32))


def chosen(n: Nodes, boxes: str, scores: str, threshold: float = 0.5) -> tuple[str, str]:
    """Boxes and scores above a threshold, as a mask of truth values chooses them."""
    places = n.add("NonZero", n.add("Greater", scores, f32(n, threshold)))
    by = n.add("Transpose", places, perm=[1, 0])
    return n.add("GatherND", boxes, by), n.add("GatherND", scores, by)


def best(n: Nodes, boxes: str, scores: str, most: int) -> tuple[str, str]:
    """The best of a list, as many as there are but no more than that."""
    length = n.add("Unsqueeze", n.add("Gather", n.add("Shape", scores), ints(n, 0)), ints(n, 0))
    pair = n.add("Concat", ints(n, most), n.add("Reshape", length, ints(n, 1)), axis=0)
    count = n.add("Reshape", n.add("ReduceMin", pair, keepdims=0), ints(n, -1))
    values, places = n.add("TopK", scores, count, outputs=2)
    return n.add("Gather", boxes, places), values


def best_by_floats(n: Nodes, boxes: str, scores: str, most: float) -> tuple[str, str]:
    """The same as opset 11 says it, whose Min is of floats."""
    length = n.add("Cast", n.add("Shape", scores), to=TensorProto.FLOAT)
    count = n.add("Cast", n.add("Min", length, f32(n, [most])), to=TensorProto.INT64)
    values, places = n.add("TopK", scores, count, outputs=2)
    return n.add("Gather", boxes, places), values


def labels(n: Nodes, scores: str, number: int) -> str:
    """A number for each entry."""
    one = n.constant(np.array(number, np.int64))
    return str(n.add("Expand", one, n.add("Shape", scores)))


def suppressed(n: Nodes, boxes: str, scores: str, classes: str, most: int) -> tuple[str, ...]:
    """Suppression by classes, each moved to a place of its own; nothing where there is nothing."""
    outer = n.nodes
    size = n.add("ReduceProd", n.add("Shape", boxes), keepdims=0)
    empty = n.add("Equal", size, n.constant(np.array(0, np.int64)))
    n.nodes = []
    nothing = n.add("ConstantOfShape", ints(n, 0), value=_int(0))
    branch = [helper.make_tensor_value_info(nothing, TensorProto.INT64, None)]
    then = helper.make_graph(n.nodes, "then", [], branch)
    n.nodes = []
    far = n.add("Add", n.add("ReduceMax", boxes, keepdims=0), f32(n, 1))
    away = n.add("Mul", n.add("Cast", classes, to=TensorProto.FLOAT), far)
    moved = n.add("Add", boxes, n.add("Unsqueeze", away, ints(n, 1)))
    kept = n.add(
        "NonMaxSuppression",
        n.add("Unsqueeze", moved, ints(n, 0)),
        n.add("Unsqueeze", scores, ints(n, 0, 1)),
        ints(n, 1 << 40),
        f32(n, [0.4]),
    )
    last = n.add("Slice", kept, ints(n, 2), ints(n, 3), ints(n, 1))
    kept = n.add("Squeeze", last, ints(n, 1))
    branch = [helper.make_tensor_value_info(kept, TensorProto.INT64, None)]
    other = helper.make_graph(n.nodes, "else", [], branch)
    n.nodes = outer
    keep = n.add("If", empty, then_branch=then, else_branch=other)
    keep = n.add("Slice", keep, ints(n, 0), ints(n, most), ints(n, 0))
    return tuple(n.add("Gather", each, keep) for each in (boxes, scores, classes))


def _int(value: int) -> Any:
    return helper.make_tensor("value", TensorProto.INT64, [1], [value])


def detector(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """What torchvision's SSDs have at their end, of two classes."""
    found = []
    for number in (1, 2):
        own = n.add("Gather", scores, n.constant(np.array(number, np.int64)), axis=1)
        pair = best(n, *chosen(n, boxes, own), 4)
        found.append((*pair, labels(n, pair[1], number)))
    joined = [n.add("Concat", *each, axis=0) for each in zip(*found, strict=True)]
    return suppressed(n, joined[0], joined[1], joined[2], 5)


def first(n: Nodes, scores: str) -> str:
    return str(n.add("Gather", scores, n.constant(np.array(0, np.int64)), axis=1))


def of_one(build: Callable[[Nodes, str], tuple[str, ...]]) -> Build:
    """Of the scores of one class that are above a threshold."""

    def whole(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
        where, values = chosen(n, boxes, first(n, scores))
        return where, *build(n, values)

    return whole


def everything_there_is(n: Nodes, values: str) -> tuple[str, ...]:
    """Sums, largest, smallest, means and places of all entries: what is behind them is left out."""
    kinds = ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL2", "ReduceProd")
    found = [str(n.add(kind, values, keepdims=1)) for kind in kinds]
    return *found, str(n.add("ArgMin", values, axis=0))


def shaped(n: Nodes, values: str) -> tuple[str, ...]:
    rows = n.add("Reshape", values, ints(n, -1, 1))
    matrix = n.add("MatMul", rows, n.random(1, 6))
    split = n.add("Split", n.add("Softmax", matrix, axis=1), axis=1, outputs=2, num_outputs=2)
    flat = n.add("Reshape", n.add("Concat", *split, axis=1), ints(n, -1))
    triples = n.add("Reshape", flat, ints(n, -1, 2, 3))
    turned = n.add("Transpose", triples, perm=[1, 0, 2])
    return n.add("Flatten", triples), n.add("Exp", turned), n.add("Shape", flat)


def cut(n: Nodes, values: str) -> tuple[str, ...]:
    length = n.add("Shape", values)
    half = n.add("Sub", length, ints(n, 2))
    numbers = n.add(
        "Range",
        n.constant(np.array(0, np.int64)),
        n.add("Squeeze", length, ints(n, 0)),
        n.constant(np.array(1, np.int64)),
    )
    return (
        n.add("Slice", values, ints(n, 0), half, ints(n, 0)),
        n.add("Slice", values, ints(n, 1), ints(n, 1 << 40), ints(n, 0)),
        n.add("Slice", values, ints(n, 0), ints(n, -1), ints(n, 0)),
        n.add("Mul", values, n.add("Cast", numbers, to=TensorProto.FLOAT)),
        n.add("ConstantOfShape", length),
    )


def places_of_two_dims(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """As FCOS and RetinaNet find boxes and classes at once."""
    places = n.add("NonZero", n.add("Greater", scores, f32(n, 0.6)))
    by = n.add("Transpose", places, perm=[1, 0])
    flat = n.add("Reshape", scores, ints(n, -1))
    one = n.add("NonZero", n.add("Greater", flat, f32(n, 0.6)))
    number = n.add("Squeeze", one, ints(n, 0))
    box = n.add("Div", number, n.constant(np.array(3, np.int64)))
    return (
        n.add("GatherND", scores, by),
        n.add("Gather", boxes, box),
        n.add("Mod", number, n.constant(np.array(3, np.int64))),
        n.add("GatherElements", flat, number, axis=0),
        places,
    )


def a_list_of_a_list(n: Nodes, values: str) -> tuple[str, ...]:
    few = n.add("NonZero", n.add("Less", values, f32(n, 0.8)))
    by = n.add("Squeeze", few, ints(n, 0))
    return n.add("Gather", values, by), n.add(
        "Where", n.add("Less", values, f32(n, 0.8)), values, f32(n, -1)
    )


def by_levels(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """As regions are taken from maps of several scales, and put back in their order."""
    regions, values = chosen(n, boxes, first(n, scores))
    count = n.add("Shape", values)
    features = n.add("Reshape", scores, ints(n, 1, 1, COUNT, 3))
    result = n.add("ConstantOfShape", n.add("Concat", count, ints(n, 1, 2, 2), axis=0))
    near = n.add("Cast", n.add("Less", values, f32(n, 0.8)), to=TensorProto.INT64)
    for level in (0, 1):
        is_own = n.add("Equal", near, n.constant(np.array(level, np.int64)))
        by = n.add("Squeeze", n.add("NonZero", is_own), ints(n, 0))
        own = n.add("Gather", regions, by)
        frames = n.add("Expand", n.constant(np.array(0, np.int64)), n.add("Shape", by))
        how = {"output_height": 2, "output_width": 2, "sampling_ratio": 2}
        taken = n.add("RoiAlign", features, own, frames, **how, spatial_scale=1.0 + level)
        rows = n.add("Concat", n.add("Shape", by), ints(n, 1, 2, 2), axis=0)
        wide = n.add("Expand", n.add("Reshape", by, ints(n, -1, 1, 1, 1)), rows)
        result = n.add("ScatterElements", result, wide, taken, axis=0)
    return result, n.add("Div", n.add("Flatten", result), f32(n, 7))


def maps_of_regions(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """A convolution, its double size, pads and pools of each region, as Mask R-CNN has them."""
    regions, values = chosen(n, boxes, first(n, scores))
    features = n.add("Reshape", scores, ints(n, 1, 1, COUNT, 3))
    frames = n.add("Expand", n.constant(np.array(0, np.int64)), n.add("Shape", values))
    how = {"output_height": 4, "output_width": 5, "sampling_ratio": 2}
    taken = n.add("RoiAlign", features, regions, frames, **how)
    made = n.add("Relu", n.add("Conv", taken, n.random(4, 1, 3, 3), pads=[1, 1, 1, 1]))
    large = n.add("ConvTranspose", made, n.random(4, 2, 2, 2), n.random(2), strides=[2, 2])
    padded = n.add("Pad", large, ints(n, 0, 0, 1, 1, 0, 0, 1, 1), f32(n, 0.5))
    wide = n.add("Resize", made, "", f32(n, [1, 1, 2, 2]), mode="linear")
    return padded, n.add("MaxPool", large, kernel_shape=[2, 2], strides=[2, 2]), wide


FLOAT = TensorProto.FLOAT


def filled_up(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """As Ultralytics exports its detectors with suppression: always as many rows."""
    found, values = chosen(n, boxes, first(n, scores))
    nothing = n.add("Slice", found, ints(n, 4), ints(n, 1 << 40), ints(n, 1))
    column = n.add("Reshape", values, ints(n, -1, 1))
    rows = n.add("Concat", found, column, nothing, axis=1)
    length = n.add("Slice", n.add("Shape", rows), ints(n, 0), ints(n, 1))
    lacking = n.add("Sub", ints(n, COUNT + 3), length)
    pads = n.add("Reshape", n.add("Concat", ints(n, 0, 0, 0), lacking, axis=0), ints(n, 2, 2))
    pads = n.add("Slice", n.add("Transpose", pads, perm=[1, 0]), ints(n, 0), ints(n, 2), ints(n, 0))
    by_side = n.add("Gather", n.add("Reshape", pads, ints(n, -1)), ints(n, 0, 1, 3, 2))
    whole = n.add("Pad", rows, by_side, f32(n, -2))
    zeros = n.constant(np.zeros((1, COUNT + 3, 5), np.float32))
    index = n.constant(np.zeros((1, 1), np.int64))
    put = n.add("ScatterND", zeros, index, n.add("Unsqueeze", whole, ints(n, 0)))
    flat = n.add("Reshape", whole, ints(n, 5 * (COUNT + 3)))
    return whole, flat, n.add("Squeeze", put, ints(n, 0))


def filled_up_by_floats(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """As TensorFlow fills up what a suppression chose: always as many, so beside constants."""
    found, values = chosen(n, boxes, first(n, scores))
    lacking = n.add("Cast", n.add("Sub", ints(n, COUNT), n.add("Shape", values)), to=FLOAT)
    more = n.add("Cast", n.add("Relu", lacking), to=TensorProto.INT64)
    whole = n.add("Pad", values, n.add("Concat", ints(n, 0), more, axis=0))
    rows = n.add("Pad", found, n.add("Concat", ints(n, 0, 0), more, ints(n, 0), axis=0))
    column = n.constant(np.ones((COUNT, 1), np.float32))
    return whole, n.add("Concat", column, rows, n.add("Unsqueeze", whole, ints(n, 1)), axis=1)


def within_a_branch(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """Nodes within nodes are read one by one: no pattern of several is found there."""
    regions, values = chosen(n, boxes, first(n, scores))
    outer, n.nodes = n.nodes, []
    found = best_by_floats(n, regions, values, 3.0)
    results = [helper.make_tensor_value_info(each, FLOAT, None) for each in found]
    then = helper.make_graph(n.nodes, "then", [], results)
    n.nodes = outer
    yes = n.constant(np.array(True))
    made: tuple[str, ...] = n.add("If", yes, then_branch=then, else_branch=then, outputs=2)
    return made


def floats_of_counts(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """What a count is divided by is no whole number, though a part of the shape is one."""
    found, _ = chosen(n, boxes, first(n, scores))
    dims = n.add("Cast", n.add("Shape", found), to=FLOAT)
    side = n.add("Slice", dims, ints(n, 1), ints(n, 2), ints(n, 0))
    joined = n.add("Concat", dims, f32(n, [0.5]), axis=0)
    half = n.add("Slice", joined, ints(n, 2), ints(n, 3), ints(n, 0))
    return (
        n.add("Div", side, f32(n, [3])),
        n.add("Div", dims, f32(n, [3])),
        n.add("Add", half, f32(n, [1])),
        n.add("ReduceSum", dims, keepdims=1),
        n.add("Sub", dims, f32(n, [COUNT + 1.0])),
    )


def combined(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """As tf2onnx writes CombinedNonMaxSuppression: the best of all classes that are left, each put
    to a place of its own; the first one of all boxes is that of none."""
    turned = n.add("Unsqueeze", n.add("Transpose", scores, perm=[1, 0]), ints(n, 0))
    all_boxes = n.add("Unsqueeze", boxes, ints(n, 0))
    found = n.add("NonMaxSuppression", all_boxes, turned, ints(n, 4), f32(n, [0.4]), f32(n, [0.3]))
    values = n.add("GatherND", turned, found)
    frame, box = (n.add("Slice", found, ints(n, a), ints(n, a + 1), ints(n, 1)) for a in (0, 2))
    own = n.add("GatherND", all_boxes, n.add("Concat", frame, box, axis=1))
    zero, one = (n.constant(np.array(each, np.int64)) for each in (0, 1))
    numbers = n.add("Range", zero, n.add("Squeeze", n.add("Shape", values), ints(n, 0)), one)
    hot = n.add(
        "Gather", n.constant(np.ones((1, 1), np.int64)), n.add("Squeeze", frame, ints(n, 1))
    )
    so_far = n.add("CumSum", hot, zero, exclusive=1)
    within = n.add("GatherND", so_far, frame, batch_dims=1)
    place = n.add("Concat", frame, n.add("Unsqueeze", within, ints(n, 1)), axis=1)
    by_frame = n.add("ScatterND", n.constant(np.zeros((1, 12), np.float32)), place, values)
    nothing = n.constant(np.full((1, 12), -1, np.int64))
    entry = n.add("ScatterND", nothing, place, numbers)
    best, at = n.add("TopK", by_frame, ints(n, 5), axis=1, outputs=2)
    entry = n.add("Add", n.add("GatherElements", entry, at, axis=1), one)
    rows = n.add("Pad", own, ints(n, 1, 0, 0, 0), f32(n, 0))
    return tuple(
        n.add("Squeeze", each, ints(n, 0)) for each in (best, n.add("Gather", rows, entry))
    )


def descriptors(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """Of key points where they are in a map, as SuperPoint has them; the best of them."""
    places, values = chosen(n, boxes, first(n, scores))
    where = n.add("Slice", places, ints(n, 0), ints(n, 2), ints(n, 1))
    where = n.add("Reshape", n.add("Sub", where, f32(n, 2)), ints(n, 1, 1, -1, 2))
    features = n.add("Reshape", scores, ints(n, 1, 3, 3, 4))
    taken = n.add("GridSample", features, where, mode="bilinear", align_corners=1)
    column = n.add("GridSample", features, n.add("Transpose", where, perm=[0, 2, 1, 3]))
    column = n.add("Transpose", n.add("Squeeze", column, ints(n, 0, 3)), perm=[1, 0])
    return n.add("Reshape", taken, ints(n, 3, -1)), column, values


def named_by_the_best(n: Nodes, values: str) -> tuple[str, ...]:
    """Entries of a list by as many numbers as the file says."""
    _, at = n.add("TopK", values, ints(n, 1), axis=0, outputs=2)
    pairs = n.add("Concat", *(n.add("Unsqueeze", values, ints(n, 1)),) * 2, axis=1)
    so_far = n.add("CumSum", values, n.constant(np.array(0, np.int64)))
    backwards = n.add("CumSum", values, n.constant(np.array(0, np.int64)), reverse=1)
    named = n.add("GatherND", pairs, n.add("Unsqueeze", at, ints(n, 1)))
    return n.add("Squeeze", named, ints(n, 0)), so_far, backwards


def compressed(n: Nodes, boxes: str, scores: str) -> tuple[str, ...]:
    """What is left where a condition is true, of tensors and of lists."""
    is_good = n.add("Greater", first(n, scores), f32(n, 0.5))
    rows, own = (n.add("Compress", each, is_good, axis=0) for each in (boxes, scores))
    again = n.add("Greater", first(n, own), f32(n, 0.7))
    flat = n.add("Greater", n.add("Reshape", scores, ints(n, -1)), f32(n, 0.5))
    known = n.constant(np.array([True, False, True]))
    return (
        n.add("Compress", rows, again, axis=0),
        n.add("Compress", scores, flat),
        n.add("Compress", scores, known, axis=1),
    )


CASES: dict[str, Build] = {
    "combined suppression": combined,
    "descriptors": descriptors,
    "named by the best": of_one(named_by_the_best),
    "compressed": compressed,
    "detector": detector,
    "everything there is": of_one(everything_there_is),
    "shaped": of_one(shaped),
    "cut": of_one(cut),
    "two dims": places_of_two_dims,
    "a list of a list": of_one(a_list_of_a_list),
    "by levels": by_levels,
    "filled up": filled_up,
    "filled up by floats": filled_up_by_floats,
    "within a branch": within_a_branch,
    "floats of counts": floats_of_counts,
    "maps of regions": maps_of_regions,
    "the best by floats": lambda n, boxes, scores: best_by_floats(
        n, *chosen(n, boxes, first(n, scores)), 3.0
    ),
    "as chosen": lambda n, boxes, scores: chosen(n, boxes, first(n, scores)),
}


def graph(build: Build, path: Path) -> Path:
    nodes = Nodes(opset=18)
    boxes, scores = nodes.input(COUNT, 4, name="boxes"), nodes.input(COUNT, 3, name="scores")
    boxes, scores = nodes.add("Mul", boxes, f32(nodes, 4)), nodes.add("Relu", scores)
    found = build(nodes, boxes, scores)
    nodes.output(*(nodes.add("Cast", each, to=TensorProto.FLOAT) for each in found))
    return nodes.save(path)


def given(threshold: float, seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    low = generator.random((COUNT, 2), np.float32)
    boxes = np.concatenate([low, low + generator.random((COUNT, 2), np.float32) + 0.1], 1)
    scores = generator.random((COUNT, 3), np.float32)
    return {"boxes": boxes, "scores": (scores * (scores > threshold)).astype(np.float32)}


@pytest.mark.parametrize("name", CASES)
def test_lists_are_as_long_as_their_entries(name: str, tmp_path: Path) -> None:
    path = graph(CASES[name], tmp_path / "graph.onnx")
    model = imported(path, batch="whole")
    for arrays in (given(0), given(0.4, 1), given(0.7, 2)):
        wanted = expected(path, arrays)
        for output, array in computed(model, arrays).items():
            assert array.shape == wanted[output].shape, output
            np.testing.assert_allclose(array, wanted[output], rtol=1e-5, atol=1e-6, err_msg=output)


def test_nothing_may_be_found(tmp_path: Path) -> None:
    path = graph(detector, tmp_path / "graph.onnx")
    arrays = given(2)
    wanted = expected(path, arrays)
    for name, array in computed(imported(path, batch="whole"), arrays).items():
        assert array.shape == wanted[name].shape
        assert array.size == 0


def test_what_lists_do_not_have_is_refused(tmp_path: Path) -> None:
    def sorted_by_hand(n: Nodes, values: str) -> tuple[str, ...]:
        return (n.add("Hardmax", values, axis=0),)

    path = graph(of_one(sorted_by_hand), tmp_path / "graph.onnx")
    with pytest.raises(InputError, match=r"Hardmax.*lists whose length depends on the input"):
        imported(path, batch="whole")


@pytest.mark.parametrize("dims", [(3, 10, 12), (10, 12, 3)])
def test_a_picture_may_be_in_no_batch(dims: tuple[int, ...], tmp_path: Path) -> None:
    """As torchvision's detectors take them."""
    nodes = Nodes()
    x = nodes.input(*dims)
    planes = x if dims[0] == 3 else nodes.add("Transpose", x, perm=[2, 0, 1])
    batch = nodes.add("Unsqueeze", planes, ints(nodes, 0))
    made = nodes.add("Conv", batch, nodes.random(4, 3, 3, 3))
    nodes.output(nodes.add("Squeeze", made, ints(nodes, 0)))
    path = nodes.save(tmp_path / "graph.onnx")
    model = imported(path)
    assert model.network.input == (10, 12, 3)
    assert_agree(path, model)


@pytest.mark.parametrize("largest", [0, 1])
def test_the_best_of_more_values_than_a_map_has_channels(largest: int, tmp_path: Path) -> None:
    """Centres of objects: the peaks of all classes' heat maps at once, and what is there."""
    nodes = Nodes()
    heat = nodes.add("Conv", nodes.input(1, 3, 64, 60), nodes.random(20, 3, 3, 3), pads=[1] * 4)
    flat = nodes.add("Reshape", heat, ints(nodes, 1, -1))
    best, place = nodes.add("TopK", flat, ints(nodes, 50), outputs=2, largest=largest)
    sizes = nodes.add("Reshape", nodes.add("Neg", heat), ints(nodes, 1, -1))
    nodes.output(best, nodes.add("GatherElements", sizes, place, axis=1))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))
