"""Definitions of the operations that see maps as arrays of any rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ftdist.kernels.program import KINDS
from ftdist.kernels.reference_views import Array, Views


class Tensors(Views):
    """Copies, reductions and products by a view; methods are named after their operation."""

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

    def reduce(self) -> Array:
        terms = self.viewed().astype(np.float64)
        with np.errstate(all="ignore"):
            found = _REDUCTIONS[KINDS["reductions"][int(self.k["kind"])]](terms)
            return np.asarray(found, np.float32)

    def product(self) -> Array:
        first, second = (self.viewed(name).astype(np.float64) for name in ("in", "in2"))
        return np.asarray((first * second).sum(axis=-1), np.float32)


def _last(find: Callable[..., Any], terms: Any) -> Any:
    return terms.shape[-1] - 1 - find(terms[..., ::-1], axis=-1)


def _log_sum_exp(terms: Any) -> Any:
    largest = terms.max(axis=-1, keepdims=True)
    found = np.log(np.exp(terms - largest).sum(axis=-1)) + largest[..., 0]
    return np.where(np.isfinite(largest[..., 0]), found, largest[..., 0])


_REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda terms: terms.sum(axis=-1),
    "mean": lambda terms: terms.mean(axis=-1),
    "max": lambda terms: terms.max(axis=-1),
    "min": lambda terms: terms.min(axis=-1),
    "product": lambda terms: terms.prod(axis=-1),
    "l1": lambda terms: np.abs(terms).sum(axis=-1),
    "l2": lambda terms: np.sqrt((terms**2).sum(axis=-1)),
    "sum_of_squares": lambda terms: (terms**2).sum(axis=-1),
    "log_sum": lambda terms: np.log(terms.sum(axis=-1)),
    "log_sum_exp": _log_sum_exp,
    "arg_max": lambda terms: terms.argmax(axis=-1),
    "arg_min": lambda terms: terms.argmin(axis=-1),
    "arg_max_last": lambda terms: _last(np.argmax, terms),
    "arg_min_last": lambda terms: _last(np.argmin, terms),
}
