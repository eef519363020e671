"""Darknet .weights files: the parameters of one convolution after another, batch norm folded.

A file is a header and then, for each convolution in order, float32 little-endian: biases (filters);
scales, rolling means and rolling variances (filters each) where the layer is batch-normalized;
weights (filters, channels // groups, rows, columns). Nothing in the file says where a layer
begins, so its size is checked against the whole network before anything is read. Of a network that
was cut short the file may be that of the whole.

The header is three int32 (major, minor, revision) and the number of images seen in training,
64 bits from version 0.2 on, 32 bits before. Some converters write a version before 0.2 and the long
counter nevertheless: where the file's size fits only that, that is what they meant.

Filters that are no multiple of the groups: Darknet computes filters // groups of them in each
group, from where groups-ths of all the weights begin, and leaves the last ones out. Here they are
one group with zeros where a group does not look, which is the same sum.

Folding: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, in float64, rounded once. Darknet
has two formulas, sqrt(variance + 1e-5) where it folds and on GPUs, and sqrt(variance) + 1e-6 in the
first CPU code. Networks are trained with the former, and it is the one here.
"""

from __future__ import annotations

import dataclasses
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.darknet.importer import DarknetModel
from ftdist.network.darknet.numbers import Floats, binarized
from ftdist.network.darknet.stored import BatchNorm, Shared, fold
from ftdist.network.encoding import disguise
from ftdist.network.graph import weighted_layers
from ftdist.network.operators.base import Operation
from ftdist.network.parameters import Parameters

_START_BYTES = 512
_VERSION = struct.Struct("<3i")
_SHORT_HEADER_BYTES, _LONG_HEADER_BYTES = _VERSION.size + 4, _VERSION.size + 8
_LONG_COUNTER_SINCE = 2  # version 0.2
_FLAGGED = 1000  # numbers from here on are flags of the oldest files, whose counter is short


def weights_bytes(model: DarknetModel) -> int:
    """Bytes of the model's .weights file after its header."""
    return sum(_layer_bytes(model, *layer) for layer in weighted_layers(model.network))


def read_weights(model: DarknetModel, path: Path) -> Iterator[Parameters]:
    """Parameters of the model's convolutions, in order.

    The file must fit the model, which is checked at once. One layer is held at a time.
    """
    with _opened(path) as file:
        file_bytes = os.fstat(file.fileno()).st_size
        start = file.read(_START_BYTES)
    model = _as_stored(model, file_bytes)
    header_bytes = _header_bytes(start, path, file_bytes, weights_bytes(model))
    _check_size(model, path, header_bytes, file_bytes)
    return _parameters(model, path, header_bytes)


def _as_stored(model: DarknetModel, file_bytes: int) -> DarknetModel:
    """The model with the [batchnorm] layers of the Darknet that wrote a file of that size."""
    other = dataclasses.replace(
        model,
        stored={
            number: BatchNorm(not form.biased) if isinstance(form, BatchNorm) else form
            for number, form in model.stored.items()
        },
    )
    for each in (model, other):
        needed = weights_bytes(each)
        if file_bytes in (needed + _SHORT_HEADER_BYTES, needed + _LONG_HEADER_BYTES):
            return each
    return model


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _header_bytes(start: bytes, path: Path, file_bytes: int, needed_bytes: int) -> int:
    """Bytes of the header; `start` is how the file begins, `needed_bytes` what should follow."""
    if (other := _other_kind(start)) is not None:
        raise InputError(f"{path}: is {other}")
    if len(start) < _VERSION.size:
        raise InputError(f"{path}: {len(start)} bytes are too few for a .weights file's header")
    major, minor, _ = _VERSION.unpack_from(start)
    if min(major, minor) < 0:
        raise InputError(f"{path}: is not a .weights file: its version would be {major}.{minor}")
    long_counter = major * 10 + minor >= _LONG_COUNTER_SINCE and max(major, minor) < _FLAGGED
    meant_long = file_bytes == _LONG_HEADER_BYTES + needed_bytes
    return _LONG_HEADER_BYTES if long_counter or meant_long else _SHORT_HEADER_BYTES


def _other_kind(start: bytes) -> str | None:
    """What a file that begins like this is, and what to do, where it is surely no weights."""
    if (other := disguise(start)) is not None:
        return other
    if len(start) >= _VERSION.size and b"\0" not in start:
        return "text, not weights" if _is_text(start) else None
    return None


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n\f" for byte in start)


def _layer_bytes(model: DarknetModel, number: int, operation: Operation, source: Shape) -> int:
    if (form := model.stored.get(number)) is not None:
        return 4 * form.floats(operation, source)
    normalized = number in model.normalized
    filters, depth, height, width = _stored_shape(model, number, operation, source)
    return 4 * filters * ((4 if normalized else 1) + depth * height * width)


