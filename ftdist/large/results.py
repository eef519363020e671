"""How rows of a file are made of rows of a network's map, and written: of a picture, or of the map.

Whoever has bands of the map, from this process or from a cluster's workers, writes them so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.rows.kept import KeptRows
from ftdist.answers.rows.made import Colours, MadeRows, Shown
from ftdist.answers.rows.sample import Sample
from ftdist.geometry import Shape
from ftdist.network.alignment import Alignment, aligned
from ftdist.network.graph import Network
from ftdist.pictures.rows.feed import Feed, feeding_bytes, piece_rows
from ftdist.pictures.rows.opening import create_rows, rehearse_writing, writing_memory
from ftdist.pictures.rows.protocol import Rows, RowSink, RowSource
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import last_shape

WRITTEN_BYTES = 256 << 10
"""Of a band's result so much is turned and written at once, about; no less than a row."""

CHROMA_BYTES = 29
"""What a pixel of a piece takes while its Cb and Cr are reckoned: red, green and blue, in 32 bits,
as many sums of them, and the result."""

_SAMPLE_BYTES = 128 << 10
"""Of the values by which a map's range is judged."""

Reading = tuple[float, float]
"""What a sample of a map's values decides: values of black and white, or how classes are read."""

Turned = Callable[[int, NDArray[np.float32]], Rows]
"""Makes rows of a file of rows of the network's map, given the number of the first."""


class Judge(Protocol):
    """Looks at all rows of a map as they come by; what it decides of some it may decide otherwise
    of all, and then they are made once more."""

    @property
    def reading(self) -> Reading: ...

    def take(self, top: int, rows: NDArray[np.float32]) -> None: ...

    def encoded(self) -> str:
        """As text, for a journal."""
        ...

    def restore(self, text: str) -> None:
        """Takes over what ``encoded`` gave; ValueError when it is something else."""
        ...


class Result(Protocol):
    """How a file is made of a network's map `made`; `network` may be a part of the whole one.

    Rows of the map from `top` on become rows of the file from ``file_row(top)`` on.
    """

    network: Network
    source: RowSource
    made: Shape

    @property
    def kept(self) -> KeptRows | None:
        """The photo's rows that are wanted beside the map."""
        ...

    @property
    def described(self) -> str:
        """What else than the model and the picture the file's bits depend on."""
        ...

    @property
    def rows_at_once(self) -> int:
        """Rows of the map that are turned and written at once."""
        ...

    def judge(self) -> Judge | None: ...

    def turned(self, reading: Reading | None) -> Turned: ...

    def file_row(self, top: int) -> int: ...

    def map_row(self, file_row: int) -> int:
        """The row of the map that a row of the file is made of."""
        ...

    def photo_row(self, top: int) -> int:
        """The first row of the photo that is wanted from row `top` of the map on."""
        ...

    def sink(self, *, resume: bool) -> RowSink: ...

    def files_bytes(self, seen: Network, rows: int) -> int:
        """What reading, turning and writing hold beside a band of so many rows, made by `seen`.

        The band that was made before is gone while the picture is read.
        """
        ...

    def rehearse(self, feed: Feed) -> None:
        """Reads, turns and writes a little, to nowhere: all code for it is in memory then."""
        ...


