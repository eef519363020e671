"""Which task makes which region of which map: what a region that is read is cut into.

Example: a map of 8 rows, made in halves by tasks 0 and 1. Rows 2..6 are needed: rows 2..4 of task 0
and rows 4..6 of task 1.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.protocol.records import Place
from ftdist.protocol.regions import common


@dataclass(frozen=True, slots=True)
class Need:
    """A place that a task reads, made by one task (INPUT: by the client)."""

    producer: int
    place: Place


class Makers:
    """The makers of all maps."""

    def __init__(self) -> None:
        self._maps: dict[int, _MapMakers] = {}

    def add(self, task: int, place: Place) -> None:
        """A task makes a place."""
        self._maps.setdefault(place.source, _MapMakers(place.source)).add(task, place.region)

    def of(self, source: int, region: Region) -> list[Need]:
        """A region of a map, cut along the tiles that make it; InputError unless they cover it
        once."""
        if source not in self._maps:
            raise InputError(f"no stage of the plan makes map {source} before it is read")
        return self._maps[source].of(region)

    def check(self, source: int, region: Region) -> None:
        """InputError unless tiles cover a region once."""
        self._maps.get(source, _MapMakers(source)).of(region)


class _MapMakers:
    """Which task makes which region of a map, in bands of rows."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._bands: dict[tuple[int, int], list[tuple[Region, int]]] = {}
        self._order: list[tuple[int, int]] = []
        self._highest = 0

    def add(self, task: int, region: Region) -> None:
        rows = region.top, region.bottom
        if rows not in self._bands:
            self._bands[rows] = []
            self._order.clear()
            self._highest = max(self._highest, region.bottom - region.top)
        self._bands[rows].append((region, task))

    def of(self, region: Region) -> list[Need]:
        """A region, cut along the tiles that make it; InputError unless they cover it once."""
        if not self._order:
            self._order = sorted(self._bands)
        needs = []
        for rows in self._order[bisect_left(self._order, (region.top - self._highest, 0)) :]:
            if rows[0] >= region.bottom:
                break
            for made, task in self._bands[rows]:
                both = common(region, made)
                if both is not None:
                    needs.append(Need(task, Place(self._source, both)))
        if sum(need.place.region.size for need in needs) != region.size:
            raise InputError(f"the plan's tiles do not make {tuple(region)} of map {self._source}")
        return needs
