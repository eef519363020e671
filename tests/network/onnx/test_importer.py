"""ONNX files as a whole: names, inputs, sizes, refusals, and files that mean harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from support.networks import plans
from support.onnxgraphs import Nodes, arrays_for, assert_agree, computed, expected, imported

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.onnx.importer import read_onnx
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Multiply
from ftdist.network.operators.windows import Convolution


def refused(path: Path, **how: object) -> str:
    with pytest.raises(InputError) as error:
        read_onnx(path, **how)  # type: ignore[arg-type]
    text = str(error.value)
    assert "\n" not in text
    return text


def detector(nodes: Nodes) -> None:
    """Two scales, a skip, a head with a name of its own, and an output that others read."""
    x = nodes.input("n", 3, "height", "width", name="picture")
    stem = nodes.add("Conv", x, nodes.random(8, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    wide = nodes.add("Mul", stem, nodes.add("Sigmoid", stem))
    deep = nodes.add("MaxPool", wide, kernel_shape=[2, 2], strides=[2, 2])
    deep = nodes.add("Relu", nodes.add("Conv", deep, nodes.random(8, 8, 1, 1)))
    scales = nodes.constant(np.array([1, 1, 2, 2], np.float32))
    up = nodes.add("Resize", deep, "", scales, mode="nearest")
    nodes.output(nodes.add("Concat", up, wide, axis=1), wide, deep)


def test_names_sizes_and_outputs_that_others_read_are_the_files(tmp_path: Path) -> None:
    nodes = Nodes()
    detector(nodes)
    path = nodes.save(tmp_path / "graph.onnx")
    assert "open sizes, nx3xheightxwidth; give --size HxW" in refused(path)
    model = imported(path, size=(24, 32))
    assert [each.name for each in model.network.inputs] == ["picture"]
    outputs = [model.network.layers[number].name for number in model.network.outputs]
    assert outputs == [each.name for each in nodes.outputs]
    assert_agree(path, model)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_no_plan_changes_a_bit(data: st.DataObject) -> None:
    import tempfile

    nodes = Nodes()
    detector(nodes)
    with tempfile.TemporaryDirectory() as folder:
        model = imported(nodes.save(Path(folder) / "graph.onnx"), size=(16, 24))
    arrays = arrays_for(model)
    once = computed(model, arrays)
    for name, array in computed(model, arrays, data.draw(plans(model.network))).items():
        np.testing.assert_array_equal(array.view(np.uint32), once[name].view(np.uint32))


def test_what_belongs_together_is_put_together(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    made = nodes.add("Conv", x, nodes.random(8, 3, 3, 3))
    variance = nodes.constant(np.full(8, 0.5, np.float32))
    several = [nodes.random(8) for _ in range(3)]
    made = nodes.add("BatchNormalization", made, *several, variance)
    made = nodes.add("Identity", nodes.add("Dropout", made))
    nodes.output(nodes.add("Mul", made, nodes.add("Sigmoid", made)))
    model = imported(nodes.save(tmp_path / "graph.onnx"))
    (layer,) = model.network.layers
    assert isinstance(layer.operation, Convolution)
    assert layer.operation.activation.kind == "swish"
    assert_agree(tmp_path / "graph.onnx", model)


def test_what_others_read_too_stays_apart(tmp_path: Path) -> None:
    nodes = Nodes()
    made = nodes.add("Conv", nodes.input(1, 3, 8, 8), nodes.random(8, 3, 3, 3))
    nodes.output(nodes.add("Relu", made), made, nodes.add("Mul", made, nodes.add("Tanh", made)))
    model = imported(nodes.save(tmp_path / "graph.onnx"))
    kinds = [type(each.operation) for each in model.network.layers]
    assert kinds == [Convolution, Activate, Activate, Multiply]
    assert_agree(tmp_path / "graph.onnx", model)


def test_several_inputs_and_orders_of_channels(tmp_path: Path) -> None:
    nodes = Nodes()
    first = nodes.add("Transpose", nodes.input(1, 6, 8, 3, name="last"), perm=[0, 3, 1, 2])
    second = nodes.input(1, 3, 6, 8, name="first")
    factor = nodes.input(1, 3, name="factor")
    wide = nodes.add("Reshape", factor, nodes.constant(np.array([1, 3, 1, 1])))
    nodes.output(nodes.add("Mul", nodes.add("Add", first, second), wide))
    path = nodes.save(tmp_path / "graph.onnx")
    model = imported(path)
    assert [each.shape[::1] for each in model.network.inputs] == [(6, 8, 3), (6, 8, 3), (1, 1, 3)]
    assert_agree(path, model)


def test_half_wide_weights_and_inputs_are_widened(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 6, 8, kind=TensorProto.FLOAT16)
    weights = nodes.constant(nodes.generator.random((4, 3, 3, 3)).astype(np.float16))
    nodes.output(nodes.add("Cast", nodes.add("Conv", x, weights), to=TensorProto.FLOAT))
    path = nodes.save(tmp_path / "graph.onnx")
    model = imported(path)
    arrays = arrays_for(model)
    (found,) = computed(model, arrays).values()
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    (wanted,) = expected(path, half).values()
    np.testing.assert_allclose(found, wanted, rtol=0.01)


def test_all_that_is_not_supported_is_named_at_once(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 4, 8, 8)
    a = nodes.add("ConvTranspose", x, nodes.add("Relu", x))
    b = nodes.add("Det", nodes.add("Gelu", x, approximate="other"))
    nodes.output(nodes.add("Add", a, b))
    text = refused(nodes.save(tmp_path / "graph.onnx"))
    assert text.startswith(f"{tmp_path}/graph.onnx: 3 nodes are not supported: ")
    assert "node1 (ConvTranspose): weights of (1, 4, 8, 8) do not suit" in text
    assert "node2 (Gelu): approximate: other; none and tanh are supported" in text
    assert "node3 (Det): this operator is not supported" in text
    assert text.endswith(". --until Relu0_0 ends the network before node1"), text
    (layer,) = read_onnx(tmp_path / "graph.onnx", until="Relu0_0").network.layers
    assert layer.name == "Relu0_0"


def test_labels_within_a_file_are_refused_where_they_are_read(tmp_path: Path) -> None:
    """All before them can be had."""
    nodes = Nodes()
    scores = nodes.add("GlobalAveragePool", nodes.input(1, 4, 8, 8))
    best = nodes.add("ArgMax", scores, axis=1)
    labels = [b"cat", b"dog", b"bird", b"fish"]
    tensor = TensorProto(name="labels", data_type=TensorProto.STRING, dims=[4], string_data=labels)
    nodes.constants.append(tensor)
    nodes.output(nodes.add("Gather", "labels", best))
    text = refused(nodes.save(tmp_path / "graph.onnx"))
    assert "node2 (Gather): it reads text, which no map holds" in text
    assert text.endswith(f"--until {best} ends the network before node2"), text
    nodes.outputs.clear()
    nodes.output(scores, "labels")
    text = refused(nodes.save(tmp_path / "graph.onnx"))
    assert "labels (output): it is text, which no map holds" in text


@pytest.mark.parametrize("has_zero", [False, True])
def test_weights_may_have_a_scale_for_each_block(has_zero: bool, tmp_path: Path) -> None:
    nodes = Nodes(opset=21)
    whole = nodes.generator.integers(-128, 127, (64, 10)).astype(np.int8)
    zero = (nodes.constant(nodes.generator.integers(-9, 9, (2, 10)).astype(np.int8)),)
    given = nodes.constant(whole), nodes.random(2, 10), *(zero if has_zero else ())
    weights = nodes.add("DequantizeLinear", *given, axis=0, block_size=32)
    nodes.output(nodes.add("Mul", nodes.input(1, 64, 10), weights))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def test_an_output_that_is_not_made_is_named(tmp_path: Path) -> None:
    """As of a node that has more outputs than its operator: the others are no network."""
    names = ("x", "y", "more")
    x, y, more = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in names)
    node = helper.make_node("Softmax", ["x"], ["y", "more"])
    opset = [helper.make_opsetid("", 17)]
    file = helper.make_model(
        helper.make_graph([node], "graph", [x], [y, more]), opset_imports=opset
    )
    (tmp_path / "graph.onnx").write_bytes(file.SerializeToString())
    text = refused(tmp_path / "graph.onnx")
    assert "more (output): the node that should make it does not; name others with" in text, text
    network = read_onnx(tmp_path / "graph.onnx", until="y").network
    assert [network.layers[each].name for each in network.outputs] == ["y"]


def test_what_can_be_had_is_named_too(tmp_path: Path) -> None:
    """Boxes and scores stay where only what follows them is not supported."""
    nodes = Nodes()
    x = nodes.input(1, 4, 8, 8)
    boxes, masks = nodes.add("Neg", x), nodes.add("Relu", x)
    nodes.output(boxes, nodes.add("Det", masks))
    text = refused(nodes.save(tmp_path / "graph.onnx"))
    assert text.endswith(f". --until {boxes},{masks} ends the network before node2"), text
    network = read_onnx(tmp_path / "graph.onnx", until=f"{boxes},{masks}").network
    assert [network.layers[each].name for each in network.outputs] == [boxes, masks]


def test_a_network_may_end_with_several_values(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    scores, boxes = nodes.add("Sigmoid", x), nodes.add("Exp", x)
    nodes.output(nodes.add("Det", nodes.add("Add", scores, boxes)))
    network = read_onnx(nodes.save(tmp_path / "g.onnx"), until=f"{scores}, node1").network
    assert [network.layers[each].name for each in network.outputs] == [scores, boxes]
    assert "no value is called more" in refused(tmp_path / "g.onnx", until=f"{scores},more")


def test_a_list_of_one_picture_is_that_picture(tmp_path: Path) -> None:
    """As detectors from torchvision gather their batch."""
    nodes = Nodes()
    one = nodes.add("Gather", nodes.input(1, 3, 320, 320), nodes.constant(np.int64(0)), axis=0)
    batch = nodes.add("Unsqueeze", one, nodes.constant(np.array([0], np.int64)))
    nodes.output(nodes.add("Relu", nodes.add("Concat", batch, axis=0)))
    (layer,) = read_onnx(nodes.save(tmp_path / "batch.onnx")).network.layers
    assert layer.shape == Shape(320, 320, 3)


def reader_of_lines(path: Path, after: str) -> Path:
    """A network for pictures of 48 rows and any width, as networks that read text are."""
    nodes = Nodes()
    x = nodes.input("n", 3, "height", "width")
    row = nodes.add("Conv", x, nodes.random(4, 3, 48, 3), strides=[48, 1], pads=[0, 1, 0, 1])
    nodes.output(
        nodes.add(after, nodes.add("Squeeze", row, nodes.constant(np.array([2], np.int64))))
    )
    return nodes.save(path)


def test_an_open_size_is_the_first_that_the_network_can_do_with(tmp_path: Path) -> None:
    path = reader_of_lines(tmp_path / "lines.onnx", "Relu")
    found = read_onnx(path, usual=((320, 320), (48, 64), (48, 320)))
    assert found.network.input == Shape(48, 64, 3)
    assert "leaves its size open, 48x64 is taken; --size HxW sets it" in found.remarks[0]


def test_a_side_that_the_file_names_is_no_usual_one(tmp_path: Path) -> None:
    nodes = Nodes()
    row = nodes.add("Conv", nodes.input(1, 1, 64, "width"), nodes.random(4, 1, 64, 3))
    nodes.output(nodes.add("Relu", row))
    found = read_onnx(nodes.save(tmp_path / "a.onnx"), usual=((320, 320),), resized=True)
    assert found.network.input == Shape(64, 320, 1)
    assert "64x320 is taken" in found.remarks[0]


def test_where_no_usual_size_will_do_the_first_is_named(tmp_path: Path) -> None:
    path = reader_of_lines(tmp_path / "lines.onnx", "Relu")
    text = refused(path, usual=((320, 320), (224, 224)))
    assert "Squeeze): axes: some are longer than 1" in text
    assert text.endswith("its size is open, 320x320 was taken; --size HxW sets it")


def test_what_no_size_mends_says_nothing_of_sizes(tmp_path: Path) -> None:
    path = reader_of_lines(tmp_path / "lines.onnx", "Det")
    assert "Det): this operator is not supported" in (text := refused(path, usual=((48, 64),)))
    assert "--size" not in text


def test_many_nodes_of_one_reason_stand_together(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.add("Relu", nodes.input(1, 4, 8, 8))
    for _ in range(100):
        x = nodes.add("Multinomial", x)
    nodes.output(nodes.add("Unique", x))
    text = refused(nodes.save(tmp_path / "graph.onnx"))
    assert "101 nodes are not supported: node1, node2, " in text
    assert " and 70 more (Multinomial): this operator is not supported; node101 (Unique): " in text
    assert "(export it with fixed sizes and without its post-processing" in text
    assert len(text) < 2000


def test_a_name_that_is_nearly_there_is_found(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Relu", nodes.input(1, 4, 8, 8)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert "no value is called node_0; alike are node0" in refused(path, until="node_0")


def test_a_network_ends_with_the_value_or_the_node_that_is_named(tmp_path: Path) -> None:
    nodes = Nodes()
    made = nodes.add("Relu", nodes.input(1, 4, 8, 8))
    nodes.output(nodes.add("Det", made))
    path = nodes.save(tmp_path / "graph.onnx")
    for name in (made, "node0"):
        (layer,) = read_onnx(path, until=name).network.layers
        assert layer.name == made
    assert "no node and no value is called nothing" in refused(path, until="nothing")


def test_an_if_is_the_branch_that_it_takes_also_where_the_network_decides(tmp_path: Path) -> None:
    def branch(kind: str) -> Any:
        made = helper.make_node(kind, ["x"], [f"{kind}_made"])
        end = helper.make_tensor_value_info(f"{kind}_made", TensorProto.FLOAT, None)
        return helper.make_graph([made], kind, [], [end])

    def graph(condition: str) -> Path:
        made = nodes.add("If", condition, then_branch=branch("Tanh"), else_branch=branch("Relu"))
        nodes.outputs.clear()
        nodes.output(made)
        return nodes.save(tmp_path / "graph.onnx")

    nodes = Nodes()
    x = nodes.input(1, 3, 4, 4)
    rows = nodes.add("Gather", nodes.add("Shape", x), nodes.constant(np.array(2)))
    for size in (4, 5):
        path = graph(nodes.add("Equal", rows, nodes.constant(np.array(size))))
        assert_agree(path, imported(path))
    largest = nodes.add("ReduceMax", x, keepdims=0)
    for bound in (0.1, 2.0):
        path = graph(nodes.add("Greater", largest, nodes.constant(np.float32(bound))))
        assert_agree(path, imported(path))


# ---- files that mean harm


def test_external_data_come_from_the_files_own_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    nodes = Nodes()
    nodes.output(nodes.add("Conv", nodes.input(1, 3, 8, 8), nodes.random(4, 3, 3, 3)))
    model = nodes.model()
    (weights,) = model.graph.initializer
    data = weights.raw_data
    for path in (folder / "weights.bin", tmp_path / "outside.bin"):
        path.write_bytes(data)
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")

    def at(location: str, **more: Any) -> Path:
        weights.raw_data = data
        external_data_helper.set_external_data(weights, location, **more)
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        path = folder / "graph.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    (layer,) = read_onnx(at("weights.bin")).parameters()
    assert layer.weights.tobytes() == data
    for location in ("../outside.bin", str(tmp_path / "outside.bin"), "link.bin", ""):
        assert "are not in its folder" in refused(at(location))
    assert "are in none, which is missing" in refused(at("none"))
    assert "weights.bin is too short" in refused(at("weights.bin", offset=16, length=len(data)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no ONNX file, or has no graph"),
        (b"hello, this is text", "is no ONNX file, or is damaged"),
        (b"<!doctype html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
def test_other_files_are_told_apart(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    assert message in refused(path)


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    a = nodes.add("Add", x, "Add1_0")
    nodes.output(nodes.add("Add", a, x))
    assert "needs what it makes itself" in refused(nodes.save(tmp_path / "graph.onnx"))


def test_two_nodes_that_make_one_value_are_refused(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    first = nodes.add("Neg", x)
    nodes.add("Relu", x)
    nodes.nodes[-1].output[0] = first
    nodes.output(first)
    assert f"two nodes make '{first}'" in refused(nodes.save(tmp_path / "graph.onnx"))


def test_a_node_without_its_operands_is_refused(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Conv", nodes.input(1, 3, 8, 8)))
    assert "an input or a number is missing" in refused(nodes.save(tmp_path / "graph.onnx"))


def test_a_claim_of_a_huge_shape_takes_no_memory(tmp_path: Path) -> None:
    nodes = Nodes()
    x = nodes.input(1, 3, 8, 8)
    huge = nodes.add("ConstantOfShape", nodes.constant(np.array([1 << 40, 1 << 20])))
    nodes.output(nodes.add("Add", x, huge))
    assert "claims a shape of (1099511627776, 1048576)" in refused(nodes.save(tmp_path / "g.onnx"))
    nodes = Nodes()
    nodes.output(nodes.add("Relu", nodes.input(1, 3, 1 << 40, 8)))
    assert "is too large" in refused(nodes.save(tmp_path / "g.onnx"))
    claimed = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    claimed.dims[:] = [1 << 50]
    nodes = Nodes()
    nodes.output(nodes.add("Add", nodes.input(1, 3, 8, 8), "w"))
    nodes.constants.append(claimed)
    assert "claims a shape of (1125899906842624,)" in refused(nodes.save(tmp_path / "g.onnx"))


def test_a_hundred_thousand_nodes_end(tmp_path: Path) -> None:
    nodes = Nodes()
    value = nodes.input(1, 3, 8, 8)
    for _ in range(3000):
        value = nodes.add("Identity", value)
    nodes.output(nodes.add("Relu", value))
    assert len(read_onnx(nodes.save(tmp_path / "long.onnx")).network.layers) == 1
    many = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])] * 100_001, "many", nodes.inputs, nodes.outputs
    )
    path = tmp_path / "many.onnx"
    path.write_bytes(helper.make_model(many).SerializeToString())
    assert "100000 are supported" in refused(path)


@given(st.integers(0, 1 << 30), st.integers(0, 255), st.booleans())
@settings(max_examples=150, deadline=None)
def test_damage_is_one_line_or_none(at: int, byte: int, cut: bool) -> None:
    import tempfile

    nodes = Nodes()
    detector(nodes)
    content = bytearray(nodes.model().SerializeToString())
    content[at % len(content)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.onnx"
        path.write_bytes(content[: at % len(content)] if cut else content)
        try:
            list(read_onnx(path, size=(16, 24)).parameters())
        except InputError as error:
            assert "\n" not in str(error)


def test_a_size_that_is_tried_changes_none_that_the_file_names(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(nodes.add("Relu", nodes.input(1, 3, 64, "width")))
    found = read_onnx(nodes.save(tmp_path / "lines.onnx"), usual=((320, 320),), resized=True)
    assert found.network.input == Shape(64, 320, 3)
    assert "leaves its size open, 64x320 is taken" in found.remarks[0]
