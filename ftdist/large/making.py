"""A run by bands: rows of a picture in, rows of a result out, neither whole in memory.

What a judge decides, as the range of values that a picture stands for, is decided as of a whole
run. The first band decides for the time being; where all say otherwise at the end, which is rare,
the picture is made once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ftdist.geometry import Span
from ftdist.large.journal import Begun, Journal, Reached
from ftdist.large.labelled import Labelled, of_classes
from ftdist.large.passes import passes_of
from ftdist.large.results import Made, Reading, Result, reading_bytes, write_pieces
from ftdist.network.modelfile import Model
from ftdist.network.task import Task
from ftdist.pictures.rows.feed import Feed
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import RowSink, RowSource
from ftdist.planning.bands.plan import BandPlan
from ftdist.runtime.bands.choice import BandsAsked, PhasedChoice, choose_phases
from ftdist.runtime.bands.running import Band, BandRunner
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.measuring.profiles import Calibration


class Progress(Protocol):
    """Is told how far a run is, in rows of the network's last map."""

    def begin(self, first: int) -> None: ...

    def pass_over(self, number: int) -> None: ...

    def show(self, rows: int) -> None: ...


Shown = Callable[[int], AbstractContextManager[Progress]]
"""Shows the progress of a run of so many rows."""


@dataclass(frozen=True)
class Ways:
    """Within what, and by what, a run computes."""

    limit: Budget
    threads: int
    calibration: Calibration
    exact_direct: bool = False
    kernels: Kernels = "native"
    resume: bool = False


@dataclass(frozen=True)
class Wanted:
    """What is to be made of a picture: with what `task` is for as rows of `target`, or, of an
    array, the network's map. `plain`: numbers of classes instead of colours."""

    model: Model
    task: Task
    path: Path
    target: Path | None
    plain: bool = False

    @property
    def as_array(self) -> bool:
        """Whether the file is the network's map."""
        numbers = self.task.kind == "segment" and self.plain
        return self.target is not None and self.target.suffix.lower() == ".npy" and not numbers

    def result(self, source: RowSource) -> tuple[Model, Result]:
        """How it is made, and the part of the model that it takes."""
        if self.task.kind == "segment" and not self.as_array:
            model = of_classes(self.model, self.task)
            return model, Labelled(model.network, source, self.target, plain=self.plain)
        assert self.target is not None
        network = self.model.network
        return self.model, Made(network, source, self.target, as_picture=not self.as_array)


@dataclass(frozen=True)
class Outcome:
    """What came of a run: its plan, passes over the picture, time, and of a segmentation the
    share of each class; `size` is the picture's (height, width)."""

    choice: PhasedChoice
    passes: int
    elapsed_s: float
    size: tuple[int, int]
    shares: dict[int, float] | None = None


def make(wanted: Wanted, ways: Ways, shown: Shown) -> Outcome:
    """Runs the model over the picture and writes the result."""
    planes = wanted.model.network.inputs[0].layout.planar
    with closing(open_rows(wanted.path, planes=planes)) as source:
        model, result = wanted.result(source)
        kept = result.kept
        feed = Feed(source, model.network.input, model.network.inputs[0].pixels,
                    None if kept is None else kept.take)  # fmt: skip
        if kept is not None:
            kept.reach = feed.reach
        begun = Begun.of(wanted.model.digest, wanted.path, result.described)
        journal = Journal(wanted.target, begun)
        reached = journal.read() if ways.resume else None
        passes = passes_of(model.network, ways.limit)
        seen = passes[-1].bands.network
        arithmetic = None
        if reached is not None:
            arithmetic = BandPlan.parsed(reached.plan, seen, ways.threads).steps.arithmetic
        asked = BandsAsked(
            *(model, ways.limit, feed.is_picture, ways.threads),
            lambda rows: result.files_bytes(seen, rows),
            ways.calibration,
            exact_direct=ways.exact_direct,
            arithmetic=arithmetic,
            early_bytes=source.memory().kept + reading_bytes(result),
            rehearse=lambda: result.rehearse(feed),
        )
        choice = choose_phases(asked, passes)
        run = _Run(choice, result, feed, journal, reached or Reached(choice.last.plan.notation))
        started = time.perf_counter()
        with shown(result.made.height) as progress:
            count = run.all(ways, progress)
        elapsed_s = time.perf_counter() - started
        shares = result.shares if isinstance(result, Labelled) else None
        return Outcome(choice, count, elapsed_s, source.shape[:2], shares)


@dataclass
class _Run:
    """A run under way."""

    choice: PhasedChoice
    result: Result
    feed: Feed
    journal: Journal
    reached: Reached

    def all(self, ways: Ways, progress: Progress) -> int:
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
        return Feed(self.result.source, self.feed.shape, self.result.network.inputs[0].pixels)

    @contextmanager
    def _sink(self, resume: bool, *, again: bool) -> Iterator[RowSink]:
        """The sink; unless it is finished only what may be resumed is left of it."""
        sink = self.result.sink(resume=resume and not again)
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

    def _pass(self, runner: BandRunner, sink: RowSink, progress: Progress) -> Reading | None:
        """Makes all bands that are missing; what all values decide, where that matters.

        The first band's decision is `reached`, unless an earlier pass found one.
        """
        result, reached = self.result, self.reached
        judge = result.judge()
        first = result.map_row(sink.position)
        if judge is not None:
            first = min(first, reached.rows)
            if reached.rows:
                judge.restore(reached.sample)
        progress.begin(first)
        self._read_from(runner, first)

        def take(band: Band) -> None:
            (values,) = band.maps.values()
            if judge is not None:
                judge.take(band.rows.start, values)
                reached.values = reached.values or judge.reading
            turned = result.turned(reached.values)
            write_pieces(sink, values, turned, band.rows.start, result)
            if result.kept is not None:
                result.kept.forget(result.photo_row(band.rows.stop))
            reached.rows = band.rows.stop
            self.journal.write(reached, judge)
            progress.show(band.rows.stop)

        runner.run(self.feed, take, first)
        return judge.reading if judge is not None else reached.values

    def _read_from(self, runner: BandRunner, first: int) -> None:
        """Reads what is wanted beside the map and may lie above what its first band reads."""
        if self.result.kept is None or not first or first >= self.result.made.height:
            return
        plan, network = runner.plan, runner.model.network
        top = first // plan.rows * plan.rows
        wanted = self.result.photo_row(top)
        if wanted < plan.first_row(
            network, Span(top, min(top + plan.rows, self.result.made.height))
        ):
            self.feed.band(wanted, wanted + 1)
