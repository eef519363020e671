"""A way to share a frame: areas, stages, and how areas are cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.planning.group import whole_map
from ftdist.planning.sharing.areas import Areas, tiles
from ftdist.planning.sharing.demand import outputs


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers [first, stop), each worker's area in tiles cut at `cuts`; or all on worker `alone`."""

    first: int
    stop: int
    cuts: tuple[float, ...] = ()
    alone: int | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to share a frame: who makes which area, in which stages, cut in which direction."""

    areas: Areas
    stages: tuple[Stage, ...]
    by_columns: bool = False


def stage_tiles(
    network: Network, scheme: Scheme, stage: Stage
) -> tuple[tuple[int, ...], tuple[Region, ...]]:
    """The tiles of a stage, in the order to make them: their workers and their regions."""
    primary = outputs(network, stage.first, stage.stop)[-1]
    if stage.alone is not None:
        return (stage.alone,), (whole_map(network, primary),)
    shape, found = network.shape(primary), []
    for area in scheme.areas:
        regions = tiles(area, shape, stage.cuts, by_columns=scheme.by_columns)
        found += [(place, area.worker, region) for place, region in enumerate(regions)]
    found.sort()
    return tuple(worker for _, worker, _ in found), tuple(region for *_, region in found)
