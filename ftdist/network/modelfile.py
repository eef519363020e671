"""The model file (.ftd): a checked header, then 64-byte-aligned weights as the kernels read them.

    0   magic "FTDIST\\x1a\\n"
    8   version (uint32), header bytes (uint32), file bytes (uint64)
    24  digest of everything before it and of the header, 16 bytes
    64  header: JSON with the network, the labels, each blob's digest, and what ``about`` says
    ... blobs, little-endian float32, each padded with zeros, one after another to the file's end

The file is opened by mmap: nothing is copied, and the system may drop pages again. Everything is
checked before use, to the last byte; the check reads the file in small pieces instead of touching
the mapping, so it leaves no resident pages behind. Digests are BLAKE2b of 16 bytes, taken from
CPython's own module: ``hashlib`` would bring OpenSSL's 4 MiB into every worker.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import weakref
from _blake2 import blake2b
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.network.about import NOTHING_SAID, About
from ftdist.network.graph import INPUT, Network, convolutions
from ftdist.network.packing import pack, packed_sizes
from ftdist.network.parameters import Parameters
from ftdist.network.serialise import from_json, to_json
from ftdist.wording import counted

MAGIC = b"FTDIST\x1a\n"
VERSION = 1
ALIGNMENT = 64
_PREFIX = struct.Struct("<8sIIQ")
_DIGEST_BYTES = 16
_REST_AT = _PREFIX.size + _DIGEST_BYTES
_HEADER_AT = 64
_MOST_HEADER_BYTES = 1 << 20
"""Room for thousands of layers; a hostile header makes no more than some MiB of JSON values."""

_PIECE_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Blob:
    """Where a convolution's packed weights and bias lie in the file, in bytes."""

    weights: int
    bias: int
    bytes: int
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


