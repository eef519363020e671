"""What a partitioning asks of each worker, and the tiles of the shared plan made from it.

Workers of one *kind* have the same memory, threads and plan. Their memory is counted together, by
the largest tile of each stage that any of them makes. Workers may be lost, so a tile has a part for
its own worker, and one for every other worker that could take even the largest tile of the stage
beside its own tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ftdist.network.graph import INPUT
from ftdist.planning.plan import Plan
from ftdist.planning.sharing.layer_times import LayerTimes
from ftdist.planning.sharing.partitioning import Partitioning
from ftdist.planning.sharing.plan import Tile, WorkerSpec
from ftdist.planning.sharing.simulation import Task
from ftdist.planning.sharing.stage_table import StageLayout, StageTable
from ftdist.planning.sharing.tile_regions import regions_of, sizes
from ftdist.planning.sharing.worker_memory import MemoryDemand, WorkerPlans, part_of

Kind = tuple[int, int, int, int]


def kind_of(worker: WorkerSpec) -> Kind:
    """What decides, beside the tasks, how much memory a worker's tasks take."""
    return (worker.budget_bytes, worker.baseline_bytes, worker.credit_bytes, worker.threads)


@dataclass(frozen=True)
class TileAssignment:
    """The stages of a partitioning and their tasks; workers keep maps of `frames` at a time."""

    table: StageTable
    partitioning: Partitioning
    tasks: Sequence[Task]
    frames: int

    def demand(self, workers: Sequence[int], times: LayerTimes) -> MemoryDemand | None:
        """The most that tasks ask of any of these workers; None where they have no task."""
        mine = {*workers}
        own = [task for task in self.tasks if task.worker in mine]
        if not own:
            return None
        parts = []
        for layout in self._stages():
            tiles = [tile for tile, worker in enumerate(layout.workers) if worker in mine]
            if tiles:
                parts.append(self._part(layout, self._largest(layout, tiles), times))
        return MemoryDemand(
            tuple(parts),
            max(task.in_bytes for task in own),
            max(task.out_bytes for task in own),
            self.frames * max(self._kept_bytes(worker) for worker in mine),
        )

    def tiles(
        self, plans: WorkerPlans, times: Sequence[LayerTimes | None]
    ) -> tuple[tuple[Tile, ...], ...]:
        """The tiles of each stage; `times` of all workers, None for those that hold no plan."""
        own = [None if each is None else self.demand([n], each) for n, each in enumerate(times)]
        return tuple(self._stage_tiles(layout, plans, times, own) for layout in self._stages())

    def _stage_tiles(
        self,
        layout: StageLayout,
        plans: WorkerPlans,
        times: Sequence[LayerTimes | None],
        own: Sequence[MemoryDemand | None],
    ) -> tuple[Tile, ...]:
        regions = regions_of(layout.regions)
        parts: list[list[Plan | None]] = [[] for _ in layout.workers]
        seconds: list[list[float]] = [[] for _ in layout.workers]
        made: dict[tuple[int, int], Plan] = {}
        for worker, mine in enumerate(times):
            able = mine is not None and self._takes_any(layout, plans, worker, mine, own[worker])
            tiles_s = self.table.seconds(layout.stage, regions, worker).tolist() if mine else []
            for tile, owner in enumerate(layout.workers):
                if mine is None or not (able or owner == worker):
                    parts[tile].append(None)
                    seconds[tile].append(np.inf)
                    continue
                key = id(mine), tile
                if key not in made:
                    made[key] = self._part(layout, tile, mine)
                parts[tile].append(made[key])
                seconds[tile].append(tiles_s[tile])
        return tuple(
            Tile(owner, tuple(parts[tile]), tuple(seconds[tile]))
            for tile, owner in enumerate(layout.workers)
        )

    def _takes_any(
        self,
        layout: StageLayout,
        plans: WorkerPlans,
        worker: int,
        times: LayerTimes,
        own: MemoryDemand | None,
    ) -> bool:
        """Whether a worker could take the largest tile of a stage, with all its inputs sent.

        This comes on top of the worker's `own` demand: it keeps the maps that it has made, and its
        weights stay.
        """
        tile = self._largest(layout, range(len(layout.workers)))
        part = self._part(layout, tile, times)
        demand = MemoryDemand(
            (part,), self._bytes(layout.needs, tile), self._bytes(layout.makes, tile)
        )
        if own is not None:
            demand = demand.beside(own)
        return plans.fits(self.table.workers[worker], demand, picture=self.table.picture)

    def _stages(self) -> list[StageLayout]:
        return [self.table.layout(self.partitioning, stage) for stage in self.partitioning.stages]

    def _part(self, layout: StageLayout, tile: int, times: LayerTimes) -> Plan:
        return part_of(times, layout.stage.first, layout.stage.stop, layout.regions[tile])

    def _largest(self, layout: StageLayout, tiles: Sequence[int]) -> int:
        """The tile with the most inputs and outputs."""
        return max(
            tiles,
            key=lambda tile: self._bytes(layout.needs, tile) + self._bytes(layout.makes, tile),
        )

    def _bytes(self, maps: dict[int, np.ndarray], tile: int) -> int:
        return sum(
            self.table.position_bytes(source) * int(sizes(regions[:, tile]))
            for source, regions in maps.items()
        )

    def _kept_bytes(self, worker: int) -> int:
        """Bytes that a worker keeps of one frame: what it made of maps that later stages read."""
        stages = self._stages()
        total = 0
        for number, layout in enumerate(stages):
            read = {source for later in stages[number + 1 :] for source in later.needs} - {INPUT}
            for source in read.intersection(layout.makes):
                own = np.array(layout.workers) == worker
                positions = int(sizes(layout.makes[source])[own].sum())
                total += positions * self.table.position_bytes(source)
        return total
