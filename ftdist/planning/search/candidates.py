"""Every candidate group that may be of use, with its time and memory: the edges of the search.

The table is made for boards, where the search has little room: candidates lie in one compact block
for each later cut, 15 bytes each, and those that another of their pair beats in time and, by a
margin larger than what placement adds, in memory are left out. A network of 300 layers takes 3 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.search.cutgraph import CutGraph, Ending, Numbers, Progress

TIE_S_PER_BYTE = 1e-16
"""A preference for smaller peaks that no real difference in time is as small as."""

_MOST_FLOATS = (1 << 32) - 1

_PLACEMENT = 1.125
"""How much more than its lower bound a placed arena takes at most: 7% was the worst seen."""


@dataclass(frozen=True, slots=True)
class Block:
    """The candidates of all groups that end at one cut and begin at cuts [low, cut).

    Those of the group that begins at `low` + n are [starts[n], starts[n + 1]), and `group` is n for
    each. `floats`: a quarter of their bytes, arenas and maps; `staging` the bytes, by group,
    into which streamed weights are read. `settled`: those whose bytes a layout has settled.
    """

    low: int
    starts: NDArray[np.int32]
    group: NDArray[np.int16]
    schedule: NDArray[np.uint8]
    seconds: NDArray[np.float32]
    streamed_s: NDArray[np.float32]
    floats: NDArray[np.uint32]
    staging: NDArray[np.float32]
    settled: set[int]

    @classmethod
    def of(cls, ending: Ending, staging: Numbers) -> Block:
        useful = _useful(ending)
        starts = np.concatenate([[0], np.cumsum(useful.sum(axis=1))])
        schedules = np.broadcast_to(np.arange(useful.shape[1], dtype=np.uint8), useful.shape)
        return cls(
            ending.low,
            starts.astype(np.int32),
            np.nonzero(useful)[0].astype(np.int16),
            schedules[useful],
            ending.seconds[useful].astype(np.float32),
            ending.streamed_s[useful].astype(np.float32),
            np.minimum(ending.bytes[useful] / 4, _MOST_FLOATS).astype(np.uint32),
            staging.astype(np.float32),
            set(),
        )

    def of_group(self, first: int) -> slice:
        """The candidates of the group that begins at a cut."""
        number = first - self.low
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def bytes(self, own: slice = slice(None), *, streamed: bool = False) -> Numbers:
        """Bytes of candidates; with the chunks of weights that they hold when `streamed`."""
        sizes = 4.0 * self.floats[own]
        if streamed:
            sizes += self.staging[self.group[own]]
        return np.asarray(sizes)

    def least(self, by_candidate: Numbers) -> Numbers:
        """The least value of each group's candidates, over the last axis."""
        return np.asarray(np.minimum.reduceat(by_candidate, self.starts[:-1], axis=-1))


@dataclass(frozen=True, slots=True)
class Candidates:
    """All candidates of a network that may be of use: a block for each cut after the first."""

    graph: CutGraph
    blocks: list[Block]

    @classmethod
    def of(cls, graph: CutGraph, progress: Progress | None = None) -> Candidates:
        blocks = []
        for later, ending in graph.endings(progress):
            staging = graph.staging[ending.low : later]
            blocks.append(Block.of(ending, np.maximum.accumulate(staging[::-1])[::-1]))
        return cls(graph, blocks)

    def ending(self, later: int) -> Block:
        """The groups that end at a cut."""
        return self.blocks[later - 1]

    def schedule(self, later: int, candidate: int) -> int:
        """The number of a candidate's schedule."""
        return int(self.ending(later).schedule[candidate])


def _useful(ending: Ending) -> NDArray[np.bool_]:
    """Which candidates are not beaten by another of their pair, placement being what it may be."""
    useful = np.isfinite(ending.seconds)
    for other in range(useful.shape[1]):
        seconds, streamed_s, size = (
            each[:, other, None] for each in (ending.seconds, ending.streamed_s, ending.bytes)
        )
        beaten = (seconds <= ending.seconds) & (streamed_s <= ending.streamed_s)
        useful &= ~(beaten & (size * _PLACEMENT < ending.bytes))
    return useful
