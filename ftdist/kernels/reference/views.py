"""What a call of a program sees of memory, as NumPy views."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ftdist.kernels.program import BLOCK, UINT8, Bytes

Array = NDArray[np.float32]


class Views:
    """One call with its kernel and memory."""

    def __init__(
        self, kernel: Any, call: Any, bases: list[Bytes], weights: Array, views: Any
    ) -> None:
        self.k = kernel
        self.written_rows = (int(call["row"]), int(call["row"]) + int(call["rows"]))
        self.pool = (int(kernel["pool_height"]), int(kernel["pool_width"]))
        # what is computed: where maxima are taken, more than is written
        self.row, self.rows = (self.pool[0] * int(call[each]) for each in ("row", "rows"))
        self.left, self.right = (self.pool[1] * int(kernel[each]) for each in ("left", "right"))
        self.first = {name: int(call[f"{name}_row"]) for name in ("in", "in2", "out")}
        self.bases = bases
        self.floats = weights
        self.views = views

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

    def same(self, name: str, channels: int | None = None) -> NDArray[Any]:
        """The input at the very positions that are produced."""
        columns = (int(self.k["left"]), int(self.k["right"]))
        count = self.k["channels"] if channels is None else channels
        return self.view(name, (self.row, self.row + self.rows), columns, count)

    def plus_second(self, made: Array) -> Array:
        """What a convolution makes, and the second map where it adds one."""
        if not self.k["kind"]:
            return made
        return np.asarray(made + self.same("in2", int(self.k["filters"])))

    def packed(self, blocks: int, *shape: int) -> tuple[Array, Array]:
        """Weights as (blocks, *shape, BLOCK) and bias as (blocks, BLOCK)."""
        count = blocks * BLOCK * int(np.prod(shape))
        weights = self.floats[self.k["weights"] :][:count].reshape(blocks, *shape, BLOCK)
        return weights, self.floats[self.k["bias"] :][: blocks * BLOCK].reshape(blocks, BLOCK)
