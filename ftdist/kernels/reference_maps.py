"""Definitions of the operations that move, join and mix values; methods are named after Op."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import BLOCK
from ftdist.kernels.reference_views import Array, Views


class Maps(Views):
    """Copies, sums, products, softmax and the like, and what changes positions."""

    def copy(self) -> NDArray[Any]:
        source = self.same("in")
        return source / np.float32(255) if source.dtype == np.uint8 else source.copy()

    def add(self) -> Array:
        return np.asarray(self.same("in") + self.same("in2"))

    def activate(self) -> Array:
        return self.same("in")

    def so_far(self) -> Array:
        """What an output buffer holds of a sum."""
        return self.same("out", int(self.k["filters"])).copy()

    def added(self) -> tuple[tuple[slice, slice, slice], Array]:
        """(positions and channels of a sum, what is added there)."""
        k, sample = self.k, int(self.k["sample"])
        rows = np.arange(-(-self.row // sample), -(-(self.row + self.rows) // sample))
        columns = np.arange(-(-self.left // sample), -(-self.right // sample))
        rows = rows[rows * k["stride_y"] < k["height"]]
        columns = columns[columns * k["stride_x"] < k["width"]]
        count = min(int(k["channels"]), int(k["filters"]))
        if not len(rows) or not len(columns):
            return (slice(0), slice(0), slice(0)), np.zeros((0, 0, 0), np.float32)
        steps = int(k["stride_y"]), int(k["stride_x"])
        down = (int(rows[0]) * steps[0], int(rows[-1]) * steps[0] + 1)
        across = (int(columns[0]) * steps[1], int(columns[-1]) * steps[1] + 1)
        values = self.view("in", down, across, count)[:: steps[0], :: steps[1]]
        places = [
            slice(int(a[0]) * sample - first, int(a[-1]) * sample - first + 1, sample)
            for a, first in ((rows, self.row), (columns, self.left))
        ]
        return (places[0], places[1], slice(count)), np.asarray(values)

    def accumulate(self) -> Array:
        k = self.k
        places, values = self.added()
        if not k["part"]:
            return values.copy()
        total = self.so_far()
        total[places] = k["kept"] * total[places] + k["factor"] * values
        return total

    def accumulate_weighted(self) -> Array:
        k = self.k
        filters, maps = int(k["filters"]), int(k["size"])
        weights, bias = self.packed(-(-filters // BLOCK), maps)
        places, values = self.added()
        shape = (self.rows, self.right - self.left, filters)
        begun = np.broadcast_to(bias.reshape(-1)[:filters], shape).copy()
        total = self.so_far() if k["part"] else begun
        factors = weights[:, k["part"]].reshape(-1)[:filters]
        total[places] += factors[places[2]] * values
        return np.asarray(total)

    def multiply(self) -> Array:
        k = self.k
        rows, columns = (self.row, self.row + self.rows), (self.left, self.right)
        by = self.view(
            "in2",
            (0, 1) if k["in2_height"] == 1 else rows,
            (0, 1) if k["in2_width"] == 1 else columns,
            k["in2_channels"],
        )
        return np.asarray(self.same("in") * by)

    def softmax(self) -> Array:
        k, groups = self.k, int(self.k["groups"])
        whole = k["kernel_height"] > 1 or k["kernel_width"] > 1
        own = self.same("in")
        map_ = self.view("in", (0, k["height"]), (0, k["width"]), k["channels"]) if whole else own
        axes = (0, 1, 3) if whole else (3,)
        values = map_.reshape(*map_.shape[:2], groups, -1)
        with np.errstate(invalid="ignore"):
            largest = values.max(axis=axes, keepdims=True)
            total = np.exp((values - largest) / k["factor"]).sum(axis=axes, keepdims=True)
            terms = np.exp((own.reshape(*own.shape[:2], groups, -1) - largest) / k["factor"])
            return np.asarray(terms / total, np.float32).reshape(own.shape)

    def normalize_responses(self) -> Array:
        k, x, size = self.k, self.same("in"), int(self.k["size"])
        before, after = (size - 1) // 2, size // 2
        squares = np.pad(x * x, ((0, 0), (0, 0), (before, after)))
        sums = np.lib.stride_tricks.sliding_window_view(squares, before + after + 1, axis=2)
        norms = k["shift"] + k["factor"] * (sums.sum(axis=-1) - (x * x)[..., after, None])
        with np.errstate(invalid="ignore"):
            return np.asarray(x * norms ** -k["power"], np.float32)

    def max_channels(self) -> Array:
        x, count = self.same("in"), int(self.k["filters"])
        return np.stack([x[..., first::count].max(axis=-1) for first in range(count)], axis=-1)

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
