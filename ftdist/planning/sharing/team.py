"""Workers that share a frame, and what any stage of any scheme asks of them, counted once.

A search looks at many schemes that differ in one stage, so all that belongs to one stage, or to two
that exchange a map, is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.sharing.areas import Areas
from ftdist.planning.sharing.demand import Demand, Regions, outputs, proportional, regions_of, sizes
from ftdist.planning.sharing.pace import Pace
from ftdist.planning.sharing.plan import Traits
from ftdist.planning.sharing.scheme import Scheme, Stage, stage_tiles

Numbers = NDArray[np.float64]
Place = tuple[int, int, int, int]
"""A region as it stands in an array: top, left, bottom, right."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A stage's tiles in the order to make them: who makes which region of the primary output.

    `seconds` of each one's arithmetic; `needs`: regions that they need of each source, `makes`:
    regions that they make of each output.
    """

    stage: Stage
    workers: tuple[int, ...]
    regions: tuple[Region, ...]
    seconds: tuple[float, ...]
    needs: dict[int, Regions]
    makes: dict[int, Regions]


Link = tuple[int, int, int, Place]
"""A tile needs what another has made: their numbers in their stages, positions, the place."""


@dataclass
class Team:
    """Workers with the pace of each, for one network and kind of input; remembers what it counted.

    A worker's pace is that of the plan by which it computes.
    """

    network: Network
    picture: bool
    workers: tuple[Traits, ...]
    paces: tuple[Pace, ...]
    _demands: dict[tuple[int, bytes], Demand] = field(default_factory=dict)
    _seconds: dict[tuple[int, int, bytes, int], Numbers] = field(default_factory=dict)
    _placed: dict[tuple[Areas, bool, Stage], Placed] = field(default_factory=dict)
    _links: dict[tuple[Placed, Placed, int], list[Link]] = field(default_factory=dict)

    def placed(self, scheme: Scheme, stage: Stage) -> Placed:
        """The tiles of a stage."""
        key = scheme.areas, scheme.by_columns, stage
        if key not in self._placed:
            self._placed[key] = self._place(stage, *stage_tiles(self.network, scheme, stage))
        return self._placed[key]

    def position_bytes(self, source: int) -> int:
        """Bytes of one position of a map, as it travels."""
        picture = self.picture and source == INPUT
        return (1 if picture else 4) * self.network.shape(source).channels

    def seconds(self, stage: Stage, regions: Regions, worker: int) -> Numbers:
        """Seconds that a worker would take for each of these regions of a stage."""
        pace = self.paces[worker]
        key = stage.first, stage.stop, regions.tobytes(), id(pace)
        if key not in self._seconds:
            steps = self._demand(stage, regions).steps(stage.first)
            self._seconds[key] = pace.seconds(steps, stage.first, stage.stop)
        return self._seconds[key] * self.workers[worker].slowness

    def links(self, taker: Placed, maker: Placed, source: int) -> list[Link]:
        """What the tiles of one stage need of a map that those of another have made."""
        key = taker, maker, source
        if key not in self._links:
            self._links[key] = list(_links(taker.needs[source], maker.makes[source]))
        return self._links[key]

    def _demand(self, stage: Stage, regions: Regions) -> Demand:
        key = stage.stop, regions.tobytes()
        if key not in self._demands:
            self._demands[key] = Demand(self.network, stage.stop, regions)
        return self._demands[key]

    def _place(self, stage: Stage, workers: tuple[int, ...], regions: tuple[Region, ...]) -> Placed:
        network, table = self.network, regions_of(regions)
        times = {worker: self.seconds(stage, table, worker).tolist() for worker in {*workers}}
        sources = outputs(network, stage.first, stage.stop)
        primary = network.shape(sources[-1])
        return Placed(
            stage,
            workers,
            regions,
            tuple(times[worker][tile] for tile, worker in enumerate(workers)),
            self._demand(stage, table).inputs(stage.first),
            {each: proportional(table, network.shape(each), primary) for each in sources},
        )


def _links(needs: Regions, makes: Regions) -> Iterator[Link]:
    """What of each region needed is in each region made."""
    start = np.maximum(needs[:2, :, None], makes[:2, None, :])
    stop = np.minimum(needs[2:, :, None], makes[2:, None, :])
    common = np.concatenate([start, stop])
    size = sizes(common)
    tile, maker = np.nonzero(size)
    places = map(tuple, common[:, tile, maker].T.tolist())
    pairs = tile.tolist(), maker.tolist(), size[tile, maker].tolist()
    return zip(*pairs, places, strict=True)
