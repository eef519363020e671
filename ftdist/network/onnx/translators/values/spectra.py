"""Fourier transforms, as products with constant matrices.

Networks transform short axes (a map's rows, frames of sound), for which a matrix of sines and
cosines is little, and its sums are as exact as those of other layers. Complex numbers are a last
dim of two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor, whole
from ftdist.network.onnx.registry import made, translates

Given = list[Value | None]

_MOST = 1 << 22
"""Numbers of the largest matrix: an axis of 1,024 complex numbers."""


@translates("DFT")
def _dft(building: Building, node: Node, given: Given) -> Value:
    """(..., length, ..., 1 or 2) along one axis; of its inverse, one-sided, real numbers."""
    given = [*given, None, None][:3]
    value = tensor(given[0])
    axis = node.integer("axis", 1) if given[2] is None else whole(given[2], "the axis")[0]
    axis = axis + value.rank if axis < 0 else axis
    if node.integer("opset", 20) >= 20 and given[2] is None and "axis" not in node.attributes:
        axis = value.rank - 2
    parts, count = value.shape[-1], value.shape[axis]
    if not 0 <= axis < value.rank - 1 or parts > 2:
        raise Unsupported(f"a transform of {value.shape} along axis {axis}")
    inverse, one_sided = bool(node.integer("inverse")), bool(node.integer("onesided"))
    usual = 2 * (count - 1) if inverse and one_sided else count
    length = usual if given[1] is None else whole(given[1], "the length")[0]
    matrix = _matrix(count, parts, length, inverse=inverse, one_sided=one_sided)
    order = [at for at in range(value.rank - 1) if at != axis]
    moved = made(building, "Transpose", [value], {"perm": (*order, axis, value.rank - 1)})
    rest = moved.shape[:-2]
    flat = building.reshaped(moved, (*rest, count * parts))
    found = made(building, "MatMul", [flat, matrix.reshape(count * parts, -1)])
    found = building.reshaped(found, (*rest, *matrix.shape[2:]))
    back = np.argsort([*order, axis]).tolist()
    return made(building, "Transpose", [found], {"perm": (*back, value.rank - 1)})


@translates("STFT")
def _stft(building: Building, node: Node, given: Given) -> Value:
    """(frames, length) or (frames, length, 1) to (frames, windows, frequencies, 2)."""
    given = [*given, None, None][:4]
    value, step = tensor(given[0]), whole(given[1], "the step")[0]
    if value.rank not in (2, 3) or (value.rank == 3 and value.shape[2] != 1):
        raise Unsupported(f"a transform of frames of {value.shape}")
    if given[2] is None and given[3] is None:
        raise Unsupported("neither a window nor how long it is")
    window = None if given[2] is None else constant(given[2], "the window").astype(np.float64)
    length = len(window) if window is not None else whole(given[3], "the length")[0]
    one_sided = bool(node.integer("onesided", 1))
    matrix = _matrix(length, 1, length, inverse=False, one_sided=one_sided)[:, 0]
    if window is not None:
        matrix = matrix * window[:, None, None].astype(np.float32)
    count = matrix.shape[1]
    kernel = matrix.reshape(length, 1, -1).transpose(2, 1, 0)
    sound = building.reshaped(value, (value.shape[0], 1, value.shape[1]))
    found = made(building, "Conv", [sound, kernel], {"strides": (step,)})
    apart = building.reshaped(found, (value.shape[0], count, 2, found.shape[2]))
    return made(building, "Transpose", [apart], {"perm": (0, 3, 1, 2)})


def _matrix(count: int, parts: int, length: int, *, inverse: bool, one_sided: bool) -> Array:
    """(count, parts, frequencies or places, parts of the result) of a transform of that length.

    Inputs behind the length are left out, lacking ones are zeros. A one-sided inverse knows half of
    the frequencies, and the others are their conjugates.
    """
    is_real = inverse and one_sided
    made_count = length if is_real or not one_sided else length // 2 + 1
    if length < 1 or count * parts * made_count * 2 > _MOST:
        raise Unsupported(f"a transform of {count} to {made_count} numbers is too large")
    places = np.outer(np.arange(count), np.arange(made_count)) % length
    turn = 2 * np.pi * places / length * (1 if inverse else -1)
    cosine, sine = np.cos(turn), np.sin(turn)
    found: Any = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], 1)
    found = found[:, :parts]
    if is_real:
        twice = np.full(count, 2.0)
        twice[0] = 1
        twice[length // 2 + 1 :] = 0
        if length % 2 == 0 and length // 2 < count:
            twice[length // 2] = 1
        found = found[..., :1] * twice[:, None, None, None]
    else:
        found[length:] = 0
    return np.asarray(found / length if inverse else found, np.float32)
