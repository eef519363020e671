"""Who makes which rectangle of every map: each worker has one region, the same in all stages.

A worker's region is given in fractions of a map. So a worker makes the same part of every map,
large or small, and what it has made is what it needs next, but for a halo. The regions lie in
*bands*: runs of rows as wide as the map, each with one or several workers side by side. The shorter
the borders between regions, the fewer halos are computed twice and moved.

Within a stage a worker's region may be cut into tiles, so that what others wait for is made first.
All regions are cut in the same direction, but every other one in reverse order, so that first tiles
touch first tiles. What a first tile needs of its neighbours was then made first in the stage
before::

    | first  second | second  first | first  second |
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftdist.geometry import Region, Shape, Span

_MANY = 7
"""Workers from which on only bands of about the same length are tried: of six workers there are 32
ways to form bands, of seven 64. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class WorkerRegion:
    """A worker's part of every map, in fractions of the map's height and width.

    `band`: the number of its band; `place`: its number within the band.
    """

    worker: int
    top: float
    bottom: float
    left: float
    right: float
    band: int
    place: int

    def on(self, shape: Shape) -> Region:
        """The region of a map. Two workers' regions that share a border share it on every map."""
        return Region(
            _at(self.top, shape.height),
            _at(self.bottom, shape.height),
            _at(self.left, shape.width),
            _at(self.right, shape.width),
        )


WorkerRegions = tuple[WorkerRegion, ...]


def worker_regions(bands: Sequence[Sequence[int]], speeds: Sequence[float]) -> WorkerRegions:
    """The regions of workers in bands, in proportion to their speeds."""
    found = []
    rows = _borders([sum(speeds[worker] for worker in band) for band in bands])
    for number, (band, (top, bottom)) in enumerate(zip(bands, rows, strict=True)):
        columns = _borders([speeds[worker] for worker in band])
        for place, (worker, (left, right)) in enumerate(zip(band, columns, strict=True)):
            found.append(WorkerRegion(worker, top, bottom, left, right, number, place))
    return tuple(found)


def layouts(
    workers: Sequence[int], speeds: Sequence[float], shape: Shape, most: int
) -> list[tuple[tuple[int, ...], ...]]:
    """Ways to form bands of workers: those with the shortest borders, and one worker in each band.

    `shape` is that of a map and gives the proportions. Fast workers come first.
    """
    order = sorted(workers, key=lambda worker: (-speeds[worker], worker))
    alone = tuple((worker,) for worker in order)
    found = {_boundary(bands, speeds, shape): bands for bands in reversed([*_dealt(order)])}
    best = [found[boundary] for boundary in sorted(found)]
    return list(dict.fromkeys([*best[: max(1, most - 1)], alone]))[:most]


def tiles(
    mine: WorkerRegion, shape: Shape, cuts: tuple[float, ...], *, by_columns: bool
) -> list[Region]:
    """A worker's region of a map in tiles cut at these fractions, in the order to make them."""
    top, bottom, left, right = mine.on(shape)
    span = Span(left, right) if by_columns else Span(top, bottom)
    turned = (mine.place if by_columns else mine.band) % 2
    places = sorted((1 - each if turned else each) for each in (0.0, *cuts, 1.0))
    borders = [span.start + _at(each, span.size) for each in places]
    found = [
        Region(top, bottom, *pair) if by_columns else Region(*pair, left, right)
        for pair in itertools.pairwise(borders)
    ]
    return [each for each in (reversed(found) if turned else found) if each.size]


def _at(fraction: float, size: int) -> int:
    return int(fraction * size + 0.5)


def _borders(weights: Sequence[float]) -> list[tuple[float, float]]:
    """Neighbouring spans of 0..1 in proportion to the weights."""
    total = sum(weights)
    edges = [0.0, *(each / total for each in itertools.accumulate(weights))]
    edges[-1] = 1.0
    return list(itertools.pairwise(edges))


def _dealt(order: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Runs of workers as bands: every way for few workers, bands of about one length for many."""
    count = len(order)
    if count < _MANY:
        for bands in range(1, count + 1):
            for inner in itertools.combinations(range(1, count), bands - 1):
                edges = (0, *inner, count)
                yield tuple(tuple(order[a:b]) for a, b in itertools.pairwise(edges))
        return
    for bands in range(1, count + 1):
        edges = tuple(number * count // bands for number in range(bands + 1))
        yield tuple(tuple(order[a:b]) for a, b in itertools.pairwise(edges))


def _boundary(bands: tuple[tuple[int, ...], ...], speeds: Sequence[float], shape: Shape) -> float:
    """The length of all borders between workers' regions, in positions."""
    total = sum(speeds[worker] for band in bands for worker in band)
    length = (len(bands) - 1.0) * shape.width
    for band in bands:
        share = sum(speeds[worker] for worker in band) / total
        length += (len(band) - 1) * share * shape.height
    return round(length, 6)
