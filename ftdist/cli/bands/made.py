"""How rows of a file are made of rows of a network's map, and written: of a picture, or of the map.

Whoever has bands of the map, from this process or from a cluster's workers, writes them so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.rows.made import MAKING_COPIES, Colours, MadeRows, Shown
from ftdist.answers.tasks.images import Range
from ftdist.geometry import Shape
from ftdist.network.graph import Network
from ftdist.pictures.rows.feed import feeding_bytes
from ftdist.pictures.rows.opening import create_rows, row_memory
from ftdist.pictures.rows.protocol import Rows, RowSink, RowSource
from ftdist.planning.bands.plan import last_shape

_WRITTEN_BYTES = 256 << 10
"""Of a band's result so much is turned and written at once, about; no less than a row."""


@dataclass
class Made:
    """How the result is made of the network's map, and where it goes."""

    network: Network
    source: RowSource
    target: Path
    as_picture: bool = field(kw_only=True)
    shown: Shown = field(init=False)
    made: Shape = field(init=False)
    planar: bool = field(init=False)
    colours: Colours | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        network = self.network
        self.made = last_shape(network)
        layout = network.layout(network.outputs[0])
        self.planar = layout.planar
        self.shown = Shown.of(self.made, network.input, self.source.shape)
        grey = network.input.channels == 1 and self.made.channels == 1
        if self.as_picture and grey and self.source.shape.channels >= 3:
            self.colours = Colours(self.source.shape, self.shown)

    def rows(self, values: Range) -> MadeRows:
        """What makes rows of a picture by a range of values."""
        blue_first = self.network.inputs[0].pixels.blue_first
        deep = self.source.dtype == np.uint16
        return MadeRows(self.shown, self.made.channels, values, self.colours,
                        blue_first=blue_first, deep=deep)  # fmt: skip

    @property
    def file_shape(self) -> tuple[Shape, np.dtype[Any]]:
        """Shape and numbers of the file."""
        if self.as_picture:
            made = self.rows((0.0, 1.0))
            return made.shape, made.dtype
        return self.made, np.dtype(np.float32)

    def sink(self, *, resume: bool) -> RowSink:
        shape, dtype = self.file_shape
        return create_rows(self.target, shape, dtype, self.source, resume=resume,
                           planes=self.planar)  # fmt: skip

    @property
    def files_bytes(self) -> int:
        """What reading, turning and writing hold, beside the rows of a band."""
        shape, dtype = self.file_shape
        taken = row_memory(self.source, self.target, shape, dtype)
        taken += feeding_bytes(self.source.shape, self.source.dtype)
        written = max(_WRITTEN_BYTES, shape.width * shape.channels * 4)
        return taken + written * (MAKING_COPIES // 4 if self.as_picture else 2)


Turned = Callable[[int, NDArray[np.float32]], Rows]
"""Makes rows of a file of rows of the network's map, given the number of the first."""


def as_it_is(top: int, values: NDArray[np.float32]) -> Rows:
    """Rows of a file of the map itself."""
    return values


def write_pieces(
    sink: RowSink,
    values: NDArray[np.float32],
    turned: Turned,
    top: int,
) -> None:
    """Writes a band's rows, in pieces; those that are in the file already are passed over."""
    step = max(1, _WRITTEN_BYTES // values[0].nbytes)
    first = max(0, sink.position - top)
    for start in range(first, len(values), step):
        rows = turned(top + start, values[start : start + step])
        if len(rows):
            sink.write(rows)
