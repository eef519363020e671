"""The sample of a map by which its range is judged, collected while its bands come by.

Whoever has the whole array looks at every n-th value of it. The same values are kept here, wherever
their bands lie, so that what is judged by them is judged as of the whole.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.tasks.images import Range, sample_step, value_range
from ftdist.geometry import Shape


class Sample:
    """The sample of a map of that shape, which its users have `planar` or interleaved."""

    def __init__(self, shape: Shape, *, planar: bool) -> None:
        self._shape, self._planar = shape, planar
        self._step = sample_step(shape.elements)
        self._values = np.full(-(-shape.elements // self._step), np.nan, np.float32)

    def take(self, top: int, rows: NDArray[np.float32]) -> None:
        """Looks at rows (rows, columns, channels) from row `top` of the map on."""
        height, width, channels = self._shape
        if not self._planar:
            start = top * width * channels
            first, at = self._looked_at(start, rows.size)
            self._values[first : first + len(at)] = rows.reshape(-1)[at]
            return
        for channel in range(channels):
            start = (channel * height + top) * width
            first, at = self._looked_at(start, rows.shape[0] * width)
            self._values[first : first + len(at)] = rows[at // width, at % width, channel]

    def _looked_at(self, start: int, count: int) -> tuple[int, NDArray[np.intp]]:
        """Of `count` values from flat position `start` on: the number, in the sample, of the first
        that is looked at, and where all of these are."""
        first = -(-start // self._step)
        return first, np.arange(first * self._step - start, count, self._step)

    @property
    def reading(self) -> Range:
        """What the values so far speak of."""
        return value_range(self._values, alone=self._shape.channels == 1)

    def encoded(self) -> str:
        """As text, for a journal."""
        return base64.b64encode(self._values.astype("<f4").tobytes()).decode()

    def restore(self, text: str) -> None:
        """Takes over what ``encoded`` gave; ValueError when it is something else."""
        values: NDArray[Any] = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
        if len(values) != len(self._values):
            raise ValueError("a sample of another map")
        self._values[:] = values
