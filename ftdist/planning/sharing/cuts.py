"""Where to cut a network into stages: a shortest path over cuts, for given regions of the workers.

Cuts are nodes and stages are edges. A stage takes as long as its slowest worker: for the arithmetic
of its region and halos, for what its tasks cost beside it, and for the exchange before the stage,
as far as that is `visible` (tiles hide the rest behind each other). A stage may also be left to one
worker in the coordinator's process, so that nothing travels. How a stage begins depends on who made
the maps before it, so a node is a cut together with the way to share before it. The cost of a stage
depends on nothing else, so the path is exact for this model. ``simulation`` tells how much tiles
really hide.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.planning.fused_pools import fused_pools
from ftdist.planning.lowering.predictor import live_maps
from ftdist.planning.sharing.partitioning import Partitioning, Stage
from ftdist.planning.sharing.simulation import TASK_S
from ftdist.planning.sharing.stage_table import StageTable
from ftdist.planning.sharing.tile_regions import Regions, outputs, regions_of, sizes

_MOST_CUTS = 16
"""Cuts that are considered; the number of stages grows with their square. Chosen, not measured."""

Numbers = NDArray[np.float64]


def cut_points(network: Network, most: int = _MOST_CUTS) -> tuple[int, ...]:
    """Layers that may begin a stage, then the number of layers.

    A fused pool is never cut from its convolution. Of large networks only some cuts are taken: the
    arithmetic is divided into `most` equal parts, each with its cut of the smallest maps.
    """
    layers = len(network.layers)
    members = [n for n, layer in enumerate(network.layers) if not is_alias(layer)]
    fused = set(fused_pools(network).values())
    every = [n for n in members[1:] if n not in fused]
    if len(every) > most:
        work = np.cumsum([_work(network, number) for number in range(layers)])
        part_of = {cut: int(most * work[cut - 1] / (work[-1] + 1)) for cut in every}
        moved = {cut: sum(live_maps(network, cut).values()) for cut in every}
        parts: dict[int, int] = {}
        for cut in every:
            part = part_of[cut]
            if part not in parts or moved[cut] < moved[parts[part]]:
                parts[part] = cut
        every = sorted(parts.values())
    return (0, *every, layers)


def _work(network: Network, number: int) -> int:
    shape = network.shape(number)
    return shape.height * shape.width * (network.macs(number) + shape.channels)


@dataclass(frozen=True)
class StageWork:
    """What a stage asks of each worker; every field is an array over all workers.

    `at_work`: whether the worker has a tile. `seconds`: of arithmetic. `needed`: bytes of its
    inputs; `halo`: those outside its own region; `own`: bytes of its region of the stage's inputs;
    `given`: bytes of the network's outputs that it returns.
    """

    at_work: NDArray[np.bool_]
    seconds: Numbers
    needed: Numbers
    halo: Numbers
    given: Numbers
    own: Numbers


@dataclass(frozen=True)
class StageCosts:
    """What stages cost workers with the regions of a partitioning, in seconds.

    Each region is cut into `pieces` tiles of one size. `visible`: the part of an exchange between
    stages that nothing hides. `alone`: a worker in the coordinator's process that may compute
    stages alone.
    """

    table: StageTable
    partitioning: Partitioning
    pieces: int = 1
    visible: float = 1.0
    alone: int | None = None
    _known: dict[Stage, StageWork] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage: shared and, where that is allowed, left to one worker."""
        even = tuple(number / self.pieces for number in range(1, self.pieces))
        points = cut_points(self.table.network)
        ways = ((even, None),) if self.alone is None else ((even, None), ((), self.alone))
        return tuple(
            Stage(first, stop, *way)
            for first, stop in itertools.combinations(points, 2)
            for way in ways
        )

    def seconds(self, stage: Stage, before: Stage | None) -> float:
        """Seconds of a stage that follows `before`, or is the first."""
        work, (relative_time, rate, latency_s) = self._work(stage), self._rates
        tasks = self.pieces if stage.alone is None else 1
        taken = work.seconds + tasks * relative_time * TASK_S
        wait = 0.0
        if before is None or before.alone is not None:
            taken = taken + latency_s + work.needed / rate / tasks
        elif stage.alone is None:
            taken = taken + 2 * self.visible * (latency_s + work.halo / rate)
        else:
            wait = float((latency_s + work.own / rate).max())
        if stage.stop == len(self.table.network.layers):
            taken = taken + latency_s + work.given / rate / tasks
        else:
            taken = taken + self.visible * work.given / rate
        return wait + float(taken[work.at_work].max())

    @cached_property
    def _rates(self) -> tuple[Numbers, Numbers, Numbers]:
        """(relative time, bytes a second of the link, its latency in seconds) of each worker."""
        workers = self.table.workers
        at_once = len({each.worker for each in self.partitioning.regions}) or 1
        rates = [
            min(each.link_bytes_per_s, each.shared_link_bytes_per_s / at_once) for each in workers
        ]
        return (
            np.array([each.relative_time for each in workers]),
            np.array(rates),
            np.array([each.latency_s for each in workers]),
        )

    def _work(self, stage: Stage) -> StageWork:
        """What a stage asks of each worker."""
        if stage in self._known:
            return self._known[stage]
        table, network = self.table, self.table.network
        layout = table.layout(self.partitioning, stage)
        of, count = np.array(layout.workers), len(table.workers)
        seconds = np.asarray(np.bincount(of, layout.seconds, count), np.float64)
        needed, halo, own, given = (np.zeros(count) for _ in range(4))
        for source, wanted in layout.needs.items():
            size = table.position_bytes(source)
            own_regions = self._own_regions(source)
            inside = _common(wanted, own_regions[:, of])
            needed += size * np.bincount(of, sizes(wanted), count)
            halo += size * np.bincount(of, sizes(wanted) - sizes(inside), count)
            own += (size if source != INPUT else 0.0) * sizes(own_regions)
        for source in outputs(network, stage.first, stage.stop):
            if source in network.output_sources:
                given += 4 * network.shape(source).channels * sizes(self._own_regions(source))
        if stage.alone is not None:
            given, own[stage.alone] = 0 * given, 0.0
        at_work = np.bincount(of, minlength=count) > 0
        self._known[stage] = StageWork(at_work, seconds, needed, halo, given, own)
        return self._known[stage]

    def _own_regions(self, source: int) -> Regions:
        """Each worker's region of a map; empty where it has none."""
        found = np.zeros((4, len(self.table.workers)), np.int64)
        for each in self.partitioning.regions:
            region = each.on(self.table.network.shape(source))
            found[:, each.worker] = regions_of([region])[:, 0]
        return found


def cheapest(costs: StageCosts) -> tuple[Stage, ...]:
    """The stages that cover the network and cost least.

    Two paths to each cut matter: the best whose last stage is shared, and the best whose last stage
    is left to one worker.
    """
    found: dict[tuple[int, bool], tuple[float, tuple[Stage, ...]]] = {(0, False): (0.0, ())}
    for stage in sorted(costs.stages, key=lambda each: each.stop):
        end = stage.stop, stage.alone is not None
        for begin in (stage.first, False), (stage.first, True):
            if begin in found:
                seconds, stages = found[begin]
                seconds += costs.seconds(stage, stages[-1] if stages else None)
                if end not in found or seconds < found[end][0]:
                    found[end] = seconds, (*stages, stage)
    layers = len(costs.table.network.layers)
    ends = [found[end] for end in ((layers, False), (layers, True)) if end in found]
    return min(ends, key=lambda path: path[0])[1]


def _common(one: Regions, other: Regions) -> Regions:
    return np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])])
