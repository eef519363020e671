"""Definitions of the operations that put maps together; methods are named after them."""

from __future__ import annotations

import numpy as np

from ftdist.kernels.program import BLOCK
from ftdist.kernels.reference.views import Array, Views


class Joining(Views):
    """Sums and products of maps."""

    def add(self) -> Array:
        return np.asarray(self.same("in") + self.same("in2"))

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
