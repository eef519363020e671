"""`ftdist run`: one model, inputs, one plan within a budget, and a report of what came true.

When a model's last input is computed, model and session are gone before its result is drawn and
written: what they held is free for that.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ftdist.answers.kinds import task_of
from ftdist.atomic import refuse_overwriting, refuse_unwritable
from ftdist.cli.bands.asked import by_bands, detects
from ftdist.cli.console import complain
from ftdist.cli.files.class_names import names_of, wishes_of
from ftdist.cli.files.depths import LOOKED_AT, tell_of_depth
from ftdist.cli.files.frames import Frames, for_all
from ftdist.cli.files.input_queue import Looked, Queue
from ftdist.cli.files.inputs import sizes_of_pictures
from ftdist.cli.files.outputs import outputs
from ftdist.cli.files.sources import Sources, grouped, sources
from ftdist.cli.plan_and_budget import choose_plan, take_model_for_input, within_budget
from ftdist.cli.reports.report import Report, machine
from ftdist.cli.reports.run_results import RunResults
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.network.subnetwork import of_outputs
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.imported import opened
from ftdist.runtime.overriding import with_wishes
from ftdist.runtime.trace import Trace, refuse_as_trace

if TYPE_CHECKING:
    from ftdist.cli.page import Page
    from ftdist.network.modelfile import Model


def run(arguments: argparse.Namespace) -> int:
    """Runs the model, writes the outputs, prints the report; 1 when inputs were left out."""
    return within_budget(arguments, _run)


def _run(arguments: argparse.Namespace, limit: Budget, page: Page | None) -> int:
    settle_heap(SPARING_BYTES)
    take_model_for_input(arguments)
    with ExitStack() as stack, PassingLine() as line:
        given = sources(arguments.inputs, stack)
        started = time.perf_counter()
        results, model = _asked(arguments, given, limit, line)
        if by_bands(arguments, given, results.outputs, model, results.task, limit):
            _refuse_for_bands(arguments)
            return _by_bands(results, model)
        this = _prepare(results, model, page, started, stack)
        del model  # the session's last one, so that its weights are in memory no longer than that
        waiting = this.queue.waiting
        for number, looked in enumerate(waiting, 1):
            line.show(f"{number} of {len(waiting)}: {looked.source.name}")
            _one(this, looked, over=number == len(waiting))
        line.clear()
        results.finish()
    return 1 if results.left_out else 0


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that is prepared: what waits, what computes it, and what becomes of the results."""

    queue: Queue
    frames: Frames
    results: RunResults
    trace: Trace | None


def _one(this: _Run, looked: Looked, *, over: bool) -> None:
    """Runs one input, and writes and says what is asked for."""
    if this.trace is not None:
        this.trace.subject = looked.source.name
    computed = this.frames.compute(looked)
    this.frames.rest(over=over)
    if computed is not None:
        this.results.take(looked, computed, this.frames.latencies[-1])


def _tell(text: str) -> None:
    complain(f"ftdist: {text}")


