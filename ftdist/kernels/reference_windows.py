"""Definitions of the operations that slide a window over a map; methods are named after them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import BLOCK
from ftdist.kernels.reference_views import Array, Views


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
        return np.concatenate(parts, axis=-1)

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
