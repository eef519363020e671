"""A run by bands: rows of a picture in, rows of a result out, neither whole in memory.

The range of values that a picture stands for is judged by a sample of all of them, as of a whole
run. The first band decides for the time being; where all say otherwise at the end, which is rare,
the picture is made once more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.rows.made import MAKING_COPIES, Colours, MadeRows, Shown
from ftdist.answers.rows.sample import Sample
from ftdist.answers.tasks.images import Range
from ftdist.cli.bands.asked import passes_of
from ftdist.cli.bands.journal import Begun, Journal, Reached
from ftdist.cli.bands.progress import RowProgress
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.plan_and_budget import calibration_for
from ftdist.geometry import Shape
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.pictures.rows.feed import Feed, feeding_bytes
from ftdist.pictures.rows.opening import create_rows, open_rows, row_memory
from ftdist.pictures.rows.protocol import Rows, RowSink, RowSource
from ftdist.planning.bands.plan import BandPlan, last_shape
from ftdist.runtime.bands.choice import BandsAsked, PhasedChoice, choose_phases
from ftdist.runtime.bands.running import Band, BandRunner
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.engine import Kernels
from ftdist.runtime.threads import default_threads

_WRITTEN_BYTES = 256 << 10
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


@dataclass(frozen=True)
class _Ways:
    """What a run by bands is asked for beside its result: `resume`, and by which kernels."""

    resume: bool
    kernels: Kernels


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
        how = f"{network.input} {made.file_shape} {network.inputs[0].pixels}"
        journal = Journal(target, Begun.of(model.digest, path, how))
        reached = journal.read() if arguments.resume else None
        arithmetic = None
        if reached is not None:
            last = passes_of(network, limit)[-1].bands.network
            arithmetic = BandPlan.parsed(reached.plan, last, threads).steps.arithmetic
        asked = BandsAsked(
            *(model, limit, feed.is_picture, threads, lambda rows: made.files_bytes),
            calibration_for(threads, limit, arguments.kernels),
            exact_direct=arguments.exact_direct,
            arithmetic=arithmetic,
        )
        choice = choose_phases(asked, passes_of(network, limit))
        reached = reached or Reached(choice.last.plan.notation)
        run = _Run(choice, made, feed, journal, reached)
        started = time.perf_counter()
        with RowProgress(made.made.height) as progress:
            passes = run.all(_Ways(arguments.resume, arguments.kernels), progress)
        elapsed_s = time.perf_counter() - started
    print_bands(choice, passes, elapsed_s, target)
    if arguments.json is not None:
        write_bands(arguments.json, choice, passes, elapsed_s, arguments.kernels)
    return 0


@dataclass
class _Run:
    """A run under way."""

    choice: PhasedChoice
    made: _Made
    feed: Feed
    journal: Journal
    reached: Reached

    def all(self, ways: _Ways, progress: RowProgress) -> int:
        """Writes the result; how many passes over the picture that took."""
        runner = self.choice.runner(ways.kernels)
        held = runner.small_maps(self._anew, lambda number, rows: progress.pass_over(number + 1))
        passes = len(self.choice.passes) - 1
        again = False
        with runner.last(held) as last:
            while True:
                passes += 1
                self.feed.rewind()
                with self._sink(ways.resume, again=again) as sink:
                    found = self._pass(last, sink, progress)
                    if found == self.reached.values:
                        sink.finish()
                        self.journal.end()
                        return passes
                again, self.reached = True, Reached(self.reached.plan, values=found)

    def _anew(self, number: int) -> Feed:
        """The picture's rows for an early pass, which nobody else hears of."""
        self.feed.rewind()
        return Feed(self.made.source, self.feed.shape, self.made.model.network.inputs[0].pixels)

    @contextmanager
    def _sink(self, resume: bool, *, again: bool) -> Iterator[RowSink]:
        """The sink; unless it is finished only what may be resumed is left of it."""
        sink = self.made.sink(resume=resume and not again)
        kept = False
        try:
            self.journal.write(self.reached, None, now=True)
            yield sink
        except BaseException:
            kept = resume
            raise
        finally:
            sink.abandon(keep=kept)
            if not kept:
                self.journal.end()

    def _pass(self, runner: BandRunner, sink: RowSink, progress: RowProgress) -> Range | None:
        """Makes all bands that are missing; the range that all values speak of, where it matters.

        The first band's range is `reached`, unless an earlier pass found one.
        """
        made, reached = self.made, self.reached
        sample = Sample(made.made, planar=made.planar) if made.as_picture else None
        first = min(sink.position, reached.rows) if sample is not None else sink.position
        if sample is not None and reached.rows:
            sample.restore(reached.sample)
        progress.begin(first)

        def take(band: Band) -> None:
            (values,) = band.maps.values()
            turned: Turned = _as_it_is
            if sample is not None:
                sample.take(band.rows.start, values)
                reached.values = reached.values or sample.range
                turned = made.rows(reached.values).rows
            _write(sink, values, turned, band.rows.start)
            if made.colours is not None:
                made.colours.forget(band.rows.stop)
            reached.rows = band.rows.stop
            self.journal.write(reached, sample)
            progress.show(band.rows.stop)

        runner.run(self.feed, take, first)
        return sample.range if sample is not None else reached.values


Turned = Callable[[int, NDArray[np.float32]], Rows]
"""Makes rows of a file of rows of the network's map, given the number of the first."""


def _as_it_is(top: int, values: NDArray[np.float32]) -> Rows:
    return values


def _write(
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
