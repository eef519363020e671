"""Functions that a file defines itself: their calls are the nodes within."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from support.onnxgraphs import assert_agree, imported

from ftdist.errors import InputError
from ftdist.network.onnx.reading.nodes import MOST_NODES

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]


def function(
    name: str, inputs: list[str], outputs: list[str], nodes: list[Any], **more: Any
) -> Any:
    return helper.make_function("my", name, inputs, outputs, nodes, OPSETS, **more)


def call(name: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(name, inputs, outputs, domain="my", **attributes)


def referring(kind: str, inputs: list[str], outputs: list[str], **references: str) -> Any:
    """A node whose attributes, of floats, are those of the call: by name, the call's names."""
    node = helper.make_node(kind, inputs, outputs)
    for name, theirs in references.items():
        node.attribute.append(
            AttributeProto(name=name, ref_attr_name=theirs, type=AttributeProto.FLOAT)
        )
    return node


def saved(path: Path, nodes: list[Any], functions: list[Any]) -> Path:
    generator = np.random.default_rng(0)
    weights = numpy_helper.from_array(generator.standard_normal((3, 3, 3, 3), np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "graph",
        [value("x", TensorProto.FLOAT, [1, 3, 8, 9])],
        [value("y", TensorProto.FLOAT, None)],
        [weights],
    )
    model = helper.make_model(graph, functions=functions, opset_imports=OPSETS, ir_version=9)
    onnx.save(model, str(path))
    return path


def swish() -> Any:
    inner = [helper.make_node("Sigmoid", ["x"], ["t"]), helper.make_node("Mul", ["x", "t"], ["y"])]
    return function("Swish", ["x"], ["y"], inner)


def test_calls_within_calls_are_as_onnxruntime_has_them(tmp_path: Path) -> None:
    inner = [
        helper.make_node("Conv", ["x", "w"], ["t"], pads=[1, 1, 1, 1]),
        call("Swish", ["t"], ["u"]),
        helper.make_node("Add", ["x", "u"], ["y"]),
    ]
    block = function("Block", ["x", "w"], ["y"], inner)
    calls = [call("Block", ["x", "w"], ["t"]), call("Block", ["t", "w"], ["y"])]
    path = saved(tmp_path / "calls.onnx", calls, [swish(), block])
    assert_agree(path, imported(path))


def test_attributes_of_a_call_are_those_of_the_nodes_within(tmp_path: Path) -> None:
    leaky = function(
        "Leaky",
        ["x"],
        ["y"],
        [referring("LeakyRelu", ["x"], ["y"], alpha="slope")],
        attributes=["slope"],
    )
    default = function(
        "Steep",
        ["x"],
        ["y"],
        [referring("LeakyRelu", ["x"], ["y"], alpha="slope")],
        attribute_protos=[helper.make_attribute("slope", 0.7)],
    )
    calls = [
        call("Leaky", ["x"], ["a"], slope=0.3),
        call("Leaky", ["x"], ["b"]),
        call("Steep", ["x"], ["c"]),
        call("Steep", ["x"], ["d"], slope=0.2),
        helper.make_node("Concat", ["a", "b", "c", "d"], ["y"], axis=1),
    ]
    path = saved(tmp_path / "slopes.onnx", calls, [leaky, default])
    assert_agree(path, imported(path))


def test_names_of_a_function_are_not_those_of_the_graph(tmp_path: Path) -> None:
    """The graph has a t of its own, and the function's branches read the function's."""
    value = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    yes = helper.make_graph([helper.make_node("Neg", ["t"], ["o"])], "yes", [], [value])
    no = helper.make_graph([helper.make_node("Identity", ["t"], ["o"])], "no", [], [value])
    inner = [
        helper.make_node("Exp", ["x"], ["t"]),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["c"], ["y"], then_branch=yes, else_branch=no),
    ]
    calls = [
        helper.make_node("Abs", ["x"], ["t"]),
        call("Chosen", ["x"], ["o"]),
        helper.make_node("Add", ["t", "o"], ["y"]),
    ]
    path = saved(tmp_path / "names.onnx", calls, [function("Chosen", ["x"], ["y"], inner)])
    assert_agree(path, imported(path))


def test_an_input_may_be_left_out_or_handed_on(tmp_path: Path) -> None:
    inner = [helper.make_node("Clip", ["x", "low", "high"], ["t"])]
    clipped = function("Clipped", ["x", "low", "high"], ["t", "x"], inner)
    calls = [
        helper.make_node("Constant", [], ["low"], value_float=0.2),
        call("Clipped", ["x", "low"], ["a", "b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    path = saved(tmp_path / "handed.onnx", calls, [clipped])
    model = imported(path)
    assert [each.name for each in model.network.layers][-1] == "y"


@pytest.mark.parametrize("depth", [1, 2])
def test_a_function_that_calls_itself_is_refused(depth: int, tmp_path: Path) -> None:
    functions = [
        function(f"F{at}", ["x"], ["y"], [call(f"F{(at + 1) % depth}", ["x"], ["y"])])
        for at in range(depth)
    ]
    path = saved(tmp_path / "self.onnx", [call("F0", ["x"], ["y"])], functions)
    with pytest.raises(InputError, match="its function F0 calls itself"):
        imported(path)


def test_calls_that_double_come_to_an_end(tmp_path: Path) -> None:
    functions = [
        function(
            f"F{at}",
            ["x"],
            ["y"],
            [call(f"F{at + 1}", ["x"], ["t"]), call(f"F{at + 1}", ["t"], ["y"])],
        )
        for at in range(40)
    ]
    functions.append(function("F40", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])]))
    path = saved(tmp_path / "doubling.onnx", [call("F0", ["x"], ["y"])], functions)
    with pytest.raises(InputError, match=f"come to more than {MOST_NODES} nodes"):
        imported(path)
