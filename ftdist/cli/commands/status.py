"""`ftdist status`: what a coordinator says of its workers and jobs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from ftdist.cli.console import complain, say
from ftdist.cluster.client.client import Client
from ftdist.cluster.client.exchange import Patience
from ftdist.protocol.client_messages import JobStatus, Status, WorkerStatus
from ftdist.runtime.budget.memory import MIB
from ftdist.wording import counted

_NO_LINK = 1e12
"""Bytes a second that no wire carries: what never leaves the machine."""

_PATIENCE = Patience(first_s=5.0)


def run(arguments: argparse.Namespace) -> None:
    """Asks once and prints the answer."""
    with Client(
        *(arguments.address, arguments.keys or None),
        insecure=arguments.insecure,
        patience=_PATIENCE,
    ) as client:
        if client.warning:
            complain(f"ftdist: {client.warning}")
        status = client.status()
    if arguments.json:
        say(json.dumps(asdict(status)))
        return
    for line in status_lines(status):
        say(line)


def status_lines(status: Status) -> Iterator[str]:
    """A status as a person reads it."""
    yield f"model      {status.model}"
    if status.plan:
        yield f"plan       {status.plan}"
    if status.late:
        late = counted(status.late, "result")
        yield f"dropped    {late}: other workers had been quicker"
    if not status.workers:
        yield "workers    none; on a board: ftdist worker tcp://THIS-HOST:PORT --mem 128M"
    else:
        yield ""
        yield from _table([_HEADS, *map(_worker_row, status.workers)])
    if status.jobs:
        yield ""
        for job in status.jobs:
            yield from _job_lines(job)


_HEADS = (
    "worker", "key", "address", "state", "kernels", "threads", "budget", "peak", "share",
    "GFLOP/s", "link MB/s", "tasks", "done", "failed",
)  # fmt: skip


_WORDS = 5
"""So many columns of words come first."""


def _worker_row(worker: WorkerStatus) -> tuple[str, ...]:
    link = worker.link_bytes_per_s
    return (
        worker.name,
        worker.key or "-",
        worker.address or "-",
        worker.state,
        worker.instruction_set,
        str(worker.threads),
        f"{worker.budget_bytes / MIB:.0f}M",
        f"{worker.peak_bytes / MIB:.1f}M",
        f"{worker.share:.0%}",
        f"{2 * worker.macs_per_s / 1e9:.1f}",
        f"{link / 1e6:.1f}" if 0 < link < _NO_LINK else "-",
        str(worker.tasks),
        str(worker.finished),
        str(worker.failed),
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns, words to the left and numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if number < _WORDS else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _job_lines(job: JobStatus) -> Iterator[str]:
    text = f"; {job.text}" if job.text else ""
    whose = f" ({', '.join(filter(None, (job.key, job.address)))})" if job.address else ""
    yield f"job        {job.job}{whose}: {job.finished} of {counted(job.frames, 'frame')}{text}"
    if job.finished:
        yield (
            f"           {job.seconds_a_frame * 1e3:.0f} ms and {job.bytes_a_frame / 1e6:.2f} MB "
            f"a frame; 3x3 tiles (DeepThings) take {job.classic_bytes_a_frame / 1e6:.1f} MB"
        )
