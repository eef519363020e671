"""Definitions of the operations that slide a window over a map; methods are named after them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import BLOCK
from ftdist.kernels.reference.views import Array, Views


class Windows(Views):
    """Convolutions, local connections and pools."""

    def convolution(self) -> Array:
        k = self.k
        groups, height, width = (
            int(k["groups"]),
            int(k["kernel_height"]),
            int(k["kernel_width"]),
        )
        depth, filters = int(k["channels"]) // groups, int(k["filters"]) // groups
        blocks = -(-filters // BLOCK)
        weights, bias = self.packed(groups * blocks, height, width, depth)
        parts = []
        taps = self.taps(self.window(0, clip_columns=False))
        for group in range(groups):
            own = slice(group * blocks, (group + 1) * blocks)
            total = np.zeros((*taps[0][0].shape[:2], blocks * BLOCK), np.float32)
            total += bias[own].reshape(-1)
            for y in range(height):
                for x in range(width):
                    matrix = weights[own, y, x].transpose(1, 0, 2).reshape(depth, -1)
                    total += taps[y][x][..., group * depth : (group + 1) * depth] @ matrix
            parts.append(total[..., :filters])
        return self.plus_second(np.concatenate(parts, axis=-1))

    def transposed_convolution(self) -> Array:
        """Tap by tap, to those output positions that meet an input position."""
        k, groups = self.k, int(self.k["groups"])
        high, wide = int(k["kernel_height"]), int(k["kernel_width"])
        depth, filters = int(k["channels"]) // groups, int(k["filters"]) // groups
        blocks = -(-filters // BLOCK)
        weights, bias = self.packed(groups * blocks, high, wide, depth)
        by_group = weights.reshape(groups, blocks, high, wide, depth, BLOCK)
        matrices = by_group.transpose(2, 3, 0, 4, 1, 5).reshape(high, wide, groups, depth, -1)
        total = np.zeros((self.rows, self.right - self.left, groups, blocks * BLOCK), np.float32)
        total += bias.reshape(groups, -1)
        for y, x in np.ndindex(high, wide):
            rows, down = self._met("y", y, self.row, self.rows)
            columns, across = self._met("x", x, self.left, self.right - self.left)
            if len(down) and len(across):
                first, last = (down[0], down[-1] + 1), (across[0], across[-1] + 1)
                source = self.view("in", first, last, k["channels"])
                met = source[down - down[0]][:, across - across[0]]
                by_group = met.reshape(*met.shape[:2], groups, depth)
                made = np.einsum("hwgc,gcf->hwgf", by_group, matrices[y, x])
                total[np.ix_(rows, columns)] += made
        return np.ascontiguousarray(total[..., :filters]).reshape(*total.shape[:2], -1)

    def _met(
        self, axis: str, tap: int, first: int, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of `count` output positions from `first` on a tap adds to, and what it reads."""
        pad, size = ("pad_top", "height") if axis == "y" else ("pad_left", "width")
        stride = int(self.k[f"stride_{axis}"])
        before = int(self.k[pad]) - tap * int(self.k[f"dilation_{axis}"])
        places = np.arange(first, first + count) + before
        met = (places % stride == 0) & (places >= 0) & (places // stride < self.k[size])
        return np.flatnonzero(met), places[met] // stride

    def depthwise(self) -> Array:
        k = self.k
        blocks = -(-int(k["channels"]) // BLOCK)
        weights, bias = self.packed(blocks, int(k["kernel_height"]), int(k["kernel_width"]))
        taps = self.taps(self.window(0, clip_columns=False))
        total = np.zeros(taps[0][0].shape, np.float32)
        total += bias.reshape(-1)[: k["channels"]]
        for y, row in enumerate(taps):
            for x, tap in enumerate(row):
                total += tap * weights[:, y, x].reshape(-1)[: k["channels"]]
        return total

    def local(self) -> Array:
        """As a convolution, with the weights of the position."""
        k = self.k
        depth, filters, width = int(k["channels"]), int(k["filters"]), int(k["out_width"])
        high, wide = int(k["kernel_height"]), int(k["kernel_width"])
        blocks = -(-filters // BLOCK)
        weights, bias = self.packed(int(k["out_height"]) * width * blocks, high, wide, depth)
        by_position = weights.reshape(-1, width, blocks, high, wide, depth, BLOCK)
        rows = slice(self.row, self.row + self.rows)
        own = by_position[rows, int(k["left"]) : int(k["right"])]
        total = bias.reshape(-1, width, blocks, BLOCK)[rows, int(k["left"]) : int(k["right"])]
        for y, row in enumerate(self.taps(self.window(0, clip_columns=False))):
            for x, tap in enumerate(row):
                total = total + np.einsum("hwbco,hwc->hwbo", own[..., y, x, :, :], tap)
        return np.asarray(total.reshape(*total.shape[:2], -1)[..., :filters], np.float32)

    def max_pool(self) -> Array:
        taps = self.taps(self.window(-np.inf, clip_columns=True))
        return np.asarray(np.max([tap for row in taps for tap in row], axis=0))

    def average_pool(self) -> Array:
        k = self.k
        taps = self.taps(self.window(0, clip_columns=True))
        total = np.sum([tap for row in taps for tap in row], axis=0, dtype=np.float32)
        if k["count_padding"]:
            return np.asarray(total / np.float32(k["kernel_height"] * k["kernel_width"]))
        seen = [
            _taps_on_map(positions * k[f"stride_{axis}"] - k[pad], k[size], k[step], k[extent])
            for positions, axis, pad, size, step, extent in (
                (
                    np.arange(self.row, self.row + self.rows),
                    *("y", "pad_top", "kernel_height", "dilation_y", "height"),
                ),
                (
                    np.arange(k["left"], k["right"]),
                    *("x", "pad_left", "kernel_width", "dilation_x", "width"),
                ),
            )
        ]
        return np.asarray(total / np.outer(*seen).astype(np.float32)[..., None])


def _taps_on_map(
    tops: NDArray[np.int64], kernel: int, dilation: int, size: int
) -> NDArray[np.int64]:
    """For windows at `tops` the number of their taps that lie on an axis of `size` positions."""
    taps = tops[:, None] + np.arange(kernel)[None, :] * dilation
    return np.asarray(((taps >= 0) & (taps < size)).sum(axis=1))
