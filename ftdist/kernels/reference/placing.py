"""Definitions of the operations that put values where borders, indices and boxes say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.reference.views import Array, Views


class Placing(Views):
    """Padding, cubic resizing, updates of slices, regions of interest."""

    def pad(self) -> Array:
        k = self.k
        found = []
        for first, stop, before, size in (
            (self.row, self.row + self.rows, "pad_top", "height"),
            (self.left, self.right, "pad_left", "width"),
        ):
            place = np.arange(first, stop) - int(k[before])
            inside = (place >= 0) & (place < k[size])
            found.append((_MIRRORS[int(k["kind"])](place, int(k[size])), inside))
        (rows, row_inside), (columns, column_inside) = found
        taken = self._lying_at(rows, columns)
        inside = np.outer(row_inside, column_inside)[..., None]
        return np.where(inside, taken, k["factor"]) if k["kind"] == 0 else taken

    def resize_cubic(self) -> Array:
        (top, down), (left, across) = self._cubic("y"), self._cubic("x")
        total: Any = 0
        for tap in range(4):
            line: Any = 0
            for other in range(4):
                line += self._lying_at(top[:, tap], left[:, other]) * across[None, :, other, None]
            total += line * down[:, None, tap, None]
        return np.asarray(total, np.float32)

    def _cubic(self, axis: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For each position of an axis four input positions and what each of them counts."""
        k = self.k
        pad, length = {"y": ("pad_top", "height"), "x": ("pad_left", "width")}[axis]
        rows = self.row, self.row + self.rows
        first, stop = rows if axis == "y" else (self.left, self.right)
        divisor, size = int(k[f"dilation_{axis}"]), int(k[length])
        place = np.arange(first, stop) * int(k[f"stride_{axis}"]) + int(k[pad])
        before = place // divisor
        weights = keys((place - before * divisor) / divisor, float(k["factor"]))
        taps = before[:, None] + np.arange(-1, 3)
        if k["kind"]:
            weights = np.where((taps < 0) | (taps >= size), 0, weights)
            weights = weights / weights.sum(axis=1, keepdims=True)
        return taps.clip(0, size - 1), weights

    def _lying_at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
        """The input at each of these rows and columns, of which no others are read."""
        top, left = int(rows.min()), int(columns.min())
        spans = (top, int(rows.max()) + 1), (left, int(columns.max()) + 1)
        source = self.view("in", *spans, self.k["channels"])
        return np.asarray(source[rows - top][:, columns - left])

    def scatter(self) -> Array:
        k = self.k
        slices = int(k["size"])
        shape = int(k["in2_height"]), int(k["in2_width"])
        updates = self.view("in2", (0, shape[0]), (0, shape[1]), k["in2_channels"])
        updates = np.ascontiguousarray(updates).reshape(-1, slices)
        numbers = self.floats[k["weights"] :][: len(updates)]
        line = int(k["width"]) * int(k["channels"])
        whole = np.zeros(int(k["height"]) * line, np.float32)
        own = slice(self.row * line, (self.row + self.rows) * line)
        whole[own] = self.same("in").reshape(-1)
        by_slice = whole.reshape(-1, slices)
        for number, update in zip(numbers, updates, strict=True):
            if 0 <= number < len(by_slice):
                old = by_slice[int(number)]
                old[...] = _SCATTERED[int(k["kind"])](old, update)
        return whole[own].reshape(self.rows, int(k["width"]), -1)

    def scatter_by(self) -> Array:
        k = self.k
        found = self.view("in", (0, 1), (0, k["width"]), k["channels"]).copy()
        for number, *update in self.view("in2", (0, 1), (0, k["in2_width"]), k["in2_channels"])[0]:
            if 0 <= number < k["width"]:
                old = found[0, int(number)]
                old[...] = _SCATTERED[int(k["kind"])](old, np.array(update, np.float32))
        return found

    def roi_pool(self) -> Array:
        k = self.k
        high, wide = int(k["kernel_height"]), int(k["kernel_width"])
        source = self.view("in", (0, k["height"]), (0, k["width"]), k["channels"])
        found = np.zeros((self.rows, self.right - self.left, int(k["filters"])), np.float32)
        for row in range(self.row, self.row + self.rows):
            number, bin_row = divmod(row, high)
            region = self.view("in2", (number, number + 1), (0, 1), 4)[0, 0]
            down = self._bin(region[1], region[3], high, bin_row, "height")
            for column in range(self.left, self.right):
                across = self._bin(region[0], region[2], wide, column, "width")
                seen = source[down, across]
                if seen.size:
                    found[row - self.row, column - self.left] = seen.max((0, 1))
        return found

    def _bin(self, start: float, stop: float, bins: int, number: int, side: str) -> slice:
        """The positions of a part of a region whose edges lie on whole positions."""
        ends = [np.float32(each) * self.k["factor"] for each in (start, stop)]
        if not np.isfinite(ends).all():
            return slice(0)
        first, last = (math.copysign(math.floor(abs(each) + 0.5), each) for each in ends)
        part = np.float32(max(last - first + 1, 1)) / np.float32(bins)
        places = (math.floor(number * part) + first, math.ceil((number + 1) * part) + first)
        return slice(*(int(np.clip(each, 0, self.k[side])) for each in places))

    def roi_align(self) -> Array:
        k = self.k
        source = self.view("in", (0, k["height"]), (0, k["width"]), k["channels"])
        found = np.zeros((self.rows, self.right - self.left, int(k["filters"])), np.float64)
        for row in range(self.row, self.row + self.rows):
            number, bin_row = divmod(row, int(k["kernel_height"]))
            region = self.view("in2", (number, number + 1), (0, 1), 4)[0, 0]
            down = self._samples(region[1], region[3], int(k["kernel_height"]), bin_row)
            for column in range(self.left, self.right):
                across = self._samples(region[0], region[2], int(k["kernel_width"]), column)
                terms = [_corners(source, y, x) for y in down for x in across]
                if terms and k["kind"] & 1:
                    found[row - self.row, column - self.left] = np.max(terms, axis=(0, 1))
                elif terms:
                    found[row - self.row, column - self.left] = np.mean(np.sum(terms, 1), 0)
        return np.asarray(found, np.float32)

    def _samples(self, start: float, stop: float, bins: int, number: int) -> list[float]:
        """The places of a bin on an axis."""
        k = self.k
        half = np.float32(0.5 if k["kind"] & 2 else 0)
        first = np.float32(start) * k["factor"] - half
        size = np.float32(stop) * k["factor"] - half - first
        size = size if k["kind"] & 2 else max(size, np.float32(1))
        count = int(k["size"]) or min(1024, max(0, int(np.ceil(size / np.float32(bins)))))
        part = size / bins
        return [float(first + number * part + (n + 0.5) * part / count) for n in range(count)]


