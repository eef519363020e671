"""An ONNX file without the bytes of its weights, which stay where they are in the file.

A file is a message of nested messages; nearly all of its bytes are `raw_data` of initializers.
These are left out before the rest is decoded, and noted by place, so that a file's weights are
never in memory together: each is mapped, and read when its layer is written.

Wire format: developers.google.com/protocol-buffers/docs/encoding. A field is a varint, its number
times 8 plus its wire type, and its value: a varint (0), 8 bytes (1), a length and so many
bytes (2), 4 bytes (5).
"""

from __future__ import annotations

from collections.abc import Iterator

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Fields of ModelProto, GraphProto and TensorProto."""

_LEAST_BYTES = 1024
"""Smaller data are decoded with the rest."""

Place = tuple[int, int]
"""Where bytes begin in a file, and how many there are."""


class Broken(Exception):
    """These bytes are no message."""


def stripped(data: memoryview) -> tuple[bytes, list[Place | None]]:
    """A file's message without large weights, and for each initializer where they are.

    None for one whose data were left in. Broken where the bytes are no message.
    """
    places: list[Place | None] = []
    parts: list[bytes | memoryview] = []
    for number, begin, value, end in _fields(data, 0, len(data)):
        if number == _GRAPH:
            graph = b"".join(_graph(data, value, end, places))
            parts += [_key(_GRAPH), _varint(len(graph)), graph]
        else:
            parts.append(data[begin:end])
    return b"".join(parts), places


def _graph(
    data: memoryview, begin: int, end: int, places: list[Place | None]
) -> Iterator[bytes | memoryview]:
    kept = begin  # what lies between initializers is kept in one piece
    for number, at, value, after in _fields(data, begin, end):
        if number != _INITIALIZER:
            continue
        raw = _raw_data(data, value, after)
        places.append(None)
        if raw is None or raw[2] - raw[1] < _LEAST_BYTES:
            continue
        field, raw_begin, raw_end = raw
        places[-1] = raw_begin, raw_end - raw_begin
        yield data[kept:at]
        yield _key(_INITIALIZER) + _varint(after - value - (raw_end - field))
        yield data[value:field]
        yield data[raw_end:after]
        kept = after
    yield data[kept:end]


def _raw_data(data: memoryview, begin: int, end: int) -> tuple[int, int, int] | None:
    """Where the field of a tensor's raw data begins, its value, and its end."""
    found = None
    for number, at, value, after in _fields(data, begin, end):
        if number == _RAW_DATA:
            if found is not None:
                raise Broken("two raw data")
            found = at, value, after
    return found


def _fields(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, where it begins, where its value begins, where it ends."""
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
        yield (key >> 3 if kind == 2 else 0), begin, value, at


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
