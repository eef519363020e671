"""TIFFs of every kind, written in the plainest way: whole, and sharing nothing with the reader."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773

_SHORT, _LONG, _RATIONAL, _DOUBLE, _ASCII, _LONG8 = 3, 4, 5, 12, 2, 16


@dataclass(frozen=True)
class Kind:
    """How a picture lies in its file; `block` is (rows, columns) of a tile, or a strip's rows."""

    order: str = "<"
    big: bool = False
    compression: int = NONE
    predictor: int = 1
    planes: bool = False
    block: tuple[int, int] | int = 7
    more: dict[int, tuple[int, tuple[Any, ...]]] = field(default_factory=dict)


def write_tiff(
    path: Path, pixels: NDArray[Any], kind: Kind, photometric: int | None = None
) -> Path:
    """`pixels` are (height, width, bands), in their own type."""
    height, width, bands = pixels.shape
    layers = [pixels[:, :, n : n + 1] for n in range(bands)] if kind.planes else [pixels]
    blocks = [each for layer in layers for each in _blocks(layer, kind)]
    packed = [_packed(block, kind) for block in blocks]
    start = 16 if kind.big else 8
    places = [start + sum(map(len, packed[:n])) for n in range(len(packed))]
    data = b"".join(packed)
    data += b"\x00" * (len(data) % 2)
    tiled = isinstance(kind.block, tuple)
    numbers = _LONG8 if kind.big else _LONG
    letter = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    tags: dict[int, tuple[int, tuple[Any, ...]]] = {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (8 * pixels.dtype.itemsize,) * bands),
        259: (_SHORT, (kind.compression,)),
        262: (_SHORT, ((2 if bands == 3 else 1) if photometric is None else photometric,)),
        277: (_SHORT, (bands,)),
        284: (_SHORT, (2 if kind.planes else 1,)),
        317: (_SHORT, (kind.predictor,)),
        339: (_SHORT, (letter,) * bands),
        324 if tiled else 273: (numbers, tuple(places)),
        325 if tiled else 279: (numbers, tuple(map(len, packed))),
    }
    if isinstance(kind.block, tuple):
        tags[322], tags[323] = (_LONG, (kind.block[1],)), (_LONG, (kind.block[0],))
    else:
        tags[278] = (_LONG, (kind.block,))
    path.write_bytes(_file(data, tags | kind.more, kind.order, big=kind.big))
    return path


def _file(
    data: bytes, tags: dict[int, tuple[int, tuple[Any, ...]]], order: str, *, big: bool
) -> bytes:
    start, room, pointer, entry = (16, 8, "Q", "HHQ") if big else (8, 4, "I", "HHI")
    at = start + len(data)
    mark = b"II" if order == "<" else b"MM"
    head = mark + (
        struct.pack(order + "HHHQ", 43, 8, 0, at) if big else struct.pack(order + "HI", 42, at)
    )
    count = struct.pack(order + ("Q" if big else "H"), len(tags))
    beyond = at + len(count) + len(tags) * (4 + 2 * room) + room
    directory, values = count, b""
    for tag, (kind, given) in sorted(tags.items()):
        letter = {_SHORT: "H", _LONG: "I", _DOUBLE: "d", _LONG8: "Q", 7: "B"}
        if kind == _ASCII:
            content, number = given[0].encode() + b"\x00", len(given[0]) + 1
        elif kind == _RATIONAL:
            content = struct.pack(f"{order}{2 * len(given)}I", *(n for each in given for n in each))
            number = len(given)
        else:
            content, number = struct.pack(f"{order}{len(given)}{letter[kind]}", *given), len(given)
        directory += struct.pack(order + entry, tag, kind, number)
        if len(content) <= room:
            directory += content.ljust(room, b"\x00")
        else:
            directory += struct.pack(order + pointer, beyond + len(values))
            values += content + b"\x00" * (len(content) % 2)
    return head + data + directory + struct.pack(order + pointer, 0) + values


def _blocks(layer: NDArray[Any], kind: Kind) -> list[NDArray[Any]]:
    height, width, _ = layer.shape
    if isinstance(kind.block, int):
        return [layer[top : top + kind.block] for top in range(0, height, kind.block)]
    down, across = kind.block
    padded = np.pad(layer, ((0, -height % down), (0, -width % across), (0, 0)))
    return [
        padded[top : top + down, left : left + across]
        for top in range(0, height, down)
        for left in range(0, width, across)
    ]


def _packed(block: NDArray[Any], kind: Kind) -> bytes:
    rows, _, samples = block.shape
    order: Any = kind.order
    size = block.dtype.itemsize
    if kind.predictor == 2:
        whole = block.view(f"u{size}").copy()
        whole[:, 1:] -= block.view(f"u{size}")[:, :-1]
        block = whole
    if kind.predictor == 3:
        planes = block.astype(block.dtype.newbyteorder(">")).view(np.uint8)
        lines = planes.reshape(rows, -1, size).transpose(0, 2, 1).reshape(rows, -1)
        differences = lines.copy()
        differences[:, samples:] -= lines[:, :-samples]
        content = differences.tobytes()
    else:
        content = block.astype(block.dtype.newbyteorder(order)).tobytes()
    if kind.compression == DEFLATE:
        return zlib.compress(content)
    if kind.compression == LZW:
        return lzw(content)
    if kind.compression == PACKBITS:
        line = len(content) // rows
        return b"".join(packbits(content[n * line : (n + 1) * line]) for n in range(rows))
    return content


def lzw(content: bytes) -> bytes:
    """TIFF's LZW, by strings in a table, its codes as a number of bits."""
    table = {bytes([n]): n for n in range(256)}
    codes, following, width, bits, count = [(256, 9)], 258, 9, 0, 0
    held = b""
    for each in content:
        more = held + bytes([each])
        if more in table:
            held = more
            continue
        codes.append((table[held], width))
        table[more] = following
        following += 1
        held = bytes([each])
        if following == 1 << width and width < 12:
            width += 1
        if following == 4095:
            codes.append((256, width))
            table, following, width = {bytes([n]): n for n in range(256)}, 258, 9
    if held:
        codes.append((table[held], width))
        following += 1
        width += following == 1 << width and width < 12
    codes.append((257, width))
    out = bytearray()
    for code, size in codes:
        bits, count = bits << size | code, count + size
        while count >= 8:
            count -= 8
            out.append(bits >> count & 255)
        bits &= (1 << count) - 1
    if count:
        out.append(bits << 8 - count & 255)
    return bytes(out)


def packbits(line: bytes) -> bytes:
    """Runs of three and more, and what is between."""
    out, at = bytearray(), 0
    while at < len(line):
        run = 1
        while at + run < len(line) and run < 128 and line[at + run] == line[at]:
            run += 1
        if run > 2:
            out += bytes([257 - run, line[at]])
            at += run
            continue
        end = at
        while end < len(line) and end - at < 128 and line[end : end + 3] != line[end : end + 1] * 3:
            end += 1
        out += bytes([end - at - 1]) + line[at:end]
        at = end
    return bytes(out)
