"""Files are read as the package ``onnx`` reads them, their weights mapped where they lie."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from ftdist.errors import InputError
from ftdist.network.onnx.reading import schema
from ftdist.network.onnx.reading.file import NEWEST_OPSET, read_graph
from ftdist.network.onnx.reading.stripped import Broken, stripped

RAW: dict[int, type] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.BOOL: np.bool_,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT8: np.int8,
    TensorProto.UINT16: np.uint16,
    TensorProto.INT16: np.int16,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT32: np.uint32,
    TensorProto.UINT64: np.uint64,
    TensorProto.FLOAT16: np.float16,
}
LISTED = [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.INT4, *RAW]
"""Types by number; of all of them a few values are listed, of these with a dtype many are raw."""


def with_values_in_nodes(path: Path, sizes: Sequence[int]) -> Path:
    """A graph whose nodes hold random constants of these sizes, as Paddle writes them."""
    rng = np.random.default_rng(3)
    nodes = [
        helper.make_node(
            "Constant", [], [f"c{at}"], value=numpy_helper.from_array(rng.random(size, np.float32))
        )
        for at, size in enumerate(sizes)
    ]
    outputs = [helper.make_tensor_value_info(f"c{at}", 1, None) for at in range(len(sizes))]
    graph = helper.make_graph(nodes, "constants", [], outputs)
    path.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    return path


def saved(path: Path, tensors: list[TensorProto]) -> Path:
    node = helper.make_node("Identity", [tensors[0].name], ["output"])
    output = helper.make_tensor_value_info("output", 1, None)
    graph = helper.make_graph([node], "constants", [], [output], tensors)
    path.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    return path


@pytest.mark.parametrize("kind", LISTED, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("size", [3, 3000])
def test_constants_of_all_types_are_those_of_the_package(
    kind: int, size: int, tmp_path: Path
) -> None:
    values = np.random.default_rng(kind).integers(0, 2, size)
    tensors = [helper.make_tensor("listed", kind, [size], values)]
    if kind in RAW:
        dtype = np.dtype(RAW[kind])
        data = np.random.default_rng(1).integers(0, 200, (size, 2)).astype(dtype)
        tensors.append(numpy_helper.from_array(data, "raw"))
    found = read_graph(saved(tmp_path / "graph.onnx", tensors)).constants
    for each in tensors:
        wanted = numpy_helper.to_array(each)
        if wanted.dtype.kind not in "iub" or wanted.dtype.itemsize > 8:
            wanted = wanted.astype(np.float64 if wanted.dtype == np.float64 else np.float32)
        assert found[each.name].shape == wanted.shape
        assert (found[each.name].astype(wanted.dtype) == wanted).all()


def test_weights_are_not_read_before_they_are_used(tmp_path: Path) -> None:
    """A file that is larger than the memory that there is."""
    weights = np.zeros(1 << 24, np.float32)
    path = saved(tmp_path / "graph.onnx", [numpy_helper.from_array(weights, "weights")])
    del weights
    schema.model_class()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    held = sum(
        int(line.split()[1]) << 10
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData")
    )
    resource.setrlimit(resource.RLIMIT_DATA, (held + (16 << 20), before[1]))
    try:
        graph = read_graph(path)
        assert graph.constants["weights"].shape == (1 << 24,)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    graph.release()


def test_a_file_that_is_read_twice_is_mapped_once(tmp_path: Path) -> None:
    """As networks are whose size is chosen after a first look; address space is bounded, too."""
    path = saved(tmp_path / "graph.onnx", [numpy_helper.from_array(np.ones(9000), "weights")])

    def maps() -> int:
        return Path("/proc/self/maps").read_text().count(str(path))

    first, second = read_graph(path), read_graph(path)
    assert maps() == 1
    first.release()
    del first
    assert (second.constants["weights"] == 1).all()
    del second
    assert maps() == 0


def test_the_rest_is_the_message_without_its_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tensors = [
        numpy_helper.from_array(rng.random(size, np.float32), f"c{number}")
        for number, size in enumerate((3, 300, 10, 5000, 256, 255))
    ]
    data = saved(tmp_path / "graph.onnx", tensors).read_bytes()
    message, places = stripped(memoryview(data))
    wanted, found = onnx.ModelProto.FromString(data), onnx.ModelProto.FromString(message)
    pairs = zip(wanted.graph.initializer, places.initializers, strict=True)
    for number, (tensor, place) in enumerate(pairs):
        assert (place is None) == (len(tensor.raw_data) < 1024), number
        if place is not None:
            assert data[place[0] : sum(place)] == tensor.raw_data
            tensor.ClearField("raw_data")
    assert found == wanted


def test_the_rest_is_without_what_nodes_hold(tmp_path: Path) -> None:
    sizes = (3, 300, 5000, 255, 40_000)
    data = with_values_in_nodes(tmp_path / "graph.onnx", sizes).read_bytes()
    message, places = stripped(memoryview(data))
    wanted, found = onnx.ModelProto.FromString(data), onnx.ModelProto.FromString(message)
    assert {*places.attributes} == {(1, 0), (2, 0), (4, 0)}
    for (number, _), place in places.attributes.items():
        tensor = wanted.graph.node[number].attribute[0].t
        assert data[place[0] : sum(place)] == tensor.raw_data
        tensor.ClearField("raw_data")
    assert found == wanted


def test_what_nodes_hold_is_mapped(tmp_path: Path) -> None:
    path = with_values_in_nodes(tmp_path / "graph.onnx", (3, 40_000))
    small, large = (node.attributes["value"] for node in read_graph(path).nodes)
    rng = np.random.default_rng(3)
    assert (small == rng.random(3, np.float32)).all()
    assert (large == rng.random(40_000, np.float32)).all()
    assert not large.flags.owndata and not large.flags.writeable


def test_large_values_that_a_call_of_a_function_is_given_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(4).random(1000, np.float32)
    inner = helper.make_node("Constant", [], ["made"])
    own = inner.attribute.add()
    own.name, own.ref_attr_name, own.type = "value", "own", onnx.AttributeProto.TENSOR
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "Held", [], ["made"], [inner], opsets[:1], ["own"])
    call = helper.make_node("Held", [], ["y"], domain="own", own=numpy_helper.from_array(values))
    output = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph([call], "g", [], [output])
    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=8)
    (tmp_path / "graph.onnx").write_bytes(model.SerializeToString())
    found = read_graph(tmp_path / "graph.onnx").nodes[0].attributes["value"]
    assert (found == values).all()


@seed(1)
@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_broken(data: bytes) -> None:
    try:
        message, _ = stripped(memoryview(data))
    except Broken:
        return
    assert message == data, "nothing is large enough to be left out"


def test_a_field_beyond_the_end_is_damage(tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(b"\x3a\x7f\x0a")
    with pytest.raises(InputError, match="is no ONNX file, or is damaged"):
        read_graph(tmp_path / "cut.onnx")


def test_the_newest_opset_is_no_newer_than_the_packages() -> None:
    assert onnx.defs.onnx_opset_version() >= NEWEST_OPSET


def test_fields_are_those_of_the_package() -> None:
    """Names, numbers and kinds of all that is read."""
    own = {
        "Opset": "OperatorSetIdProto",
        "Entry": "StringStringEntryProto",
        "Value": "ValueInfoProto",
        "TensorType": "TypeProto.Tensor",
        "Shape": "TensorShapeProto",
        "Dim": "TensorShapeProto.Dimension",
    }
    pool = onnx.ModelProto.DESCRIPTOR.file
    for message in schema.model_class().DESCRIPTOR.file.message_types_by_name.values():
        outer, *inner = own.get(message.name, f"{message.name}Proto").split(".")
        theirs = pool.message_types_by_name[outer]
        for name in inner:
            theirs = theirs.nested_types_by_name[name]
        for field in message.fields:
            there = theirs.fields_by_number[field.number]
            assert (there.name, there.cpp_type in (field.cpp_type, 8)) == (field.name, True)
            assert there.is_repeated == field.is_repeated
