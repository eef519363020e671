"""Definitions of the operations that mix channels, and of activations on their own."""

from __future__ import annotations

import numpy as np

from ftdist.kernels.reference.views import Array, Views


class Channels(Views):
    """Softmax, normalization, maxima over channels; methods are named after their operation."""

    def activate(self) -> Array:
        return self.same("in")

    def prelu(self) -> Array:
        x, channels = self.same("in"), int(self.k["channels"])
        slopes = self.floats[self.k["weights"] :][:channels]
        return np.where(x > 0, x, x * slopes)

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
        never = 0 if k["kind"] else (x * x)[..., after, None]
        norms = k["shift"] + k["factor"] * (sums.sum(axis=-1) - never)
        with np.errstate(invalid="ignore"):
            return np.asarray(x * norms ** -k["power"], np.float32)

    def max_channels(self) -> Array:
        x, count = self.same("in"), int(self.k["filters"])
        return np.stack([x[..., first::count].max(axis=-1) for first in range(count)], axis=-1)
