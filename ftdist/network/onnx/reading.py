"""ONNX files as plain values; the only module that knows the `onnx` package.

The package is an extra, needed to import and never to run, so it is imported here, when it is
needed. A file is hostile until it is read: sizes are checked against what is there before anything
is taken, data outside the file only come from its own folder, and whatever is wrong is one line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.network.encoding import disguise
from ftdist.network.onnx.constant_maths import MOST_VALUES
from ftdist.network.onnx.registry import WHOLE, Array, Branch, Node

MOST_BYTES = (1 << 31) - 1
MOST_NODES = 100_000
MOST_RANK = 16

_FLOATS, _TRUTH = (1, 10, 11, 16), 9

Dims = tuple[int | str, ...]
"""The dims of an input; a name where the size is open."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What a file says; dims of inputs that are no numbers are names."""

    name: str
    opset: int
    inputs: Mapping[str, Dims]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    metadata: Mapping[str, str]
    notes: str = ""
    types: Mapping[str, int] = field(default_factory=dict)
    """ONNX's numbers of the types of the inputs."""
    is_resized: bool = False
    """Whether a size that is given counts where the file says another."""

    @property
    def whole_inputs(self) -> frozenset[str]:
        """The inputs that are of whole numbers; pictures as they are, 0 to 255."""
        return frozenset(name for name in self.inputs if self.types.get(name) in WHOLE)


def read_graph(path: Path) -> Graph:
    """The graph of an ONNX file; InputError says in one line what is wrong with it."""
    onnx = package()
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: is larger than 2 GiB; keep its weights as external data")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if (other := disguise(content[:512])) is not None:
        raise InputError(f"{path}: is {other}")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # the decoder's own kinds of errors
        if "alloc" in str(error):
            raise MemoryError from None
        raise InputError(f"{path}: is no ONNX file, or is damaged") from None
    del content
    if not model.graph.node and not model.graph.output:
        raise InputError(f"{path}: is no ONNX file, or has no graph")
    try:
        return _graph(onnx, model, path)
    except (InputError, MemoryError):
        raise
    except Exception:  # names that are no text, numbers out of range: whatever is in there
        raise InputError(f"{path}: is damaged") from None


def package() -> Any:
    """The package `onnx`; InputError where it cannot be imported."""
    with needing("reading ONNX", "onnx", "onnx"):
        import onnx
        import onnx.numpy_helper
        import onnx.reference
    return onnx


