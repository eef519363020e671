"""Lists of layers as text: `2-14:2,19,23-31` is every second one from 2 to 14, 19, and 23 to 31."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from ftdist.errors import InputError

_ITEM = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6})(?::([0-9]{1,6}))?)?")

_LEAST = 3
"""So many layers at equal distances become a stretch."""


def as_text(layers: Iterable[int]) -> str:
    """Ascending numbers of layers, stretches of them written as one."""
    return ",".join(_told(stretch) for stretch in _stretches([*layers]))


def from_text(text: str, count: int) -> list[int]:
    """The layers, ascending, of a network of `count`; InputError where the text names others."""
    found: list[int] = []
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise InputError(f"'{item}' is no list of layers such as 3,5-9 or 2-14:2")
        first = int(match[1])
        last, step = int(match[2] or first), int(match[3] or 1)
        if step < 1 or not (found[-1] if found else -1) < first <= last:
            raise InputError(f"'{item}': layers must ascend")
        if last >= count:
            raise InputError(f"there is no layer {last}; the last one is {count - 1}")
        found += range(first, last + 1, step)
    return found


def _stretches(layers: list[int]) -> Iterator[list[int]]:
    """The longest at equal distances, from the first layer on; what is in none stands alone."""
    at = 0
    while at < len(layers):
        stretch = layers[at : at + 2]
        for before, layer in itertools.pairwise(layers[at + 1 :]):
            if layer - before != stretch[1] - stretch[0]:
                break
            stretch.append(layer)
        stretch = stretch if len(stretch) >= _LEAST else stretch[:1]
        yield stretch
        at += len(stretch)


def _told(stretch: list[int]) -> str:
    if len(stretch) < _LEAST:
        return str(stretch[0])
    step = stretch[1] - stretch[0]
    return f"{stretch[0]}-{stretch[-1]}" + (f":{step}" if step > 1 else "")
