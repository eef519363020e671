"""`ftdist run`: one model, inputs, one plan within a budget, and a report of what came true.

One input is run and reported; of several each is told as it comes, then the report of all. When a
model's last input is computed, model and session are gone before its result is drawn and written:
what they held is free for that.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.answers.kinds import task_of
from ftdist.atomic import refuse_overwriting, refuse_unwritable
from ftdist.cli.bands.asked import by_bands, detects
from ftdist.cli.console import complain, say, tell
from ftdist.cli.files.class_names import names_of, thresholds_of, unsure_of, wishes_of
from ftdist.cli.files.findings import print_result, summary
from ftdist.cli.files.frames import Frames, Looked, Queue, for_all
from ftdist.cli.files.inputs import first_picture_size
from ftdist.cli.files.outputs import Outputs, outputs, write_text
from ftdist.cli.files.sources import Source, Sources, sources
from ftdist.cli.plan_and_budget import budget_of, choose_plan, take_model_for_input
from ftdist.cli.reports.report import (
    Report,
    machine,
    milliseconds,
    preparation_line,
    print_report,
    write_report,
)
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.many.drawn import Computed, Shown, write_picture
from ftdist.many.inputs import write_arrays
from ftdist.network.about import About, Names
from ftdist.network.graph import Network
from ftdist.network.task import Task
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap, trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.imported import opened
from ftdist.runtime.overriding import with_wishes
from ftdist.runtime.plans.fresh_process import peak_bytes
from ftdist.runtime.trace import Trace, refuse_as_trace
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.answers.seen import Answer, Result
    from ftdist.cli.page import Page
    from ftdist.network.modelfile import Model
    from ftdist.page.local import LocalPage


@dataclass
class _Run:
    """What is asked for, and what came of it so far."""

    arguments: argparse.Namespace
    given: Sources
    limit: Budget
    line: PassingLine
    network: Network
    task: Task
    about: About
    names: tuple[str, ...]
    names_from: Names
    outputs: Outputs
    results: list[Result] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    report: Report | None = None
    trace: Trace | None = None
    page: Page | None = None
    shown: LocalPage | None = None

    def leave_out(self, source: Source, reason: str) -> None:
        """Names an input that is left out."""
        self.line.clear()
        complain(f"ftdist: {reason}")
        self.left_out.append({"file": source.name, "reason": reason})
        if self.shown is not None:
            self.shown.failed()


def run(arguments: argparse.Namespace) -> int:
    """Runs the model, writes the outputs, prints the report; 1 when inputs were left out."""
    limit = budget_of(arguments.mem)
    if arguments.page is None:
        return _run(arguments, limit)
    from ftdist.cli.page import with_page  # with all that only a page needs

    return with_page(arguments, limit, lambda page, left: _run(arguments, left, page))


def _run(arguments: argparse.Namespace, limit: Budget, page: Page | None = None) -> int:
    if arguments.kernels == "reference" and arguments.mem is not None:
        raise InputError("--mem is kept by the native kernels; --kernels reference has no bound")
    settle_heap(SPARING_BYTES)
    take_model_for_input(arguments)
    with ExitStack() as stack, PassingLine() as line:
        given = sources(arguments.inputs, stack)
        started = time.perf_counter()
        this, model = _asked(arguments, given, limit, line)
        if by_bands(arguments, given, this.outputs, model.network, this.task, limit):
            if page is not None:
                raise InputError("--page: a picture that is computed in bands of rows has none")
            return _by_bands(this, model)
        this.page = page
        queue, frames = _prepare(this, model, started, stack)
        for number, looked in enumerate(queue.waiting, 1):
            line.show(f"{number} of {len(queue.waiting)}: {looked.source.name}")
            _one(this, looked, frames, over=number == len(queue.waiting))
        line.clear()
        _finish(this)
    return 1 if this.left_out else 0


def _tell(text: str) -> None:
    complain(f"ftdist: {text}")


def _asked(
    arguments: argparse.Namespace, given: Sources, limit: Budget, line: PassingLine
) -> tuple[_Run, Model]:
    """The model and what is to be done with it; what can be refused is refused here."""
    model = opened(arguments.model, arguments.size, _tell, lambda: first_picture_size(given), limit)
    model = with_wishes(model, wishes_of(arguments))
    task, about = task_of(model.network, model.about), model.about
    names, origin = names_of(arguments, model)
    found = outputs(arguments.output, arguments.format, given, model.network, task)
    this = _Run(*(arguments, given, limit, line, model.network, task, about, names, origin, found))
    _refuse(this)
    return this, model


def _by_bands(this: _Run, model: Model) -> int:
    if detects(this.outputs, this.task):
        from ftdist.cli.bands.detecting import Detector  # with all that only it needs

        detector = Detector(this.arguments, model, this.limit, this.about, this.names)
        return detector.run(this.given.all[0].path, this.outputs)
    from ftdist.cli.bands.running import run_by_bands  # as above

    source, target = this.given.all[0], this.outputs.each[0]
    return run_by_bands(this.arguments, model, this.task, this.limit, target, source.path)


def _prepare(this: _Run, model: Model, started: float, stack: ExitStack) -> tuple[Queue, Frames]:
    """Everything before the first frame."""
    arguments, given, limit, line = this.arguments, this.given, this.limit, this.line
    found, about, names = this.outputs, this.about, this.names
    tested_on = machine(arguments.kernels)
    give_back_code()  # what was imported has run
    drawn = found.each if found.kind == "pictures" else ()
    queue = Queue(
        *(given, model.network, limit, this.leave_out), about=about, drawn=drawn, names=names
    )
    if queue.too_large is not None and not queue.waiting:
        choose_plan(
            arguments, model, limit, queue.too_large, line
        )  # raises, for it counts that, too
    read_s = time.perf_counter()
    around = queue.read_first()
    asked_s = time.perf_counter()
    stays = given.stay and not this.left_out and this.page is None  # which listens already
    arguments.restartable = arguments.restartable and stays
    choice = choose_plan(arguments, model, limit, around, line)
    choice, keeps = for_all(choice, queue, limit)
    planned_s = time.perf_counter()
    if this.page is not None:
        inputs = len(queue.waiting) * arguments.repeat
        this.shown = stack.enter_context(this.page.of_run(choice, inputs, tested_on))
        _tell(this.page.line())
    session = choice.open(arguments.kernels)
    load_s = time.perf_counter() - started

    def report(latencies: list[float]) -> None:
        this.report = Report.of(choice, tested_on, latencies, load_s)

    frames = Frames(queue, session, arguments.repeat, report, keeps=keeps, shown=this.shown)
    if this.shown is not None:
        session.watch(this.shown.tile)
    if arguments.trace is not None:
        trace = stack.enter_context(Trace(arguments.trace))
        session.watch(trace.tiles([each.plan for each in choice.lowered.programs]))
        trace.span("ftdist", "read", "read the first input", read_s, asked_s)
        trace.span("ftdist", "plan", f"plan for {model.network.name}", asked_s, planned_s)
        this.trace = trace
    return queue, stack.enter_context(frames)


def _refuse(this: _Run) -> None:
    """InputError for a file that cannot be written, or that is an input."""
    arguments = this.arguments
    more = [each for each in (arguments.json, arguments.trace) if each is not None]
    if arguments.json is not None:
        refuse_unwritable(arguments.json)
    if arguments.trace is not None:
        refuse_as_trace(arguments.trace)
    read = [(each.name, each.path) for each in this.given.all]
    others = (arguments.model, arguments.plan, arguments.names, arguments.config)
    read += [(str(path), path) for path in others if path is not None]
    refuse_overwriting([*this.outputs.files, *more], read)


def _one(this: _Run, looked: Looked, frames: Frames, *, over: bool) -> None:
    """Runs one input, writes what is asked for, and for one of several says it at once."""
    if this.trace is not None:
        this.trace.subject = looked.source.name
    computed = frames.compute(looked)
    frames.rest(over=over)
    if computed is None:
        return
    source = looked.source
    try:
        result, written = _told(this, looked, computed)
    except InputError as error:
        if not this.given.several:
            raise source.named(error) from None
        this.leave_out(source, str(source.named(error)))
        return
    if result is not None:
        this.results.append(result)
    if this.given.several and not this.outputs.is_printed:
        this.line.clear()
        what = f"{summary(result)}, " if result is not None else ""
        tell(f"input      {source.name}: {what}{milliseconds(frames.latencies[-1])}")
        if result is not None:
            print_result(result, everything=this.arguments.all)
        if written is not None:
            tell(f"wrote      {written}")


def _told(this: _Run, looked: Looked, computed: Computed) -> tuple[Result | None, Path | None]:
    """What is on a picture, and the file that was written for it."""
    network, names, source = this.network, this.names, looked.source
    target = this.outputs.each[looked.number] if this.outputs.each else None
    given, box = thresholds_of(this.arguments), computed.letterbox
    found: Answer | None = None
    if this.task.kind in ("detect", "classify", "segment", "points"):
        from ftdist.answers.seen import answer  # other networks have no use for all it brings

        asked = network, this.task, computed.outputs, names, source.name, box, given
        try:
            found = answer(*asked)
        except InputError as error:
            if this.outputs.kind != "arrays":
                raise
            this.notes.append(str(error))
    result = None if found is None else found.result
    if target is None:
        return result, None
    trim_heap()  # what candidates took is free for what is written
    most_bytes = this.limit.bytes - resident_bytes()
    give_back_code()
    if this.outputs.kind == "arrays":
        write_arrays(target, computed.outputs)
    elif this.outputs.kind == "pictures":
        shown = Shown(source.path, computed, found, names, this.arguments.labels_picture)
        notes = write_picture(
            *(target, network, this.task, this.about, shown, most_bytes), give_back_code
        )
        this.notes += [note for note in notes if note not in this.notes]
    else:
        assert result is not None
        _write_data(this, target, [result])
    return result, target


def _write_data(this: _Run, target: Path | None, results: Sequence[Result]) -> None:
    from ftdist.answers.export import as_text  # with all that it brings, only where it is wanted

    file_format, scores = this.outputs.file_format, this.arguments.scores
    if file_format == "geojson":
        write_text(target, _on_the_map(this, results))
        return
    write_text(
        target, as_text(results, file_format, this.names, scores=scores, kind=this.task.kind)
    )


def _on_the_map(this: _Run, results: Sequence[Result]) -> str:
    """The objects of a picture where they lie on the earth."""
    from ftdist.answers.geojson import geojson  # as above
    from ftdist.answers.seen import Seen
    from ftdist.pictures.rows.opening import open_rows

    if len(results) != 1 or this.given.several or not isinstance(results[0], Seen):
        raise InputError("--format geojson is of one picture; run several apart")
    with closing(open_rows(this.given.all[0].path)) as rows:
        return geojson(results[0], rows.tags)


def _finish(this: _Run) -> None:
    """The data, the report, and what a single input's result was."""
    arguments, found, report = this.arguments, this.outputs, this.report
    assert report is not None
    give_back_code()  # what is left is to tell, which adds to none of what was done
    if found.kind == "data" and not found.each:
        _write_data(this, found.all, this.results)
    if arguments.json is not None:
        report = report.with_answers(results=_values(this.results), left_out=this.left_out)
    report = report.with_peak(peak_bytes())
    try:
        if found.is_printed:
            if unsure := unsure_of(this.names, this.names_from):
                complain(f"ftdist: {unsure}")
        else:
            _print(this, report)
    finally:  # a full disk does not keep the result from being printed, nor the other way round
        if arguments.json is not None:
            write_report(arguments.json, report)


def _values(results: Sequence[Result]) -> list[Any]:
    from ftdist.answers.export import as_value  # as above

    return [as_value(each) for each in results]


def _print(this: _Run, report: Report) -> None:
    print_report(report)
    if any(not source.is_array for source in this.given.all):
        say(f"picture    {preparation_line(this.network, this.about)}")
    if unsure := unsure_of(this.names, this.names_from):
        say(f"names      {unsure.removeprefix('the class names ')}")
    for note in this.notes:
        say(f"note       {note}" if this.outputs.kind == "arrays" else f"drawn      {note}")
    if this.given.several:
        count = len(this.given.all)
        lost = f"; {counted(len(this.left_out), 'input')} left out" if this.left_out else ""
        say(f"inputs     {count - len(this.left_out)} of {count}{lost}")
        if this.outputs.all is not None:
            say(f"wrote      {this.outputs.all}")
        return
    for result in this.results:
        print_result(result, everything=this.arguments.all)
    for path in this.outputs.files:
        say(f"wrote      {path}")
