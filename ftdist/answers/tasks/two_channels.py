"""Maps of two channels that are no classes: how far each pixel moves, or the colours of a grey one.

Optical flow (x, y in pixels, from the first of two pictures to the second) is shown by Middlebury's
colour wheel (Baker et al., 2007): the hue is the direction, the saturation the length, in parts of
the longest. Colours are a and b of CIE Lab beside the lightness that the network was given.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.tasks.segments import planar
from ftdist.network.graph import Network
from ftdist.network.task import Task

_COLOURED = re.compile(r"colori|(?<![a-z])deoldify|siggraph", re.IGNORECASE)
_MOST_TIMES_SMALLER = 8

_WHEEL_PARTS = (15, 6, 4, 11, 13, 6)
"""Steps from red over yellow, green, cyan, blue and magenta back to red."""

_FAR = 1e6
_NORMALISED, _MOST_AB = 1.5, 110.0
"""Where no a or b is larger than the first, they are parts of the second."""

_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
_TO_RGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]], np.float32
)


def two_channels(network: Network, words: str) -> Task | None:
    """The task where an output is such a map: the largest of two channels, as large as the input or
    a few times smaller; None of any other network."""
    height, width, channels = network.input
    maps = {}
    for number in network.outputs:
        shape = network.shape(number)
        fits = height <= _MOST_TIMES_SMALLER * shape.height <= _MOST_TIMES_SMALLER * height
        if shape.channels == 2 and fits and shape.width * height == shape.height * width:
            maps[network.layers[number].name] = shape.elements
    if not maps or min(height, width) < _MOST_TIMES_SMALLER:
        return None
    largest = max(maps, key=lambda name: maps[name])
    if [each.shape for each in network.inputs] == [network.input] * 2 and channels in (1, 3):
        return Task("image", "flow", outputs=(largest,))
    names = " ".join((words, *maps))
    if len(network.inputs) == 1 and channels == 1 and _COLOURED.search(names):
        return Task("image", "ab", outputs=(largest,))
    return None


def flow_colours(array: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A flow as colours, (3, height, width); white where nothing moves or nobody knows."""
    across, down = np.clip(np.nan_to_num(planar(array, size).astype(np.float32)), -_FAR, _FAR)
    length = np.hypot(across, down)
    length /= max(float(length.max(initial=0)), 1e-6)
    wheel = _wheel()
    at = (np.arctan2(-down, -across) / np.pi + 1) / 2 * (len(wheel) - 1)
    before = at.astype(np.intp)
    share = (at - before)[..., None]
    colours = wheel[before] * (1 - share) + wheel[(before + 1) % len(wheel)] * share
    shown = 255 - length[..., None] * (255 - colours)
    return np.ascontiguousarray(np.moveaxis(np.rint(shown).astype(np.uint8), -1, 0))


def lab_colours(
    lightness: NDArray[np.uint8], array: NDArray[Any], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A grey picture (height, width), its brightness 0 to 255, in the colours of a map of a and b:
    red, green and blue as (3, height, width)."""
    ab = np.nan_to_num(planar(array, size).astype(np.float32))
    if np.abs(ab).max(initial=0) <= _NORMALISED:
        ab *= np.float32(_MOST_AB)
    height, width = lightness.shape
    rows = np.arange(height) * ab.shape[1] // height
    columns = np.arange(width) * ab.shape[2] // width
    a, b = np.clip(ab, -_MOST_AB, _MOST_AB)[:, rows[:, None], columns]
    grey = lightness.astype(np.float32) / 255
    light = np.where(grey > 0.04045, ((grey + 0.055) / 1.055) ** 2.4, grey / 12.92)
    middle = np.where(light > (6 / 29) ** 3, np.cbrt(light), light * (841 / 108) + 4 / 29)
    powers = np.stack([middle + a / 500, middle, middle - b / 200], -1)
    linear = np.where(powers > 6 / 29, powers**3, (powers - 4 / 29) * (108 / 841)) * _WHITE
    rgb = np.clip(linear @ _TO_RGB.T, 0, 1)
    shown = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return np.ascontiguousarray(np.moveaxis(np.rint(shown * 255).astype(np.uint8), -1, 0))


def _wheel() -> NDArray[np.float32]:
    """The colours of all directions, (n, 3)."""
    wheel = np.zeros((sum(_WHEEL_PARTS), 3), np.float32)
    first = 0
    for part, count in enumerate(_WHEEL_PARTS):
        steps = 255 * np.arange(count, dtype=np.float32) / count
        full, changing = (part + 1) // 2 % 3, (1 - part) % 3
        wheel[first : first + count, full] = 255
        wheel[first : first + count, changing] = steps if part % 2 == 0 else 255 - steps
        first += count
    return wheel
