"""A picture for each input of a network that has several: two to compare, a photo and its mask.

Kernels read pixels of one input alone, so these become float32 here, as that input's pixels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.network.about import Fit
from ftdist.network.graph import Network
from ftdist.network.ports import PLAIN_PIXELS
from ftdist.pictures.fitting import Letterbox

_LEAST_SIDE = 8
"""Rows and columns of what may be a picture."""

_COPIES = 2
"""An input is held as it was read, in floats, beside another order of them."""


def takes_pictures(network: Network) -> bool:
    """Whether it has several inputs, and each may be a picture."""
    return len(network.inputs) > 1 and all(
        each.shape.channels in (1, 3) and min(each.shape[:2]) >= _LEAST_SIDE
        for each in network.inputs
    )


def read_pictures(
    paths: Sequence[Path], network: Network, fit: Fit, fill: int
) -> tuple[dict[str, NDArray[Any]], Letterbox]:
    """An array for each input, in their order, and where the first picture lies in its own."""
    from ftdist.pictures.fitted import load_picture  # only pictures need it

    arrays: dict[str, NDArray[Any]] = {}
    boxes = []
    first = network.inputs[0]
    for each, path in zip(network.inputs, paths, strict=True):
        pixels, box = load_picture(path, each.shape, fit, fill=fill)
        boxes.append(box)
        alike = each.shape.channels == first.shape.channels
        values = (first.pixels if alike else PLAIN_PIXELS).numbers(pixels)
        planar = np.moveaxis(values, -1, 0) if each.layout.planar else values
        arrays[each.name] = np.ascontiguousarray(planar).reshape(each.layout.inner(each.shape))
    return arrays, boxes[0]


def reading_pictures_bytes(paths: Sequence[Path], network: Network, fit: Fit) -> int:
    """What that takes at most; InputError for what is no picture."""
    from ftdist.pictures.fitted import loading_bytes  # as above

    pairs = list(zip(network.inputs, paths, strict=True))
    largest = max(loading_bytes(path, each.shape, fit) for each, path in pairs)
    held = sum(each.shape.bytes for each in network.inputs)
    return largest + held + _COPIES * max(each.shape.bytes for each in network.inputs)
