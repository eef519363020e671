"""Darknet .weights files: the parameters of one convolution after another, batch norm folded.

A file is a header and then, for each convolution in order, float32 little-endian: biases (filters);
scales, rolling means and rolling variances (filters each) where the layer is batch-normalized;
weights (filters, channels // groups, rows, columns). Nothing in the file says where a layer
begins, so its size is checked against the whole network before anything is read.

The header is three int32 (major, minor, revision) and the number of images seen in training,
64 bits from version 0.2 on, 32 bits before.

Folding: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, in float64, rounded once. Darknet
has two formulas, sqrt(variance + 1e-5) where it folds and on GPUs, and sqrt(variance) + 1e-6 in the
first CPU code. Networks are trained with the former, and it is the one here.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.darknet import DarknetModel
from ftdist.network.graph import convolutions
from ftdist.network.layers import Convolution
from ftdist.network.parameters import Parameters

Floats = NDArray[np.float32]

EPSILON = 1e-5
"""Added to the variance under the root."""

_VERSION = struct.Struct("<3i")
_LONG_COUNTER_SINCE = 2  # version 0.2
_FLAGGED = 1000  # numbers from here on are flags of the oldest files, whose counter is short


def weights_bytes(model: DarknetModel) -> int:
    """Bytes of the model's .weights file after its header."""
    return sum(
        _layer_bytes(operation, source, number in model.normalized)
        for number, operation, source in convolutions(model.network)
    )


def read_weights(model: DarknetModel, path: Path, last: int | None = None) -> Iterator[Parameters]:
    """Parameters of the convolutions among layers 0..last (all of them without `last`), in order.

    The file must fit the whole model, whatever `last` is; that is checked at once. One layer is
    held at a time.
    """
    kept = model.network if last is None else model.network.until(last)
    with _opened(path) as file:
        file_bytes = os.fstat(file.fileno()).st_size
        header_bytes = _header_bytes(file, path)
    _check_size(model, path, header_bytes, file_bytes)
    return _parameters(model, path, header_bytes, len(kept.layers))


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _header_bytes(file: io.BufferedReader, path: Path) -> int:
    """Bytes of the header, which depend on the version that it begins with."""
    version = file.read(_VERSION.size)
    if len(version) < _VERSION.size:
        raise InputError(f"{path}: {len(version)} bytes are too few for a .weights file's header")
    major, minor, _ = _VERSION.unpack(version)
    long_counter = major * 10 + minor >= _LONG_COUNTER_SINCE and max(major, minor) < _FLAGGED
    return _VERSION.size + (8 if long_counter else 4)


def _layer_bytes(operation: Convolution, source: Shape, normalized: bool) -> int:
    filters, depth, height, width = operation.weight_shape(source)
    return 4 * filters * ((4 if normalized else 1) + depth * height * width)


def _check_size(model: DarknetModel, path: Path, header_bytes: int, file_bytes: int) -> None:
    """InputError unless the file ends exactly where the model's last convolution does."""
    start = header_bytes
    for number, operation, source in convolutions(model.network):
        end = start + _layer_bytes(operation, source, number in model.normalized)
        if end > file_bytes:
            name = model.network.layers[number].name
            raise InputError(
                f"{path}: ends within layer {number} ({name}), which needs bytes {start} to {end}; "
                f"the file has {file_bytes}, and {model.network.name} needs "
                f"{header_bytes + weights_bytes(model)}"
            )
        start = end
    if file_bytes > start:
        raise InputError(
            f"{path}: {file_bytes - start} bytes are left after the last layer of "
            f"{model.network.name}, which needs {start}; the file belongs to another .cfg"
        )


def _parameters(
    model: DarknetModel, path: Path, header_bytes: int, layers: int
) -> Iterator[Parameters]:
    with _opened(path) as file:
        file.seek(header_bytes)
        for number, operation, source in convolutions(model.network):
            if number >= layers:
                return
            where = f"{path}: layer {number} ({model.network.layers[number].name})"
            shape = operation.weight_shape(source)
            # Nothing here keeps hold of what is yielded.
            yield Parameters(number, *_folded(file, shape, number in model.normalized, where))


def _folded(
    file: io.BufferedReader, shape: tuple[int, ...], normalized: bool, where: str
) -> tuple[Floats, Floats]:
    """Weights of that shape and bias of the convolution that the file is at, batch norm folded."""
    vectors = _read(file, (4 if normalized else 1, shape[0]), where)
    weights = _read(file, shape, where)
    bias = vectors[0]
    if normalized:
        with np.errstate(all="ignore"):  # broken values are found below
            shift, scale, mean, variance = vectors.astype(np.float64)
            factor = scale / np.sqrt(variance + EPSILON)
            bias = (shift - mean * factor).astype(np.float32)
            # Multiplied in float64, piece by piece, and rounded into where the weights were.
            np.multiply(weights, factor[:, None, None, None], out=weights, casting="same_kind")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise InputError(f"{where} has weights that are not finite numbers")
    return weights, bias


def _read(file: io.BufferedReader, shape: tuple[int, ...], where: str) -> Floats:
    values = np.empty(shape, np.dtype("<f4"))
    if file.readinto(values.reshape(-1).view(np.uint8).data) < values.nbytes:
        raise InputError(f"{where} is cut off: the file became shorter while it was read")
    return values.astype(np.float32, copy=False)
