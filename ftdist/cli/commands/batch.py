"""`ftdist batch`: one model on many pictures, within a budget; one record of each.

Records go to a file that appears whole at the end, or to standard output as they come. What cannot
be read is said at once and once more at the end, and left out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from ftdist.atomic import refuse_overwriting, refuse_unwritable
from ftdist.cli.console import complain, say
from ftdist.cli.files.advance import Advance
from ftdist.cli.files.asked import asked_by, tell_once
from ftdist.cli.files.class_names import wishes_of
from ftdist.cli.files.depths import LOOKED_AT, tell_of_depth
from ftdist.cli.plan_and_budget import choose_plan, named_plan, take_model_for_input, within_budget
from ftdist.cli.reports.batch_report import Told, print_batch, write_batch
from ftdist.cli.reports.report import machine
from ftdist.cli.terminal import PassingLine
from ftdist.errors import InputError
from ftdist.many.destinations import Destination, destination
from ftdist.many.films import Film
from ftdist.many.listing import LIST, STANDARD_INPUT, Listing, Source
from ftdist.many.local import Batch, Record, after, look, planned
from ftdist.many.local import run as computed
from ftdist.many.pictures import Asked, as_line
from ftdist.many.spool import Spool
from ftdist.many.videos import expanded, shape_and_rate
from ftdist.network.modelfile import Model
from ftdist.runtime.bound import Kernels
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.imported import opened
from ftdist.runtime.overriding import with_wishes
from ftdist.runtime.plans.choice import Choice, RunContext
from ftdist.runtime.threads import default_threads
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.cli.page import Page

Compute: TypeAlias = "Callable[[Iterable[Source]], Generator[Record, None, None]]"
"""What makes a record of each input, in their order."""


def run(arguments: argparse.Namespace) -> int:
    """Runs the batch, writes its records, prints what came of it; 1 when inputs were left out."""
    if arguments.page is not None and arguments.on is not None:
        raise InputError("--page: a Dask cluster has a page of its own; leave out --page or --on")
    return within_budget(arguments, _run)


def _run(arguments: argparse.Namespace, limit: Budget, page: Page | None) -> int:
    settle_heap(SPARING_BYTES)
    take_model_for_input(arguments)
    listing = _listing(arguments)
    with ExitStack() as stack, PassingLine() as line:
        model = opened(arguments.model, arguments.size, tell_once, limit=limit)
        model = with_wishes(model, wishes_of(arguments))
        asked = asked_by(arguments, model)
        form = arguments.output, arguments.format
        goes_to = destination(*form, listing, model.network, asked.task)
        tell_of_depth(listing.sample(LOOKED_AT), goes_to.place, asked.task)
        spool = _spool(arguments, goes_to, listing, model, asked)
        has_videos = any(each.is_video for each in listing)
        if spool is not None and arguments.resume and spool.is_whole:
            if goes_to.file_format == "jsonl" and not has_videos:
                _refuse_others(spool, listing)
            spool.tidy()
            say(f"done       {spool.path} is whole; nothing is left to do")
            return 0
        told = Told(None if has_videos else len(listing), line)
        compute: Compute
        if arguments.on is None:
            told.batch = _planned(arguments, model, limit, listing, asked, goes_to, line)
            if page is not None:
                told.batch = _shown(page, told.batch, told.total or 0, arguments.kernels, stack)
            compute = partial(computed, told.batch, lane_time=told.lane_time)
        elif has_videos:
            raise InputError("--on: videos are read by one process; leave out --on")
        else:
            compute = _spread(arguments, model, asked, goes_to, told, stack)
        told.begin()
        if goes_to.is_film:
            _film(_results(compute(listing), told), listing, goes_to)
        elif spool is None:
            _print_records(_results(compute(listing), told))
        else:
            given = spool, compute, listing, told, goes_to.file_format, asked
            _spool_records(*given, resume=arguments.resume)
        told.end()
        line.clear()
    if arguments.json is not None:
        write_batch(arguments.json, told, arguments.kernels)
    if spool is not None:
        print_batch(told, spool.path, spool.left_out)
    elif goes_to.is_film and goes_to.records is not None:
        print_batch(told, goes_to.records)
    told.summarize()
    return 1 if told.left_out_in_all else 0


def _shown(page: Page, batch: Batch, inputs: int, kernels: Kernels, stack: ExitStack) -> Batch:
    """The batch, on a page."""
    lanes = batch.lanes
    shown = page.of_run("batch", lanes.choice, inputs, machine(kernels), lanes.split.lanes)
    complain(f"ftdist: {page.line()}")
    return replace(batch, onlooker=stack.enter_context(shown))


def _listing(arguments: argparse.Namespace) -> Listing:
    if LIST + STANDARD_INPUT in arguments.inputs:
        arguments.restartable = False  # another process would find nothing there
    return Listing(arguments.inputs, recursive=arguments.recursive)


def _spool(
    arguments: argparse.Namespace,
    goes_to: Destination,
    listing: Listing,
    model: Model,
    asked: Asked,
) -> Spool | None:
    """Where records are kept, checked; None where they go to standard output."""
    path = goes_to.prepared()
    is_film = goes_to.is_film
    more = [each for each in (arguments.json,) if each is not None]
    for each in more:
        refuse_unwritable(each)
    given = (arguments.model, arguments.plan, arguments.names, arguments.config)
    read = [(str(each), each) for each in given if each is not None]
    refuse_overwriting([*more, *((path,) if path is not None else ())], read)
    if path is None or is_film:
        if arguments.resume:
            what = "a file of records: a video begins anew" if is_film else "a file: name one by -o"
            raise InputError(f"--resume goes on with {what}")
        return None
    about = {"model": model.digest, "inputs": listing.digest, "format": goes_to.file_format}
    spool = Spool(path, about | asked.told)
    if spool.began and not arguments.resume:
        spool.begin(resume=False)  # says what to do
    return spool


def _refuse_others(spool: Spool, listing: Listing) -> None:
    """InputError where a batch that was ended had other inputs: a folder may have grown since."""
    if not spool.is_of(each.name for each in listing):
        raise InputError(
            f"{spool.path}: is whole, and of other inputs than these; name another file, or remove "
            "it to begin anew"
        )


def _planned(
    arguments: argparse.Namespace,
    model: Model,
    limit: Budget,
    listing: Listing,
    asked: Asked,
    goes_to: Destination,
    line: PassingLine,
) -> Batch:
    machine(arguments.kernels)  # its code is in memory before the process is measured
    filmed = goes_to.is_film
    pictures = look(listing, asked, goes_to.target, limit.bytes, filmed=filmed)
    threads = arguments.threads or default_threads()

    def decide(count: int, context: RunContext) -> Choice:
        return choose_plan(arguments, model, limit, context, line, count)

    named = None
    if arguments.tiling is not None or arguments.plan is not None:
        named = named_plan(arguments, model, 1 if arguments.tiling is not None else None)
        assert named is not None
        threads = max(named.threads, threads - threads % named.threads)
    return planned(decide, threads, asked, goes_to.target, pictures, named, arguments.kernels)


def _spread(
    arguments: argparse.Namespace,
    model: Model,
    asked: Asked,
    goes_to: Destination,
    told: Told,
    stack: ExitStack,
) -> Compute:
    """The same on a Dask cluster, within --mem in each of its workers."""
    if arguments.tiling is not None or arguments.plan is not None or arguments.kernels != "native":
        raise InputError(
            "--on: each worker plans for itself; leave out --tiling, --plan, --kernels"
        )
    from ftdist.dask.spread import Spread, connected
    from ftdist.dask.work import Job
    from ftdist.many.asking import Allowed

    processors = default_threads()
    workers = arguments.workers or processors
    threads = arguments.threads or max(1, processors // workers)
    client = connected(arguments.on, workers, stack)
    told.cluster = f"{arguments.on}, {counted(len(client.nthreads()), 'worker')}"
    job = Job(
        *(model.digest, asked.task, asked.names, tuple(asked.thresholds.items())),
        wishes=wishes_of(arguments),
        plain=asked.plain,
        place=None if goes_to.place is None else os.path.abspath(goes_to.place),
        again=tuple(goes_to.again.items()),
        allowed=Allowed(arguments.mem, threads, arguments.exact_direct),
        stored=True,
    )
    return Spread(client, model, job, os.getcwd()).run


def _results(results: Generator[Record, None, None], told: Told) -> Generator[Record, None, None]:
    """Each result as it comes; what was left out is said."""
    advance = Advance(told.line, told.total, told.before)
    with closing(results):
        for finished in results:
            told.take(finished)
            yield finished
            advance.step(told.left_out_in_all)


def _print_records(results: Iterator[Record]) -> None:
    for finished in results:
        if sys.stdout is not None and not isinstance(finished.result, InputError):
            sys.stdout.buffer.write(finished.result + b"\n")
            sys.stdout.buffer.flush()


def _film(results: Generator[Record, None, None], listing: Listing, goes_to: Destination) -> None:
    """The video of the frames as they are drawn; in place of those that cannot be, the one before
    stays."""
    assert goes_to.records is not None and goes_to.place is not None
    (video,) = listing
    _, rate = shape_and_rate(video.name)
    with Film(goes_to.records, goes_to.place.parent, rate) as film, closing(results):
        for finished in results:
            picture = goes_to.target(finished.item)
            if not isinstance(finished.result, InputError) and picture is not None:
                film.add(picture, finished.item.frame)


def _spool_records(
    spool: Spool,
    compute: Compute,
    listing: Listing,
    told: Told,
    file_format: str,
    asked: Asked,
    *,
    resume: bool,
) -> None:
    spool.begin(resume=resume)
    told.go_on(spool.progress)
    most_pixels = 0 if told.batch is None else told.batch.frame_pixels
    frames = expanded(listing, most_pixels)
    results = _results(compute(after(frames, told.before)), told)
    try:
        for finished in results:
            if isinstance(finished.result, InputError):
                reason = {"file": finished.item.name, "reason": str(finished.result)}
                spool.leave_out(as_line(reason))
            else:
                spool.add(finished.result)
        _end(spool, file_format, asked)
    except KeyboardInterrupt:
        told.line.clear()
        complain(f"ftdist: {told.so_far}; the same command with --resume goes on from there")
        raise
    finally:
        results.close()  # its threads end
        spool.close()


def _end(spool: Spool, file_format: str, asked: Asked) -> None:
    if file_format == "jsonl":
        spool.end()
        return
    from ftdist.many.formats import write_records  # with all that it brings

    spool.end(lambda: write_records(spool, file_format, asked.names, asked.task.kind))
