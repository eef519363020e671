"""The reference executor: programs run by NumPy, the definition of every kernel.

Simple before fast. Each kernel is a few lines on whole views; the native kernels must agree with it
to rounding (their sums have a fixed order, these have NumPy's).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ftdist.kernels.program import (
    ACTIVATIONS,
    BLOCK,
    UINT8,
    Bytes,
    Map,
    Op,
    Program,
    Table,
)

Array = NDArray[np.float32]


def run(
    program: Program,
    arena: Bytes,
    weights: Bytes,
    maps: Sequence[Map],
    counters: Table,
    file: int = -1,
) -> None:
    """Runs a program; arguments as for ``native.run``, all weights being taken from `weights`."""
    bases = [arena, *(each.reshape(-1).view(np.uint8) for each in maps)]
    floats = weights.view(np.float32)
    for call in program.calls:
        started = time.monotonic_ns()
        _Call(program.kernels[call["kernel"]], call, bases, floats).run()
        counters["nanoseconds"][call["kernel"]] += time.monotonic_ns() - started


def activate(kind: str, slope: float, x: Array) -> Array:
    """The activation functions; NaN passes through each."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(_ACTIVATIONS[kind](x, np.float32(slope)), np.float32)


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _mish(x: Array) -> Array:
    return np.asarray(x * np.tanh(np.logaddexp(np.float32(0), x)), np.float32)


_ACTIVATIONS: dict[str, Callable[[Array, np.float32], Any]] = {
    "linear": lambda x, _: x,
    "leaky": lambda x, slope: np.where(x > 0, x, x * slope),
    "relu": lambda x, _: np.where(x < 0, 0, x),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "logistic": lambda x, _: _logistic(x),
    "swish": lambda x, _: x * _logistic(x),
    "mish": lambda x, _: _mish(x),
    "hardswish": lambda x, _: x * np.clip(x + 3, 0, 6) / 6,
}


