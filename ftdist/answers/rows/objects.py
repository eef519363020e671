"""The objects of a detector that sees a picture by bands: candidates band by band, doubles at the
end over all.

Each position of a head's map is decoded as in the whole map, with the same values, so the
candidates are those of a whole run; they are put in its order before doubles are dropped. Only more
of them are kept, because a large picture has more objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.anchors import YoloAnchor, anchors
from ftdist.answers.decode import Detection, decoded
from ftdist.answers.detectors import suppression_of
from ftdist.answers.kinds import heads
from ftdist.answers.suppress import suppress
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.network.heads import GridHead

MOST_HELD = 1 << 14
"""Candidates that are held for one picture, the best."""

HELD_BYTES = 640 * MOST_HELD
"""What they take, with what dropping doubles makes of them."""

_Place = tuple[int, int, int]
"""Head, anchor, and number in the order of a whole map's positions."""


@dataclass(frozen=True, slots=True)
class _Head:
    source: int
    anchors: tuple[YoloAnchor, ...]
    cells: tuple[int, int]


class Objects:
    """Collects what bands of the heads' maps say."""

    def __init__(self, network: Network, threshold: float, overlap: float) -> None:
        self._threshold, self._overlap = threshold, overlap
        self._suppression = suppression_of(network)
        self._heads: list[_Head] = []
        for number, layer in zip(network.outputs, heads(network), strict=True):
            if isinstance(layer.operation, GridHead):
                raise InputError(f"head {layer.name} sees its picture as a whole, not by rows")
            cells = layer.shape.height, layer.shape.width
            self._heads.append(_Head(network.source(number), anchors(layer, network.input), cells))
        self._found: list[tuple[_Place, Detection]] = []

    def take(self, regions: Mapping[int, Region], maps: Mapping[int, NDArray[np.float32]]) -> None:
        """Looks at a band of each head's map, (rows, columns, channels)."""
        for number, head in enumerate(self._heads):
            region = regions[head.source]
            if not region.size:
                continue
            planes = np.ascontiguousarray(maps[head.source].transpose(2, 0, 1))
            parts = np.split(planes, len(head.anchors))
            for at, (anchor, values) in enumerate(zip(head.anchors, parts, strict=True)):
                some = decoded(
                    *(values, anchor, self._threshold, region.top, head.cells), MOST_HELD
                )
                first = region.top * head.cells[1] * values.shape[0]
                self._found += [((number, at, first + n), each) for n, each in enumerate(some)]
        if len(self._found) > MOST_HELD:
            self._found.sort(key=lambda each: (-each[1].score, each[0]))
            del self._found[MOST_HELD:]

    def all(self) -> list[Detection]:
        """The objects, best first; boxes in fractions of the network's input."""
        self._found.sort(key=lambda each: each[0])
        return suppress([each for _, each in self._found], self._overlap, self._suppression)
