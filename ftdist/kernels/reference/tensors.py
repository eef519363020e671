"""Definitions of the operations that see maps as arrays of any rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ftdist.kernels.program import KINDS
from ftdist.kernels.reference.views import Array, Views


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

    def gather(self) -> Array:
        k = self.k
        axis, size = int(k["kind"]), (int(k["height"]), int(k["width"]), int(k["channels"]))
        count = (int(k["out_height"]), int(k["out_width"]), int(k["filters"]))[axis]
        indices = np.nan_to_num(self.floats[k["weights"] :][:count])
        taken = np.clip(indices, 0, size[axis] - 1).astype(np.intp)
        made = (self.row, self.row + self.rows), (self.left, self.right), (0, count)
        spans = [(0, size[n]) if n == axis else made[n] for n in range(2)]
        source = self.view("in", spans[0], spans[1], size[2])
        return np.asarray(source.take(taken[slice(*made[axis])], axis))

    def place(self) -> Array:
        k, total = self.k, self.same("out", int(self.k["filters"])).copy()
        top, left = int(k["pad_top"]), int(k["pad_left"])
        rows = max(self.row, top), min(self.row + self.rows, top + int(k["height"]))
        columns = max(self.left, left), min(self.right, left + int(k["width"]))
        if rows[0] < rows[1] and columns[0] < columns[1]:
            own = [slice(rows[0] - self.row, rows[1] - self.row)]
            own.append(slice(columns[0] - self.left, columns[1] - self.left))
            from_rows, from_columns = (
                (span[0] - first, span[1] - first) for span, first in ((rows, top), (columns, left))
            )
            total[tuple(own)] = self.view("in", from_rows, from_columns, k["channels"])
        return np.asarray(total)

    def pair(self) -> Array:
        k, sides = self.k, []
        for name, prefix in (("in", ""), ("in2", "in2_")):
            rows, columns = (self.row, self.row + self.rows), (self.left, self.right)
            height, width, channels = (k[prefix + each] for each in ("height", "width", "channels"))
            rows = (0, 1) if height == 1 else rows
            sides.append(self.view(name, rows, (0, 1) if width == 1 else columns, channels))
        with np.errstate(all="ignore"):
            found = PAIRS[KINDS["pairs"][int(k["kind"])]](*sides)
            shape = self.rows, self.right - self.left, int(k["filters"])
            return np.broadcast_to(np.asarray(found, np.float32), shape)

    def normalize(self) -> Array:
        k, groups, own = self.k, int(self.k["groups"]), self.same("in")
        map_ = self.view("in", (0, k["height"]), (0, k["width"]), k["channels"])
        values = map_ if k["kind"] & 1 else own
        values = values.astype(np.float64).reshape(*values.shape[:2], groups, -1)
        axes = (0, 1, 3) if k["kind"] & 1 else (3,)
        mean = values.mean(axis=axes, keepdims=True) * (not k["kind"] & 2)
        variance = ((values - mean) ** 2).mean(axis=axes, keepdims=True)
        away = (own.reshape(*own.shape[:2], groups, -1) - mean) / np.sqrt(variance + k["factor"])
        scale, bias = (self.floats[k[each] :][: own.shape[2]] for each in ("weights", "bias"))
        return np.asarray(away.reshape(own.shape) * scale + bias, np.float32)

    def softmax_along(self) -> Array:
        k, kind = self.k, int(self.k["kind"])
        rows = (0, k["height"]) if kind & 1 else (self.row, self.row + self.rows)
        columns = (0, k["width"]) if kind & 2 else (self.left, self.right)
        values = self.view("in", rows, columns, k["channels"]).astype(np.float64)
        axes = tuple(axis for axis in range(3) if kind >> axis & 1)
        largest = values.max(axis=axes, keepdims=True)
        total = np.exp(values - largest).sum(axis=axes, keepdims=True)
        away = self.same("in") - largest
        found = away - np.log(total) if kind & 8 else np.exp(away) / total
        return np.asarray(found, np.float32)


PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
    "equal": np.equal,
    "greater": np.greater,
    "greater_or_equal": np.greater_equal,
    "less": np.less,
    "less_or_equal": np.less_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
    "modulo": np.mod,
    "remainder": np.fmod,
    "where": lambda a, b: np.where(b != 0, a, 0),
    "unless": lambda a, b: np.where(b != 0, 0, a),
}


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
