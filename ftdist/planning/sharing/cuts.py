"""Where to cut a network into stages: a shortest path over cuts, for given areas of the workers.

Cuts are nodes, stages edges; a stage takes as long as its slowest worker: the arithmetic of the
worker's area with halos, what its tasks cost beside it, and what it exchanges before, as far as
that is `visible` (tiles hide the rest behind each other). A stage may also be left to one worker in
the coordinator's process, for whom nothing travels. How a stage begins depends on who made the maps
before it, so a node is a cut and a way to share; each stage's cost depends on nothing else, and the
path is exact for this model. What tiles really hide, ``timeline`` tells.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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

Numbers = NDArray[np.float64]


def cut_points(network: Network, most: int = _MOST_CUTS) -> tuple[int, ...]:
    """Layers that may begin a stage, then the number of layers.

    No pool is cut from the convolution that takes it along. In large networks there are only some:
    for each part of the arithmetic the cut with the smallest maps.
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
class Loads:
    """What a stage asks of each worker; each is an array over all workers.

    `seconds` of arithmetic; bytes `needed` of its inputs, those of them outside the worker's own
    region (its `halo`), and those of the network's outputs that it gives back. `own` are the bytes
    of its region of the stage's inputs. `at_work`: whether the worker has a tile.
    """

    at_work: NDArray[np.bool_]
    seconds: Numbers
    needed: Numbers
    halo: Numbers
    given: Numbers
    own: Numbers


@dataclass(frozen=True)
class StageCosts:
    """What stages cost a team with the areas of a partitioning, in seconds.

    Each area is cut into `pieces` tiles of one size. `visible`: the part of an exchange between
    stages that nothing hides. `alone`: a worker in the coordinator's process that stages may be
    left to.
    """

    table: StageTable
    partitioning: Partitioning
    pieces: int = 1
    visible: float = 1.0
    alone: int | None = None

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage, shared and (where that is allowed) left to one worker."""
        even = tuple(number / self.pieces for number in range(1, self.pieces))
        points = cut_points(self.table.network)
        ways = ((even, None),) if self.alone is None else ((even, None), ((), self.alone))
        return tuple(
            Stage(first, stop, *way)
            for first, stop in itertools.combinations(points, 2)
            for way in ways
        )

    def seconds(self, stage: Stage, before: Stage | None) -> float:
        """Seconds of a stage after `before`; None: it is the first."""
        loads, workers = self._loads(stage), self._transfers
        tasks = self.pieces if stage.alone is None else 1
        taken = loads.seconds + tasks * workers.relative_time * TASK_S
        wait = 0.0
        if before is None or before.alone is not None:
            taken = taken + workers.latency_s + loads.needed / workers.rate / tasks
        elif stage.alone is None:
            taken = taken + 2 * self.visible * (workers.latency_s + loads.halo / workers.rate)
        else:
            wait = float((workers.latency_s + loads.own / workers.rate).max())
        if stage.stop == len(self.table.network.layers):
            taken = taken + workers.latency_s + loads.given / workers.rate / tasks
        else:
            taken = taken + self.visible * loads.given / workers.rate
        return wait + float(taken[loads.at_work].max())

    @cached_property
    def _transfers(self) -> _Links:
        workers = self.table.workers
        at_once = len({each.worker for each in self.partitioning.regions}) or 1
        return _Links(
            np.array([each.relative_time for each in workers]),
            np.array(
                [
                    min(each.link_bytes_per_s, each.shared_link_bytes_per_s / at_once)
                    for each in workers
                ]
            ),
            np.array([each.latency_s for each in workers]),
        )

    def _loads(self, stage: Stage) -> Loads:
        """What a stage asks of each worker."""
        known = self._known.get(stage)
        if known is not None:
            return known
        table, network = self.table, self.table.network
        layout = table.layout(self.partitioning, stage)
        of, count = np.array(layout.workers), len(table.workers)
        seconds = np.asarray(np.bincount(of, layout.seconds, count), np.float64)
        needed, halo, own, given = (np.zeros(count) for _ in range(4))
        for source, wanted in layout.needs.items():
            size = table.position_bytes(source)
            areas = self._areas(source)
            inside = _common(wanted, areas[:, of])
            needed += size * np.bincount(of, sizes(wanted), count)
            halo += size * np.bincount(of, sizes(wanted) - sizes(inside), count)
            own += (size if source != INPUT else 0.0) * sizes(areas)
        for source in outputs(network, stage.first, stage.stop):
            if source in network.output_sources:
                given += 4 * network.shape(source).channels * sizes(self._areas(source))
        if stage.alone is not None:
            given, own[stage.alone] = 0 * given, 0.0
        at_work = np.bincount(of, minlength=count) > 0
        self._known[stage] = Loads(at_work, seconds, needed, halo, given, own)
        return self._known[stage]

    @cached_property
    def _known(self) -> dict[Stage, Loads]:
        return {}

    def _areas(self, source: int) -> Regions:
        """Each worker's area of a map; empty where it has none."""
        found = np.zeros((4, len(self.table.workers)), np.int64)
        for each in self.partitioning.regions:
            region = each.on(self.table.network.shape(source))
            found[:, each.worker] = regions_of([region])[:, 0]
        return found


@dataclass(frozen=True)
class _Links:
    relative_time: Numbers
    rate: Numbers
    latency_s: Numbers


def cheapest(costs: StageCosts) -> tuple[Stage, ...]:
    """The stages that cover the network and cost least.

    Of all ways to a cut only two matter: the best that ends shared, and the best that ends alone.
    """
    found: dict[tuple[int, bool], _Way] = {}
    for stage in sorted(costs.stages, key=lambda each: each.stop):
        before: list[_Way] = [found[key] for key in _keys(stage.first) if key in found]
        if not stage.first:
            before = [_Way(0.0, ())]
        for way in before:
            last = way.stages[-1] if way.stages else None
            longer = _Way(way.seconds + costs.seconds(stage, last), (*way.stages, stage))
            key = stage.stop, stage.alone is not None
            if key not in found or longer.seconds < found[key].seconds:
                found[key] = longer
    ends = _keys(len(costs.table.network.layers))
    return min((found[key] for key in ends if key in found), key=lambda way: way.seconds).stages


class _Way(NamedTuple):
    """Stages from the first layer to some cut, and their cost."""

    seconds: float
    stages: tuple[Stage, ...]


def _keys(cut: int) -> tuple[tuple[int, bool], tuple[int, bool]]:
    return (cut, False), (cut, True)


def _common(one: Regions, other: Regions) -> Regions:
    return np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])])
