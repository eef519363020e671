"""A way to share a frame: the workers' regions, stages, and how regions are cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.planning.group import whole_map
from ftdist.planning.sharing.tile_regions import outputs
from ftdist.planning.sharing.worker_regions import WorkerRegions, tiles


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers [first, stop), with each worker's region cut into tiles at `cuts`, fractions of it.

    Where `alone` is set this worker computes the whole stage in one tile.
    """

    first: int
    stop: int
    cuts: tuple[float, ...] = ()
    alone: int | None = None


@dataclass(frozen=True, slots=True)
class Partitioning:
    """A way to share a frame: who makes which region, in which stages, cut in which direction."""

    regions: WorkerRegions
    stages: tuple[Stage, ...]
    by_columns: bool = False


def stage_tiles(
    network: Network, partitioning: Partitioning, stage: Stage
) -> tuple[tuple[int, ...], tuple[Region, ...]]:
    """The workers and the regions of a stage's tiles, in the order to make them."""
    primary = outputs(network, stage.first, stage.stop)[-1]
    if stage.alone is not None:
        return (stage.alone,), (whole_map(network, primary),)
    shape, found = network.shape(primary), []
    for mine in partitioning.regions:
        regions = tiles(mine, shape, stage.cuts, by_columns=partitioning.by_columns)
        found += [(place, mine.worker, region) for place, region in enumerate(regions)]
    found.sort()
    return tuple(worker for _, worker, _ in found), tuple(region for *_, region in found)
