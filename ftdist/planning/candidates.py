"""Every candidate group of a network with its time and memory: the edges that the search walks.

The cuts are nodes; a *pair* of cuts is a group, and with each schedule (a grid and a strip height)
a candidate. One native walk back from each last layer yields all that end there (src/walk.hpp). The
memory of a candidate is a lower bound, the most that is in use at one moment: placing buffers
exactly costs more, so the search does it only for candidates that it wants to use.

The table is made for boards, where the search has little room: candidates lie in one compact block
for each later cut, 15 bytes each, and those that another of their pair beats in time and, by a
margin larger than what placement adds, in memory are left out. A network of 300 layers takes 3 MiB.
Where that is more than there is room for, the longest groups are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.planning.account import Terms
from ftdist.planning.group_tables import NativeGroups, native_groups
from ftdist.planning.latency import share_of, waking_s
from ftdist.planning.plan import GroupPlan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.walk import STRIPS
from ftdist.planning.weights import LayerWeights, layer_weights

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[float], None]
"""Told how much of the candidates has been made, from 0 to 1."""

MOST_PAIRS = 1 << 16
"""The most groups that are looked at: all of a network of 360 layers."""

PAIR_BYTES = 96
"""What a pair takes in memory: 4 to 6 candidates on one thread, and its share of the paths."""

TIE_S_PER_BYTE = 1e-16
"""A preference for smaller peaks that no real difference in time is as small as."""

_MOST_FLOATS = (1 << 32) - 1

_PLACEMENT = 1.125
"""How much more than its lower bound a placed arena takes at most: 7% was the worst seen."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A grid and a strip height that any group may have."""

    rows: int
    columns: int
    strip: int | None

    def plan(self, first: int, stop: int, *, streamed: bool = False) -> GroupPlan:
        return GroupPlan(first, stop, self.rows, self.columns, self.strip, streamed)


@dataclass(frozen=True, slots=True)
class Ending:
    """All groups that end at one cut: those that begin at cuts [low, cut), by schedule.

    `seconds` and `streamed_s` are infinite where a schedule does not exist; `bytes` are those of
    the arenas and maps in memory while the group runs.
    """

    low: int
    seconds: Numbers
    streamed_s: Numbers
    bytes: Numbers


