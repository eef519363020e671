"""Key points out of a list of numbers: (x, y) or (x, y, z) a point, in pixels or in fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FRACTIONS_AT_MOST = 4.0


def points(array: NDArray[Any], source: tuple[int, int]) -> NDArray[np.float32]:
    """(n, 2) x and y in fractions of the network's input, of (height, width) `source`.

    Whether each point has two numbers or three is told by which of both is smoother: the first two
    of a point are places on the picture, the third a depth around zero.
    """
    flat = np.asarray(array, np.float32).reshape(-1)
    deep = flat.size % 3 == 0 and (flat.size % 2 != 0 or _is_deep(flat))
    places = flat.reshape(-1, 3 if deep else 2)[:, :2]
    finite = places[np.isfinite(places)]
    if finite.size and np.abs(finite).max() > _FRACTIONS_AT_MOST:
        sides: NDArray[np.float32] = np.array([source[1], source[0]], np.float32)
        return places / sides
    return places


def _is_deep(flat: NDArray[np.float32]) -> bool:
    """Whether every third number is unlike the others."""
    threes = flat.reshape(-1, 3)
    between = float(np.nanmean(np.abs(np.nanmean(threes[:, :2]) - np.nanmean(threes[:, 2]))))
    return between > float(np.nanstd(threes[:, :2]))
