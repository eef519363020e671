"""Small ONNX graphs, made node by node, and what onnxruntime says of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.onnx.importer import read_onnx
from ftdist.planning.plan import Plan, untiled
from ftdist.runtime.local import Session

Array = NDArray[Any]


class Nodes:
    """A graph that grows: values by name, constants drawn from a seed."""

    def __init__(self, seed: int = 0, opset: int = 17) -> None:
        self.generator = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, *dims: int | str, name: str = "x", kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def random(self, *shape: int, scale: float = 0.3) -> str:
        return self.constant((self.generator.standard_normal(shape) * scale).astype(np.float32))

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{kind}{len(self.nodes)}_{at}" for at in range(outputs)]
        name = f"node{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, names, name, **attributes))
        return names[0] if outputs == 1 else names

    def output(self, *names: str) -> None:
        for name in names:
            self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    def model(self) -> Any:
        graph = helper.make_graph(
            self.nodes, "graph", self.inputs, self.outputs, initializer=self.constants
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path: Path) -> Path:
        onnx.save(self.model(), str(path))
        return path


def imported(path: Path, **how: Any) -> Model:
    """The model of an ONNX file; its own file is gone, its mapping is not."""
    found = read_onnx(path, **how)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder) / "model.ftd", found.network, found.parameters())
        return load(Path(folder) / "model.ftd")


def expected(path: Path, arrays: dict[str, Array]) -> dict[str, Array]:
    """What onnxruntime makes of it."""
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, arrays), strict=True))


def arrays_for(model: Model, seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        each.name: generator.random(each.layout.of(each.shape), dtype=np.float32)
        for each in model.network.inputs
    }


def computed(model: Model, arrays: dict[str, Array], plan: Plan | None = None) -> dict[str, Array]:
    with Session(model, plan or untiled(model.network)) as session:
        return session.run(arrays)


def assert_agree(path: Path, model: Model, *, tolerance: float = 1e-5) -> None:
    """Outputs by name, of the same shapes, within a part of the largest value."""
    arrays = arrays_for(model)
    found = computed(model, arrays)
    for name, wanted in expected(path, arrays).items():
        assert found[name].shape == wanted.shape, name
        error = np.abs(found[name] - wanted).max() / max(np.abs(wanted).max(), 1e-6)
        assert error <= tolerance, (name, error)
