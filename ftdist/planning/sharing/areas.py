"""Who makes which rectangle of every map: one area a worker, the same in all stages.

Areas are fractions of a map, so that a worker makes the same share of all maps, large or small, and
what it has made is what it needs next, but for a halo. They lie in *bands*, runs of rows as wide as
the map, each with one or several workers side by side: the less boundary there is between areas,
the fewer halos are computed twice and moved.

Within a stage an area may be cut into tiles, so that what others wait for is made first. All areas
are cut in the same direction, and every other one the other way round, so that first tiles touch
first tiles: what a first tile needs of others was made first in the stage before::

    | first  second | second  first | first  second |
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftdist.geometry import Region, Shape, Span

_MANY = 7
"""With fewer workers every way to deal them out to bands is looked at."""


@dataclass(frozen=True, slots=True)
class Area:
    """A worker's part of every map, as fractions of its height and width.

    `band` and `place` are its place among the others: of the bands, and within its band.
    """

    worker: int
    top: float
    bottom: float
    left: float
    right: float
    band: int
    place: int

    def region(self, shape: Shape) -> Region:
        """The area of a map; areas that share a border share it on every map."""
        return Region(
            _at(self.top, shape.height),
            _at(self.bottom, shape.height),
            _at(self.left, shape.width),
            _at(self.right, shape.width),
        )


Areas = tuple[Area, ...]


def areas(bands: Sequence[Sequence[int]], speeds: Sequence[float]) -> Areas:
    """The areas of workers dealt out to bands, in proportion to their speeds."""
    found = []
    rows = _borders([sum(speeds[worker] for worker in band) for band in bands])
    for number, (band, (top, bottom)) in enumerate(zip(bands, rows, strict=True)):
        columns = _borders([speeds[worker] for worker in band])
        for place, (worker, (left, right)) in enumerate(zip(band, columns, strict=True)):
            found.append(Area(worker, top, bottom, left, right, number, place))
    return tuple(found)


def layouts(
    workers: Sequence[int], speeds: Sequence[float], shape: Shape, most: int
) -> list[tuple[tuple[int, ...], ...]]:
    """Ways to deal workers out to bands: one a band, and those with the least boundary between.

    `shape` is that of a map, for its proportions. Fast workers come first.
    """
    order = sorted(workers, key=lambda worker: (-speeds[worker], worker))
    alone = tuple((worker,) for worker in order)
    found = {_boundary(bands, speeds, shape): bands for bands in reversed([*_dealt(order)])}
    best = [found[boundary] for boundary in sorted(found)]
    return list(dict.fromkeys([*best[: max(1, most - 1)], alone]))[:most]


def tiles(area: Area, shape: Shape, cuts: tuple[float, ...], *, by_columns: bool) -> list[Region]:
    """An area of a map, cut into tiles at these fractions of it; in the order to make them in."""
    top, bottom, left, right = area.region(shape)
    span = Span(left, right) if by_columns else Span(top, bottom)
    turned = (area.place if by_columns else area.band) % 2
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
    """Runs of workers as bands: every way for a few, for many only bands of about one length."""
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
    """The length of all borders between areas, in positions."""
    total = sum(speeds[worker] for band in bands for worker in band)
    length = (len(bands) - 1.0) * shape.width
    for band in bands:
        share = sum(speeds[worker] for worker in band) / total
        length += (len(band) - 1) * share * shape.height
    return round(length, 6)
