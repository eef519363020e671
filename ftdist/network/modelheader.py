"""The header of a model file: what it says, how it is written, and the checks before that counts.

The first 24 bytes give magic, version and sizes, then follow a digest of them and of the header,
and from byte 64 on the header itself as JSON. Whatever does not fit is refused in one line: the
reader trusts nothing, neither a size nor a name.
"""

from __future__ import annotations

import json
import struct
from _blake2 import blake2b
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ftdist.errors import InputError
from ftdist.network.about import About
from ftdist.network.foreign import foreign
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.packing import BLOCKS
from ftdist.network.serialise import from_json, to_json

MAGIC = b"FTDIST\x1a\n"
VERSION = 1
ALIGNMENT = 64
PREFIX = struct.Struct("<8sIIQ")
DIGEST_BYTES = 16
_REST_AT = PREFIX.size + DIGEST_BYTES
HEADER_AT = 64
MOST_HEADER_BYTES = 1 << 20
"""Room for thousands of layers; a hostile header makes no more than some MiB of JSON values."""


class ArrayName(NamedTuple):
    """Names an array of weights: the layer, the form of its weights, which array of the form."""

    layer: int
    form: str
    array: str


@dataclass(frozen=True, slots=True)
class Blob:
    """Where a layer's weights lie in the file, in bytes: all arrays of all their forms."""

    start: int
    bytes: int
    arrays: Mapping[ArrayName, int]
    digest: str


@dataclass(frozen=True)
class Header:
    """What a model file says before its first blob; `bytes` of it are that, of `file_bytes`."""

    network: Network
    labels: tuple[str, ...]
    digest: str
    blobs: dict[int, Blob]
    bytes: int
    file_bytes: int
    about: About


def read_header(file: BinaryIO, path: Path, *, alone: bool = False) -> Header:
    """The checked header of an open model file; InputError says what is wrong with it.

    `alone`: the file may end where the first blob would begin.
    """
    text, digest = _read_header(file, path, alone)
    network, labels, about, blobs, end = parsed(text, path)
    _check_frame(file, len(text), end, path, alone)
    header_bytes = aligned_size(HEADER_AT + len(text))
    return Header(network, labels, digest, blobs, header_bytes, end, about)


def encoded(
    network: Network, labels: tuple[str, ...], about: About, digests: dict[int, str]
) -> bytes:
    value = {
        "about": about.to_json(),
        "network": to_json(network),
        "labels": labels,
        "digests": list(digests.items()),
    }
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def aligned_size(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _places(
    network: Network, header_bytes: int
) -> tuple[dict[int, tuple[int, int, dict[ArrayName, int]]], int]:
    """For each layer with weights (start, bytes, starts of its arrays), and the file's end."""
    at = aligned_size(HEADER_AT + header_bytes)
    places = {}
    for number, operation, source in weighted_layers(network):
        start, arrays = at, {}
        for name, size in BLOCKS.sizes(operation, source).items():
            arrays[ArrayName(number, BLOCKS.name, name)] = at
            at += aligned_size(4 * size)
        places[number] = (start, at - start, arrays)
    return places, at


def refuse_idle(network: Network) -> None:
    """InputError when an output is merely the network's input: there is nothing to compute."""
    for number in network.outputs:
        if network.source(number) < 0:
            name = network.layers[number].name
            raise InputError(
                f"{network.name}: layer {number} ({name}) hands on the network's input as it is"
            )


def _read_header(file: BinaryIO, path: Path, alone: bool) -> tuple[bytes, str]:
    start = file.read(HEADER_AT)
    if not start.startswith(MAGIC):
        other = foreign(path)
        if other is not None and path.suffix.lower() != ".ftd":
            raise InputError(f"{path}: is {other}")
        raise InputError(f"{path}: not a model file; make one with 'ftdist import'")
    if len(start) < HEADER_AT:
        raise InputError(f"{path}: cut short at {len(start)} bytes; import the model again")
    _, version, header_bytes, file_bytes = PREFIX.unpack_from(start)
    if version != VERSION:
        raise InputError(
            f"{path}: format version {version}, this ftdist reads {VERSION}; "
            "import the model again or update ftdist"
        )
    actual = file.seek(0, 2)
    if actual != file_bytes and not alone:
        raise InputError(f"{path}: {actual} bytes instead of {file_bytes}; import the model again")
    file.seek(HEADER_AT)
    header = file.read(min(header_bytes, MOST_HEADER_BYTES))
    prefix = start[: PREFIX.size]
    digest, rest = start[PREFIX.size : _REST_AT], start[_REST_AT:]
    expected = blake2b(prefix + header, digest_size=DIGEST_BYTES).digest()
    if len(header) != header_bytes or digest != expected or any(rest):
        raise _damaged_header(path)
    return header, digest.hex()


def _damaged_header(path: Path) -> InputError:
    return InputError(f"{path}: the header is damaged; import the model again")


def parsed(
    header: bytes, path: Path
) -> tuple[Network, tuple[str, ...], About, dict[int, Blob], int]:
    """The network, its labels, what is said about it, its blobs, and where the file must end."""
    try:
        value: Any = json.loads(header)
        about = About.from_json(value.pop("about", {}))
        if value.keys() != {"network", "labels", "digests"}:
            raise ValueError(f"it holds {len(value)} things instead of three")
        network = from_json(value["network"])
        refuse_idle(network)
        labels, digests = value["labels"], dict(value["digests"])
        if type(labels) is not list or any(type(label) is not str for label in labels):
            raise ValueError("its labels are not a list of names")
        places, end = _places(network, len(header))
        if digests.keys() != places.keys():
            raise ValueError("its digests are not those of its layers")
        if any(type(each) is not str or len(each) != 2 * DIGEST_BYTES for each in digests.values()):
            raise ValueError("its digests are not digests")
        blobs = {number: Blob(*place, digests[number]) for number, place in places.items()}
    except (AttributeError, InputError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the header makes no sense ({error})") from None
    return network, tuple(labels), about, blobs, end


def _check_frame(file: BinaryIO, header_bytes: int, end: int, path: Path, alone: bool) -> None:
    """InputError unless the blobs fill the file, and only zeros stand between header and blobs."""
    actual = file.seek(0, 2)
    if actual != end and not alone:
        raise InputError(
            f"{path}: {actual} bytes, but its network needs {end}; import the model again"
        )
    file.seek(HEADER_AT + header_bytes)
    padding = -(HEADER_AT + header_bytes) % ALIGNMENT
    if any(file.read(padding)):
        raise _damaged_header(path)
