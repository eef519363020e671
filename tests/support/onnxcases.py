"""The onnx package's own backend tests: which there are, and which are about supported operators.

The package makes its node tests while their modules are imported. It also keeps the source of each
as a snippet for its documentation, which takes most of the time and is left out here.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.backend.test.case.base as snippets
from onnx import numpy_helper
from onnx.backend.test import loader

_WORDS = """
    Conv ConvTranspose BatchNormalization InstanceNormalization LayerNormalization
    GroupNormalization LRN Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Mish Gelu Tanh
    Softplus Elu Selu Celu ThresholdedRelu Exp Log Sqrt Reciprocal Abs Neg Pow Floor Ceil Round
    Erf Mod Sign Add Sub Mul Div Max Min Sum Mean Equal Greater Less Where And Or Not MaxPool
    AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool Concat Split Slice Resize
    Upsample DepthToSpace SpaceToDepth Pad ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin TopK CumSum
    Flatten Reshape Transpose Squeeze Unsqueeze Expand Tile Gather GatherElements GatherND
    ScatterND Gemm MatMul Einsum Softmax LogSoftmax LpNormalization Identity Dropout Cast Constant
    ConstantOfShape Shape Size Range If Loop NonMaxSuppression GridSample RoiAlign QuantizeLinear
    DequantizeLinear QLinearConv ConvInteger
"""

LISTED = frozenset(_WORDS.split())
"""The operators that ftdist promises."""


@dataclass(frozen=True)
class Case:
    """One test: a model, and arrays in and out by the models' order."""

    name: str
    model: Any
    sets: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float

    @property
    def operators(self) -> frozenset[str]:
        return frozenset(_operators(self.model.graph))


@functools.cache
def cases() -> tuple[Case, ...]:
    """All node, simple and light tests whose operators are all listed, by name."""
    found = [*_nodes(), *_stored("simple"), *_light()]
    listed = (each for each in found if each.operators <= LISTED)
    return tuple(sorted(listed, key=lambda each: each.name))


def _nodes() -> Iterator[Case]:
    snippets.process_snippet = lambda *_: ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of their cases divide by zero on purpose
        made = loader.load_model_tests(kind="node")
    for each in made:
        sets = [
            ([_plain(array) for array in inputs], [_plain(array) for array in outputs])
            for inputs, outputs in each.data_sets or ()
        ]
        yield Case(each.name, each.model, sets, each.rtol, each.atol)


def _stored(kind: str) -> Iterator[Case]:
    for each in loader.load_model_tests(kind=kind):
        model = onnx.load(os.path.join(str(each.model_dir), "model.onnx"))
        if _operators(model.graph) <= LISTED:
            folder = os.path.join(str(each.model_dir), "test_data_set_0")
            yield Case(each.name, model, [_arrays(folder)], each.rtol, each.atol)


def _arrays(folder: str) -> tuple[list[Any], list[Any]]:
    def read(what: str) -> list[Any]:
        count = len([each for each in os.listdir(folder) if each.startswith(f"{what}_")])
        return [_tensor(os.path.join(folder, f"{what}_{at}.pb")) for at in range(count)]

    return read("input"), read("output")


def _light() -> Iterator[Case]:
    """Networks whose weights are constants made by nodes; inputs count up from 0, as there."""
    folder = os.path.join(loader.DATA_DIR, "light")
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".onnx"):
            continue
        model = onnx.load(os.path.join(folder, file))
        known = {each.name for each in model.graph.initializer}
        (value,) = (each for each in model.graph.input if each.name not in known)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        given = (np.arange(count, dtype=np.float32) / count).reshape(shape)
        wanted = _tensor(os.path.join(folder, file.replace(".onnx", "_output_0.pb")))
        yield Case(file.removesuffix(".onnx"), model, [([given], [wanted])], 1e-3, 1e-7)


def _plain(value: Any) -> Any:
    """An array, where it is one that is not said so."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _tensor(path: str) -> Any:
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return numpy_helper.to_array(tensor)


def _operators(graph: Any) -> set[str]:
    found: set[str] = set()
    for node in graph.node:
        found.add(
            node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        )
        for attribute in node.attribute:
            for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                found |= _operators(inner)
    return found
