"""`ftdist submit`: pictures and arrays to a coordinator, results into a folder."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import Any

from ftdist.answers.export import as_value
from ftdist.answers.seen import Result
from ftdist.atomic import refuse_overwriting, refuse_unwritable, write_json
from ftdist.cli.console import say
from ftdist.cli.files.batch import Batch
from ftdist.cli.files.sources import sources
from ftdist.cli.progress import Progress
from ftdist.cluster.client.client import Client
from ftdist.coordinator.settings import ModelInfo
from ftdist.wording import counted


def run(arguments: argparse.Namespace) -> int:
    """Has all inputs computed, writes the results, says how it went; 1 if some were left out."""
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        client = stack.enter_context(
            Client(
                *(arguments.to, arguments.keys or None),
                insecure=arguments.insecure,
                say=progress.complain,
            )
        )
        given = sources(arguments.inputs, stack)
        batch = Batch(given, arguments, progress)
        if arguments.json is not None:
            refuse_unwritable(arguments.json)
            refuse_overwriting([arguments.json], [(each.name, each.path) for each in given.all])
        stack.callback(batch.close)
        batch.keep_journal()
        if client.warning:
            progress.complain(client.warning)
        started = time.monotonic()
        job = client.submit(
            batch,
            name=batch.job,
            done=batch.done,
            band_rows=batch.band_rows,
            progress=progress.show,
        )
        for result in job:
            assert job.header is not None
            batch.deliver(job.header, result)
        progress.clear()
        results = batch.end(job.header)
    report = _report(batch, progress, time.monotonic() - started, results)
    _print(report)
    if arguments.json is not None:
        write_json(arguments.json, report)
    return 1 if batch.left_out else 0


def _report(
    batch: Batch, progress: Progress, seconds: float, results: list[Result]
) -> dict[str, Any]:
    """What came of it, as `--json` writes it; bytes are those of one frame."""
    last = progress.last
    traffic = None
    if last is not None and last.finished and batch.model is not None:
        info = ModelInfo("", batch.model.network, batch.model.digest, batch.model.bytes)
        traffic = {
            "sent_bytes": last.sent_bytes // last.finished,
            "received_bytes": last.received_bytes // last.finished,
            "classic_bytes": info.classic_bytes,
        }
    return {
        "job": batch.job,
        "frames": len(batch),
        "seconds": seconds,
        "latency_s": batch.latency_s,
        "traffic": traffic,
        "results": [as_value(each) for each in results],
        "left_out": batch.named_left_out(),
    }


def _print(report: dict[str, Any]) -> None:
    if report["left_out"]:
        say(f"left out   {counted(len(report['left_out']), 'input')}")
    latencies, seconds = sorted(report["latency_s"]), report["seconds"]
    if not latencies:
        if not report["left_out"]:
            say(f"done       all done before: {counted(report['frames'], 'frame')}")
        return
    median = latencies[len(latencies) // 2]
    say(
        f"done       {counted(len(latencies), 'frame')} in {seconds:.2f} s, "
        f"{len(latencies) / seconds:.2f} a second; a frame took {median * 1e3:.0f} ms"
    )
    traffic = report["traffic"]
    if traffic:
        count = traffic["sent_bytes"] + traffic["received_bytes"]
        say(
            f"traffic    {count / 1e6:.2f} MB a frame to workers and back; "
            f"3x3 tiles (DeepThings) take {traffic['classic_bytes'] / 1e6:.1f} MB"
        )
