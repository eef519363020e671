"""Arrays as pictures: what a network for super-resolution, denoising or style hands on.

Networks say nothing of their range; the values do: where some lie far below zero they are in
-1..1, where some lie far above one in 0..255, otherwise in 0..1. What is beyond is cut. Values far
beyond 255 are distances: the smallest is black, the largest white. So are those of a map of one
channel that are neither in 0..1 nor reach what is bright in 0..255 (metres, disparities, distances
from what is usual).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.tasks.segments import planar

Range = tuple[float, float]
"""The values of black and of white."""

_MOST_LOOKED_AT = 1 << 14
_FAR_ABOVE, _FAR_BELOW = 4.0, -0.3
_BRIGHTEST = 400.0
_ABOVE, _BELOW, _DIM = 1.25, -1.25, 64.0
"""What overshoots a picture's range by so much, and is darker than pictures are, is none."""


def value_range(array: NDArray[Any], *, alone: bool = False) -> Range:
    """The range that the values speak of; `alone`: they are a map's of one channel, which need not
    be a picture."""
    flat = array.reshape(-1)
    some = flat[:: sample_step(flat.size)]
    finite = np.sort(some[np.isfinite(some)])
    if not finite.size:
        return 0.0, 1.0
    bright, dark = (float(finite[int(share * (len(finite) - 1))]) for share in (0.999, 0.05))
    measured = alone and (_ABOVE < bright < _DIM or finite[0] < _BELOW)
    if measured or (bright > _FAR_ABOVE and (bright > _BRIGHTEST or finite[0] < -_BRIGHTEST)):
        return float(finite[0]), float(max(finite[-1], finite[0] + (0.01 if measured else 1)))
    if bright > _FAR_ABOVE:
        return 0.0, 255.0
    if dark < _FAR_BELOW:
        return -1.0, 1.0
    return 0.0, 1.0


def sample_step(size: int) -> int:
    """Of so many values every how many-th is looked at."""
    return max(1, size // _MOST_LOOKED_AT)


def picture(
    array: NDArray[Any], source: tuple[int, int], values: Range, *, blue_first: bool = False
) -> NDArray[np.uint8]:
    """(height, width, 3) or (height, width) of a map with three channels or one.

    `source` is the (height, width) of the network's input, `blue_first` whether its channels are
    blue, green, red.
    """
    bytes_ = brightness(planar(array, source), values)
    grey: NDArray[np.uint8] = bytes_[0]
    if len(bytes_) == 1:
        return grey
    ordered = bytes_[2::-1] if blue_first else bytes_[:3]
    return np.ascontiguousarray(np.moveaxis(ordered, 0, -1))


def brightness(values: NDArray[Any], of: Range, most: int = 255) -> NDArray[Any]:
    """Values as samples of 0 to `most`, in 8 or 16 bits; what is beyond black and white is cut."""
    black, white = of
    with np.errstate(all="ignore"):
        scaled: NDArray[Any] = values - np.float32(black)
        scaled *= np.float32(most / (white - black))
        np.fmax(scaled, 0, out=scaled)  # no number is black, too
        np.minimum(scaled, most, out=scaled)
        np.rint(scaled, out=scaled)
    return scaled.astype(np.uint8 if most == 255 else np.uint16)
