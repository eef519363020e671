"""ftdist as a backend of the `onnx` package: a model and arrays in, arrays out.

    import ftdist.onnx_backend
    outputs = ftdist.onnx_backend.run_model(onnx.load("model.onnx"), [array])

The package's own tests run with it: ``onnx.backend.test.BackendTest(ftdist.onnx_backend, name)``.

Networks have sizes, shapes and weights of their own when they are imported, but models may have
them as inputs. So all inputs stay inputs where that is possible; else some of them are bound to
what is given, which makes them constants: whole numbers first, then single numbers, then all but
the first. What is left to try is a batch, frame by frame. A model is imported when it is run,
because only then its sizes are known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
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

_TEXT = 8

EXACT = 1 << 24
"""Up to here floats hold all whole numbers."""

Way = Literal["whole", "bound", "frames", "folded"]
"""How a model was run: with all inputs, with some of them as constants, frame by frame, or without
any input, when all of it was computed at import."""

Array = NDArray[Any]


class Prepared(BackendRep):
    """A model that will be imported once its arrays are known; `way` says how it was run."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.way: Way | None = None

    def run(self, inputs: Sequence[Any], **_: Any) -> tuple[Any, ...]:
        """The outputs in the model's order; InputError says what is not supported."""
        given = self._given()
        arrays = {each.name: np.asarray(array) for each, array in zip(given, inputs, strict=False)}
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
        """InputError for values that are not tensors, or take less than a byte each."""
        for each in self._given():
            if not each.type.HasField("tensor_type") or each.type.tensor_type.elem_type == _TEXT:
                raise InputError(f"{each.name} is not a tensor of numbers")
        for each in self.model.graph.output:
            kind = each.type.tensor_type.elem_type if each.type.HasField("tensor_type") else 0
            if kind not in TYPES:
                raise InputError(f"{each.name} is not a tensor of supported numbers")

    def _given(self) -> list[Any]:
        known = {each.name for each in self.model.graph.initializer}
        return [each for each in self.model.graph.input if each.name not in known]

    def _ways(self, arrays: Mapping[str, Array]) -> Iterator[tuple[Way, tuple[str, ...]]]:
        """How to run it, and which inputs stay inputs, until one of them works."""
        kinds = {each.name: each.type.tensor_type.elem_type for each in self._given()}
        full = {name: kinds[name] for name, each in arrays.items() if each.size}
        exact = [name for name in full if kinds[name] in TYPES and _is_exact(arrays[name])]
        floats = [name for name in full if kinds[name] in FLOATS]
        several = [name for name in floats if arrays[name].size > 1]
        tried: set[tuple[str, ...]] = {()}
        for names in (exact, floats, several, floats[:1], several[:1], exact[:1]):
            free = tuple(names)
            if free not in tried:
                tried.add(free)
                yield ("whole" if len(free) == len(arrays) else "bound"), free
        for name in floats[:1]:
            if arrays[name].ndim and len(arrays[name]) > 1:
                yield "frames", (name,)
        yield "folded", ()

    def _run(self, way: Way, free: tuple[str, ...], arrays: Mapping[str, Array]) -> list[Array]:
        outputs = self.model.graph.output
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(self._bound(free, arrays), str(path))
            if way == "folded":
                found = folded(path)
                return [self._typed(each, found[each.name]) for each in outputs]
            read = read_onnx(path, batch="frames" if way == "frames" else "whole")
            write_model(Path(folder) / "model.ftd", read.network, read.parameters())
            model = load(Path(folder) / "model.ftd")
        given = {each.name: arrays[each.name] for each in model.network.inputs}
        if way != "frames":
            whole = _computed(model, [given])[0]
            return [self._typed(each, whole[each.name]) for each in outputs]
        (name,) = given
        made = _computed(model, [{name: frame[None]} for frame in given[name]])
        return [
            self._typed(each, _batch(each, [frame[each.name] for frame in made]))
            for each in outputs
        ]

    def _bound(self, free: tuple[str, ...], arrays: Mapping[str, Array]) -> Any:
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
                for length in arrays[each.name].shape:
                    dims.add().dim_value = length
            elif each.name in arrays:
                array = arrays[each.name]
                if each.type.tensor_type.elem_type not in TYPES:
                    array = array.astype(np.float32)  # all of its numbers are floats
                model.graph.initializer.append(numpy_helper.from_array(array, each.name))
        return model

    def _typed(self, value: Any, array: Array) -> Array:
        """Networks make float32 of at least one dim; the model says what its outputs are."""
        kind = value.type.tensor_type
        if kind.HasField("shape") and not kind.shape.dim and array.size == 1:
            array = array.reshape(())
        return np.asarray(array.astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))


def _batch(value: Any, frames: Sequence[Array]) -> Array:
    """The outputs of frames as one; InputError where the model says another shape."""
    if not frames[0].ndim:
        raise InputError(f"{value.name} is not made frame by frame")
    found = np.concatenate(frames)
    dims = value.type.tensor_type.shape.dim
    known = dims and all(each.HasField("dim_value") for each in dims)
    if known and tuple(each.dim_value for each in dims) != found.shape:
        raise InputError(f"{value.name} is not made frame by frame")
    return found


def _is_exact(array: Array) -> bool:
    """Whether floats of 32 bits hold it, as far as whole numbers go."""
    return array.dtype.kind not in "iu" or bool((np.abs(array.astype(np.float64)) <= EXACT).all())


def _computed(model: Model, frames: list[dict[str, Array]]) -> list[dict[str, Array]]:
    """Outputs for each of several frames, with all of their dims."""
    network = model.network
    dims = {each.name: each.layout.of(each.shape) for each in network.inputs}
    made = {
        network.layers[number].name: network.layout(number).of(network.shape(number))
        for number in network.outputs
        if not network.layout(number).open_dim
    }
    found = []
    with Session(model, untiled(network)) as session:
        for frame in frames:
            given = {n: np.asarray(each, np.float32).reshape(dims[n]) for n, each in frame.items()}
            arrays = session.run(given)
            found.append(
                {name: each.reshape(made.get(name, each.shape)) for name, each in arrays.items()}
            )
    return found


class Ftdist(Backend):
    """What the package calls a backend."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> Prepared:
        return Prepared(model)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"


is_compatible = Ftdist.is_compatible
prepare = Ftdist.prepare
run_model = Ftdist.run_model
supports_device = Ftdist.supports_device
