"""The cuts of a network and all groups between them: the graph that the search walks.

The cuts are nodes. A pair of cuts is a group, and a group with a schedule (a grid and a strip
height) is a candidate. One native backward pass from each last layer yields time and memory of all
groups that end there (src/backward_pass.hpp). The memory is a lower bound, the most that is in use
at one moment. Placing buffers exactly costs more, so it is done only for candidates on a path.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost.backward_pass import STRIPS
from ftdist.planning.cost.group_cost import CostContext
from ftdist.planning.cost.group_tables import NativeGroups, native_groups
from ftdist.planning.cost.latency import shared_s, whole_step_seconds
from ftdist.planning.cost.whole_maps import whole_tiles
from ftdist.planning.plan import GroupPlan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.steps import most_slices
from ftdist.planning.weights import LayerWeights, layer_weights

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[float], None]
"""Called with the part of the candidates that has been made, from 0 to 1."""

Grids = tuple[tuple[int, int], ...]
"""Rows and columns of tiles, of each grid."""

MOST_PAIRS = 1 << 16
"""Groups that are looked at: all groups of a network of 360 layers. Chosen for the memory of their
candidates (see ``candidates``)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A grid and a strip height that any group may have, or slices of channels."""

    rows: int
    columns: int
    strip: int | None
    slices: int = 1

    def plan(self, first: int, stop: int, *, streamed: bool = False) -> GroupPlan:
        return GroupPlan(
            first, stop, self.rows, self.columns, self.strip, streamed, slices=self.slices
        )


@dataclass(frozen=True, slots=True)
class GroupsAtCut:
    """All groups that end at one cut: those that begin at cuts [low, cut), by schedule.

    `seconds` and `streamed_s` are infinite where a schedule does not exist; `bytes` are those of
    the arenas and maps in memory while the group runs.
    """

    low: int
    seconds: Numbers
    streamed_s: Numbers
    bytes: Numbers

    def without_missing(self) -> GroupsAtCut:
        """Without the longest groups, where no schedule exists for them."""
        missing = int(np.isfinite(self.seconds).any(axis=1).argmax())
        if not missing:
            return self
        kept = (each[missing:] for each in (self.seconds, self.streamed_s, self.bytes))
        return GroupsAtCut(self.low + missing, *kept)


class MapBytes:
    """Bytes of the maps between groups, without the user's own arrays."""

    def __init__(self, network: Network, cuts: tuple[int, ...]) -> None:
        own = sorted(
            (source, last, network.shape(source).bytes + OVERREAD_BYTES)
            for source, last in network.last_use.items()
            if source >= 0 and source not in network.output_sources
        )
        table = np.array(own, np.int64).reshape(-1, 3)
        self._cuts = np.array(cuts)
        self._last, self._bytes = table[:, 1], table[:, 2].astype(np.float64)
        self._made_before = np.searchsorted(table[:, 0], self._cuts)
        self._alive = np.array([self._used_from(cut)[number] for number, cut in enumerate(cuts)])

    def beside(self, low: int, later: int) -> Numbers:
        """Bytes in memory while a group from a cut in [low, later) to `later` runs, by first cut.

        Those are the maps alive at either of its cuts.
        """
        at_both = self._used_from(int(self._cuts[later]))[low:later]
        return np.asarray(self._alive[low:later] + self._alive[later] - at_both)

    def _used_from(self, layer: int) -> Numbers:
        """By cut the bytes of maps that are made before it and used by `layer` or later."""
        used = np.concatenate([[0.0], np.cumsum(self._bytes * (self._last >= layer))])
        return np.asarray(used[self._made_before])


