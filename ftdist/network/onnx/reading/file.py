"""ONNX files as plain values; the only module that knows how their messages are laid out.

What reads them is an extra, needed to import and never to run, so it is imported when it is needed.
A file is hostile until it is read: sizes are checked against what is there before anything
is taken, data outside the file only come from its own folder, and whatever is wrong is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.network.encoding import disguise
from ftdist.network.onnx.reading.schema import (
    FLOAT,
    FLOATS,
    GRAPH,
    INT,
    INTS,
    STRING,
    STRINGS,
    TENSOR,
    model_class,
)
from ftdist.network.onnx.reading.stripped import Place, stripped
from ftdist.network.onnx.reading.tensors import MOST_RANK, Mapped, array, shown
from ftdist.network.onnx.registry import WHOLE, Array, Branch, Node

MOST_BYTES = (1 << 31) - 1
MOST_NODES = 100_000

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
    if (other := disguise(bytes(data[:512]))) is not None:
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


def _graph(model: Any, mapped: Mapped, places: Sequence[Place | None]) -> Graph:
    graph, path = model.graph, mapped.path
    if len(graph.node) > MOST_NODES:
        raise InputError(f"{path}: has {len(graph.node)} nodes; {MOST_NODES} are supported")
    opset = next(
        (int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx")), 1
    )
    _refuse_opset(graph, opset, path)
    tensors = zip(graph.initializer, places, strict=True)
    constants = {each.name: array(each, mapped, place) for each, place in tensors}
    if graph.sparse_initializer:
        raise InputError(f"{path}: has sparse weights; export it with dense ones")
    inputs = {each.name: _dims(each, path) for each in graph.input if each.name not in constants}
    nodes = _nodes(graph, opset, mapped)
    outputs = tuple(dict.fromkeys(each.name for each in graph.output))
    if not outputs:
        raise InputError(f"{path}: has no outputs")
    metadata = {each.key: each.value for each in model.metadata_props}
    name = "".join(c for c in path.stem if c.isprintable()) or "network"
    notes = " ".join((model.producer_name, graph.name, graph.doc_string[:200]))
    types = {each.name: int(each.type.tensor_type.elem_type) for each in graph.input}
    given = name, opset, inputs, outputs, nodes, constants, metadata, notes, types
    return Graph(*given, release=mapped.release)


def _refuse_opset(graph: Any, opset: int, path: Path) -> None:
    if 7 <= opset <= NEWEST_OPSET:
        return
    with needing(f"opset {opset}", "onnx", "onnx"):
        from onnx import defs
    newest = max(NEWEST_OPSET, defs.onnx_opset_version())
    if not 7 <= opset <= newest and not _as_in_7(defs, graph, opset):
        raise InputError(f"{path}: is of opset {opset}; 7 to {newest} are read")


def _as_in_7(defs: Any, graph: Any, opset: int) -> bool:
    """Whether an older opset has the same definitions of all that a graph has."""
    if not 1 <= opset < 7:
        return False
    try:
        return all(
            defs.get_schema(node.op_type, opset).since_version
            == defs.get_schema(node.op_type, 7).since_version
            for node in graph.node
        )
    except defs.SchemaError:
        return False


def _dims(value: Any, path: Path) -> Dims:
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{path}: input {value.name} is no tensor")
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


def _nodes(graph: Any, opset: int, mapped: Mapped) -> tuple[Node, ...]:
    return tuple(_node(each, number, opset, mapped) for number, each in enumerate(graph.node))


def _branch(graph: Any, opset: int, mapped: Mapped) -> Branch:
    constants = {each.name: array(each, mapped) for each in graph.initializer}
    outputs = tuple(each.name for each in graph.output)
    inputs = tuple(each.name for each in graph.input)
    return Branch(_nodes(graph, opset, mapped), constants, outputs, inputs)


def _node(node: Any, number: int, opset: int, mapped: Mapped) -> Node:
    name = node.name or (node.output[0] if node.output else f"node {number}")
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    attributes: dict[str, Any] = {"opset": opset}
    for each in node.attribute:
        if each.type == GRAPH:
            attributes[each.name] = _branch(each.g, opset, mapped)
        else:
            attributes[each.name] = _attribute(each, mapped)
    return Node(shown(name), shown(kind), tuple(node.input), tuple(node.output), attributes)


def _attribute(attribute: Any, mapped: Mapped) -> Any:
    plain: dict[int, Callable[[], Any]] = {
        FLOAT: lambda: float(attribute.f),
        INT: lambda: int(attribute.i),
        STRING: lambda: attribute.s.decode("utf-8", "replace"),
        TENSOR: lambda: array(attribute.t, mapped),
        FLOATS: lambda: tuple(attribute.floats),
        INTS: lambda: tuple(attribute.ints),
        STRINGS: lambda: tuple(each.decode("utf-8", "replace") for each in attribute.strings),
    }
    known = plain.get(attribute.type)
    return None if known is None else known()
