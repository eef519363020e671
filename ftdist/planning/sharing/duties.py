"""What a scheme asks of each worker, and the tiles of a shared plan that come of it.

Workers of one *kind* have the same memory, threads and plan; they are looked at together, by the
largest tile of each stage that any of them makes. A tile has a part for its own worker's kind, and
one for every other worker that could take even the largest tile of the stage beside its own duty: a
worker may be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ftdist.network.graph import INPUT
from ftdist.planning.plan import Plan
from ftdist.planning.sharing.demand import regions_of, sizes
from ftdist.planning.sharing.holding import Duty, Means, part_of
from ftdist.planning.sharing.pace import Pace
from ftdist.planning.sharing.plan import Tile, Traits
from ftdist.planning.sharing.scheme import Scheme
from ftdist.planning.sharing.team import Placed, Team
from ftdist.planning.sharing.timeline import Task

Kind = tuple[int, int, int, int]


def kind_of(worker: Traits) -> Kind:
    """What workers whose tasks take the same memory have in common."""
    return (worker.budget_bytes, worker.baseline_bytes, worker.credit_bytes, worker.threads)


@dataclass(frozen=True)
class Duties:
    """The stages of a scheme with the tasks of a team; maps of `frames` are kept at a time."""

    team: Team
    scheme: Scheme
    tasks: Sequence[Task]
    frames: int

    def duty(self, workers: Sequence[int], pace: Pace) -> Duty | None:
        """The most that is asked of any of these workers; None: nothing."""
        mine = {*workers}
        own = [task for task in self.tasks if task.worker in mine]
        if not own:
            return None
        parts = []
        for placed in self._stages():
            tiles = [tile for tile, worker in enumerate(placed.workers) if worker in mine]
            if tiles:
                parts.append(self._part(placed, self._largest(placed, tiles), pace))
        return Duty(
            tuple(parts),
            max(task.in_bytes for task in own),
            max(task.out_bytes for task in own),
            self.frames * max(self._kept_bytes(worker) for worker in mine),
        )

    def tiles(self, means: Means, paces: Sequence[Pace | None]) -> tuple[tuple[Tile, ...], ...]:
        """The tiles of each stage; `paces` of all workers, None for those who can hold nothing."""
        own = [None if pace is None else self.duty([n], pace) for n, pace in enumerate(paces)]
        return tuple(self._stage_tiles(placed, means, paces, own) for placed in self._stages())

    def _stage_tiles(
        self,
        placed: Placed,
        means: Means,
        paces: Sequence[Pace | None],
        own: Sequence[Duty | None],
    ) -> tuple[Tile, ...]:
        team, table = self.team, regions_of(placed.regions)
        parts: list[list[Plan | None]] = [[] for _ in placed.workers]
        seconds: list[list[float]] = [[] for _ in placed.workers]
        made: dict[tuple[int, int], Plan] = {}
        for worker, pace in enumerate(paces):
            able = pace is not None and self._takes_any(placed, means, worker, pace, own[worker])
            times = team.seconds(placed.stage, table, worker).tolist() if pace else []
            for tile, owner in enumerate(placed.workers):
                if pace is None or not (able or owner == worker):
                    parts[tile].append(None)
                    seconds[tile].append(np.inf)
                    continue
                key = id(pace), tile
                if key not in made:
                    made[key] = self._part(placed, tile, pace)
                parts[tile].append(made[key])
                seconds[tile].append(times[tile])
        return tuple(
            Tile(owner, tuple(parts[tile]), tuple(seconds[tile]))
            for tile, owner in enumerate(placed.workers)
        )

    def _takes_any(
        self, placed: Placed, means: Means, worker: int, pace: Pace, own: Duty | None
    ) -> bool:
        """Whether a worker could take the largest tile of a stage, with all its inputs sent.

        That comes on top of its `own` duty: what it has made it keeps, and its weights stay.
        """
        tile = self._largest(placed, range(len(placed.workers)))
        part = self._part(placed, tile, pace)
        duty = Duty((part,), self._bytes(placed.needs, tile), self._bytes(placed.makes, tile))
        if own is not None:
            duty = duty.beside(own)
        return means.fits(self.team.workers[worker], duty, picture=self.team.picture)

    def _stages(self) -> list[Placed]:
        return [self.team.placed(self.scheme, stage) for stage in self.scheme.stages]

    def _part(self, placed: Placed, tile: int, pace: Pace) -> Plan:
        return part_of(pace, placed.stage.first, placed.stage.stop, placed.regions[tile])

    def _largest(self, placed: Placed, tiles: Sequence[int]) -> int:
        """The tile with the most inputs and outputs."""
        return max(
            tiles,
            key=lambda tile: self._bytes(placed.needs, tile) + self._bytes(placed.makes, tile),
        )

    def _bytes(self, maps: dict[int, np.ndarray], tile: int) -> int:
        return sum(
            self.team.position_bytes(source) * int(sizes(regions[:, tile]))
            for source, regions in maps.items()
        )

    def _kept_bytes(self, worker: int) -> int:
        """Bytes of what a worker has made of maps that later stages read."""
        stages = self._stages()
        total = 0
        for number, placed in enumerate(stages):
            read = {source for later in stages[number + 1 :] for source in later.needs} - {INPUT}
            for source in read.intersection(placed.makes):
                own = np.array(placed.workers) == worker
                positions = int(sizes(placed.makes[source])[own].sum())
                total += positions * self.team.position_bytes(source)
        return total
