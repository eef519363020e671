"""Definitions of where maxima lie, and of what is put back there."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.reference.views import Array, Views


class Unpooling(Views):
    """Places of maxima, and maps made of values and their places."""

    def max_places(self) -> Array:
        values = itertools.chain(*self.taps(self.window(-np.inf, clip_columns=True)))
        numbers = itertools.chain(*self.taps(self._places()))
        best, found = next(values), next(numbers)
        for value, number in zip(values, numbers, strict=True):
            larger = (value > best) | (np.isnan(value) & ~np.isnan(best))
            taken = (number >= 0) & ((found < 0) | larger)
            best, found = np.where(taken, value, best), np.where(taken, number, found)
        return np.asarray(found, np.float32)

    def _places(self) -> NDArray[np.float64]:
        """The number of each position that the windows see, -1 of those beside the map."""
        k = self.k
        rows = self._seen(self.row, self.rows, "y", "kernel_height", "pad_top")
        columns = self._seen(self.left, self.right - self.left, "x", "kernel_width", "pad_left")
        numbers = rows[:, None] * int(k["width"]) + columns
        inside = np.outer(
            (rows >= 0) & (rows < k["height"]), (columns >= 0) & (columns < k["width"])
        )
        found = np.where(inside, numbers, -1).astype(np.float64)
        return np.repeat(found[..., None], int(k["channels"]), axis=2)

    def _seen(self, first: int, count: int, axis: str, kernel: str, pad: str) -> NDArray[np.int64]:
        """The positions of an axis that windows see."""
        k = self.k
        stride = int(k[f"stride_{axis}"])
        start = first * stride - int(k[pad])
        extent = (int(k[kernel]) - 1) * int(k[f"dilation_{axis}"]) + 1
        return np.arange(start, start + (count - 1) * stride + extent)

    def unpool(self) -> Array:
        k = self.k
        found = np.zeros((self.rows, self.right - self.left, int(k["filters"])), np.float32)
        for row, column in np.ndindex(*found.shape[:2]):
            place = row + self.row, column + self.left
            y = self._window_of(place[0], "y", "kernel_height", "pad_top", "height")
            x = self._window_of(place[1], "x", "kernel_width", "pad_left", "width")
            if min(y, x) >= 0:
                values, places = (
                    self.view(name, (y, y + 1), (x, x + 1), k["channels"])[0, 0]
                    for name in ("in", "in2")
                )
                own = place[0] * int(k["out_width"]) + place[1]
                found[row, column] = np.where(places == own, values, 0)
        return found

    def _window_of(self, place: int, axis: str, kernel: str, pad: str, size: str) -> int:
        """The window of which a position is a tap; -1 where it is none."""
        k = self.k
        number, tap = divmod(place + int(k[pad]), int(k[f"stride_{axis}"]))
        extent = (int(k[kernel]) - 1) * int(k[f"dilation_{axis}"]) + 1
        return number if tap < extent and number < k[size] else -1
