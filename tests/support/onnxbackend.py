"""ftdist as a backend of the onnx package: a model and arrays in, arrays out.

Networks have sizes, shapes and weights of their own when they are imported, but the package's tests
give them as inputs. So inputs of whole numbers are bound to what is given: they become constants.
Inputs of floats stay inputs where that is possible; else only the first does, as in a file whose
weights are in it. What is left to try is a batch: frame by frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep

from ftdist.errors import InputError
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.onnx.importer import folded, read_onnx
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

FLOATS = (1, 10, 11, 16)
"""ONNX's numbers of floating-point types."""

TYPES = (*FLOATS, 2, 3, 4, 5, 6, 7, 9, 12, 13)
"""Those, whole numbers of a byte and more, and truth values."""

Way = Literal["whole", "bound", "frames", "folded"]


class Prepared(BackendRep):
    """A model that will be imported once its arrays are known; `way` says how it was run."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.way: Way | None = None

    def run(self, inputs: Sequence[Any], **_: Any) -> tuple[Any, ...]:
        names = [each.name for each in self._given()]
        arrays = dict(zip(names, inputs, strict=False))
        self._supported()
        refusals = []
        for way, free in self._ways(arrays):
            try:
                found = self._run(way, free, arrays)
            except InputError as error:
                refusals.append(f"{way}: {error}")
                continue
            self.way = way
            return tuple(found)
        raise InputError("; ".join(refusals))

    def _supported(self) -> None:
        """InputError for values that are not tensors, or of types narrower than a byte."""
        for each in (*self._given(), *self.model.graph.output):
            kind = each.type.tensor_type.elem_type if each.type.HasField("tensor_type") else 0
            if kind not in TYPES:
                raise InputError(f"{each.name} is not a tensor of supported numbers")

    def _given(self) -> list[Any]:
        known = {each.name for each in self.model.graph.initializer}
        return [each for each in self.model.graph.input if each.name not in known]

    def _ways(self, arrays: dict[str, Any]) -> Iterator[tuple[Way, tuple[str, ...]]]:
        """How to run it, and which inputs stay inputs, until one of them works."""
        floats = tuple(
            each.name
            for each in self._given()
            if each.type.tensor_type.elem_type in FLOATS and np.size(arrays.get(each.name, ()))
        )
        if not floats:
            yield "folded", ()
            return
        yield "whole", floats
        if floats[1:]:
            yield "bound", floats[:1]
        first = np.shape(arrays[floats[0]])
        if first and first[0] > 1:
            yield "frames", floats[:1]

    def _run(self, way: Way, free: tuple[str, ...], arrays: dict[str, Any]) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(self._bound(free, arrays), str(path))
            if way == "folded":
                found = folded(path)
                return [found[each.name] for each in self.model.graph.output]
            read = read_onnx(path, batch="frames" if way == "frames" else "whole")
            write_model(Path(folder) / "model.ftd", read.network, read.parameters())
            model = load(Path(folder) / "model.ftd")
        given = {each.name: arrays[each.name] for each in model.network.inputs}
        if way != "frames":
            whole = _computed(model, [given])[0]
            return [self._typed(each, whole[each.name]) for each in self.model.graph.output]
        (name,) = given
        made = _computed(model, [{name: frame[None]} for frame in given[name]])
        return [
            self._typed(each, np.concatenate([frame[each.name] for frame in made]))
            for each in self.model.graph.output
        ]

    def _bound(self, free: tuple[str, ...], arrays: dict[str, Any]) -> Any:
        """The model with all other inputs as constants."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        inputs = list(model.graph.input)
        del model.graph.input[:]
        model.graph.input.extend(each for each in inputs if each.name in free)
        for each in inputs:
            if each.name in free:
                dims = each.type.tensor_type.shape.dim
                del dims[:]
                for length in np.shape(arrays[each.name]):
                    dims.add().dim_value = length
            elif each.name in arrays:
                model.graph.initializer.append(
                    numpy_helper.from_array(arrays[each.name], each.name)
                )
        return model

    def _typed(self, value: Any, array: Any) -> Any:
        """Networks make float32; the model says what its outputs are."""
        kind = value.type.tensor_type.elem_type
        return array.astype(onnx.helper.tensor_dtype_to_np_dtype(kind))


def _computed(model: Model, frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs for each of several frames, with all of their dims."""
    network = model.network
    dims = {each.name: each.layout.of(each.shape) for each in network.inputs}
    made = {
        network.layers[number].name: network.layout(number).of(network.shape(number))
        for number in network.outputs
    }
    found = []
    with Session(model, untiled(network)) as session:
        for frame in frames:
            given = {n: np.asarray(each, np.float32).reshape(dims[n]) for n, each in frame.items()}
            arrays = session.run(given)
            found.append({name: each.reshape(made[name]) for name, each in arrays.items()})
    return found


class Ftdist(Backend):
    """What the package calls a backend."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> Prepared:
        return Prepared(model)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"
