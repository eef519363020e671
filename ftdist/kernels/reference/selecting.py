"""Definitions of the operations that choose among values; methods are named after them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ftdist.kernels.reference.placing import keys
from ftdist.kernels.reference.views import Array, Views


class Selecting(Views):
    """The largest channels, sums so far, values by index, boxes, samples on a grid."""

    def top_channels(self) -> Array:
        x, count = self.same("in"), int(self.k["size"])
        keys = x if self.k["kind"] else -x
        missing = np.isnan(x)
        # Stable, so that of equal values the first comes first; NaN is larger than all.
        order = np.lexsort((keys, missing if self.k["kind"] else ~missing), axis=-1)[..., :count]
        return np.concatenate([np.take_along_axis(x, order, -1), order.astype(np.float32)], -1)

    def cumulate_channels(self) -> Array:
        x, kind = self.same("in").astype(np.float64), int(self.k["kind"])
        x = x[..., ::-1] if kind & 2 else x
        sums = np.cumsum(x, axis=-1)
        if kind & 1:
            sums = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], -1)
        return np.asarray(sums[..., ::-1] if kind & 2 else sums, np.float32)

    def gather_by(self) -> Array:
        k, columns = self.k, (self.left, self.right)
        if k["kind"] == 2:
            by = _indices(self.same("in2", int(k["in2_channels"])), int(k["channels"]))
            return np.take_along_axis(self.same("in"), by, axis=-1)
        rows = (self.row, self.row + self.rows)
        if k["kind"] == 1:
            by = self.view("in2", (0, 1), columns, 1)[0, :, 0]
            found = self.view("in", rows, (0, k["width"]), k["channels"])
            return np.asarray(found[:, _indices(by, int(k["width"]))])
        given = self.view("in2", rows, (0, 1), 1)[:, 0, 0]
        found = self.view("in", (0, k["height"]), columns, k["channels"])
        taken = np.asarray(found[_indices(given, int(k["height"]))])
        return np.where((given >= 0)[:, None, None], taken, 0) if k["kind"] == 4 else taken

    def suppress(self) -> Array:
        k = self.k
        boxes = self.view("in", (0, 1), (0, k["width"]), 4)[0]
        scores = self.view("in2", (0, 1), (0, k["in2_width"]), k["in2_channels"])[0]
        corners = _corners(boxes, centered=bool(k["kind"]))
        chosen: list[tuple[int, int, int]] = []
        for label, own in enumerate(scores):
            kept: list[int] = []
            for each in np.argsort(-own, kind="stable").tolist():
                if len(kept) == k["size"] or not own[each] > k["shift"]:
                    break
                if not any(_overlap(corners[other], corners[each]) > k["factor"] for other in kept):
                    kept.append(each)
            chosen += [(0, label, each) for each in kept]
        out = np.full((1, int(k["out_width"]), 3), -1, np.float32)
        if chosen:
            out[0, : len(chosen)] = chosen
        return out

    def grid_sample(self) -> Array:
        k, count = self.k, int(self.k["size"])
        height, width = int(k["height"]) // count, int(k["width"])
        source = self.view("in", (0, int(k["height"])), (0, width), k["channels"])
        if k["in2_channels"] == 3:
            volume = source.reshape(count, height, width, -1)
            return _volume_samples(volume, self.same("in2", 3), int(k["kind"]))
        grid = self.same("in2", 2)
        rows = np.arange(self.row, self.row + self.rows) // (int(k["in2_height"]) // count)
        found = np.zeros((*grid.shape[:2], source.shape[2]), np.float32)
        for frame in np.unique(rows).tolist():
            own = source[frame * height : (frame + 1) * height]
            found[rows == frame] = _samples(own, grid[rows == frame], int(k["kind"]))
        return found


def _indices(values: Array, size: int) -> Any:
    values = np.nan_to_num(values)
    return np.clip(np.where(values < 0, values + size, values), 0, size - 1).astype(np.intp)


def _corners(boxes: Array, *, centered: bool) -> Array:
    """Boxes as (top, left, bottom, right)."""
    if centered:
        x, y, width, height = boxes.T
        sides = y - height / 2, x - width / 2, y + height / 2, x + width / 2
        return np.stack(sides, -1)
    return np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], -1
    )


def _overlap(a: Array, b: Array) -> float:
    """Of two boxes: what both have, over what either has."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if not (sides > 0).all():
        return 0.0
    shared = sides.prod()
    areas = [(each[2:] - each[:2]).prod() for each in (a, b)]
    return float(shared / (areas[0] + areas[1] - shared))