def _asked(
    arguments: argparse.Namespace, given: Sources, limit: Budget, line: PassingLine
) -> tuple[RunResults, Model]:
    """The model and what is to be done with it; what can be refused is refused here."""
    needed = arguments.size == "picture"
    looked_at = partial(sizes_of_pictures, given, needed=needed)
    model = opened(arguments.model, arguments.size, _tell, looked_at, limit)
    model = with_wishes(model, wishes_of(arguments))
    task = task_of(model.network, model.about)
    names, origin = names_of(arguments, model)
    plain = arguments.labels_picture
    given = grouped(given, model.network)
    found = outputs(arguments.output, arguments.format, given, model.network, task, plain=plain)
    if given.several and found.kind == "pictures":
        tell_of_depth(given.all[:: len(given.all) // LOOKED_AT + 1], found.each[0], task)
    if found.kind in ("pictures", "data") and arguments.plan is None and not arguments.tiling:
        model = of_outputs(model, task.outputs)  # nobody sees the others
    results = RunResults(
        *(arguments, given, limit, line, model.network, task, model.about, names, origin, found)
    )
    _refuse(results)
    return results, model


def _refuse(asked: RunResults) -> None:
    """InputError for a file that cannot be written, or that is an input."""
    arguments = asked.arguments
    more = [each for each in (arguments.json, arguments.trace) if each is not None]
    if arguments.json is not None:
        refuse_unwritable(arguments.json)
    if arguments.trace is not None:
        refuse_as_trace(arguments.trace)
    read = [(each.name, each.path) for each in asked.given.all]
    read += [(str(path), path) for each in asked.given.all for path in each.others]
    others = (arguments.model, arguments.plan, arguments.names, arguments.config)
    read += [(str(path), path) for path in others if path is not None]
    refuse_overwriting([*asked.outputs.files, *more], read)


def _refuse_for_bands(arguments: argparse.Namespace) -> None:
    """InputError for what only a run of a whole picture has."""
    asked = {
        "--plan": arguments.plan is not None,
        "--tiling": arguments.tiling is not None,
        "--repeat": arguments.repeat > 1,
        "--trace": arguments.trace is not None,
        "--page": arguments.page is not None,
    }
    for option, is_given in asked.items():
        if is_given:
            raise InputError(
                f"{option}: not of a picture that is computed in bands of rows; leave it out, or "
                "say --bands never"
            )


def _by_bands(asked: RunResults, model: Model) -> int:
    if detects(asked.outputs, asked.task):
        from ftdist.cli.bands.detecting import Detector  # with all that only it needs

        detector = Detector(asked.arguments, model, asked.limit, asked.names)
        return detector.run(asked.given.all[0].path, asked.outputs)
    from ftdist.cli.bands.running import run_by_bands  # as above
    from ftdist.large.making import Wanted

    source, target = asked.given.all[0], None
    if asked.outputs.kind in ("arrays", "pictures"):
        target = asked.outputs.each[0]
    wanted = Wanted(model, asked.task, source.path, target, asked.arguments.labels_picture)
    return run_by_bands(asked.arguments, wanted, asked.outputs, asked.names, asked.limit)


def _prepare(
    results: RunResults, model: Model, page: Page | None, started: float, stack: ExitStack
) -> _Run:
    """Everything before the first frame."""
    arguments, limit, line = results.arguments, results.limit, results.line
    tested_on = machine(arguments.kernels)
    give_back_code()  # what was imported has run
    queue = _queue(results, model)
    read_s = time.perf_counter()
    around = queue.read_first()
    asked_s = time.perf_counter()
    stays = results.given.stay and not results.left_out
    arguments.restartable = arguments.restartable and stays
    choice = choose_plan(arguments, model, limit, around, line)
    choice, keeps = for_all(choice, queue, limit)
    planned_s = time.perf_counter()
    if page is not None:
        inputs = len(queue.waiting) * arguments.repeat
        results.shown = stack.enter_context(page.of_run("run", choice, inputs, tested_on))
        _tell(page.line())
    session = choice.open(arguments.kernels)
    load_s = time.perf_counter() - started

    def report(latencies: list[float]) -> None:
        results.report = Report.of(choice, tested_on, latencies, load_s)

    shown, trace = results.shown, None
    frames = Frames(queue, session, arguments.repeat, report, keeps=keeps, shown=shown)
    watches = [] if shown is None else [shown.watch()]
    if arguments.trace is not None:
        trace = stack.enter_context(Trace(arguments.trace))
        watches.append(trace.tiles([each.plan for each in choice.lowered.programs]))
        trace.span("ftdist", "read", "read the first input", read_s, asked_s)
        trace.span("ftdist", "plan", f"plan for {model.network.name}", asked_s, planned_s)
    session.watch(*watches)
    return _Run(queue, stack.enter_context(frames), results, trace)


def _queue(results: RunResults, model: Model) -> Queue:
    """The inputs that the budget has room for; BudgetError where it has for none."""
    found = results.outputs
    queue = Queue(
        *(results.given, model.network, results.limit, results.leave_out),
        about=results.about,
        drawn=found.each if found.kind == "pictures" else (),
        names=results.names,
    )
    if queue.too_large is not None and not queue.waiting:  # raises, for it counts that, too
        choose_plan(results.arguments, model, results.limit, queue.too_large, results.line)
    return queue
