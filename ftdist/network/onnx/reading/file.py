"""ONNX files as plain values; the only module that knows how their messages are laid out.

What reads them is an extra, needed to import and never to run, so it is imported when it is needed.
A file is hostile until it is read: sizes are checked against what is there before anything
is taken, data outside the file only come from its own folder, and whatever is wrong is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.network.foreign import foreign
from ftdist.network.onnx.nodes import WHOLE, Array, Node
from ftdist.network.onnx.reading.nodes import MOST_NODES, NodeReader, Scope, opset_of
from ftdist.network.onnx.reading.schema import model_class
from ftdist.network.onnx.reading.stripped import Places, stripped
from ftdist.network.onnx.reading.tensors import MOST_RANK, Mapped, array, shown

MOST_BYTES = (1 << 31) - 1

NEWEST_OPSET = 28
"""The newest whose definitions were looked through; a later one is left to the package ``onnx``."""

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
    measures: tuple[str, ...] = ()
    """Inputs that say how large the picture is, and how it was scaled."""
    is_resized: bool = False
    """Whether a size that is given counts where the file says another."""
    release: Callable[[], None] = lambda: None
    """Gives back what was read of the file's constants, which are mapped."""

    @property
    def whole_inputs(self) -> frozenset[str]:
        """The inputs that are of whole numbers; pictures as they are, 0 to 255."""
        return frozenset(name for name in self.inputs if self.types.get(name) in WHOLE)


def read_graph(path: Path) -> Graph:
    """The graph of an ONNX file; InputError says in one line what is wrong with it."""
    made = model_class()
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: is larger than 2 GiB; keep its weights as external data")
        if not size:
            raise InputError(f"{path}: is no ONNX file, or has no graph")
        mapped = Mapped(path)
        data = memoryview(mapped.of(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if (other := foreign(path, bytes(data[:512]))) is not None:
        raise InputError(f"{path}: is {other}")
    model = made()
    try:
        message, places = stripped(data)
        model.ParseFromString(message)
    except MemoryError:
        raise
    except Exception as error:  # Broken, and the decoder's own kinds of errors
        if "alloc" in str(error):
            raise MemoryError from None
        raise InputError(f"{path}: is no ONNX file, or is damaged") from None
    del message
    if not model.graph.node and not model.graph.output:
        raise InputError(f"{path}: is no ONNX file, or has no graph")
    try:
        return _graph(model, mapped, places)
    except (InputError, MemoryError):
        raise
    except Exception:  # names that are no text, numbers out of range: whatever is in there
        raise InputError(f"{path}: is damaged") from None


def _graph(model: Any, mapped: Mapped, places: Places) -> Graph:
    graph, path = model.graph, mapped.path
    if len(graph.node) > MOST_NODES:
        raise InputError(f"{path}: has {len(graph.node)} nodes; {MOST_NODES} are supported")
    if not all(isinstance(each.name, str) for each in (*graph.input, *graph.output)):
        raise InputError(f"{path}: is damaged: the name of an input or an output is no text")
    opset = opset_of(model.opset_import)
    _refuse_opset(opset, path)
    tensors = zip(graph.initializer, places.initializers, strict=True)
    constants = {each.name: array(each, mapped, place) for each, place in tensors}
    if graph.sparse_initializer:
        raise InputError(f"{path}: has sparse weights; export it with dense ones")
    inputs = {each.name: _dims(each, path) for each in graph.input if each.name not in constants}
    reader = NodeReader(model.functions, mapped)
    nodes = reader.nodes(graph.node, Scope(opset), places.attributes)
    outputs = tuple(dict.fromkeys(each.name for each in graph.output))
    if not outputs:
        raise InputError(f"{path}: has no outputs")
    metadata = {_text(each.key): _text(each.value) for each in model.metadata_props}
    name = "".join(c for c in path.stem if c.isprintable()) or "network"
    notes = " ".join(map(_text, (model.producer_name, graph.name, graph.doc_string[:200])))
    types = {each.name: int(each.type.tensor_type.elem_type) for each in graph.input}
    given = name, opset, inputs, outputs, nodes, constants, metadata, notes, types
    return Graph(*given, release=mapped.release)


def _text(value: str | bytes) -> str:
    """What protobuf hands on as bytes where it is not UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _refuse_opset(opset: int, path: Path) -> None:
    if 1 <= opset <= NEWEST_OPSET:
        return
    with needing(f"opset {opset}", "onnx", "onnx"):
        from onnx import defs
    newest = max(NEWEST_OPSET, defs.onnx_opset_version())
    if not 1 <= opset <= newest:
        raise InputError(f"{path}: is of opset {opset}; 1 to {newest} are read")


def _dims(value: Any, path: Path) -> Dims:
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{path}: input {value.name!r:.120} is no tensor")
    kind = value.type.tensor_type.elem_type
    if kind not in (*_FLOATS, *WHOLE, _TRUTH):
        raise InputError(
            f"{path}: input {shown(value.name)} is not of numbers (type {kind}); "
            "export it with a float input"
        )
    shape = value.type.tensor_type.shape
    if len(shape.dim) > MOST_RANK:
        raise InputError(f"{path}: input {value.name} has {len(shape.dim)} dims")
    return tuple(
        int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else (d.dim_param or "?")
        for d in shape.dim
    )
