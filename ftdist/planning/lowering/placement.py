"""Offsets for blocks of memory that live at different times in one stretch."""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

ALIGNMENT_BYTES = 64
"""Blocks start at multiples of a cache line."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Block(Generic[Key]):
    """A request for memory that is in use in steps [first, last], both included."""

    key: Key
    bytes: int
    first: int
    last: int


def place(blocks: Iterable[Block[Key]]) -> tuple[dict[Key, int], int]:
    """Byte offsets so that blocks in use together do not overlap, and the bytes they span.

    Greedy by size (Pisarchyk and Lee, 2020): the largest first, each at the lowest free offset.
    """
    placed: list[tuple[int, int, Block[Key]]] = []
    offsets = {}
    for block in sorted(blocks, key=lambda each: -each.bytes):
        size = -(-block.bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        at = 0
        for start, stop, other in placed:
            if other.first <= block.last and block.first <= other.last:
                if start - at >= size:
                    break
                at = max(at, stop)
        offsets[block.key] = at
        bisect.insort(placed, (at, at + size, block), key=_span)
    return offsets, max((stop for _, stop, _ in placed), default=0)


_span = itemgetter(0, 1)
