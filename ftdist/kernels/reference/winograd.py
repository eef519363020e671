"""Definition of Winograd's convolution: blocks of outputs, anchored to the whole map's rows.

Lavin and Gray, arXiv:1509.09308: a block of outputs is A^T [ U * (B^T d B) ] A for its inputs d and
the transformed weights U (``network.packing.Winograd``). The points are 0, 1, -1 (2, -2) and
infinity; U is there already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import BLOCK
from ftdist.kernels.reference.views import Array, Views
from ftdist.network.packing import expanded

_INPUT: dict[int, Array] = {
    2: np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32),
    4: np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        np.float32,
    ),
}
"""B^T by the side of a block."""

_OUTPUT: dict[int, Array] = {
    2: np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32),
    4: np.array(
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
        np.float32,
    ),
}
"""A^T by the side of a block."""


def transformed(size: int, taps: Array) -> Array:
    """Weights [blocks][3][3][channels][16] as [blocks][(size + 2)^2][channels][16]."""
    rows = expanded(size, *np.moveaxis(taps, 1, 0))
    both = expanded(size, *np.moveaxis(rows, 2, 0))  # by column, row, block, channel, lane
    turned = both.transpose(2, 1, 0, 3, 4)
    return np.asarray(turned.reshape(len(taps), (size + 2) ** 2, *taps.shape[3:]))


class Winograd(Views):
    """3x3 convolutions by minimal filtering."""

    def winograd(self) -> Array:
        k = self.k
        size, channels, filters = int(k["size"]), int(k["channels"]), int(k["filters"])
        side, outputs = size + 2, -(-filters // BLOCK) * BLOCK
        lying = not k["table"]  # as the model file holds them
        table = self.floats if lying else self.bases[k["table"]].view(np.float32)
        taps = 9 if lying else side * side
        shape = outputs // BLOCK, taps, channels, BLOCK
        weights = table[k["weights"] :][: np.prod(shape)].reshape(shape)
        if lying:
            weights = transformed(size, weights.reshape(-1, 3, 3, channels, BLOCK))
        weights = weights.transpose(1, 2, 0, 3).reshape(side, side, channels, outputs)
        bias = table[k["bias"] :][:filters]
        top, bottom = self.row // size, -(-(self.row + self.rows) // size)
        left, right = self.left // size, -(-self.right // size)
        made = np.empty(((bottom - top) * size, (right - left) * size, filters), np.float32)
        for y in range(top, bottom):
            for x in range(left, right):
                d = self._inputs(y * size, x * size, side)
                v = np.einsum("iy,jx,yxc->ijc", _INPUT[size], _INPUT[size], d)
                m = np.einsum("ijc,ijco->ijo", v, weights)[..., :filters]
                block = np.einsum("yi,xj,ijo->yxo", _OUTPUT[size], _OUTPUT[size], m) + bias
                rows, columns = (y - top) * size, (x - left) * size
                made[rows : rows + size, columns : columns + size] = block
        first = self.row - top * size, self.left - left * size
        made = made[first[0] :, first[1] :][: self.rows, : self.right - self.left]
        return self.plus_second(made)

    def _inputs(self, row: int, column: int, side: int) -> NDArray[np.float32]:
        """The inputs of a block that begins at an output position; zeros beside the map."""
        k = self.k
        top, left = row - int(k["pad_top"]), column - int(k["pad_left"])
        rows = max(top, 0), min(top + side, int(k["height"]))
        columns = max(left, 0), min(left + side, int(k["width"]))
        d = np.zeros((side, side, int(k["channels"])), np.float32)
        if rows[0] < rows[1] and columns[0] < columns[1]:
            own = d[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
            own[...] = self.view("in", rows, columns, k["channels"])
        return d
