"""What a segmentation makes by bands: the photo with classes in colours, or the classes' numbers.

It has the photo's size, and the same values as ``many.drawn`` writes of a whole map.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.rows.classes import ClassRows, Counted
from ftdist.answers.rows.kept import KeptRows
from ftdist.answers.rows.made import Shown
from ftdist.answers.tasks.segments import PROBABILITIES, planar
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.large.results import (
    WRITTEN_BYTES,
    Reading,
    Turned,
    kept_bytes,
    map_bytes,
    noted_bytes,
    reading_bytes,
)
from ftdist.network.alignment import Alignment, aligned
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.network.subnetwork import subnetwork
from ftdist.network.task import Task
from ftdist.pictures.rows.feed import Feed, as_colours
from ftdist.pictures.rows.opening import create_rows, rehearse_writing, writing_memory
from ftdist.pictures.rows.protocol import Rows, RowSink, RowSource
from ftdist.planning.bands.plan import last_shape

_COPIES = 24
"""Bytes a value of the rows at work: their scores, the largest of them, classes, colours."""

_COLOURS_BYTES = 6
"""What a pixel of a piece of the photo takes while it becomes one in colours of 8 bits."""

_SAMPLES = np.dtype(np.uint8)


def of_classes(model: Model, task: Task) -> Model:
    """The part of the model that makes the map of classes; InputError where it is not one that
    is made by rows."""
    network = model.network
    number = network.output(task.outputs[0])
    shape = network.shape(number)
    dims = network.layout(number).of(shape)
    seen = planar(np.broadcast_to(np.float32(0), dims), (network.input.height, network.input.width))
    if seen.shape != (shape.channels, shape.height, shape.width):
        raise InputError(f"output {task.outputs[0]} is no map of classes, row by row")
    if len(network.outputs) == 1:
        return model
    return subnetwork(network, {network.source(number)}, ()).of_model(model)


class Nowhere:
    """A sink of rows that nobody wants: what is counted of them is."""

    position = 0

    def write(self, rows: Rows) -> None:
        """Lets them go."""

    def finish(self) -> None:
        """Nothing appears."""

    def abandon(self, *, keep: bool) -> None:
        """Nothing is left."""


@dataclass
class Labelled:
    """A segmentation's picture; `plain`: the numbers of classes. Without a `target` its classes
    are counted only."""

    network: Network
    source: RowSource
    target: Path | None
    plain: bool = field(kw_only=True)
    made: Shape = field(init=False)
    kept: KeptRows | None = field(init=False, default=None)
    _alignment: Alignment = field(init=False)
    _rows: ClassRows = field(init=False)
    _counted: Counted | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        source = self.source
        self.made = last_shape(self.network)
        self._alignment = aligned(self.network, self.network.outputs[0])
        self._rows = ClassRows(self.made, source.shape, self.network.input, self._alignment)
        if self.target is not None and not self.plain:
            if source.dtype == np.float32:
                raise InputError(f"{self.target}: classes are drawn on a picture, not on fractions")
            tags = source.tags
            self.kept = KeptRows(source.shape.height, lambda rows: as_colours(rows, tags))

    @property
    def described(self) -> str:
        what = "numbers" if self.plain else "colours"
        return f"{self.network.input} {what} of classes {self.network.inputs[0].pixels}"

    @property
    def shares(self) -> dict[int, float]:
        """How much of the picture each class has, of the rows that were judged."""
        return {} if self._counted is None else self._counted.shares

    @property
    def rows_at_once(self) -> int:
        return max(1, WRITTEN_BYTES // self._row_bytes)

    def judge(self) -> Counted:
        shown = Shown.of(self.made, self.network.input, self.source.shape, self._alignment)
        self._counted = Counted((shown.height, shown.width), self.made.channels)
        return self._counted

    def turned(self, reading: Reading | None) -> Turned:
        """Makes the file's rows."""
        own = reading or PROBABILITIES

        def rows(top: int, values: NDArray[np.float32]) -> Rows:
            numbers = self._rows.numbers(top, values, own)
            if self.kept is None or not len(numbers):
                return numbers
            first = self._rows.first(top)
            return self._rows.over(self.kept.rows(first, first + len(numbers)), numbers)

        return rows

    def file_row(self, top: int) -> int:
        return self._rows.first(top)

    def map_row(self, file_row: int) -> int:
        if file_row >= self.source.shape.height:
            return self.made.height
        return self._rows.map_row(file_row)

    def photo_row(self, top: int) -> int:
        return self._rows.first(top)

    def sink(self, *, resume: bool) -> RowSink:
        if self.target is None:
            return Nowhere()
        return create_rows(
            self.target, self._file_shape, _SAMPLES, self.source, resume=resume, planes=False
        )

    def files_bytes(self, seen: Network, rows: int) -> int:
        reading, kept = reading_bytes(self), self.source.memory().kept
        turning = max(WRITTEN_BYTES, self._row_bytes) * _COPIES // 4
        if self.target is not None:
            writing = writing_memory(self.target, self._file_shape, _SAMPLES)
            kept, turning = kept + writing.kept, turning + writing.at_work
        if self.kept is not None:
            kept += kept_bytes(self, seen, rows, 3)
            reading += noted_bytes(self.source, _COLOURS_BYTES)
        return kept + max(reading - map_bytes(self.made, rows), turning)

    def rehearse(self, feed: Feed) -> None:
        feed.rehearse()
        if self.target is not None:
            rehearse_writing(self.target, self._file_shape, _SAMPLES)
        self._rows.rehearse(self.made.channels)
        if self.kept is not None:
            own = self.source.shape.channels
            self.kept.rehearse(np.zeros((1, 16, own), self.source.dtype))

    @property
    def _file_shape(self) -> Shape:
        height, width, _ = self.source.shape
        return Shape(height, width, 1 if self.plain else 3)

    @property
    def _row_bytes(self) -> int:
        """Of a row of the map, and what is made of it."""
        of_file = -(-self.source.shape.height // self.made.height) * self.source.shape.width
        return 4 * max(self.made.width * self.made.channels, of_file)
