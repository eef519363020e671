"""Boxes that are offsets to priors, of families whose priors are known by heart.

Files of such networks hold no priors, but their number tells the family:

- retinaface: two squares a cell on strides 8, 16 and 32 (Deng et al. 2019, and its PyTorch form);
- faceboxes: 21, 1 and 1 a cell on strides 32, 64 and 128, small ones densified (Zhang et al. 2017);
- mediapipe: BlazeFace and its kin: anchors of the input's size, offsets in pixels, key points
  behind them (Bazarevsky et al. 2019).

Offsets of the first two are those of SSD (Liu et al. 2016), with variances 0.1 and 0.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Size = tuple[int, int]

_RETINAFACE = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_FACEBOXES = ((32, ((32, 4), (64, 2), (128, 1))), (64, ((256, 1),)), (128, ((512, 1),)))
_MEDIAPIPE = (((8, 2), (16, 6)), ((16, 2), (32, 6)), ((8, 2), (16, 2), (32, 6)), ((4, 1),))
_VARIANCES = np.float32(0.1), np.float32(0.2)


def decoded(offsets: Floats, size: Size) -> Floats | None:
    """Centres and sizes (4, n) in fractions of an input of (height, width) `size`.

    `offsets` are (n, 4 or more). None where the number of boxes is of no known family.
    """
    count, values = offsets.shape
    if values > 4:
        centres = _mediapipe(count, size)
        if centres is None:
            return None
        sides: Floats = np.array([size[1], size[0]] * 2, np.float32)
        places = offsets[:, :4].T / sides[:, np.newaxis]
        places[:2] += centres
        return places
    priors = _retinaface(count, size)
    priors = _faceboxes(count, size) if priors is None else priors
    if priors is None:
        return None
    near, far = _VARIANCES
    moved = priors[:2] + offsets[:, :2].T * near * priors[2:]
    return np.concatenate([moved, priors[2:] * np.exp(offsets[:, 2:].T * far)])


def _cells(size: Size, stride: int) -> tuple[Floats, Size]:
    """(x, y) of each cell, row by row: (2, n); and how many rows and columns there are."""
    rows, columns = -(-size[0] // stride), -(-size[1] // stride)
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.stack([x, y]).astype(np.float32), (rows, columns)


def _mediapipe(count: int, size: Size) -> Floats | None:
    for grids in _MEDIAPIPE:
        found = []
        for stride, anchors in grids:
            cells, (rows, columns) = _cells(size, stride)
            sides: Floats = np.array([[columns], [rows]], np.float32)
            found.append(np.repeat((cells + np.float32(0.5)) / sides, anchors, axis=1))
        if sum(each.shape[1] for each in found) == count:
            return np.concatenate(found, axis=1)
    return None


def _retinaface(count: int, size: Size) -> Floats | None:
    if count != sum(2 * _cells(size, stride)[0].shape[1] for stride, _ in _RETINAFACE):
        return None
    return np.concatenate(
        [_squares(size, stride, [(side, 1) for side in sides]) for stride, sides in _RETINAFACE],
        axis=1,
    )


def _faceboxes(count: int, size: Size) -> Floats | None:
    a_cell = [sum(density**2 for _, density in sides) for _, sides in _FACEBOXES]
    grids = zip(_FACEBOXES, a_cell, strict=True)
    if count != sum(each * _cells(size, stride)[0].shape[1] for (stride, _), each in grids):
        return None
    return np.concatenate([_squares(size, stride, sides) for stride, sides in _FACEBOXES], axis=1)


def _squares(size: Size, stride: int, sides: Sequence[tuple[int, int]]) -> Floats:
    """Squares of each cell, cell by cell: of each (side, density) density x density of them."""
    cells, _ = _cells(size, stride)
    pixels: Floats = np.array([[size[1]], [size[0]]], np.float32)
    found = []
    for side, density in sides:
        steps = [0.5] if density == 1 else [at / density for at in range(density)]
        for down in steps:
            for right in steps:
                moved: Floats = np.array([[right], [down]], np.float32)
                centres = (cells + moved) * stride / pixels
                extents = np.broadcast_to(np.float32(side) / pixels, centres.shape)
                found.append(np.concatenate([centres, extents]))
    return np.stack(found, axis=2).reshape(4, -1).astype(np.float32, copy=False)