class _Call:
    """One call with its kernel and memory; each method named after an Op is its definition."""

    def __init__(self, kernel: Any, call: Any, bases: list[Bytes], weights: Array) -> None:
        self.k = kernel
        self.written_rows = (int(call["row"]), int(call["row"]) + int(call["rows"]))
        self.pool = (int(kernel["pool_height"]), int(kernel["pool_width"]))
        # what is computed: where maxima are taken, more than is written
        self.row, self.rows = (self.pool[0] * int(call[each]) for each in ("row", "rows"))
        self.left, self.right = (self.pool[1] * int(kernel[each]) for each in ("left", "right"))
        self.first = {name: int(call[f"{name}_row"]) for name in ("in", "in2", "out")}
        self.bases = bases
        self.floats = weights

    def run(self) -> None:
        k = self.k
        result = getattr(self, Op(int(k["op"])).name.lower())()
        out = k["out"]
        rows = self.written_rows
        stored = (int(out["column"]), int(out["column"]) + int(out["columns"]))
        self.view("out", rows, stored, k["filters"])[...] = 0
        made = activate(ACTIVATIONS[int(k["activation"])], k["slope"], result)
        columns = (int(k["left"]), int(k["right"]))
        self.view("out", rows, columns, k["filters"])[...] = self.maxima(made)

    def view(
        self, name: str, rows: tuple[int, int], columns: tuple[int, int], channels: int
    ) -> NDArray[Any]:
        """Absolute rows and columns of a buffer as an array (rows, columns, channels)."""
        b = self.k[name]
        elements = self.bases[b["base"]].view(np.uint8 if b["type"] == UINT8 else np.float32)
        start = int(
            b["offset"]
            + (rows[0] - self.first[name]) * b["row"]
            + (columns[0] - b["column"]) * b["pixel"]
        )
        strides = tuple(int(b[each]) * elements.itemsize for each in ("row", "pixel", "channel"))
        shape = (rows[1] - rows[0], columns[1] - columns[0], int(channels))
        return as_strided(elements[start:], shape, strides)

    def maxima(self, made: Array) -> Array:
        """The maximum of each window of the kernel's own pool."""
        (high, wide), (rows, columns, channels) = self.pool, made.shape
        windows = made.reshape(rows // high, high, columns // wide, wide, channels)
        return np.asarray(windows.max(axis=(1, 3)))

    def window(self, pad_value: float, clip_columns: bool) -> NDArray[Any]:
        """The whole input of these rows, (rows, columns, channels); off the map is `pad_value`."""
        k = self.k
        top = self.row * int(k["stride_y"]) - int(k["pad_top"])
        rows = (self.rows - 1) * int(k["stride_y"])
        bottom = top + rows + (int(k["kernel_height"]) - 1) * int(k["dilation_y"]) + 1
        left = self.left * int(k["stride_x"]) - int(k["pad_left"])
        columns = (self.right - 1 - self.left) * int(k["stride_x"])
        right = left + columns + (int(k["kernel_width"]) - 1) * int(k["dilation_x"]) + 1
        on_rows = (max(top, 0), min(bottom, int(k["height"])))
        on_columns = (max(left, 0), min(right, int(k["width"]))) if clip_columns else (left, right)
        whole = np.full((bottom - top, right - left, int(k["channels"])), pad_value, np.float32)
        if on_rows[0] < on_rows[1] and on_columns[0] < on_columns[1]:
            part = whole[
                on_rows[0] - top : on_rows[1] - top,
                on_columns[0] - left : on_columns[1] - left,
            ]
            part[...] = self.view("in", on_rows, on_columns, k["channels"])
        return whole

    def taps(self, whole: NDArray[Any]) -> list[list[NDArray[Any]]]:
        """For each tap [y][x] of the window the input of every output position."""
        k = self.k
        height, width = self.rows, self.right - self.left
        return [
            [
                whole[y : y + (height - 1) * k["stride_y"] + 1 : k["stride_y"]][
                    :, x : x + (width - 1) * k["stride_x"] + 1 : k["stride_x"]
                ]
                for x in range(0, k["kernel_width"] * k["dilation_x"], k["dilation_x"])
            ]
            for y in range(0, k["kernel_height"] * k["dilation_y"], k["dilation_y"])
        ]

    def same(self, name: str) -> NDArray[Any]:
        """The input at the very positions that are produced."""
        columns = (int(self.k["left"]), int(self.k["right"]))
        return self.view(name, (self.row, self.row + self.rows), columns, self.k["channels"])

    def packed(self, blocks: int, *shape: int) -> tuple[Array, Array]:
        """Weights as (blocks, *shape, BLOCK) and bias as (blocks, BLOCK)."""
        count = blocks * BLOCK * int(np.prod(shape))
        weights = self.floats[self.k["weights"] :][:count].reshape(blocks, *shape, BLOCK)
        return weights, self.floats[self.k["bias"] :][: blocks * BLOCK].reshape(blocks, BLOCK)

    def copy(self) -> NDArray[Any]:
        source = self.same("in")
        return source / np.float32(255) if source.dtype == np.uint8 else source.copy()

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

    def add(self) -> Array:
        return np.asarray(self.same("in") + self.same("in2"))

    def activate(self) -> Array:
        return self.same("in")

    def upsample(self) -> Array:
        k, scale = self.k, int(self.k["stride_y"])
        rows = np.arange(self.row, self.row + self.rows) // scale
        columns = np.arange(k["left"], k["right"]) // scale
        source = self.view(
            "in",
            (int(rows[0]), int(rows[-1]) + 1),
            (int(columns[0]), int(columns[-1]) + 1),
            k["channels"],
        )
        return np.asarray(source[rows - rows[0]][:, columns - columns[0]])

    def reorg(self) -> Array:
        k, s = self.k, int(self.k["stride_y"])
        source = self.view(
            "in",
            (self.row * s, (self.row + self.rows) * s),
            (int(k["left"]) * s, int(k["right"]) * s),
            k["channels"],
        )
        return np.concatenate([source[y::s, x::s] for y in range(s) for x in range(s)], axis=-1)

    def reorg_darknet(self) -> Array:
        """Darknet's reorg_cpu: a gather by flat (C, H, W) indices, element by element."""
        k, s = self.k, int(self.k["stride_y"])
        height, width, depth = (
            int(k["height"]),
            int(k["width"]),
            int(k["channels"]) // s**2,
        )
        c, y, x = np.meshgrid(
            np.arange(k["filters"]),
            np.arange(self.row, self.row + self.rows),
            np.arange(k["left"], k["right"]),
            indexing="ij",
        )
        flat = (c * (height // s) + y) * (width // s) + x
        channel, j, i = flat // (height * width), flat // width % height, flat % width
        part = channel // depth
        source = (channel % depth * height * s + j * s + part // s) * width * s + i * s + part % s
        rows = source // width % height
        columns = source % width
        box = self.view(
            "in",
            (int(rows.min()), int(rows.max()) + 1),
            (int(columns.min()), int(columns.max()) + 1),
            k["channels"],
        )
        found = box[rows - rows.min(), columns - columns.min(), source // (height * width)]
        return np.asarray(found.transpose(1, 2, 0))


def _taps_on_map(
    tops: NDArray[np.int64], kernel: int, dilation: int, size: int
) -> NDArray[np.int64]:
    """For windows at `tops` the number of their taps that lie on an axis of `size` positions."""
    taps = tops[:, None] + np.arange(kernel)[None, :] * dilation
    return np.asarray(((taps >= 0) & (taps < size)).sum(axis=1))
