"""Sets of frame numbers as intervals: those of a job of a million take no more than their gaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class IntervalSet:
    """Half-open intervals of numbers, ascending, with gaps between them; iterating gives these."""

    __slots__ = ("_starts", "_stops", "count")

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self.count = 0
        for start, stop in intervals:
            self.add(start, stop)

    def __contains__(self, number: int) -> bool:
        return self._interval_of(number) is not None

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._stops, strict=True)

    def add(self, start: int, stop: int) -> None:
        """Adds the numbers start, start + 1, ..., stop - 1."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        for index in range(first, last):
            start = min(start, self._starts[index])
            stop = max(stop, self._stops[index])
            self.count -= self._stops[index] - self._starts[index]
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]
        self.count += stop - start

    def first_missing(self, number: int) -> int:
        """The smallest number that is not in the set and not below `number`."""
        index = self._interval_of(number)
        return number if index is None else self._stops[index]

    def _interval_of(self, number: int) -> int | None:
        index = bisect_right(self._starts, number) - 1
        return index if index >= 0 and number < self._stops[index] else None
