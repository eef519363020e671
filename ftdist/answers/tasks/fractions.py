"""Boxes in fractions of the network's input, whatever they were in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Size = tuple[int, int]
"""(height, width) of the network's input, in pixels."""

FRACTIONS_AT_MOST = 4.0
"""Boxes of which no number is larger are fractions of the input, others pixels."""


def in_fractions(places: Floats, size: Size) -> Floats:
    """(4, n) in fractions of the input, whatever it was in."""
    finite = places[np.isfinite(places)]
    if finite.size and np.abs(finite).max() > FRACTIONS_AT_MOST:
        return scaled(places, size)
    return places


def scaled(pixels: Floats, size: Size) -> Floats:
    sides: Floats = np.array([size[1], size[0]] * 2, np.float32)
    return pixels / sides[:, np.newaxis]


def corners_of(places: Floats) -> Floats:
    """Left, top, right, bottom of centres and sizes."""
    half = places[2:] * np.float32(0.5)
    return np.concatenate([places[:2] - half, places[:2] + half])
