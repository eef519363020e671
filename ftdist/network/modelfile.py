"""The model file (.ftd): a checked header, then 64-byte-aligned weights as the kernels read them.

    0   magic "FTDIST\\x1a\\n"
    8   version (uint32), header bytes (uint32), file bytes (uint64)
    24  digest of everything before it and of the header, 16 bytes
    64  header: JSON with the network, the labels, and each blob's place and digest
    ... blobs, little-endian float32

The file is opened by mmap: nothing is copied, and the system may drop pages again. Everything is
checked before use; the check reads the file in small pieces instead of touching the mapping, so it
leaves no resident pages behind. Digests are BLAKE2b of 16 bytes, taken from CPython's own module:
``hashlib`` would bring OpenSSL's 4 MiB into every worker.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from _blake2 import blake2b
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.network.graph import Network, convolutions
from ftdist.network.packing import pack, packed_sizes
from ftdist.network.parameters import Parameters
from ftdist.network.serialise import from_json, to_json

MAGIC = b"FTDIST\x1a\n"
VERSION = 1
ALIGNMENT = 64
_PREFIX = struct.Struct("<8sIIQ")
_DIGEST_BYTES = 16
_HEADER_AT = 64
_MOST_HEADER_BYTES = 16 << 20
_PIECE_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Blob:
    """Where a convolution's packed weights and bias lie in the file, in bytes."""

    weights: int
    bias: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Model:
    """An open model file.

    `weights` is the whole mapped file as bytes (blob offsets index it); `digest` names the network
    and its weights; `labels` are a detector's class names, possibly none.
    """

    network: Network
    labels: tuple[str, ...]
    digest: str
    blobs: dict[int, Blob]
    weights: NDArray[np.uint8]
    path: Path

    @property
    def offsets(self) -> dict[int, tuple[int, int]]:
        """For each convolution where its weights and its bias begin, in floats."""
        return {
            number: (blob.weights // 4, blob.bias // 4)
            for number, blob in self.blobs.items()
        }

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights and biases."""
        return sum(blob.bytes for blob in self.blobs.values())


def write_model(
    path: Path,
    network: Network,
    parameters: Iterable[Parameters],
    labels: tuple[str, ...] = (),
) -> None:
    """Writes a model file, one layer's weights at a time; an existing file is replaced whole."""
    shapes = {number: (op, source) for number, op, source in convolutions(network)}
    draft = _header(
        network, labels, {number: "0" * 2 * _DIGEST_BYTES for number in shapes}
    )
    places = _places(network, len(draft))
    digests: dict[int, str] = {}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for each in parameters:
            data = b"".join(
                _aligned(array.tobytes())
                for array in pack(*shapes[each.layer], each.weights, each.bias)
            )
            file.seek(places[each.layer][0])
            file.write(data)
            digests[each.layer] = blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
        if digests.keys() != shapes.keys():
            raise ValueError("parameters do not cover the network's convolutions")
        end = file.seek(0, 2) if shapes else _aligned_size(_HEADER_AT + len(draft))
        file.truncate(end)
        header = _header(network, labels, digests)
        prefix = _PREFIX.pack(MAGIC, VERSION, len(header), end)
        file.seek(0)
        file.write(
            prefix + blake2b(prefix + header, digest_size=_DIGEST_BYTES).digest()
        )
        file.seek(_HEADER_AT)
        file.write(header)


def load(path: str | Path, *, verify: bool = True) -> Model:
    """Opens a model file; InputError says in one line what is wrong with it.

    The header is always checked; `verify` checks every blob's digest too.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            header, digest = _read_header(file, path)
            network, labels, blobs = _parse_header(header, path)
            if verify:
                _verify(file, network, blobs, path)
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return Model(network, labels, digest, blobs, np.frombuffer(mapped, np.uint8), path)


def _header(
    network: Network, labels: tuple[str, ...], digests: dict[int, str]
) -> bytes:
    value = {
        "network": to_json(network),
        "labels": labels,
        "digests": list(digests.items()),
    }
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _aligned_size(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _aligned(data: bytes) -> bytes:
    return data + bytes(_aligned_size(len(data)) - len(data))


def _places(network: Network, header_bytes: int) -> dict[int, tuple[int, int, int]]:
    """For each convolution (weights offset, bias offset, bytes of both), one after another."""
    at = _aligned_size(_HEADER_AT + header_bytes)
    places = {}
    for number, operation, source in convolutions(network):
        weights, bias = (
            _aligned_size(4 * size) for size in packed_sizes(operation, source)
        )
        places[number] = (at, at + weights, weights + bias)
        at += weights + bias
    return places


def _read_header(file: BinaryIO, path: Path) -> tuple[bytes, str]:
    start = file.read(_HEADER_AT)
    if not start.startswith(MAGIC):
        raise InputError(f"{path}: not a model file; make one with 'ftdist import'")
    if len(start) < _HEADER_AT:
        raise InputError(
            f"{path}: cut short at {len(start)} bytes; import the model again"
        )
    _, version, header_bytes, file_bytes = _PREFIX.unpack_from(start)
    if version != VERSION:
        raise InputError(
            f"{path}: format version {version}, this ftdist reads {VERSION}; "
            "import the model again or update ftdist"
        )
    actual = file.seek(0, 2)
    if actual != file_bytes or header_bytes > _MOST_HEADER_BYTES:
        raise InputError(
            f"{path}: {actual} bytes instead of {file_bytes}; import the model again"
        )
    file.seek(_HEADER_AT)
    header = file.read(header_bytes)
    prefix = start[: _PREFIX.size]
    digest = start[_PREFIX.size : _PREFIX.size + _DIGEST_BYTES]
    if blake2b(prefix + header, digest_size=_DIGEST_BYTES).digest() != digest:
        raise InputError(f"{path}: the header is damaged; import the model again")
    return header, digest.hex()


def _parse_header(
    header: bytes, path: Path
) -> tuple[Network, tuple[str, ...], dict[int, Blob]]:
    try:
        value: Any = json.loads(header)
        network = from_json(value["network"])
        digests = {int(number): str(digest) for number, digest in value["digests"]}
        labels = tuple(str(label) for label in value["labels"])
        places = _places(network, len(header))
        blobs = {
            number: Blob(*place, digests[number]) for number, place in places.items()
        }
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(f"{path}: the header makes no sense ({error})") from None
    return network, labels, blobs


def _verify(
    file: BinaryIO, network: Network, blobs: dict[int, Blob], path: Path
) -> None:
    for number, blob in blobs.items():
        digest = blake2b(digest_size=_DIGEST_BYTES)
        file.seek(blob.weights)
        left = blob.bytes
        while left:
            piece = file.read(min(left, _PIECE_BYTES))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
        if digest.hexdigest() != blob.digest:
            name = network.layers[number].name
            raise InputError(
                f"{path}: the weights of layer {number} ({name}) are damaged; "
                "import the model again"
            )