def _stored_shape(
    model: DarknetModel, number: int, operation: Operation, source: Shape
) -> tuple[int, ...]:
    """The weights' shape in the file."""
    filters, depth, height, width = operation.weights(source)["weights"]
    return filters, depth // model.uneven.get(number, 1), height, width


def _check_size(model: DarknetModel, path: Path, header_bytes: int, file_bytes: int) -> None:
    """InputError unless the file ends where the model's last convolution does, or later if cut."""
    start = header_bytes
    for number, operation, source in weighted_layers(model.network):
        end = start + _layer_bytes(model, number, operation, source)
        if end > file_bytes:
            name = model.network.layers[number].name
            raise InputError(
                f"{path}: ends within layer {number} ({name}), which needs bytes {start} to {end}; "
                f"the file has {file_bytes}, and {model.network.name} needs "
                f"{header_bytes + weights_bytes(model)}"
            )
        start = end
    if file_bytes > start and model.complete:
        raise InputError(
            f"{path}: {file_bytes - start} bytes are left after the last layer of "
            f"{model.network.name}, which needs {start}; the file belongs to another .cfg"
        )


def _parameters(model: DarknetModel, path: Path, header_bytes: int) -> Iterator[Parameters]:
    layers = {number: (op, source) for number, op, source in weighted_layers(model.network)}
    places, end = {}, header_bytes
    for number, layer in layers.items():
        places[number] = end
        end += _layer_bytes(model, number, *layer)
    with _opened(path) as file:
        for number, layer in layers.items():
            stored = number
            while isinstance(shared := model.stored.get(stored), Shared):
                stored = shared.of
            file.seek(places[stored])
            where = f"{path}: layer {number} ({model.network.layers[number].name})"
            # Nothing here keeps hold of what is yielded.
            yield named(number, layer, _read_layer(file, model, stored, layers[stored], where))


def named(number: int, layer: tuple[Operation, Shape], arrays: tuple[Floats, ...]) -> Parameters:
    """The arrays by the names that the operation has for its weights, in that order."""
    operation, source = layer
    return Parameters(number, dict(zip(operation.weights(source), arrays, strict=True)))


def _read_layer(
    file: io.BufferedReader,
    model: DarknetModel,
    number: int,
    layer: tuple[Operation, Shape],
    where: str,
) -> tuple[Floats, ...]:
    """The weights of the layer that the file is at."""
    form = model.stored.get(number)
    if form is None:
        shape = _stored_shape(model, number, *layer)
        groups = model.uneven.get(number, 1)
        folded = _folded(file, shape, number in model.normalized, groups, where)
        return binarized(*folded) if number in model.binary else folded
    place = file.tell()
    file.seek(0)
    flagged = max(_VERSION.unpack(file.read(_VERSION.size))[:2]) > _FLAGGED
    file.seek(place)
    found = form.read(lambda shape: _read(file, shape, where), *layer, flagged=flagged)
    _check_finite(found, where)
    return found


def _check_finite(found: tuple[Floats, ...], where: str) -> None:
    if not all(np.isfinite(each).all() for each in found):
        raise InputError(f"{where} has weights that are not finite numbers")


def _spread(stored: Floats, groups: int) -> Floats:
    """Weights of a convolution with so many uneven groups as those of one group."""
    filters, depth, height, width = stored.shape
    computed, taps = filters // groups, depth * height * width
    weights = np.zeros((filters, depth * groups, height, width), np.float32)
    for group in range(groups):
        first = group * stored.size // groups
        own = stored.reshape(-1)[first : first + computed * taps]
        rows = slice(group * computed, (group + 1) * computed)
        weights[rows, group * depth : (group + 1) * depth] = own.reshape(
            computed, depth, height, width
        )
    return weights


def _folded(
    file: io.BufferedReader,
    shape: tuple[int, ...],
    normalized: bool,
    uneven_groups: int,
    where: str,
) -> tuple[Floats, Floats]:
    """Weights and bias of the convolution that the file is at, batch norm folded.

    `shape` is that of the weights in the file.
    """
    vectors = _read(file, (4 if normalized else 1, shape[0]), where)
    weights = _read(file, shape, where)
    if uneven_groups > 1:
        weights = _spread(weights, uneven_groups)
    bias = vectors[0]
    if normalized:
        bias = fold(weights, bias, vectors[1:])
    _check_finite((weights, bias), where)
    return weights, bias


def _read(file: io.BufferedReader, shape: tuple[int, ...], where: str) -> Floats:
    values = np.empty(shape, np.dtype("<f4"))
    if file.readinto(values.reshape(-1).view(np.uint8).data) < values.nbytes:
        raise InputError(f"{where} is cut off: the file became shorter while it was read")
    return values.astype(np.float32, copy=False)
