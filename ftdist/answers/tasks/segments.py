"""Masks: which class each pixel belongs to, and the colours in which classes are shown.

A map of one channel is a mask: a pixel belongs to it where its value, a probability or a logit, is
above one half; where all values are whole and some above one, they are numbers of classes. A map of
several channels has a score a class: the largest counts, of equal ones the first. Colours are those
of PASCAL VOC, whose first, the background, is left clear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.pictures.fitting import Letterbox

Labels = NDArray[np.uint8]
"""(height, width), the number of a class for each position."""

MOST_CLASSES = 256


def labels(scores: NDArray[Any], source: tuple[int, int]) -> Labels:
    """The class of each position of scores (channels, height, width), or with the channels last.

    `source` is the (height, width) of the network's input, which tells the two apart.
    """
    planes = planar(scores, source)
    return classes(planes, ValueSpan.of(planes).reading if len(planes) == 1 else PROBABILITIES)


Reading = tuple[float, float]
"""How a map of one channel is read: a class is there above the first number; where the second is
not 0, values are numbers of classes themselves."""

PROBABILITIES, LOGITS, NUMBERS = (0.5, 0.0), (0.0, 0.0), (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class ValueSpan:
    """What is known of the values of a map of one channel: the range, whether all are whole."""

    low: float = np.inf
    high: float = -np.inf
    whole: bool = True

    @classmethod
    def of(cls, plane: NDArray[Any]) -> ValueSpan:
        """That of a part of a map; NaN are passed over, but are no whole numbers."""
        low = float(np.fmin.reduce(plane, axis=None, initial=np.inf))
        high = float(np.fmax.reduce(plane, axis=None, initial=-np.inf))
        return cls(low, high, bool((plane == np.rint(plane)).all()))

    def beside(self, other: ValueSpan) -> ValueSpan:
        """That of both parts."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return ValueSpan(low, high, self.whole and other.whole)

    @property
    def reading(self) -> Reading:
        """What the values speak of."""
        if not (self.low < 0 or self.high > 1):
            return PROBABILITIES
        return NUMBERS if self.may_be_numbers else LOGITS

    @property
    def may_be_numbers(self) -> bool:
        """Whether all values could be numbers of classes."""
        return self.whole and self.low >= 0 and self.high < MOST_CLASSES


def classes(planes: NDArray[Any], reading: Reading) -> Labels:
    """The class of each position of (channels, height, width); `reading` is for one channel."""
    if len(planes) > 1:
        known = np.nan_to_num(planes[:MOST_CLASSES], nan=-np.inf)
        chosen: Labels = np.argmax(known, axis=0).astype(np.uint8)
    elif reading == NUMBERS:
        chosen = planes[0].astype(np.uint8)
    else:
        chosen = (planes[0] > reading[0]).astype(np.uint8)
    return chosen


def shares(found: Labels) -> dict[int, float]:
    """How much of the map each class has, the largest share first; classes without any are left
    out."""
    return shares_of(np.bincount(found.reshape(-1)))


def shares_of(counts: NDArray[np.intp]) -> dict[int, float]:
    """The same of the positions of each class."""
    order, total = np.argsort(-counts, kind="stable"), counts.sum()
    return {int(each): float(counts[each] / total) for each in order if counts[each]}


def shown(found: Labels, box: Letterbox) -> Labels:
    """The part of a map that shows the photo."""
    down, across = found.shape[0] / box.network_height, found.shape[1] / box.network_width
    top, left = max(0, round(box.top * down)), max(0, round(box.left * across))
    bottom = max(top + 1, round((box.top + box.content_height) * down))
    right = max(left + 1, round((box.left + box.content_width) * across))
    return found[top:bottom, left:right]


def planar(array: NDArray[Any], source: tuple[int, int]) -> NDArray[Any]:
    """(channels, height, width) of a map with its channels first or last, a batch of 1 left out.

    A map of one channel may lack this dim.
    """
    array = np.asarray(array)
    if array.ndim == 4:
        array = array[0]
    if array.ndim == 2:
        return array[np.newaxis]
    if array.shape[0] == 1:
        return array
    first, last = (abs(np.log(a / b)) for a, b in _aspects(array, source))
    return array if first <= last else np.moveaxis(array, -1, 0)


def _aspects(array: NDArray[Any], source: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """(aspect of the map, aspect of the input) if channels came first, and if they came last."""
    wanted = source[0] / source[1]
    return (
        (array.shape[1] / array.shape[2], wanted),
        (array.shape[0] / array.shape[1], wanted),
    )


def palette(count: int = MOST_CLASSES) -> NDArray[np.uint8]:
    """(count, 3) colours; of neighbouring classes very unlike ones.

    Source: the colour map of the PASCAL VOC development kit (VOClabelcolormap).
    """
    colours = np.zeros((count, 3), np.uint8)
    for number in range(count):
        rest = number
        for bit in range(7, -1, -1):
            for channel in range(3):
                colours[number, channel] |= ((rest >> channel) & 1) << bit
            rest >>= 3
    return colours


def overlaid(picture: NDArray[np.uint8], classes: Labels, colours: NDArray[np.uint8]) -> None:
    """Paints the classes, one a pixel, over a part of a picture; class 0 leaves it as it is."""
    painted = classes > 0
    picture[painted] = picture[painted] // 2 + colours[classes[painted]] // 2
