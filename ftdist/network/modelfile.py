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

import errno
import mmap
import os
import weakref
from _blake2 import blake2b
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.about import NOTHING_SAID, About
from ftdist.network.graph import Network, weighted_layers
from ftdist.network.modelheader import (
    DIGEST_BYTES,
    HEADER_AT,
    MAGIC,
    MOST_HEADER_BYTES,
    PREFIX,
    VERSION,
    ArrayName,
    Blob,
    Header,
    aligned_size,
    encoded,
    parsed,
    read_header,
    refuse_idle,
)
from ftdist.network.operators.base import Operation
from ftdist.network.packing import BLOCKS
from ftdist.network.parameters import Parameters
from ftdist.wording import counted

_PIECE_BYTES = 256 << 10


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

    def told(self, network: Network, about: About, blobs: dict[int, Blob] | None = None) -> Model:
        """The same weights under a network that differs in how it is told about, or in how its
        layers are numbered: then `blobs` are theirs."""
        own = self.blobs if blobs is None else blobs
        other = replace(self, network=network, about=about, blobs=own, file=os.dup(self.file))
        weakref.finalize(other, os.close, other.file)
        return other

    @property
    def offsets(self) -> dict[ArrayName, int]:
        """Where each array of weights begins, in floats."""
        arrays = (blob.arrays.items() for blob in self.blobs.values())
        return {name: at // 4 for each in arrays for name, at in each}

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

    Weights below float32's smallest normal number, 1.2e-38, are written as zero: processors take up
    to a hundred times as long for a product with one, and trained networks have some.

    InputError when the network cannot be a model file's, or the file cannot be written.
    """
    refuse_idle(network)
    shapes = {number: (op, source) for number, op, source in weighted_layers(network)}
    draft = encoded(network, labels, about, dict.fromkeys(shapes, "0" * 2 * DIGEST_BYTES))
    if len(draft) > MOST_HEADER_BYTES:
        raise InputError(
            f"{network.name} is too large for a model file: {len(draft)} bytes of header"
        )
    _, _, _, blobs, end = parsed(draft, path)  # what is written can be loaded
    digests: dict[int, str] = {}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for each in parameters:
            file.seek(blobs[each.layer].start)
            digests[each.layer] = _write_blob(file, each, *shapes[each.layer])
            del each  # no layer is held beside another
        if digests.keys() != shapes.keys():
            raise ValueError("parameters do not cover the network's layers")
        file.truncate(end)
        header = encoded(network, labels, about, digests)
        prefix = PREFIX.pack(MAGIC, VERSION, len(header), end)
        file.seek(0)
        file.write(prefix + blake2b(prefix + header, digest_size=DIGEST_BYTES).digest())
        file.seek(HEADER_AT)
        file.write(header)


def load(path: str | Path, *, verify: bool = True) -> Model:
    """Opens a model file; InputError says in one line what is wrong with it.

    The header is always checked; `verify` checks every blob's digest too.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            header = read_header(file, path)
            if verify:
                _verify(file, header, path)
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            descriptor = os.dup(file.fileno())
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from None
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


def digest_pieces(file: BinaryIO, blob: Blob) -> Iterator[str]:
    """Reads a blob in small pieces: yields "" after each, and the blob's digest at last."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for at in range(0, blob.bytes, _PIECE_BYTES):
        size = min(blob.bytes - at, _PIECE_BYTES)
        digest.update(os.pread(file.fileno(), size, blob.start + at))
        yield ""
    yield digest.hexdigest()


def _write_blob(file: BinaryIO, given: Parameters, operation: Operation, source: Shape) -> str:
    """Writes a layer's arrays, each aligned, a piece at a time; returns the digest."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for pieces in BLOCKS.pieces(operation, source, given.named):
        size = 0
        for piece in pieces:
            _remove_subnormals(piece)
            data = piece.view(np.uint8).data
            file.write(data)
            digest.update(data)
            size += piece.nbytes
            del piece, data  # before the next is made
            given.release()
        end = bytes(aligned_size(size) - size)
        file.write(end)
        digest.update(end)
    return digest.hexdigest()


def _remove_subnormals(values: NDArray[np.float32]) -> None:
    """Makes zeros of them, in pieces: little memory beside the values."""
    count = _PIECE_BYTES // 4
    for first in range(0, len(values), count):
        piece = values[first : first + count]
        piece[np.abs(piece) < np.finfo(np.float32).smallest_normal] = 0


def _verify(file: BinaryIO, header: Header, path: Path) -> None:
    for number, blob in header.blobs.items():
        *_, digest = digest_pieces(file, blob)
        if digest != blob.digest:
            name = header.network.layers[number].name
            raise InputError(
                f"{path}: the weights of layer {number} ({name}) are damaged; "
                "import the model again"
            )