@dataclass(frozen=True)
class CutGraph:
    """The cuts of a network, what lies between them, and all schedules.

    `cuts`: the layers that may begin a group, then the number of layers. `longest`: the most cuts
    that a group spans. `weights`: by cut the bytes of all weights before it; `rest`: the bytes of
    them that stay in memory when they are streamed. `staging`: by cut, except the last, the bytes
    into which the layers up to the next cut read streamed weights. `inputs`: how many the network
    has. `lowest`: by cut the first cut from which one step may reach it, because layers that need
    whole maps are steps of their own.
    """

    threads: int
    profile: DeviceProfile
    cuts: tuple[int, ...]
    schedules: tuple[Schedule, ...]
    longest: int
    weights: Numbers
    rest: Numbers
    staging: Numbers
    native: NativeGroups
    maps: MapBytes
    inputs: int
    context: CostContext
    lowest: tuple[int, ...]

    @classmethod
    def of(
        cls, network: Network, threads: int, profile: DeviceProfile, tried: Grids | None = None
    ) -> CutGraph:
        """The graph of a network; beyond ``MOST_PAIRS`` groups the longest are left out.

        Groups have the grids that are `tried`, or those of ``grids``.
        """
        cuts = _cuts(network)
        context = CostContext.of(network, profile)
        schedules = [Schedule(*g, s) for g in tried or grids(network, threads) for s in STRIPS]
        if tried is None and threads > 1:
            schedules.append(Schedule(1, 1, None, slices=threads))
        return cls(
            threads,
            profile,
            cuts,
            tuple(schedules),
            max(1, min(len(cuts) - 1, MOST_PAIRS // len(cuts))),
            *_weights_before(network, cuts, threads),
            native_groups(context),
            MapBytes(network, cuts),
            len(network.inputs),
            context,
            _lowest(network, cuts),
        )

    def plan(self, first: int, later: int, schedule: int, *, streamed: bool = False) -> GroupPlan:
        """The step between two cuts by a schedule."""
        if self.is_whole(later):
            begin, end = self.cuts[first], self.cuts[later]
            return GroupPlan(begin, end, streamed=streamed, whole=True)
        begin, end, chosen = self.cuts[first], self.cuts[later], self.schedules[schedule]
        found = chosen.plan(begin, end, streamed=streamed)
        if found.slices == 1:
            return found
        return replace(found, slices=min(found.slices, self._most_slices(later)))

    def is_whole(self, later: int) -> bool:
        """Whether what ends at a cut is a whole-map step."""
        layers = range(self.cuts[later - 1], self.cuts[later])
        return not self.context.network.whole_layers.isdisjoint(layers)

    def groups_at_cuts(self, progress: Progress | None = None) -> Iterator[tuple[int, GroupsAtCut]]:
        """(number of the cut, all groups that end there), from the first to the last cut."""
        for later in range(1, len(self.cuts)):
            low = max(self.lowest[later], later - self.longest)
            shape = later - low, len(self.schedules)
            groups = GroupsAtCut(low, *(np.full(shape, np.inf) for _ in range(3)))
            held = self.maps.beside(low, later)
            if self.is_whole(later):
                self._fill_whole(groups, later, held)
            else:
                gridded = len(self.schedules) - (self.schedules[-1].slices > 1)
                for at in range(0, gridded, len(STRIPS)):
                    self._fill(groups, at, later, held)
                if gridded < len(self.schedules) and self._most_slices(later) > 1:
                    self._fill_sliced(groups, gridded, later, held)
            yield later, groups.without_missing()
            if progress is not None:
                progress((later / (len(self.cuts) - 1)) ** 2)

    def group_bytes(self, first: int, later: int, schedule: int) -> int:
        """Arenas and maps in memory while a group runs, weights resident, as it is laid out."""
        if self.is_whole(later):
            step = self.plan(first, later, schedule)
            _, arenas = whole_tiles(self.context.network, step, self.threads)
            return arenas + int(self.maps.beside(first, later)[0])
        chosen = self.schedules[schedule]
        arena_bytes = self.native.arena_bytes(
            self.cuts[first] + self.inputs,
            self.cuts[later] + self.inputs,
            chosen.rows,
            chosen.columns,
            chosen.strip or 0,
        )
        workers = min(self.threads, self.plan(first, later, schedule).tiles)
        return workers * arena_bytes + int(self.maps.beside(first, later)[0])

    def _most_slices(self, later: int) -> int:
        """Into how many slices of channels the group of the one layer before a cut can be cut."""
        return most_slices(self.context.network, self.cuts[later - 1], self.cuts[later])

    def _fill_whole(self, groups: GroupsAtCut, later: int, held: Numbers) -> None:
        """Fills in a whole-map step, as if by the first schedule: it has none."""
        step = self.plan(later - 1, later, 0)
        seconds = whole_step_seconds(self.context, step, self.threads)
        _, arenas = whole_tiles(self.context.network, step, self.threads)
        groups.seconds[0, 0] = seconds
        streamed = replace(step, streamed=True)
        groups.streamed_s[0, 0] = whole_step_seconds(self.context, streamed, self.threads)
        groups.bytes[0, 0] = arenas + held[0]

    def _fill_sliced(self, groups: GroupsAtCut, at: int, later: int, held: Numbers) -> None:
        """Fills in the group of the one layer before a cut, its channels shared by the threads."""
        step = self.plan(later - 1, later, at)
        stop = self.cuts[later] + self.inputs
        _, _, seconds, reading_s, disk_s, arena_bytes = self.native.ending_at(
            stop, self.cuts[later - 1] + self.inputs, 1, 1, [0]
        )
        seconds = shared_s(self.context, step, self.threads, seconds)
        groups.seconds[-1, at] = seconds[0, 0]
        groups.streamed_s[-1, at] = max(seconds[0, 0] + reading_s[0, 0], disk_s[0, 0])
        workers = min(self.threads, step.tiles)
        groups.bytes[-1, at] = arena_bytes[0, 0] * workers + held[-1]

    def _fill(self, groups: GroupsAtCut, at: int, later: int, held: Numbers) -> None:
        """Fills in the groups of one grid: that of the schedules from `at` on."""
        grid = self.schedules[at].rows, self.schedules[at].columns
        heights = [strip or 0 for strip in STRIPS]
        begin = self.cuts[groups.low] + self.inputs
        possible, firsts, seconds, reading_s, disk_s, arena_bytes = self.native.ending_at(
            self.cuts[later] + self.inputs, begin, *grid, heights
        )
        if not possible:
            return
        own = slice(len(held) - len(firsts), None)
        step = self.plan(later - 1, later, at)
        seconds = shared_s(self.context, step, self.threads, seconds)
        places = [at + heights.index(height) for height in possible]
        groups.seconds[own, places] = seconds[::-1]
        groups.streamed_s[own, places] = np.maximum(seconds + reading_s, disk_s)[::-1]
        workers = min(self.threads, step.tiles)
        groups.bytes[own, places] = arena_bytes[::-1] * workers + held[own, None]


def grids(network: Network, threads: int) -> Grids:
    """Grids that are tried: one tile for each thread, by rows or by columns.

    More tiles would only recompute more halos, and strips save memory without that. One tile is
    tried as well where a map has fewer rows or columns than there are threads.
    """
    tried = [(threads, 1), (1, threads)]
    if any(min(layer.shape.height, layer.shape.width) < threads for layer in network.layers):
        tried.append((1, 1))
    return tuple(dict.fromkeys(tried))


def _cuts(network: Network) -> tuple[int, ...]:
    """0, every other layer that computes something, and the number of layers."""
    members = [n for n, layer in enumerate(network.layers) if not is_alias(layer)]
    return (0, *members[1:], len(network.layers))


def _lowest(network: Network, cuts: tuple[int, ...]) -> tuple[int, ...]:
    """By cut the first cut from which one step may reach it."""
    found = [0]
    for number, (first, later) in enumerate(itertools.pairwise(cuts)):
        own = not network.whole_layers.isdisjoint(range(first, later))
        before = number and not network.whole_layers.isdisjoint(range(cuts[number - 1], first))
        found.append(number if own or before else found[-1])
    return tuple(found)


def _weights_before(
    network: Network, cuts: tuple[int, ...], threads: int
) -> tuple[Numbers, Numbers, Numbers]:
    """(`weights`, `rest`, `staging`) of a ``CutGraph``."""
    layers = layer_weights(network)
    none = LayerWeights(0, 0, 0)
    whole, rest, staging = np.zeros(len(cuts)), np.zeros(len(cuts)), np.zeros(len(cuts) - 1)
    for number in range(len(cuts) - 1):
        own = [layers.get(each, none) for each in range(cuts[number], cuts[number + 1])]
        whole[number + 1] = whole[number] + sum(each.whole for each in own)
        rest[number + 1] = rest[number] + sum(each.rest for each in own)
        staging[number] = threads * max((each.chunk for each in own), default=0)
    return whole, rest, staging
