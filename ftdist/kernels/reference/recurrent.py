"""Definition of recurrent layers: sequences, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ftdist.kernels.reference.activations import activate
from ftdist.kernels.reference.views import Array, Views
from ftdist.network.operators.reducing import CELLS, REVERSE


class Recurrent(Views):
    """Each row of the first map is a sequence, each column a step of what the input adds."""

    def recurrent(self) -> Array:
        k = self.k
        size, width, channels = int(k["size"]), int(k["width"]), int(k["channels"])
        cell, reverse = CELLS[int(k["kind"]) % REVERSE], int(k["kind"]) >= REVERSE
        rows = self.row, self.row + self.rows
        added = self.view("in", rows, (0, width), channels)
        state = self.view("in2", rows, (0, 1), k["in2_channels"])[:, 0]
        found = np.zeros((self.rows, width, int(k["filters"])), np.float32)
        for column in range(width)[:: -1 if reverse else 1]:
            state = self._step(cell, size, added[:, column], state)
            found[:, column] = state
        return found

    def _step(self, cell: str, size: int, added: Array, state: Array) -> Array:
        if cell in ("tanh", "relu"):
            return activate(cell, 0, added + self._product(size, state))
        hidden = state[:, :size]
        sums = np.split(self._product(size, hidden), added.shape[1] // size, axis=1)
        own = np.split(added, len(sums), axis=1)
        gates = [_logistic(a + b) for a, b in zip(own, sums, strict=True)]
        if cell == "lstm":
            cells = gates[2] * state[:, size:] + gates[0] * np.tanh(own[3] + sums[3])
            return np.concatenate([gates[1] * np.tanh(cells), cells], axis=1)
        update, reset = gates[:2]
        if cell == "gru":
            before = self._product(size, reset * hidden)[:, 2 * size :]
        else:
            before = reset * sums[2]
        return np.asarray(update * (hidden - (new := np.tanh(own[2] + before))) + new)

    def _product(self, size: int, state: Array) -> Array:
        """(rows, gate values): the bias and the weights times the state."""
        k, outputs = self.k, int(self.k["channels"])
        blocks = -(-outputs // 16)
        weights = self.floats[k["weights"] :][: blocks * size * 16].reshape(blocks, size, 16)
        bias = self.floats[k["bias"] :][:outputs]
        by_output = weights.transpose(0, 2, 1).reshape(-1, size)[:outputs]
        return np.asarray(bias + state @ by_output.T, np.float32)


def _logistic(x: Any) -> Any:
    return activate("logistic", 0, x)
