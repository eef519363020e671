"""What messages are about: attempts at tasks, places of maps, pieces with values, groups.

Maps travel as they lie in memory, (rows, columns, channels), float32, or uint8 where a picture is
the network's input. A map is named by its *source*: the layer that makes it, or INPUT (-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ftdist.geometry import Region
from ftdist.protocol.limits import (
    SIDE,
    TENSORS,
    AtMost,
    Between,
    Count,
    Layer,
    Name,
    Side,
    Source,
    Tensor,
)


@dataclass(frozen=True, slots=True)
class TaskId:
    """One attempt at one tile: accepted once by (job, frame, stage, tile), whatever the attempt."""

    job: Name
    frame: Count
    stage: Count
    tile: Count
    attempt: Count


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the map that layer `source` makes."""

    source: Source
    region: Region


@dataclass(frozen=True, slots=True)
class Piece:
    """A region of a map, not empty, with its values: (rows, columns, channels)."""

    source: Source
    region: Region
    data: Tensor

    def flaw(self) -> str:
        """The values are those of the region; "" when it is so."""
        top, bottom, left, right = self.region
        size = (bottom - top, right - left)
        found = self.data.shape[:2]
        return "" if found == size else f"values of {found} for a region of {size}"


@dataclass(frozen=True, slots=True)
class Group:
    """A fused group of the worker's own plan for a task; `strip` 0 is the whole tile."""

    first: Layer
    stop: Layer
    rows: Annotated[int, Between(1, SIDE)]
    columns: Annotated[int, Between(1, SIDE)]
    strip: Side
    streamed: bool
    slices: Annotated[int, Between(1, SIDE)] = 1

    def flaw(self) -> str:
        """A group has layers."""
        return "" if self.first < self.stop else f"layers {self.first} to {self.stop} are none"


Places = Annotated[tuple[Place, ...], AtMost(TENSORS)]
Pieces = Annotated[tuple[Piece, ...], AtMost(TENSORS)]
Groups = Annotated[tuple[Group, ...], AtMost(1024, least=1)]