def _corners(source: Array, y: float, x: float) -> NDArray[np.float64]:
    """The four terms of the mixture at a place."""
    height, width, channels = source.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros((4, channels))
    taps = []
    for place, size in ((y, height), (x, width)):
        before = min(int(max(place, 0)), size - 1)
        part = 0.0 if before == size - 1 else max(place, 0) - before
        taps.append(((before, 1 - part), (min(before + 1, size - 1), part)))
    pairs = itertools.product(*taps)
    return np.array(
        [source[row, column] * (down * across) for (row, down), (column, across) in pairs]
    )


def keys(part: Any, a: float) -> NDArray[np.float64]:
    """Keys' weights of the four positions around places `part` behind the second of them."""

    def far(x: Any) -> Any:
        return a * (((x - 5) * x + 8) * x - 4)

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    return np.stack([far(1 + part), near(part), near(1 - part), far(2 - part)], axis=-1)


def _reflected(place: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    phase = place % max(1, 2 * (size - 1))
    return np.where(phase < size, phase, 2 * (size - 1) - phase)


_MIRRORS: tuple[Callable[[NDArray[np.int64], int], NDArray[np.int64]], ...] = (
    lambda place, size: place.clip(0, size - 1),
    lambda place, size: place.clip(0, size - 1),
    _reflected,
    lambda place, size: place % size,
)

_SCATTERED: tuple[Callable[[Any, Any], Any], ...] = (
    lambda old, update: update,
    lambda old, update: old + update,
    lambda old, update: old * update,
    np.maximum,
    np.minimum,
)