@dataclass(frozen=True)
class CutGraph:
    """The cuts of a network, what lies between them, and all schedules.

    `cuts` are the layers that may begin a group, then the number of layers. By cut: `weights`,
    `rest`, the bytes of all weights before it, and of what stays of them when they are streamed.
    """

    network: Network
    threads: int
    profile: DeviceProfile
    cuts: tuple[int, ...]
    schedules: tuple[Schedule, ...]
    weights: Numbers
    rest: Numbers
    pieces: Numbers
    longest: int

    @classmethod
    def of(
        cls, network: Network, threads: int, profile: DeviceProfile, most_pairs: int = MOST_PAIRS
    ) -> CutGraph:
        """All of a network; `longest`, the most cuts that a group spans, keeps to `most_pairs`."""
        cuts = _cuts(network)
        schedules = tuple(
            Schedule(*grid, strip) for grid in grids(network, threads) for strip in STRIPS
        )
        weights = _weights_before(network, cuts, threads)
        longest = max(1, min(len(cuts) - 1, most_pairs // len(cuts)))
        return cls(network, threads, profile, cuts, schedules, *weights, longest)

    def endings(self, progress: Progress | None = None) -> Iterator[tuple[int, Ending]]:
        """(number of the cut, all groups that end there), from the first to the last cut."""
        native = native_groups(Terms.of(self.network, self.profile))
        held = _MapBytes(self.network, self.cuts)
        for later in range(1, len(self.cuts)):
            low = max(0, later - self.longest)
            yield later, self._ending(native, low, later, held.beside(low, later))
            if progress is not None:
                progress((later / (len(self.cuts) - 1)) ** 2)

    def _ending(self, native: NativeGroups, low: int, later: int, held: Numbers) -> Ending:
        shape = later - low, len(self.schedules)
        ending = Ending(low, *(np.full(shape, np.inf) for _ in range(3)))
        for at in range(0, len(self.schedules), len(STRIPS)):
            self._fill(native, ending, at, later, held)
        return ending

    def _fill(
        self, native: NativeGroups, ending: Ending, at: int, later: int, held: Numbers
    ) -> None:
        """Fills in the candidates of one grid, that of the schedules from `at` on."""
        grid = self.schedules[at].rows, self.schedules[at].columns
        heights = [strip or 0 for strip in STRIPS]
        begin = self.cuts[ending.low] + 1
        possible, firsts, seconds, reading_s, disk_s, arena_bytes = native.ending_at(
            self.cuts[later] + 1, begin, *grid, heights
        )
        if not possible:
            return
        assert len(firsts) == len(held)
        tiles = grid[0] * grid[1]
        seconds = seconds * share_of(tiles, self.threads, self.profile)
        seconds += waking_s(tiles, self.threads, self.profile)
        places = [at + heights.index(height) for height in possible]
        ending.seconds[:, places] = seconds[::-1]
        ending.streamed_s[:, places] = np.maximum(seconds + reading_s, disk_s)[::-1]
        workers = min(self.threads, tiles)
        ending.bytes[:, places] = arena_bytes[::-1] * workers + held[:, None]


@dataclass(frozen=True, slots=True)
class Block:
    """The candidates of all groups that end at one cut and begin at cuts [low, cut).

    Those of the group that begins at `low` + n are [starts[n], starts[n + 1]), and `group` is n for
    each. `floats`: a quarter of their bytes, arenas and maps; `window` the bytes, by group, in
    which streamed weights are held. `settled`: those whose bytes a layout has settled.
    """

    low: int
    starts: NDArray[np.int32]
    group: NDArray[np.int16]
    schedule: NDArray[np.uint8]
    seconds: NDArray[np.float32]
    streamed_s: NDArray[np.float32]
    floats: NDArray[np.uint32]
    window: NDArray[np.float32]
    settled: set[int]

    @classmethod
    def of(cls, ending: Ending, window: Numbers) -> Block:
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
            window.astype(np.float32),
            set(),
        )

    def of_group(self, first: int) -> slice:
        """The candidates of the group that begins at a cut."""
        number = first - self.low
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def bytes(self, own: slice = slice(None), *, streamed: bool = False) -> Numbers:
        """Bytes of candidates; with the pieces of streamed weights, if so."""
        sizes = 4.0 * self.floats[own]
        if streamed:
            sizes += self.window[self.group[own]]
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
            pieces = graph.pieces[ending.low : later]
            blocks.append(Block.of(ending, np.maximum.accumulate(pieces[::-1])[::-1]))
        return cls(graph, blocks)

    def ending(self, later: int) -> Block:
        """The groups that end at a cut."""
        return self.blocks[later - 1]

    def schedule(self, later: int, candidate: int) -> Schedule:
        """The schedule of a candidate."""
        return self.graph.schedules[int(self.ending(later).schedule[candidate])]


def grids(network: Network, threads: int) -> tuple[tuple[int, int], ...]:
    """Grids that are tried: one tile a thread, by rows or by columns.

    More tiles would only recompute more halos: strips save memory without. Where a map is too small
    for that, one tile too.
    """
    tried = [(threads, 1), (1, threads)]
    if any(min(layer.shape.height, layer.shape.width) < threads for layer in network.layers):
        tried.append((1, 1))
    return tuple(dict.fromkeys(tried))


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


def _cuts(network: Network) -> tuple[int, ...]:
    """0, every other layer that computes something, and the number of layers."""
    members = [n for n, layer in enumerate(network.layers) if not is_alias(layer)]
    return (0, *members[1:], len(network.layers))


class _MapBytes:
    """Bytes of the maps between groups; the user's own arrays are none of them."""

    def __init__(self, network: Network, cuts: tuple[int, ...]) -> None:
        own = sorted(
            (source, last, network.shape(source).bytes)
            for source, last in network.last_use.items()
            if source != INPUT and source not in network.output_sources
        )
        table = np.array(own, np.int64).reshape(-1, 3)
        self._cuts = np.array(cuts)
        self._last, self._bytes = table[:, 1], table[:, 2].astype(np.float64)
        self._made_before = np.searchsorted(table[:, 0], self._cuts)
        self._alive = np.array([self._used_from(cut)[number] for number, cut in enumerate(cuts)])

    def beside(self, low: int, later: int) -> Numbers:
        """Those in memory while a group runs from a cut in [low, later) to `later`.

        They are alive at either of its cuts.
        """
        at_both = self._used_from(int(self._cuts[later]))[low:later]
        return np.asarray(self._alive[low:later] + self._alive[later] - at_both)

    def _used_from(self, layer: int) -> Numbers:
        """By cut the bytes of the maps that are made before it and used from a layer on."""
        used = np.concatenate([[0.0], np.cumsum(self._bytes * (self._last >= layer))])
        return np.asarray(used[self._made_before])


def _weights_before(
    network: Network, cuts: tuple[int, ...], threads: int
) -> tuple[Numbers, Numbers, Numbers]:
    """By cut the bytes of weights before it: all, and what stays when they are streamed; by cut but
    the last the bytes in which the layers up to the next one hold pieces of weights."""
    layers = layer_weights(network)
    none = LayerWeights(0, 0, 0)
    whole, rest, pieces = np.zeros(len(cuts)), np.zeros(len(cuts)), np.zeros(len(cuts) - 1)
    for number in range(len(cuts) - 1):
        own = [layers.get(each, none) for each in range(cuts[number], cuts[number + 1])]
        whole[number + 1] = whole[number] + sum(each.whole for each in own)
        rest[number + 1] = rest[number] + sum(each.rest for each in own)
        pieces[number] = threads * max((each.piece for each in own), default=0)
    return whole, rest, pieces
