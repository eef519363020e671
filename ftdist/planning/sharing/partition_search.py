"""Sharing one frame among several workers: the best partitioning found, judged by simulation.

Shortest paths over cuts give partitionings to start from, for several ways to lay out the workers'
regions and to cut them into tiles. The best of these are improved by small random changes: tiles
are cut elsewhere, a cut between stages is moved, added or removed, and now and then the regions are
resized so that all workers are busy equally long. A change is accepted unless it is much worse than
the best so far, and this tolerance shrinks (record-to-record travel, Dueck 1993). The seed is
fixed, so the same question has the same answer. ``simulation`` predicts how long the job takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from ftdist.planning.sharing.cuts import StageCosts, cheapest, cut_points
from ftdist.planning.sharing.halo_exchange import tasks_of
from ftdist.planning.sharing.partitioning import Partitioning, Stage
from ftdist.planning.sharing.simulation import at_work_s, busiest_s, simulate
from ftdist.planning.sharing.stage_table import StageTable
from ftdist.planning.sharing.worker_regions import layouts, worker_regions

# The numbers below were chosen by hand. ``benchmarks/tuning.py`` tries others for four jobs: most
# change the predicted time by less than 2% either way, which is chance in a random search. Where a
# number matters more, its text says so.

_PATH_KINDS = ((1, 1.0), (2, 0.25))
"""For shortest paths: tiles of each worker's region, and the part of an exchange that nothing
hides."""

_PATTERNS: tuple[tuple[float, ...], ...] = ((), (0.5,), (0.7,), (0.2, 0.75))
"""Where workers' regions are cut into tiles at first, as fractions of them."""

_LAYOUTS = 3
"""Ways to lay out workers' regions that shortest paths are sought for."""

_STARTS = 3
"""Partitionings that are improved. Six give jobs 5% shorter for twice the time of planning."""

_SIMULATED_TASKS = 15_000
"""Tasks that are simulated from each start, which bounds the time of planning; a quarter of them
gives jobs 1.5% longer."""

_MOST_CHANGES = 360
"""Changes that are tried from each start; a quarter of them gives jobs 2% longer."""

_TOLERANCE = 0.01
"""The part of the best time by which a partitioning may be worse and be changed further, at
first."""

_BALANCE_EVERY = 60
"""Changes after which the regions are resized."""

_CUT_STEPS = (0.2, 0.1, 0.05, 0.02)
"""Distances by which a cut between tiles moves, as fractions of the region."""

_SKEW = 0.06
"""The fraction of its region by which the first tile shrinks from stage to stage, at first."""

_MOST_TILES = 3
"""Tiles of a region."""

_BALANCE_ROUNDS = 4
"""Times that regions are resized one after another."""

_DAMPING = 0.7
"""The power of (mean time / own time) by which a worker's speed is corrected: below 1, so that
rounds do not swing."""

Bands = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ScoredPartitioning:
    """A partitioning, the bands of workers and speeds it is made from, and its predicted time."""

    partitioning: Partitioning
    bands: Bands
    speeds: tuple[float, ...]
    job_s: float


@dataclass
class PartitionSearch:
    """The search for a job of `frames` frames, in which the workers `members` of a table take
    part."""

    table: StageTable
    members: tuple[int, ...]
    frames: int
    _judged: dict[Partitioning, float] = field(default_factory=dict)
    _found: dict[tuple[Partitioning, int | None], list[tuple[Stage, ...]]] = field(
        default_factory=dict
    )

    def best(self) -> ScoredPartitioning:
        """The best partitioning found."""
        found = [self._improved(start) for start in self.starts(_LAYOUTS)[:_STARTS]]
        return min(found, key=lambda each: each.job_s)

    def starts(self, most_layouts: int) -> list[ScoredPartitioning]:
        """Partitionings by shortest paths: the best of each layout and direction, the best one
        first."""
        found: list[ScoredPartitioning] = []
        for bands in layouts(self.members, self.speeds, self.table.network.input, most_layouts):
            places = worker_regions(bands, self.speeds)
            paths = self._paths(Partitioning(places, ()), self.local)
            for by_columns in (False, True):
                partitionings = [
                    Partitioning(places, _with_tiles(stages, cuts), by_columns)
                    for stages in paths
                    for cuts in _PATTERNS
                ]
                best = min(partitionings, key=self.job_s)
                found.append(ScoredPartitioning(best, bands, self.speeds, self.job_s(best)))
        return sorted(found, key=lambda each: each.job_s)

    def job_s(self, partitioning: Partitioning) -> float:
        """Seconds of the whole job."""
        known = self._judged.get(partitioning)
        if known is None:
            tasks = tasks_of(self.table, partitioning)
            known = simulate(tasks, self.table.workers).seconds
            known += (self.frames - 1) * busiest_s(tasks, self.table.workers)
            self._judged[partitioning] = known
        return known

    def plain_s(self) -> float:
        """Seconds of the job by a plain partitioning, in which each member has a region."""
        (bands,) = layouts(self.members, self.speeds, self.table.network.input, 1)
        partitioning = Partitioning(worker_regions(bands, self.speeds), ())
        paths = self._paths(partitioning, local=None)
        return min(self.job_s(replace(partitioning, stages=stages)) for stages in paths)

    @cached_property
    def speeds(self) -> tuple[float, ...]:
        """The part of the whole network that each worker computes in a second."""
        whole = Stage(0, len(self.table.network.layers))
        found = []
        for worker in range(len(self.table.workers)):
            (task,) = tasks_of(self.table, Partitioning((), (replace(whole, alone=worker),)))
            found.append(1 / task.seconds)
        return tuple(found)

    @cached_property
    def local(self) -> int | None:
        """The fastest member in the coordinator's process; it may compute stages alone."""
        workers = self.table.workers
        local = [each for each in self.members if math.isinf(workers[each].link_bytes_per_s)]
        return min(local, key=lambda each: workers[each].relative_time, default=None)

    def _paths(self, partitioning: Partitioning, local: int | None) -> list[tuple[Stage, ...]]:
        """Stages by shortest paths, for several ways to cut regions into tiles."""
        asked = partitioning, local
        if asked not in self._found:
            costs = [StageCosts(self.table, partitioning, *way, local) for way in _PATH_KINDS]
            paths = [_with_tiles(cheapest(each), ()) for each in costs]
            self._found[asked] = list(dict.fromkeys(paths))
        return self._found[asked]

    def _improved(self, start: ScoredPartitioning) -> ScoredPartitioning:
        """The best partitioning met while small changes are tried."""
        random, points = Random(0), cut_points(self.table.network)
        best = current = self._balanced(start)
        tries = min(
            _MOST_CHANGES, _SIMULATED_TASKS // len(tasks_of(self.table, start.partitioning))
        )
        for number in range(tries):
            stages = _changed(current.partitioning.stages, random, points, self.local)
            partitioning = replace(current.partitioning, stages=stages)
            changed = replace(current, partitioning=partitioning, job_s=self.job_s(partitioning))
            if changed.job_s < best.job_s * (1 + _TOLERANCE * (1 - number / tries)):
                current = changed
            best = min(best, current, key=lambda each: each.job_s)
            if number % _BALANCE_EVERY == _BALANCE_EVERY - 1:
                best = current = self._balanced(best)
        return self._balanced(best)

    def _balanced(self, start: ScoredPartitioning) -> ScoredPartitioning:
        """The partitioning with regions resized so that all workers are busy for about as long."""
        best = current = start
        for _ in range(_BALANCE_ROUNDS):
            work = at_work_s(tasks_of(self.table, current.partitioning), self.table.workers)
            mean = sum(work[each] for each in self.members) / len(self.members)
            speeds = tuple(
                speed * (mean / taken) ** _DAMPING if taken else speed
                for speed, taken in zip(current.speeds, work, strict=True)
            )
            partitioning = replace(
                current.partitioning, regions=worker_regions(current.bands, speeds)
            )
            current = ScoredPartitioning(
                partitioning, current.bands, speeds, self.job_s(partitioning)
            )
            best = min(best, current, key=lambda each: each.job_s)
        return best


