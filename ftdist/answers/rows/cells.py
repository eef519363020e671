"""The objects of a detector that says something of each cell of its grids, by bands.

Of each band those cells are kept whose scores may be above the threshold, and of each column of
values the cells that have its least and its largest: what ``answers.tasks`` decides by all values
(whether scores are logits, boxes pixels), it decides by these as by all. So the objects are those
of a whole run; only more of them are kept, because a large picture has more objects.

Scores are taken for probabilities until a value says otherwise. If that comes after cells were
let go, all has to be looked at once more (`misread`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.decode import Detection
from ftdist.answers.rows.objects import MOST_HELD
from ftdist.answers.suppress import suppress
from ftdist.answers.tasks.grids import Picked
from ftdist.answers.tasks.listed import listed
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import Network
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.tensors import Rearrange
from ftdist.network.operators.views import Factor
from ftdist.network.task import Task

_MAPS = ("yolo3_maps", "yolo4_maps", "yolo5_maps", "yolo7_maps", "bin_maps")
_LISTS = ("grid_rows", "bins")
_EDGES = 64
_MARGIN = 1e-3

MOST_CELLS = 1 << 13
"""Cells that are held for one picture."""


def cell_maps(network: Network, task: Task) -> tuple[int, ...]:
    """The maps whose cells the task's outputs list, in their order; InputError for others."""
    numbers = {network.layers[each].name: each for each in network.outputs}
    sources = [network.source(numbers[name]) for name in task.outputs]
    if task.layout in _LISTS:
        (source,) = sources
        sources = _listed_maps(network, source)
    elif task.layout not in _MAPS:
        sources = []
    shapes = [network.shape(each) for each in sources]
    if not sources or any(each.channels != shapes[0].channels for each in shapes):
        raise InputError(f"{network.name} hands on lists of boxes, which are not seen by rows")
    if task.layout in _MAPS and shapes[0].channels != _values(task):
        raise InputError(f"{network.name} hands on maps in parts, which are not seen by rows")
    return tuple(sources)


def _values(task: Task) -> int:
    """Of a cell of a map."""
    return task.classes + _EDGES if task.layout == "bin_maps" else 3 * (5 + task.classes)


def _listed_maps(network: Network, source: int) -> list[int]:
    """The maps of which a list is made cell by cell, one behind the other; none for other lists."""
    layer = network.layers[source]
    if not isinstance(layer.operation, Concatenate):
        return []
    found = []
    for part in network.reads(source):
        operation = network.layers[part].operation if part >= 0 else None
        if not isinstance(operation, Rearrange):
            return []
        (inner,) = network.reads(part)
        height, width, channels = network.shape(inner)
        view, cells = operation.view, height * width
        wanted = (Factor(channels, 1),), (), (Factor(cells, channels),), (), 0
        if (view.rows, view.columns, view.channels, view.terms, view.first) != wanted:
            return []
        if tuple(network.shape(part)) != (channels, 1, cells):
            return []
        found.append(inner)
    return found


@dataclass(slots=True)
class _CellValues:
    """Cells of a map by their numbers, ascending, and the values of each."""

    numbers: NDArray[np.intp]
    values: NDArray[np.float32]


class CellObjects:
    """Collects what bands of maps say of their cells; `size` is (height, width) of the input."""

    def __init__(
        self,
        network: Network,
        task: Task,
        threshold: float,
        overlap: float,
        *,
        logits: bool = False,
    ) -> None:
        self._network, self._task = network, task
        self._threshold, self._overlap = threshold, overlap
        self._sources = cell_maps(network, task)
        self._logits = logits
        self.misread = False
        self._kept: dict[int, _CellValues] = {}

    def take(self, regions: Mapping[int, Region], maps: Mapping[int, NDArray[np.float32]]) -> None:
        """Looks at a band of each map, (rows, columns, channels)."""
        for source in self._sources:
            region = regions[source]
            if region.size:
                values = np.ascontiguousarray(maps[source]).reshape(-1, maps[source].shape[2])
                width = self._network.shape(source).width
                numbers = np.arange(len(values)) + region.top * width
                self._look(source, numbers, values)

    def all(self) -> list[Detection]:
        """The objects, best first; boxes in fractions of the network's input."""
        height, width, _ = self._network.input
        size = height, width
        picked = [self._picked(each) for each in self._sources]
        if self._task.layout in _LISTS:
            picked = [Picked.joined(picked)]
        tables = dict(zip(self._task.outputs, picked, strict=True))
        found = listed(self._task, tables, size, self._threshold, MOST_HELD)
        return suppress(found, self._overlap)

    def _look(self, source: int, numbers: NDArray[np.intp], values: NDArray[np.float32]) -> None:
        if source in self._kept:
            before = self._kept[source]
            numbers = np.concatenate([before.numbers, numbers])
            values = np.concatenate([before.values, values])
        scores = values[:, self._deciding]
        if not self._logits and ((scores < 0) | (scores > 1) | np.isnan(scores)).any():
            self._logits, self.misread = True, source in self._kept or len(self._kept) > 0
        above = (values[:, self._strengths] > self._least).any(axis=1)
        wanted = np.union1d(np.flatnonzero(above), _telling(values))
        self._kept[source] = _CellValues(numbers[wanted], values[wanted].copy())
        if sum(len(each.numbers) for each in self._kept.values()) > MOST_CELLS:
            raise InputError(
                f"more than {MOST_CELLS} places of the picture score above {self._threshold}: "
                "ask for a higher --thresh"
            )

    @property
    def _least(self) -> float:
        """What a score is above, as it stands in a map, that may be above the threshold."""
        if not self._logits:
            return self._threshold - _MARGIN
        share = min(max(self._threshold, 1e-9), 1 - 1e-9)
        return min(self._threshold, math.log(share / (1 - share))) - _MARGIN

    @property
    def _strengths(self) -> list[int]:
        """The values of a cell of which one bounds the score of each of its boxes."""
        layout, classes = self._task.layout, self._task.classes
        if layout == "grid_rows":
            return [4]
        if layout == "bin_maps":
            return list(range(_EDGES, _EDGES + classes))
        if layout == "bins":
            wide = self._network.shape(self._sources[0]).channels - classes
            first = wide if wide == _EDGES else 0
            return list(range(first, first + classes))
        return [4 + anchor * (5 + classes) for anchor in range(3)]

    @property
    def _deciding(self) -> list[int]:
        """The values of a cell that say whether scores are probabilities."""
        if self._task.layout in ("grid_rows", "bins", "bin_maps"):
            return self._strengths
        each = 5 + self._task.classes
        return [number for number in range(3 * each) if number % each > 3]

    def _picked(self, source: int) -> Picked:
        kept, shape = self._kept[source], self._network.shape(source)
        y, x = np.divmod(kept.numbers, shape.width)
        stride = round(self._network.input.height / shape.height)
        cells = np.stack([x, y]).astype(np.float32)
        return Picked(kept.values, cells, np.full(len(y), stride, np.float32))


def _telling(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """The rows by which all is decided that is decided by the least and largest of a column, and
    by whether some of it are no numbers."""
    none = np.isnan(values)
    low = np.argmin(np.where(none, np.inf, values), axis=0)
    high = np.argmax(np.where(none, -np.inf, values), axis=0)
    return np.concatenate([low, high, np.argmax(none, axis=0)[none.any(axis=0)]])
