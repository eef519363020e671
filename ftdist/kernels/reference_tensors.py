"""Definitions of the operations that see maps as arrays of any rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ftdist.kernels.reference_views import Array, Views


class Tensors(Views):
    """Copies by a view; methods are named after their operation."""

    def viewed(self, name: str = "in") -> Array:
        """A dense map as (output rows, columns, channels, terms), those that are made."""
        v = self.views[int(self.k["view"])]
        second = "2" if name == "in2" else ""
        counts, steps = v["counts"].tolist(), v[f"steps{second}"].tolist()
        used = sum(int(v[each]) for each in ("rows", "columns", "channels", "terms"))
        size = (("height", "width", "channels"), ("in2_height", "in2_width", "in2_channels"))
        height, width, channels = (int(self.k[each]) for each in size[bool(second)])
        flat = self.view(name, (0, height), (0, width), channels)
        base = np.ascontiguousarray(flat).reshape(-1)[int(v[f"first{second}"]) :]
        strides = [4 * step for step in steps[:used]]
        lying: Any = as_strided(base, counts[:used], strides, writeable=False)
        shape = int(self.k["out_height"]), int(self.k["out_width"]), int(self.k["filters"])
        found = lying.reshape(*shape, -1)
        return np.asarray(found[self.row : self.row + self.rows, self.left : self.right])

    def rearrange(self) -> Array:
        return self.viewed()[..., 0].copy()