def _graph(onnx: Any, model: Any, path: Path) -> Graph:
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise InputError(f"{path}: has {len(graph.node)} nodes; {MOST_NODES} are supported")
    opset = next(
        (int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx")), 1
    )
    newest = onnx.defs.onnx_opset_version()
    if not 7 <= opset <= newest and not _as_in_7(onnx, graph, opset):
        raise InputError(f"{path}: is of opset {opset}; 7 to {newest} are read")
    constants = {each.name: _array(onnx, each, path) for each in graph.initializer}
    if graph.sparse_initializer:
        raise InputError(f"{path}: has sparse weights; export it with dense ones")
    inputs = {each.name: _dims(each, path) for each in graph.input if each.name not in constants}
    nodes = _nodes(onnx, graph, opset, path)
    outputs = tuple(dict.fromkeys(each.name for each in graph.output))
    if not outputs:
        raise InputError(f"{path}: has no outputs")
    metadata = {each.key: each.value for each in model.metadata_props}
    name = "".join(c for c in path.stem if c.isprintable()) or "network"
    notes = " ".join((model.producer_name, graph.name, graph.doc_string[:200]))
    types = {each.name: int(each.type.tensor_type.elem_type) for each in graph.input}
    return Graph(name, opset, inputs, outputs, nodes, constants, metadata, notes, types)


def _as_in_7(onnx: Any, graph: Any, opset: int) -> bool:
    """Whether an older opset has the same definitions of all that a graph has."""
    if not 1 <= opset < 7:
        return False
    try:
        return all(
            onnx.defs.get_schema(node.op_type, opset).since_version
            == onnx.defs.get_schema(node.op_type, 7).since_version
            for node in graph.node
        )
    except onnx.defs.SchemaError:
        return False


def _dims(value: Any, path: Path) -> Dims:
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{path}: input {value.name} is no tensor")
    kind = value.type.tensor_type.elem_type
    if kind not in (*_FLOATS, *WHOLE, _TRUTH):
        raise InputError(
            f"{path}: input {_shown(value.name)} is not of numbers (type {kind}); "
            "export it with a float input"
        )
    shape = value.type.tensor_type.shape
    if len(shape.dim) > MOST_RANK:
        raise InputError(f"{path}: input {value.name} has {len(shape.dim)} dims")
    return tuple(
        int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else (d.dim_param or "?")
        for d in shape.dim
    )


def _nodes(onnx: Any, graph: Any, opset: int, path: Path) -> tuple[Node, ...]:
    return tuple(_node(onnx, each, number, opset, path) for number, each in enumerate(graph.node))


def _branch(onnx: Any, graph: Any, opset: int, path: Path) -> Branch:
    constants = {each.name: _array(onnx, each, path) for each in graph.initializer}
    outputs = tuple(each.name for each in graph.output)
    inputs = tuple(each.name for each in graph.input)
    return Branch(_nodes(onnx, graph, opset, path), constants, outputs, inputs)


def _node(onnx: Any, node: Any, number: int, opset: int, path: Path) -> Node:
    name = node.name or (node.output[0] if node.output else f"node {number}")
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    attributes: dict[str, Any] = {"opset": opset}
    for each in node.attribute:
        if each.type == onnx.AttributeProto.GRAPH:
            attributes[each.name] = _branch(onnx, each.g, opset, path)
        else:
            attributes[each.name] = _attribute(onnx, each, path)
    return Node(_shown(name), _shown(kind), tuple(node.input), tuple(node.output), attributes)


def _attribute(onnx: Any, attribute: Any, path: Path) -> Any:
    kinds = onnx.AttributeProto
    plain = {
        kinds.FLOAT: lambda: float(attribute.f),
        kinds.INT: lambda: int(attribute.i),
        kinds.STRING: lambda: attribute.s.decode("utf-8", "replace"),
        kinds.TENSOR: lambda: _array(onnx, attribute.t, path),
        kinds.FLOATS: lambda: tuple(attribute.floats),
        kinds.INTS: lambda: tuple(attribute.ints),
        kinds.STRINGS: lambda: tuple(each.decode("utf-8", "replace") for each in attribute.strings),
    }.get(attribute.type)
    return None if plain is None else plain()  # type: ignore[no-untyped-call]


def _array(onnx: Any, proto: Any, path: Path) -> Array:
    """A constant; half-wide ones are widened, what is not there is refused before it is taken."""
    name = _shown(proto.name)
    dims = tuple(int(each) for each in proto.dims)
    if len(dims) > MOST_RANK or any(each < 0 for each in dims) or math.prod(dims) > MOST_VALUES:
        raise InputError(f"{path}: constant {name} claims a shape of {dims[:MOST_RANK]}")
    try:
        if proto.data_location == onnx.TensorProto.EXTERNAL:
            array = _external(onnx, proto, dims, path)
        else:
            array = np.asarray(onnx.numpy_helper.to_array(proto))
    except (InputError, MemoryError):
        raise
    except Exception:  # NumPy's and the package's own
        raise InputError(f"{path}: constant {name} is damaged") from None
    wide = array.dtype.kind not in "fiub" or (array.dtype.itemsize < 4 and array.dtype.kind == "f")
    return array.astype(np.float32) if wide else array


def _external(onnx: Any, proto: Any, dims: tuple[int, ...], path: Path) -> Array:
    """A constant in another file of the same folder, mapped."""
    told = {each.key: each.value for each in proto.external_data}
    folder = path.resolve().parent
    place = (folder / told.get("location", "")).resolve()
    if folder not in place.parents or not place.is_file():
        raise InputError(f"{path}: data of {_shown(proto.name)} are not in its folder")
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(proto.data_type))
    offset = int(told.get("offset", "0"))
    needed = math.prod(dims) * dtype.itemsize
    if offset < 0 or offset + needed > place.stat().st_size:
        raise InputError(f"{path}: {place.name} is too short for {_shown(proto.name)}")
    if not needed:
        return np.zeros(dims, dtype)
    return np.memmap(place, dtype, "r", offset, dims)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:120]