def _with_tiles(stages: tuple[Stage, ...], cuts: tuple[float, ...]) -> tuple[Stage, ...]:
    """Stages with regions cut into tiles, where first tiles shrink from stage to stage.

    So the first tiles of a stage hold what their neighbours' first tiles of the next one need.
    """
    middle = (len(stages) - 1) / 2
    found = []
    for number, stage in enumerate(stages):
        skew = _SKEW * max(-2.0, min(2.0, middle - number))
        moved = tuple(round(cut + skew, 3) for cut in cuts) if len(cuts) == 1 else cuts
        found.append(replace(stage, cuts=() if stage.alone is not None else moved))
    return tuple(found)


def _changed(
    stages: tuple[Stage, ...], random: Random, points: Sequence[int], local: int | None
) -> tuple[Stage, ...]:
    """The stages with one or two small changes."""
    for _ in range(random.choice((1, 1, 2))):
        number = random.randrange(len(stages))
        before, stage, after = stages[:number], stages[number], stages[number + 1 :]
        kind = random.random()
        if kind < 0.6 and stage.cuts:
            stages = (*before, _cut_moved(stage, random), *after)
        elif kind < 0.8:
            stages = (*before, _recut(stage, random, local), *after)
        else:
            stages = _restaged(before, stage, after, random, points)
    return stages


def _cut_moved(stage: Stage, random: Random) -> Stage:
    """A stage with tiles cut elsewhere."""
    cuts = list(stage.cuts)
    number = random.randrange(len(cuts))
    moved = cuts[number] + random.choice((-1, 1)) * random.choice(_CUT_STEPS)
    cuts[number] = round(min(0.97, max(0.03, moved)), 3)
    return replace(stage, cuts=tuple(sorted(set(cuts))))


def _recut(stage: Stage, random: Random, local: int | None) -> Stage:
    """A stage with one tile more or less in each region, or left to one worker, or shared again."""
    if stage.alone is not None:
        return replace(stage, alone=None)
    if local is not None and random.random() < 0.3:
        return replace(stage, alone=local, cuts=())
    cuts = set(stage.cuts)
    if len(cuts) + 1 < _MOST_TILES and (not cuts or random.random() < 0.5):
        cuts.add(round(random.uniform(0.1, 0.9), 3))
    else:
        cuts.remove(random.choice(stage.cuts))
    return replace(stage, cuts=tuple(sorted(cuts)))


def _restaged(
    before: tuple[Stage, ...],
    stage: Stage,
    after: tuple[Stage, ...],
    random: Random,
    points: Sequence[int],
) -> tuple[Stage, ...]:
    """The stages with one more cut in a stage, or with the cut before it moved or removed."""
    inner = [point for point in points if stage.first < point < stage.stop]
    if inner and (not before or random.random() < 0.3):
        point = random.choice(inner)
        return (*before, replace(stage, stop=point), replace(stage, first=point), *after)
    if not before:
        return (*before, stage, *after)
    *others, earlier = before
    if random.random() < 0.3:
        return (*others, replace(stage, first=earlier.first), *after)
    at = points.index(stage.first) + random.choice((-2, -1, 1, 2))
    if not 0 <= at < len(points) or not earlier.first < points[at] < stage.stop:
        return (*before, stage, *after)
    return (*others, replace(earlier, stop=points[at]), replace(stage, first=points[at]), *after)