@dataclass
class Made:
    """The picture that a network makes, or, unless it is `as_picture`, its map as an array."""

    network: Network
    source: RowSource
    target: Path
    as_picture: bool = field(kw_only=True)
    alignment: Alignment = field(init=False)
    shown: Shown = field(init=False)
    made: Shape = field(init=False)
    planar: bool = field(init=False)
    colours: Colours | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        network = self.network
        self.made = last_shape(network)
        layout = network.layout(network.outputs[0])
        self.planar = layout.planar
        self.alignment = aligned(network, network.outputs[0])
        self.shown = Shown.of(self.made, network.input, self.source.shape, self.alignment)
        grey = network.input.channels == 1 and self.made.channels == 1
        if self.as_picture and grey and self.source.shape.channels >= 3:
            self.colours = Colours(self.source.shape, self.shown, self.alignment, self.source.tags)

    @property
    def kept(self) -> KeptRows | None:
        return None if self.colours is None else self.colours.kept

    @property
    def described(self) -> str:
        return f"{self.network.input} {self.file_shape} {self.network.inputs[0].pixels}"

    @property
    def rows_at_once(self) -> int:
        return max(1, WRITTEN_BYTES // (self.made.width * self.made.channels * 4))

    def judge(self) -> Sample | None:
        return Sample(self.made, planar=self.planar) if self.as_picture else None

    def turned(self, reading: Reading | None) -> Turned:
        return _as_it_is if reading is None else self._rows(reading).rows

    def file_row(self, top: int) -> int:
        return top

    def map_row(self, file_row: int) -> int:
        return file_row

    def photo_row(self, top: int) -> int:
        return top if self.colours is None else self.colours.first_row(top)

    @property
    def file_shape(self) -> tuple[Shape, np.dtype[Any]]:
        """Shape and numbers of the file."""
        if self.as_picture:
            made = self._rows((0.0, 1.0))
            return made.shape, made.dtype
        return self.made, np.dtype(np.float32)

    def sink(self, *, resume: bool) -> RowSink:
        shape, dtype = self.file_shape
        return create_rows(self.target, shape, dtype, self.source, self.alignment, resume=resume,
                           planes=self.planar)  # fmt: skip

    def files_bytes(self, seen: Network, rows: int) -> int:
        shape, dtype = self.file_shape
        at_once = min(self.rows_at_once, rows, self.made.height)
        piece = at_once * shape.width * shape.channels * dtype.itemsize
        writing = writing_memory(self.target, shape, dtype, planes=self.planar, piece=piece)
        reading, kept = reading_bytes(self), self.source.memory().kept + writing.kept
        if self.as_picture:
            kept += _SAMPLE_BYTES
        if self.colours is not None:
            kept += kept_bytes(self, seen, rows, 2)
            reading += noted_bytes(self.source, CHROMA_BYTES)
        turning = self._rows((0.0, 1.0)).making_bytes(at_once) if self.as_picture else 0
        return kept + max(reading - map_bytes(self.made, rows), turning + writing.at_work)

    def rehearse(self, feed: Feed) -> None:
        feed.rehearse()
        rehearse_writing(self.target, *self.file_shape)
        if self.as_picture:
            self._rows((0.0, 1.0)).rehearse()

    def _rows(self, values: Reading) -> MadeRows:
        """What makes rows of a picture by a range of values."""
        blue_first = self.network.inputs[0].pixels.blue_first
        deep = self.source.dtype == np.uint16
        return MadeRows(self.shown, self.made.channels, values, self.colours,
                        blue_first=blue_first, deep=deep)  # fmt: skip


def _as_it_is(top: int, values: NDArray[np.float32]) -> Rows:
    """Rows of a file of the map itself."""
    return values


def reading_bytes(result: Result) -> int:
    """What reading a piece of the photo takes beside what is kept of it."""
    source, wanted = result.source, result.network.input
    return source.memory().at_work + feeding_bytes(source.shape, source.dtype, wanted)


def map_bytes(made: Shape, rows: int) -> int:
    """So many rows of a map."""
    return min(rows, made.height) * made.width * made.channels * 4


def noted_bytes(source: RowSource, pixel_bytes: int) -> int:
    """What a piece of the photo takes while its rows that are kept are made."""
    return piece_rows(source.shape, source.dtype) * source.shape.width * pixel_bytes


def kept_bytes(result: Result, seen: Network, rows: int, pixel_bytes: int) -> int:
    """What the photo's rows that are kept take, `pixel_bytes` a pixel: those that a band has read
    and later ones want."""
    photo = result.source.shape
    bands = NumberedBands(seen, rows)
    top, bottom, *_ = bands.region(bands.inner)
    piece = piece_rows(photo, result.source.dtype)
    last = max(bands.input(bands.inner).bottom, result.photo_row(bottom))
    held = min(last - result.photo_row(top) + 2 * piece, photo.height)
    return photo.width * held * pixel_bytes


def write_pieces(
    sink: RowSink, values: NDArray[np.float32], turned: Turned, top: int, result: Result
) -> None:
    """Writes a band's rows, in pieces; those that are in the file already are passed over."""
    height, step = len(values), result.rows_at_once
    first = min(height, max(0, result.map_row(sink.position) - top))
    for start in range(first, height, step):
        rows = turned(top + start, values[start : start + step])
        rows = rows[max(0, sink.position - result.file_row(top + start)) :]
        if len(rows):
            sink.write(rows)
