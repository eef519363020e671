"""Every candidate group that may be useful, with its time and memory: the edges of the search.

There is one table for each cut where groups end. They are made for boards, where the search has
little room: a candidate takes 15 bytes, and is left out when another of its group beats it in time
and, by a larger margin than placement adds, in memory. A network of 300 layers takes 3 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.planning.cost.group_tables import native
from ftdist.planning.search.cutgraph import CutGraph, GroupsAtCut, Numbers, Progress

TIE_S_PER_BYTE = 1e-16
"""Seconds added for each byte of a peak, so that smaller peaks win ties: less than any real
difference in time."""

_MOST_FLOATS = (1 << 32) - 1

_PLACEMENT = 1.125
"""The most that a placed arena takes as a multiple of its lower bound; 1.07 was the worst seen."""


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """The candidates of all groups that end at one cut and begin at cuts [low, cut).

    Candidates [starts[n], starts[n + 1]) are those of the group that begins at `low` + n, and their
    `group` is n. `floats`: a quarter of their bytes, for arenas and maps; `staging` the bytes, by
    group, into which streamed weights are read. `exact`: the numbers of those whose bytes have been
    laid out.
    """

    low: int
    starts: NDArray[np.int32]
    group: NDArray[np.int16]
    schedule: NDArray[np.uint8]
    seconds: NDArray[np.float32]
    streamed_s: NDArray[np.float32]
    floats: NDArray[np.uint32]
    staging: NDArray[np.float32]
    exact: set[int]

    @classmethod
    def of(cls, groups: GroupsAtCut, staging: Numbers) -> CandidateTable:
        useful = _useful(groups)
        starts = np.concatenate([[0], np.cumsum(useful.sum(axis=1))])
        schedules = np.broadcast_to(np.arange(useful.shape[1], dtype=np.uint8), useful.shape)
        return cls(
            groups.low,
            starts.astype(np.int32),
            np.nonzero(useful)[0].astype(np.int16),
            schedules[useful],
            groups.seconds[useful].astype(np.float32),
            groups.streamed_s[useful].astype(np.float32),
            np.minimum(groups.bytes[useful] / 4, _MOST_FLOATS).astype(np.uint32),
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
        """The smallest value among each group's candidates, along the last axis."""
        return np.asarray(np.minimum.reduceat(by_candidate, self.starts[:-1], axis=-1))

    def least_seconds(self, caps: Numbers, *, streamed: bool) -> Numbers:
        """The least seconds of each group's candidates within each cap, by cap and group."""
        found = np.empty((len(caps), len(self.starts) - 1))
        native().least(*self._columns(streamed), caps, TIE_S_PER_BYTE, found)
        return found

    def cheapest(self, first: int, cap: float, *, streamed: bool) -> tuple[float, int]:
        """(seconds, number) of the fastest candidate, within a cap, of the group from a cut."""
        columns = self._columns(streamed)
        found: tuple[float, int] = native().cheapest(
            *columns, first - self.low, cap, TIE_S_PER_BYTE
        )
        return found

    def _columns(self, streamed: bool) -> tuple[NDArray[np.generic], ...]:
        """What the native walks read: where groups begin, seconds, floats, and staging if any."""
        if streamed:
            return self.starts, self.streamed_s, self.floats, self.staging
        return self.starts, self.seconds, self.floats, self.staging[:0]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All candidates of a network that may be useful: one table for each cut after the first."""

    graph: CutGraph
    tables: list[CandidateTable]

    @classmethod
    def of(cls, graph: CutGraph, progress: Progress | None = None) -> Candidates:
        tables = []
        for later, groups in graph.groups_at_cuts(progress):
            staging = graph.staging[groups.low : later]
            tables.append(CandidateTable.of(groups, np.maximum.accumulate(staging[::-1])[::-1]))
        return cls(graph, tables)

    def table(self, later: int) -> CandidateTable:
        """The groups that end at a cut."""
        return self.tables[later - 1]

    def schedule(self, later: int, candidate: int) -> int:
        """The number of a candidate's schedule."""
        return int(self.table(later).schedule[candidate])


def _useful(groups: GroupsAtCut) -> NDArray[np.bool_]:
    """Which candidates are not beaten by another of their group, wherever placement puts both."""
    useful = np.isfinite(groups.seconds)
    for other in range(useful.shape[1]):
        seconds, streamed_s, size = (
            each[:, other, None] for each in (groups.seconds, groups.streamed_s, groups.bytes)
        )
        beaten = (seconds <= groups.seconds) & (streamed_s <= groups.streamed_s)
        useful &= ~(beaten & (size * _PLACEMENT < groups.bytes))
    return useful
