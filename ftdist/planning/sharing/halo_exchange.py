"""What moves between tiles: a partitioning as tasks, with the bytes that each receives and returns.

A tile needs a region of each input, and tiles of earlier stages have made that region in pieces.
Pieces that the tile's own worker made stay with it and cost nothing. All others come through the
coordinator: the task that made a position returns it once, however many tasks need it, and each of
those receives it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

from ftdist.network.graph import INPUT
from ftdist.planning.sharing.partitioning import Partitioning
from ftdist.planning.sharing.simulation import Task
from ftdist.planning.sharing.stage_table import Corners, HaloTransfer, StageLayout, StageTable
from ftdist.planning.sharing.tile_regions import sizes


def tasks_of(table: StageTable, partitioning: Partitioning) -> list[Task]:
    """The tasks of one frame, stage by stage."""
    network = table.network
    tasks: list[Task] = []
    makers: dict[int, tuple[int, StageLayout]] = {}
    given: list[dict[int, list[Corners]]] = []
    for stage in partitioning.stages:
        layout = table.layout(partitioning, stage)
        first = len(tasks)
        tasks += map(Task, layout.workers, layout.seconds)
        given += [{} for _ in layout.workers]
        for source, needed in layout.needs.items():
            if source == INPUT:
                for task, size in zip(tasks[first:], sizes(needed).tolist(), strict=True):
                    task.in_bytes += table.position_bytes(INPUT) * size
            else:
                before, maker = makers[source]
                transfers = table.transfers(layout, maker, source)
                _connect(
                    tasks, given, (first, before), source, transfers, table.position_bytes(source)
                )
        makers |= dict.fromkeys(layout.makes, (first, layout))
        for source in network.output_sources.intersection(layout.makes):
            for number, place in enumerate(layout.makes[source].T.tolist(), first):
                given[number].setdefault(source, []).append(tuple(place))
    for task, returned in zip(tasks, given, strict=True):
        for source, places in returned.items():
            task.out_bytes += table.position_bytes(source) * positions(tuple(places))
    return tasks


def moved_bytes(table: StageTable, tasks: Sequence[Task]) -> tuple[int, int]:
    """Bytes sent to remote workers and received from them."""
    remote = [task for task in tasks if math.isfinite(table.workers[task.worker].link_bytes_per_s)]
    return sum(task.in_bytes for task in remote), sum(task.out_bytes for task in remote)


@lru_cache(maxsize=1 << 14)
def positions(places: tuple[Corners, ...]) -> int:
    """Positions in these places of one map; a position in several places counts once."""
    rows = sorted({each for top, _, bottom, _ in places for each in (top, bottom)})
    total = 0
    for top, bottom in itertools.pairwise(rows):
        covered = end = 0
        for left, right in sorted((p[1], p[3]) for p in places if p[0] <= top and bottom <= p[2]):
            covered += max(0, right - max(left, end))
            end = max(end, right)
        total += (bottom - top) * covered
    return total


def _connect(
    tasks: list[Task],
    given: list[dict[int, list[Corners]]],
    first: tuple[int, int],
    source: int,
    transfers: list[HaloTransfer],
    position_bytes: int,
) -> None:
    """Adds what tasks receive of a map; `first`: the numbers of both stages' first tasks."""
    for tile, maker, count, place in transfers:
        task, number = tasks[first[0] + tile], first[1] + maker
        task.makers.append(number)
        if tasks[number].worker != task.worker:
            task.in_bytes += position_bytes * count
            given[number].setdefault(source, []).append(place)