def _volume_samples(volume: Array, grid: Array, kind: int) -> Array:
    """Slices, each at its places, by how near to it a place is."""
    z = _places(grid[..., 2], len(volume), kind)
    z = np.rint(z) if kind & 1 else z
    total: Any = 0
    for number, source in enumerate(volume):
        near = np.maximum(0, 1 - np.abs(z - number))[..., None]
        total = total + near * _samples(source, grid[..., :2], kind)
    return np.asarray(total, np.float32)


def _samples(source: Array, grid: Array, kind: int) -> Array:
    """A map at places from -1 to 1."""
    height, width, _ = source.shape
    x, y = _places(grid[..., 0], width, kind), _places(grid[..., 1], height, kind)
    if kind & 1:
        x, y = np.rint(x), np.rint(y)
    if kind & 16:
        return _cubic_samples(source, y, x, kind)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_part, lower_part = (x - left)[..., None], (y - top)[..., None]
    padded = np.pad(source, ((3, 4), (3, 4), (0, 0)))

    def tap(down: int, across: int) -> Any:
        return padded[
            np.clip(top + down, -3, height + 3) + 3, np.clip(left + across, -3, width + 3) + 3
        ]

    upper = tap(0, 0) * (1 - right_part) + tap(0, 1) * right_part
    lower = tap(1, 0) * (1 - right_part) + tap(1, 1) * right_part
    return np.asarray(upper * (1 - lower_part) + lower * lower_part, np.float32)


def _cubic_samples(source: Array, y: Any, x: Any, kind: int) -> Array:
    """Mixtures of 4 x 4 taps; those beside the map are nothing, or taken from where they belong."""
    total: Any = 0
    parts = []
    for place, size in ((y, source.shape[0]), (x, source.shape[1])):
        first = np.floor(place).astype(int)
        taps = first[..., None] + np.arange(-1, 3)
        inside = (taps >= 0) & (taps < size)
        if kind & 8:
            low, high = (0, size - 1) if kind & 2 else (-0.5, size - 0.5)
            span = max(high - low, 1e-9)
            away = np.abs(taps - low) % (2 * span)
            taps = (low + np.minimum(away, 2 * span - away)).astype(int)
        weights = keys(place - first, -0.75)
        parts.append((taps.clip(0, size - 1), weights if kind & 12 else weights * inside))
    (rows, down), (columns, across) = parts
    for tap in range(4):
        for other in range(4):
            weight = (down[..., tap] * across[..., other])[..., None]
            total = total + weight * source[rows[..., tap], columns[..., other]]
    return np.asarray(total, np.float32)


def _places(x: Array, size: int, kind: int) -> Any:
    """Where coordinates from -1 to 1 lie on an axis of `size` positions."""
    x = x.astype(np.float64)
    place = (x + 1) / 2 * (size - 1) if kind & 2 else ((x + 1) * size - 1) / 2
    if kind & 16:
        return np.clip(place, -1e6, 1e6)
    if kind & 8:
        low, high = (0, size - 1) if kind & 2 else (-0.5, size - 0.5)
        span = high - low
        away = np.abs(place - low) % (2 * span) if span else np.zeros_like(place)
        place = low + np.minimum(away, 2 * span - away)
    if kind & 12:
        place = np.clip(place, 0, size - 1)
    return np.clip(place, -2, size + 1)
