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
from dataclasses import dataclass
from pathlib import Path

from ftdist.answers.rows.sample import Sample
from ftdist.answers.tasks.images import Range
from ftdist.cli.bands.asked import passes_of
from ftdist.cli.bands.journal import Begun, Journal, Reached
from ftdist.cli.bands.made import Made, Turned, as_it_is, write_pieces
from ftdist.cli.bands.progress import RowProgress
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.plan_and_budget import calibration_for
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.pictures.rows.feed import Feed
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import RowSink
from ftdist.planning.bands.plan import BandPlan
from ftdist.runtime.bands.choice import BandsAsked, PhasedChoice, choose_phases
from ftdist.runtime.bands.running import Band, BandRunner
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.engine import Kernels
from ftdist.runtime.threads import default_threads


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
        network = model.network
        made = Made(network, source, target, as_picture=as_picture)
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
    made: Made
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
        return Feed(self.made.source, self.feed.shape, self.made.network.inputs[0].pixels)

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
            turned: Turned = as_it_is
            if sample is not None:
                sample.take(band.rows.start, values)
                reached.values = reached.values or sample.range
                turned = made.rows(reached.values).rows
            write_pieces(sink, values, turned, band.rows.start)
            if made.colours is not None:
                made.colours.forget(band.rows.stop)
            reached.rows = band.rows.stop
            self.journal.write(reached, sample)
            progress.show(band.rows.stop)

        runner.run(self.feed, take, first)
        return sample.range if sample is not None else reached.values
