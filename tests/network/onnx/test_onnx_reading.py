"""Files are read as the package ``onnx`` reads them, their weights mapped where they lie."""

from __future__ import annotations

import resource
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


def test_the_rest_is_the_message_without_its_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tensors = [
        numpy_helper.from_array(rng.random(size, np.float32), f"c{number}")
        for number, size in enumerate((3, 300, 10, 5000, 256, 255))
    ]
    data = saved(tmp_path / "graph.onnx", tensors).read_bytes()
    message, places = stripped(memoryview(data))
    wanted, found = onnx.ModelProto.FromString(data), onnx.ModelProto.FromString(message)
    for number, (tensor, place) in enumerate(zip(wanted.graph.initializer, places, strict=True)):
        assert (place is None) == (len(tensor.raw_data) < 1024), number
        if place is not None:
            assert data[place[0] : sum(place)] == tensor.raw_data
            tensor.ClearField("raw_data")
    assert found == wanted


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
