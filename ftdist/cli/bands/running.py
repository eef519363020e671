"""A run by bands: rows of a picture in, rows of a result out, neither whole in memory.

The range of values that a picture stands for is judged by a sample of all of them, as of a whole
run. The first band decides for the time being; where all say otherwise at the end, which is rare,
the picture is made once more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.rows.made import MAKING_COPIES, Colours, MadeRows, Shown
from ftdist.answers.rows.sample import Sample
from ftdist.answers.tasks.images import Range
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.plan_and_budget import calibration_for
from ftdist.cli.terminal import PassingLine
from ftdist.geometry import Shape
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.pictures.rows.feed import Feed, feeding_bytes
from ftdist.pictures.rows.opening import create_rows, open_rows, row_memory
from ftdist.pictures.rows.protocol import Rows, RowSink, RowSource
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandChoice, BandsAsked, choose_bands
from ftdist.runtime.bands.running import Band, BandRunner
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.threads import default_threads

_WRITTEN_BYTES = 512 << 10
"""Of a band's result so much is turned and written at once, about; no less than a row."""


@dataclass
class _Made:
    """How the result is made of the network's map, and where it goes."""

    model: Model
    task: Task
    source: RowSource
    target: Path
    as_picture: bool
    shown: Shown = field(init=False)
    made: Shape = field(init=False)
    planar: bool = field(init=False)
    colours: Colours | None = None

    def __post_init__(self) -> None:
        network = self.model.network
        self.made = last_shape(network)
        layout = network.layout(network.outputs[0])
        self.planar = layout.planar
        self.shown = Shown.of(self.made, network.input, self.source.shape)
        grey = network.input.channels == 1 and self.made.channels == 1
        if self.as_picture and grey and self.source.shape.channels >= 3:
            self.colours = Colours(self.source.shape, self.shown)

    def rows(self, values: Range) -> MadeRows:
        """What makes rows of a picture by a range of values."""
        blue_first = self.model.network.inputs[0].pixels.blue_first
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


def run_by_bands(
    arguments: argparse.Namespace, model: Model, task: Task, limit: Budget, target: Path, path: Path
) -> int:
    """Runs the model over the picture, writes the result, prints the report."""
    with closing(open_rows(path, planes=model.network.inputs[0].layout.planar)) as source:
        as_picture = task.kind == "image" and target.suffix.lower() != ".npy"
        made = _Made(model, task, source, target, as_picture)
        network = model.network
        listener = made.colours.take if made.colours else None
        feed = Feed(source, network.input, network.inputs[0].pixels, listener)
        threads = arguments.threads or default_threads()
        asked = BandsAsked(
            model,
            limit,
            feed.is_picture,
            threads,
            lambda rows: made.files_bytes,
            calibration_for(threads, limit, arguments.kernels),
            arguments.exact_direct,
        )
        choice = choose_bands(asked)
        with PassingLine() as line:
            started = time.perf_counter()
            passes = _run(choice, made, feed, line, arguments.kernels)
            elapsed_s = time.perf_counter() - started
    print_bands(choice, passes, elapsed_s, target)
    if arguments.json is not None:
        write_bands(arguments.json, choice, passes, elapsed_s, arguments.kernels)
    return 0


def _run(choice: BandChoice, made: _Made, feed: Feed, line: PassingLine, kernels: Any) -> int:
    """Writes the result; how many passes over the picture that took."""
    values: Range | None = None
    passes = 0
    with BandRunner(made.model, choice.plan, kernels) as runner:
        while True:
            passes += 1
            with _sink(made) as sink:
                found = _pass(runner, made, feed, sink, values, line)
                if found is None or found == values:
                    sink.finish()
                    return passes
            values = found
            feed.rewind()


@contextmanager
def _sink(made: _Made) -> Iterator[RowSink]:
    """The sink, of which nothing is left unless it was finished."""
    sink = made.sink(resume=False)
    try:
        yield sink
    finally:
        sink.abandon(keep=False)


def _pass(
    runner: BandRunner,
    made: _Made,
    feed: Feed,
    sink: RowSink,
    values: Range | None,
    line: PassingLine,
) -> Range | None:
    """Makes all bands; the range that the values spoke of, where that matters."""
    sample = Sample(made.made, planar=made.planar) if made.as_picture else None
    rows: MadeRows | None = None if values is None else made.rows(values)
    height = made.made.height
    used = values
    share = line.share("bands")

    def take(band: Band) -> None:
        nonlocal rows, used
        (values_of,) = band.maps.values()
        if sample is None:
            _write(sink, values_of, lambda top, piece: piece, band.rows.start)
            return
        sample.take(band.rows.start, values_of)
        if rows is None:
            used = sample.range
            rows = made.rows(used)
        _write(sink, values_of, rows.rows, band.rows.start)
        if made.colours is not None:
            made.colours.forget(band.rows.stop)
        share(band.rows.stop / height)

    runner.run(feed, take)
    if sample is None:
        return None
    found = sample.range
    return None if found == used else found


def _write(sink: RowSink, values: NDArray[np.float32], turned: Any, top: int) -> None:
    """Writes a band's rows, in pieces."""
    step = max(1, _WRITTEN_BYTES // values[0].nbytes)
    for first in range(0, len(values), step):
        rows: Rows = turned(top + first, values[first : first + step])
        if len(rows):
            sink.write(rows)
