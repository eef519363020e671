"""An ONNX file without the bytes of its weights, which stay where they are in the file.

A file is a message of nested messages; nearly all of its bytes are `raw_data` of tensors: of
initializers, or of what nodes have as attributes, as Paddle's exports keep all of their weights.
These are left out before the rest is decoded, and noted by place, so that a file's weights are
never in memory together: each is mapped, and read when its layer is written.

Wire format: developers.google.com/protocol-buffers/docs/encoding. A field is a varint, its number
times 8 plus its wire type, and its value: a varint (0), 8 bytes (1), a length and so many
bytes (2), 4 bytes (5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_GRAPH, _NODE, _INITIALIZER, _ATTRIBUTE, _TENSOR, _RAW_DATA = 7, 1, 5, 5, 5, 9
"""Fields of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto."""

_LEAST_BYTES = 1024
"""Smaller data are decoded with the rest."""

Place = tuple[int, int]
"""Where bytes begin in a file, and how many there are."""


@dataclass
class Places:
    """Where data are that were left out.

    For each initializer its place, None for one whose data were left in; for tensors among the
    attributes of the graph's nodes by the numbers of the node and of the attribute.
    """

    initializers: list[Place | None] = field(default_factory=list)
    attributes: dict[tuple[int, int], Place] = field(default_factory=dict)
    nodes: int = 0


class Broken(Exception):
    """These bytes are no message."""


class _Field(NamedTuple):
    """A field: its number (0 for one without a length), where it and its value begin, its end."""

    number: int
    begin: int
    value: int
    end: int


def stripped(data: memoryview) -> tuple[bytes, Places]:
    """A file's message without large weights, and where they are.

    Broken where the bytes are no message.
    """
    places = Places()
    parts: list[bytes | memoryview] = []
    for each in _fields(data, 0, len(data)):
        if each.number == _GRAPH:
            graph = b"".join(_graph(data, each, places))
            parts += [_key(_GRAPH), _varint(len(graph)), graph]
        else:
            parts.append(data[each.begin : each.end])
    return b"".join(parts), places


def _graph(data: memoryview, graph: _Field, places: Places) -> Iterator[bytes | memoryview]:
    kept = graph.value  # what lies between is kept in one piece
    for each in _fields(data, graph.value, graph.end):
        way: list[_Field] = []
        if each.number == _INITIALIZER:
            way = _large(data, [each])
            places.initializers.append(_place(way) if way else None)
        elif each.number == _NODE:
            number, way = _of_node(data, each)
            if way:
                places.attributes[places.nodes, number] = _place(way)
            places.nodes += 1
        if way:
            yield data[kept : each.begin]
            yield _without_last(data, way)
            kept = each.end
    yield data[kept : graph.end]


def _place(way: list[_Field]) -> Place:
    return way[-1].value, way[-1].end - way[-1].value


def _of_node(data: memoryview, node: _Field) -> tuple[int, list[_Field]]:
    """The number of a node's first attribute with large data, and the fields down to these."""
    if node.end - node.value < _LEAST_BYTES:
        return 0, []
    attributes = (each for each in _fields(data, node.value, node.end) if each.number == _ATTRIBUTE)
    for number, each in enumerate(attributes):
        tensor = _only(data, each, _TENSOR)
        way = [] if tensor is None else _large(data, [node, each, tensor])
        if way:
            return number, way
    return 0, []


def _large(data: memoryview, way: list[_Field]) -> list[_Field]:
    """The way on to the raw data of the tensor at its end; none where they are not large."""
    raw = _only(data, way[-1], _RAW_DATA)
    return [] if raw is None or raw.end - raw.value < _LEAST_BYTES else [*way, raw]


def _only(data: memoryview, message: _Field, number: int) -> _Field | None:
    """The field of that number in a message, which has at most one."""
    found = [each for each in _fields(data, message.value, message.end) if each.number == number]
    if len(found) > 1:
        raise Broken("a value that is there twice")
    return found[0] if found else None


def _without_last(data: memoryview, way: list[_Field]) -> bytes:
    """The first of nested fields, without the last of them."""
    first, *rest = way
    if not rest:
        return b""
    begin, end = data[first.value : rest[0].begin], data[rest[0].end : first.end]
    message = b"".join((begin, _without_last(data, rest), end))
    return _key(first.number) + _varint(len(message)) + message


def _fields(data: memoryview, at: int, end: int) -> Iterator[_Field]:
    """The fields of a message."""
    while at < end:
        begin = at
        key, at = _read_varint(data, at, end)
        kind = key & 7
        value = at
        if kind == 0:
            _, at = _read_varint(data, at, end)
        elif kind == 1:
            at += 8
        elif kind == 2:
            size, value = _read_varint(data, at, end)
            at = value + size
        elif kind == 5:
            at += 4
        else:
            raise Broken("a field of no known kind")
        if at > end:
            raise Broken("a field that is longer than its message")
        yield _Field(key >> 3 if kind == 2 else 0, begin, value, at)


def _read_varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and where it ends."""
    found = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, at
    raise Broken("a number without an end")


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _key(number: int) -> bytes:
    """The key of a field that has a length."""
    return _varint(number << 3 | 2)
