"""Workers that share a frame, and what any stage of any partitioning asks of them, counted once.

A search looks at many partitionings that differ in one stage. So whatever belongs to one stage, or
to two stages that exchange a map, is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.sharing.layer_times import LayerTimes
from ftdist.planning.sharing.partitioning import Partitioning, Stage, stage_tiles
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.planning.sharing.tile_regions import (
    Regions,
    TileRegions,
    outputs,
    proportional,
    regions_of,
    sizes,
)
from ftdist.planning.sharing.worker_regions import WorkerRegions

Numbers = NDArray[np.float64]
Corners = tuple[int, int, int, int]
"""A region in the order of ``Regions``: top, left, bottom, right."""


@dataclass(frozen=True, eq=False)
class StageLayout:
    """A stage's tiles in the order to make them: who makes which region of the primary output.

    `seconds`: the arithmetic of each tile. `needs`: the regions that the tiles need of each source;
    `makes`: those that they make of each output.
    """

    stage: Stage
    workers: tuple[int, ...]
    regions: tuple[Region, ...]
    seconds: tuple[float, ...]
    needs: dict[int, Regions]
    makes: dict[int, Regions]


HaloTransfer = tuple[int, int, int, Corners]
"""What one tile needs of another: the numbers of both in their stages, positions, the region."""


@dataclass
class StageTable:
    """What stages ask of workers, for one network and kind of input; remembers what it counted.

    `times`: of each worker those of the plan by which it computes.
    """

    network: Network
    picture: bool
    workers: tuple[WorkerSpec, ...]
    times: tuple[LayerTimes, ...]
    _tile_regions: dict[tuple[int, bytes], TileRegions] = field(default_factory=dict)
    _seconds: dict[tuple[int, int, bytes, int], Numbers] = field(default_factory=dict)
    _layouts: dict[tuple[WorkerRegions, bool, Stage], StageLayout] = field(default_factory=dict)
    _transfers: dict[tuple[StageLayout, StageLayout, int], list[HaloTransfer]] = field(
        default_factory=dict
    )

    def layout(self, partitioning: Partitioning, stage: Stage) -> StageLayout:
        """The tiles of a stage."""
        key = partitioning.regions, partitioning.by_columns, stage
        if key not in self._layouts:
            self._layouts[key] = self._new_layout(
                stage, *stage_tiles(self.network, partitioning, stage)
            )
        return self._layouts[key]

    def position_bytes(self, source: int) -> int:
        """Bytes of one position of a map, as it travels."""
        picture = self.picture and source == INPUT
        return (1 if picture else 4) * self.network.shape(source).channels

    def seconds(self, stage: Stage, regions: Regions, worker: int) -> Numbers:
        """Seconds that a worker takes for each of these regions of a stage."""
        times = self.times[worker]
        key = stage.first, stage.stop, regions.tobytes(), id(times)
        if key not in self._seconds:
            layers = self._regions_of(stage, regions).layers(stage.first)
            self._seconds[key] = times.seconds(layers, stage.first, stage.stop)
        return self._seconds[key] * self.workers[worker].relative_time

    def transfers(self, taker: StageLayout, maker: StageLayout, source: int) -> list[HaloTransfer]:
        """What the tiles of one stage need of a map that the tiles of another have made."""
        key = taker, maker, source
        if key not in self._transfers:
            self._transfers[key] = list(_transfers(taker.needs[source], maker.makes[source]))
        return self._transfers[key]

    def _regions_of(self, stage: Stage, regions: Regions) -> TileRegions:
        key = stage.stop, regions.tobytes()
        if key not in self._tile_regions:
            self._tile_regions[key] = TileRegions(self.network, stage.stop, regions)
        return self._tile_regions[key]

    def _new_layout(
        self, stage: Stage, workers: tuple[int, ...], regions: tuple[Region, ...]
    ) -> StageLayout:
        network, table = self.network, regions_of(regions)
        times = {worker: self.seconds(stage, table, worker).tolist() for worker in {*workers}}
        sources = outputs(network, stage.first, stage.stop)
        primary = network.shape(sources[-1])
        return StageLayout(
            stage,
            workers,
            regions,
            tuple(times[worker][tile] for tile, worker in enumerate(workers)),
            self._regions_of(stage, table).inputs(stage.first),
            {each: proportional(table, network.shape(each), primary) for each in sources},
        )


def _transfers(needs: Regions, makes: Regions) -> Iterator[HaloTransfer]:
    """For each region needed what lies in each region made."""
    start = np.maximum(needs[:2, :, None], makes[:2, None, :])
    stop = np.minimum(needs[2:, :, None], makes[2:, None, :])
    common = np.concatenate([start, stop])
    size = sizes(common)
    tile, maker = np.nonzero(size)
    places = map(tuple, common[:, tile, maker].T.tolist())
    pairs = tile.tolist(), maker.tolist(), size[tile, maker].tolist()
    return zip(*pairs, places, strict=True)
