"""A run by bands that writes a picture or an array, and the report of it."""

from __future__ import annotations

import argparse

from ftdist.answers.seen import segmented
from ftdist.cli.bands.progress import RowProgress
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.console import say
from ftdist.cli.files.findings import print_result
from ftdist.cli.files.outputs import Outputs, write_text
from ftdist.cli.plan_and_budget import calibration_for
from ftdist.large.making import Outcome, Wanted, Ways, make
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.threads import default_threads


def ways_of(arguments: argparse.Namespace, limit: Budget) -> Ways:
    """Within what, and by what, the run is to compute."""
    threads = arguments.threads or default_threads()
    return Ways(
        *(limit, threads, calibration_for(threads, limit, arguments.kernels)),
        arguments.exact_direct,
        arguments.kernels,
        arguments.resume,
    )


def run_by_bands(
    arguments: argparse.Namespace,
    wanted: Wanted,
    outputs: Outputs,
    names: tuple[str, ...],
    limit: Budget,
) -> int:
    """Runs the model over the picture, writes the result, prints the report."""
    done = make(wanted, ways_of(arguments, limit), RowProgress)
    if not outputs.is_printed:
        print_bands(done.choice, done.passes, done.elapsed_s, wanted.target)
    if done.shares is not None:
        _tell_shares(arguments, wanted, done, outputs, names)
    if arguments.json is not None:
        write_bands(arguments.json, done.choice, done.passes, done.elapsed_s, arguments.kernels)
    return 0


def _tell_shares(
    arguments: argparse.Namespace,
    wanted: Wanted,
    done: Outcome,
    outputs: Outputs,
    names: tuple[str, ...],
) -> None:
    """What a segmentation found, as data or as lines."""
    assert done.shares is not None
    result = segmented(str(wanted.path), wanted.task, done.shares, names, done.size)
    if outputs.kind == "data":
        from ftdist.answers.export import as_text  # with all that only it needs

        target = next(iter(outputs.files), None)
        write_text(target, as_text([result], outputs.file_format, names, kind="segment"))
        if target is not None:
            say(f"wrote      {target}")
    if not outputs.is_printed:
        print_result(result, everything=arguments.all)