@dataclass(frozen=True)
class Model:
    """An open model file.

    `weights` is the whole mapped file as bytes (blob offsets index it); `digest` names the network
    and its weights; `labels` are the class names, possibly none. `file` is a descriptor of the
    file, open as long as the model exists.
    """

    network: Network
    labels: tuple[str, ...]
    digest: str
    blobs: dict[int, Blob]
    weights: NDArray[np.uint8]
    path: Path
    file: int
    about: About

    def __repr__(self) -> str:
        network, size = self.network, self.network.input
        return (
            f"<Model {self.path}: {network.name}, {counted(len(network.layers), 'layer')}, input "
            f"{size.width}x{size.height}x{size.channels}, {self.weight_bytes / (1 << 20):.1f} MiB "
            f"of weights>"
        )

    @property
    def offsets(self) -> dict[int, tuple[int, int]]:
        """For each convolution where its weights and its bias begin, in floats."""
        return {number: (blob.weights // 4, blob.bias // 4) for number, blob in self.blobs.items()}

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights and biases."""
        return sum(blob.bytes for blob in self.blobs.values())


def write_model(
    path: Path,
    network: Network,
    parameters: Iterable[Parameters],
    labels: tuple[str, ...] = (),
    about: About = NOTHING_SAID,
) -> None:
    """Writes a model file, one layer's weights at a time; an existing file is replaced whole.

    InputError when the network cannot be a model file's, or the file cannot be written.
    """
    _refuse_idle(network)
    shapes = {number: (op, source) for number, op, source in convolutions(network)}
    draft = _header(network, labels, about, dict.fromkeys(shapes, "0" * 2 * _DIGEST_BYTES))
    if len(draft) > _MOST_HEADER_BYTES:
        raise InputError(
            f"{network.name} is too large for a model file: {len(draft)} bytes of header"
        )
    _, _, _, blobs, end = _parse_header(draft, path)  # what is written can be loaded
    digests: dict[int, str] = {}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for each in parameters:
            data = b"".join(
                _aligned(array.tobytes())
                for array in pack(*shapes[each.layer], each.weights, each.bias)
            )
            file.seek(blobs[each.layer].weights)
            file.write(data)
            digests[each.layer] = blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
        if digests.keys() != shapes.keys():
            raise ValueError("parameters do not cover the network's convolutions")
        file.truncate(end)
        header = _header(network, labels, about, digests)
        prefix = _PREFIX.pack(MAGIC, VERSION, len(header), end)
        file.seek(0)
        file.write(prefix + blake2b(prefix + header, digest_size=_DIGEST_BYTES).digest())
        file.seek(_HEADER_AT)
        file.write(header)


def load(path: str | Path, *, verify: bool = True) -> Model:
    """Opens a model file; InputError says in one line what is wrong with it.

    The header is always checked; `verify` checks every blob's digest too.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file")
        with path.open("rb") as file:
            header = read_header(file, path)
            if verify:
                _verify(file, header, path)
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            descriptor = os.dup(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    weights = np.frombuffer(mapped, np.uint8)
    model = Model(
        header.network,
        header.labels,
        header.digest,
        header.blobs,
        weights,
        path,
        descriptor,
        header.about,
    )
    weakref.finalize(model, os.close, descriptor)
    return model


def read_header(file: BinaryIO, path: Path, *, alone: bool = False) -> Header:
    """The checked header of an open model file; InputError says what is wrong with it.

    `alone`: the file may end where the first blob would begin.
    """
    text, digest = _read_header(file, path, alone)
    network, labels, about, blobs, end = _parse_header(text, path)
    _check_frame(file, len(text), end, path, alone)
    header_bytes = _aligned_size(_HEADER_AT + len(text))
    return Header(network, labels, digest, blobs, header_bytes, end, about)


def digest_pieces(file: BinaryIO, blob: Blob) -> Iterator[str]:
    """Reads a blob in small pieces: yields "" after each, and the blob's digest at last."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for at in range(0, blob.bytes, _PIECE_BYTES):
        size = min(blob.bytes - at, _PIECE_BYTES)
        digest.update(os.pread(file.fileno(), size, blob.weights + at))
        yield ""
    yield digest.hexdigest()


def _header(
    network: Network, labels: tuple[str, ...], about: About, digests: dict[int, str]
) -> bytes:
    value = {
        "about": about.to_json(),
        "network": to_json(network),
        "labels": labels,
        "digests": list(digests.items()),
    }
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _aligned_size(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _aligned(data: bytes) -> bytes:
    return data + bytes(_aligned_size(len(data)) - len(data))


def _places(network: Network, header_bytes: int) -> tuple[dict[int, tuple[int, int, int]], int]:
    """For each convolution (weights offset, bias offset, bytes of both), and the file's end."""
    at = _aligned_size(_HEADER_AT + header_bytes)
    places = {}
    for number, operation, source in convolutions(network):
        weights, bias = (_aligned_size(4 * size) for size in packed_sizes(operation, source))
        places[number] = (at, at + weights, weights + bias)
        at += weights + bias
    return places, at


def _refuse_idle(network: Network) -> None:
    """InputError when an output is merely the network's input: there is nothing to compute."""
    for number in network.outputs:
        if network.source(number) == INPUT:
            name = network.layers[number].name
            raise InputError(
                f"{network.name}: layer {number} ({name}) hands on the network's input as it is"
            )


def _read_header(file: BinaryIO, path: Path, alone: bool) -> tuple[bytes, str]:
    start = file.read(_HEADER_AT)
    if not start.startswith(MAGIC):
        raise InputError(f"{path}: not a model file; make one with 'ftdist import'")
    if len(start) < _HEADER_AT:
        raise InputError(f"{path}: cut short at {len(start)} bytes; import the model again")
    _, version, header_bytes, file_bytes = _PREFIX.unpack_from(start)
    if version != VERSION:
        raise InputError(
            f"{path}: format version {version}, this ftdist reads {VERSION}; "
            "import the model again or update ftdist"
        )
    actual = file.seek(0, 2)
    if actual != file_bytes and not alone:
        raise InputError(f"{path}: {actual} bytes instead of {file_bytes}; import the model again")
    file.seek(_HEADER_AT)
    header = file.read(min(header_bytes, _MOST_HEADER_BYTES))
    prefix = start[: _PREFIX.size]
    digest, rest = start[_PREFIX.size : _REST_AT], start[_REST_AT:]
    expected = blake2b(prefix + header, digest_size=_DIGEST_BYTES).digest()
    if len(header) != header_bytes or digest != expected or any(rest):
        raise _damaged_header(path)
    return header, digest.hex()


def _damaged_header(path: Path) -> InputError:
    return InputError(f"{path}: the header is damaged; import the model again")


def _parse_header(
    header: bytes, path: Path
) -> tuple[Network, tuple[str, ...], About, dict[int, Blob], int]:
    """The network, its labels, what is said about it, its blobs, and where the file must end."""
    try:
        value: Any = json.loads(header)
        about = About.from_json(value.pop("about", {}))
        if value.keys() != {"network", "labels", "digests"}:
            raise ValueError(f"it holds {len(value)} things instead of three")
        network = from_json(value["network"])
        _refuse_idle(network)
        labels, digests = value["labels"], dict(value["digests"])
        if type(labels) is not list or any(type(label) is not str for label in labels):
            raise ValueError("its labels are no list of names")
        places, end = _places(network, len(header))
        if digests.keys() != places.keys():
            raise ValueError("its digests are not those of the convolutions")
        if any(
            type(each) is not str or len(each) != 2 * _DIGEST_BYTES for each in digests.values()
        ):
            raise ValueError("its digests are no digests")
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
    file.seek(_HEADER_AT + header_bytes)
    padding = -(_HEADER_AT + header_bytes) % ALIGNMENT
    if any(file.read(padding)):
        raise _damaged_header(path)


def _verify(file: BinaryIO, header: Header, path: Path) -> None:
    for number, blob in header.blobs.items():
        *_, digest = digest_pieces(file, blob)
        if digest != blob.digest:
            name = header.network.layers[number].name
            raise InputError(
                f"{path}: the weights of layer {number} ({name}) are damaged; "
                "import the model again"
            )
