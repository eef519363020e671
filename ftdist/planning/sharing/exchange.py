"""What moves between tiles: a scheme of sharing as tasks with the bytes that they take and give.

A tile needs of each input a region; other stages' tiles have made it in pieces. Pieces of its own
worker are kept there and cost nothing. All others come through the coordinator: the task that made
them gives each position back once, however many need it, and each task that needs it takes it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

from ftdist.network.graph import INPUT
from ftdist.planning.sharing.demand import sizes
from ftdist.planning.sharing.scheme import Scheme
from ftdist.planning.sharing.team import Link, Place, Placed, Team
from ftdist.planning.sharing.timeline import Task


def tasks_of(team: Team, scheme: Scheme) -> list[Task]:
    """The tasks of one frame, stage by stage."""
    network = team.network
    tasks: list[Task] = []
    makers: dict[int, tuple[int, Placed]] = {}
    given: list[dict[int, list[Place]]] = []
    for stage in scheme.stages:
        placed = team.placed(scheme, stage)
        first = len(tasks)
        tasks += map(Task, placed.workers, placed.seconds)
        given += [{} for _ in placed.workers]
        for source, needed in placed.needs.items():
            if source == INPUT:
                for task, size in zip(tasks[first:], sizes(needed).tolist(), strict=True):
                    task.in_bytes += team.position_bytes(INPUT) * size
            else:
                before, maker = makers[source]
                links = team.links(placed, maker, source)
                _connect(tasks, given, (first, before), source, links, team.position_bytes(source))
        makers |= dict.fromkeys(placed.makes, (first, placed))
        for source in network.output_sources.intersection(placed.makes):
            for number, place in enumerate(placed.makes[source].T.tolist(), first):
                given[number].setdefault(source, []).append(tuple(place))
    for task, returned in zip(tasks, given, strict=True):
        for source, places in returned.items():
            task.out_bytes += team.position_bytes(source) * positions(tuple(places))
    return tasks


def moved_bytes(team: Team, tasks: Sequence[Task]) -> tuple[int, int]:
    """Bytes sent to workers and received from them, without those in the coordinator's process."""
    remote = [task for task in tasks if math.isfinite(team.workers[task.worker].link_bytes_per_s)]
    return sum(task.in_bytes for task in remote), sum(task.out_bytes for task in remote)


@lru_cache(maxsize=1 << 14)
def positions(places: tuple[Place, ...]) -> int:
    """Positions in places of one map; those in several places count once."""
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
    given: list[dict[int, list[Place]]],
    first: tuple[int, int],
    source: int,
    links: list[Link],
    position_bytes: int,
) -> None:
    """Has tasks take what they need of a map; `first` are the numbers of both stages' first."""
    for tile, maker, count, place in links:
        task, number = tasks[first[0] + tile], first[1] + maker
        task.makers.append(number)
        if tasks[number].worker != task.worker:
            task.in_bytes += position_bytes * count
            given[number].setdefault(source, []).append(place)
