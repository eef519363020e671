"""Definitions of the operations on lists of open length; methods are named after them."""

from __future__ import annotations

import numpy as np

from ftdist.kernels.reference.views import Array, Views


class Lists(Views):
    """Places of what is not zero, the best of a list, what stands behind its entries."""

    def non_zero(self) -> Array:
        k = self.k
        source = self.view("in", (0, k["height"]), (0, k["width"]), k["channels"])
        places = np.flatnonzero(source)
        out = np.full((1, int(k["out_width"]), 1), -1, np.float32)
        out[0, : len(places), 0] = places
        return out

    def fill(self) -> Array:
        found = np.array(self.same("in"))
        found[:, self._entries() :] = self.k["factor"]
        return found

    def top_of_list(self) -> Array:
        k = self.k
        out = np.zeros((1, int(k["out_width"]), 2), np.float32)
        x = self.view("in", (0, 1), (0, k["width"]), 1)[0, : self._entries(), 0]
        missing = np.isnan(x)
        # Stable, so that of equal values the first comes first; NaN is larger than all.
        keys, last = (x, missing) if k["kind"] else (-x, ~missing)
        order = np.lexsort((keys, last))[: out.shape[1]]
        out[0, : len(order)] = np.stack([x[order], order.astype(np.float32)], -1)
        return out

    def _entries(self) -> int:
        """How long the list is that is read."""
        count = float(self.view("in2", (0, 1), (0, 1), 1)[0, 0, 0])
        return int(np.clip(np.nan_to_num(count), 0, self.k["width"]))
