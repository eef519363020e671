"""Pictures of a job that a coordinator computes in bands: rows of each out, rows of its map back.

Bands come back in any order. Each is written to its place in an array file, so that none waits for
another here or at the coordinator, and what was written is there after a crash. The file gets its
name when all bands of its picture are in it. The picture that a map stands for is made of that
file, for its range of values is judged by all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cli.files.sources import Source
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.large.results import Made, write_pieces
from ftdist.network.modelheader import Header
from ftdist.pictures.rows.feed import Feed
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.plain import PlainSink, create_array, open_array
from ftdist.pictures.rows.protocol import RowSink, RowSource, partial_file
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import last_shape


@dataclass(frozen=True)
class Unfinished:
    """A sink of which nothing is left unless it was finished."""

    sink: RowSink

    def close(self) -> None:
        self.sink.abandon(keep=False)


class BandedPictures:
    """The pictures of one job; `targets` are the files of their results, `done` are the bands
    that were written before."""

    def __init__(
        self,
        header: Header,
        bands: NumberedBands,
        inputs: Sequence[Source],
        targets: Sequence[Path],
        done: set[int],
    ) -> None:
        self._bands = bands
        self._inputs = inputs
        self._targets = targets
        self._port = header.network.inputs[0]
        self._planar = header.network.layout(header.network.outputs[0]).planar
        self._source: RowSource | None = None
        self._feed: Feed | None = None
        self._open = (-1, 0)
        self._sinks: dict[int, PlainSink] = {}
        self._left = [bands.count] * len(inputs)
        for frame in done:
            self._left[bands.picture(frame)] -= 1
        for number, left in enumerate(self._left):
            if 0 < left < bands.count:
                self._resume(number)

    def rows(self, frame: int, *, as_bytes: bool) -> NDArray[Any]:
        """The rows of a picture that come with a band; InputError when they cannot be read."""
        number, region = self._bands.picture(frame), self._bands.input(frame)
        opened, top = self._open
        if opened != number:
            self._open_picture(number)
        elif region.top < top:  # it is asked for again
            assert self._feed is not None
            self._feed.rewind()
        self._open = number, region.top
        assert self._feed is not None
        if self._feed.is_picture != as_bytes:
            assert self._source is not None
            is_numbers = self._source.dtype == np.float32
            bits = "no fixed brightness" if is_numbers else "16 bits a sample"
            raise InputError(
                f"{self._inputs[number].name}: has {bits}, and is too large for this coordinator "
                "in one; submit it in 8 bits, or as a .npy file of float32"
            )
        return self._feed.band(region.top, region.bottom).copy()

    def write(self, frame: int, region: Region, values: NDArray[np.float32]) -> bool:
        """Writes a band of a result; whether that was the last one of its picture."""
        number = self._bands.picture(frame)
        sink = self._sinks.get(number)
        if sink is None:
            sink = self._sinks[number] = self._create(number, resume=False)
        sink.position = region.top
        sink.write(values.transpose(1, 2, 0) if self._planar else values)
        self._left[number] -= 1
        return not self._left[number]

    def finish(self, number: int) -> Path | None:
        """Gives a result its name, if all bands are in it and it has none yet."""
        target = self._targets[number]
        if self._left[number] or not partial_file(target).is_file():
            return None
        sink = self._sinks.pop(number, None) or self._create(number, resume=True)
        sink.finish()
        return target

    def draw(self, number: int, target: Path) -> None:
        """Makes the picture that a map stands for, row by row, of the file that has the map."""
        whole = open_array(self._targets[number], planes=self._planar)
        with closing(open_rows(self._inputs[number].path)) as source, closing(whole) as values:
            made = Made(self._bands.network, source, target, as_picture=True)
            judge, kept = made.judge(), made.kept
            assert judge is not None
            for frame in range(self._bands.count):
                top, bottom, *_ = self._bands.region(frame)
                judge.take(top, values.rows(top, bottom))
            listener = None if kept is None else kept.take
            feed = Feed(source, self._port.shape, self._port.pixels, listener)
            turned = made.turned(judge.reading)
            if kept is not None:
                kept.reach = feed.reach
            with closing(Unfinished(made.sink(resume=False))) as sink:
                for frame in range(self._bands.count):
                    top, bottom, *_ = self._bands.region(frame)
                    if kept is not None:
                        feed.band(*self._bands.input(frame).rows)
                    write_pieces(sink.sink, values.rows(top, bottom), turned, top, made)
                    if kept is not None:
                        kept.forget(made.photo_row(bottom))
                sink.sink.finish()

    def close(self, *, keep: bool) -> None:
        """Ends: what is not whole is kept, to be gone on with, or nothing of it is left."""
        self._close_picture()
        for sink in self._sinks.values():
            sink.abandon(keep=keep)
        self._sinks.clear()

    def _resume(self, number: int) -> None:
        target = self._targets[number]
        if not partial_file(target).is_file():
            raise InputError(
                f"{partial_file(target)}: is gone, and has the bands that this job has already; "
                "submit it under another name"
            )
        self._sinks[number] = self._create(number, resume=True)

    def _create(self, number: int, *, resume: bool) -> PlainSink:
        shape, dtype = last_shape(self._bands.network), np.dtype(np.float32)
        return create_array(self._targets[number], shape, dtype, planes=self._planar, resume=resume)

    def _open_picture(self, number: int) -> None:
        self._close_picture()
        self._source = open_rows(self._inputs[number].path, planes=self._port.layout.planar)
        self._feed = Feed(self._source, self._port.shape, self._port.pixels)

    def _close_picture(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = self._feed = None
        self._open = (-1, 0)
