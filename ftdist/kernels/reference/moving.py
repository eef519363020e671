"""Definitions of the operations that move positions; methods are named after them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import PICTURE_CHANNELS
from ftdist.kernels.reference.views import Array, Views


class Moving(Views):
    """Copies, crops, upsampling, space to depth and back."""

    def copy(self) -> NDArray[Any]:
        source = self.same("in")
        if source.dtype != np.uint8:
            return source.copy()
        own = [c if c < PICTURE_CHANNELS else 0 for c in range(source.shape[2])]
        ordered = source[:, :, ::-1] if self.k["part"] else source
        return np.asarray((ordered - self.k["mean"][own]) / self.k["deviation"][own])

    def crop(self) -> Array:
        k = self.k
        top, left = self.row - int(k["pad_top"]), self.left - int(k["pad_left"])
        width = self.right - self.left
        source = self.view("in", (top, top + self.rows), (left, left + width), k["channels"])
        return np.asarray(k["factor"] * source + k["shift"])

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
        return np.asarray(k["factor"] * source[rows - rows[0]][:, columns - columns[0]])

    def resize_linear(self) -> Array:
        (top, bottom, down), (left, right, across) = self._between()
        across = across[None, :, None]
        above, below = (self._taken(rows, left, right, across) for rows in (top, bottom))
        return np.asarray(above + down[:, None, None] * (below - above))

    def resize_nearest(self) -> Array:
        (top, _, _), (left, _, _) = self._between()
        return self._gathered(top, left)

    def _between(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Array]]:
        """For rows and columns: the input positions before and behind, and the latter's weight."""
        k = self.k
        found = []
        for first, stop, axis, pad, size in (
            (self.row, self.row + self.rows, "y", "pad_top", "height"),
            (int(k["left"]), int(k["right"]), "x", "pad_left", "width"),
        ):
            divisor, last = int(k[f"dilation_{axis}"]), int(k[size]) - 1
            place = np.arange(first, stop) * int(k[f"stride_{axis}"]) + int(k[pad])
            before = place // divisor
            weight = np.float32(place - before * divisor) / np.float32(divisor)
            found.append((before.clip(0, last), (before + 1).clip(0, last), np.asarray(weight)))
        return found

    def _taken(self, rows: NDArray[np.int64], left: Any, right: Any, across: Array) -> Array:
        """A mixture of what lies at two columns of each row."""
        before, behind = self._gathered(rows, left), self._gathered(rows, right)
        return np.asarray(before + across * (behind - before))

    def _gathered(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
        """The input at each of these rows and columns."""
        source = self.view(
            "in",
            (int(rows[0]), int(rows[-1]) + 1),
            (int(columns[0]), int(columns[-1]) + 1),
            self.k["channels"],
        )
        return np.asarray(source[rows - rows[0]][:, columns - columns[0]])

    def depth_to_space(self) -> Array:
        k, s = self.k, int(self.k["stride_y"])
        rows = np.arange(self.row, self.row + self.rows)
        columns = np.arange(int(k["left"]), int(k["right"]))
        source = self.view(
            "in",
            (int(rows[0]) // s, int(rows[-1]) // s + 1),
            (int(columns[0]) // s, int(columns[-1]) // s + 1),
            k["channels"],
        )
        places = np.ix_(rows // s - rows[0] // s, columns // s - columns[0] // s)
        parts = source.reshape(*source.shape[:2], s * s, -1)[places]
        own = (rows % s * s)[:, None] + columns % s
        return np.asarray(np.take_along_axis(parts, own[..., None, None], axis=2)[:, :, 0])

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
