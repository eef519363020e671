"""Key points: out of a list of numbers, of heat maps, or of distributions over columns and rows.

- a list: (x, y) or (x, y, z) a point, in pixels or in fractions; "rows_first": (y, x, score);
- "peaks": a heat map a point, which lies where its map is largest, a quarter of a cell towards the
  larger neighbour (Newell, Yang, Deng 2016, as the code of Simple Baselines has it);
- "simcc": for each point a distribution over columns and one over rows (SimCC, Li et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.tasks.segments import planar
from ftdist.network.task import Task

Floats = NDArray[np.float32]

_FRACTIONS_AT_MOST = 4.0
_QUARTER = np.float32(0.25)


def points(
    task: Task, outputs: Mapping[str, NDArray[Any]], source: tuple[int, int]
) -> NDArray[np.float32]:
    """(n, 2) x and y in fractions of the network's input, of (height, width) `source`."""
    first, *rest = (np.asarray(outputs[name]) for name in task.outputs)
    if task.layout == "peaks":
        return _peaks(planar(first, source))
    if task.layout == "simcc":
        axes = [each.reshape(-1, each.shape[-1]) for each in (first, *rest)]
        found = [np.nan_to_num(a).argmax(axis=1) / np.float32(a.shape[1]) for a in axes]
        return np.stack(found, axis=1).astype(np.float32, copy=False)
    if task.layout == "rows_first":
        return first.astype(np.float32, copy=False).reshape(-1, 3)[:, 1::-1]
    return _listed(first, source)


def _peaks(maps: NDArray[Any]) -> Floats:
    """(n, 2) of maps (n, height, width)."""
    count, height, width = maps.shape
    known = np.nan_to_num(maps.reshape(count, -1), nan=-np.inf)
    rows, columns = np.divmod(known.argmax(axis=1), width)
    around = np.pad(known.reshape(maps.shape), ((0, 0), (1, 1), (1, 1)), mode="edge")
    each = np.arange(count)
    with np.errstate(all="ignore"):
        right = around[each, rows + 1, columns + 2] - around[each, rows + 1, columns]
        down = around[each, rows + 2, columns + 1] - around[each, rows, columns + 1]
    moved = np.nan_to_num(np.sign(np.stack([right, down], axis=1))) * _QUARTER
    places = np.stack([columns, rows], axis=1) + np.float32(0.5) + moved
    sides: Floats = np.array([width, height], np.float32)
    result: Floats = (places / sides).astype(np.float32)
    return result


def _listed(array: NDArray[Any], source: tuple[int, int]) -> Floats:
    """Whether each point has two numbers or three is told by which of both is smoother: the first
    two of a point are places on the picture, the third a depth around zero."""
    flat = array.astype(np.float32, copy=False).reshape(-1)
    deep = flat.size % 3 == 0 and (flat.size % 2 != 0 or _is_deep(flat))
    places = flat.reshape(-1, 3 if deep else 2)[:, :2]
    finite = places[np.isfinite(places)]
    if finite.size and np.abs(finite).max() > _FRACTIONS_AT_MOST:
        sides: Floats = np.array([source[1], source[0]], np.float32)
        return places / sides
    return places


def _is_deep(flat: Floats) -> bool:
    """Whether every third number is unlike the others."""
    threes = flat.reshape(-1, 3)
    between = float(np.nanmean(np.abs(np.nanmean(threes[:, :2]) - np.nanmean(threes[:, 2]))))
    return between > float(np.nanstd(threes[:, :2]))
