"""What is known of a network by which its task is told, and the numbers that detectors share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Dims = tuple[int, ...]

STRIDES = (8, 16, 32, 64)

CENTRE_STRIDE = 4
"""Pixels of a cell of CenterNet's heat map."""

CLASS_COUNTS = frozenset({1, 2, 20, 80, 90, 91})
BINS = (32, 64)
"""Values of a box whose edges are distributions: 4 edges of 8 or 16 bins."""


class Seen(NamedTuple):
    """What is known of a network: `source` (channels, height, width) of its input, the shapes of
    its outputs without batch, how many classes have names, and its file's words; `scored` is how
    many classes some layer tells apart, and `peaks` (channels, height, width) of a heat map whose
    peaks some layer chooses, where that is known."""

    source: Dims
    shapes: Mapping[str, Dims]
    labels: int
    words: str
    scored: int = 0
    peaks: Dims = ()

    @property
    def has_centres(self) -> bool:
        """Whether peaks are chosen in cells as large as CenterNet's."""
        return self.peaks[1:] == tuple(side // CENTRE_STRIDE for side in self.source[1:])

    def cells(self, strides: Sequence[int]) -> int:
        """Positions of grids with these strides over the input."""
        _, height, width = self.source
        return sum(-(-height // stride) * -(-width // stride) for stride in strides)

    def anchors_a_cell(self, count: int) -> int:
        """How many boxes each grid cell has of `count` in all; 0 when that fits no grid."""
        for most in (3, 4, 2):
            cells = self.cells(STRIDES[:most])
            if count in (cells, 3 * cells):
                return count // cells
        return 0
