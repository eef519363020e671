"""Spans of the time line: where the time went, in the coordinator's clock, in words for people."""

from __future__ import annotations

from typing import Literal

from ftdist.coordinator.events import Traced
from ftdist.coordinator.jobs.jobs import Job
from ftdist.coordinator.tasks.attempts import Attempt, layers_named
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.worker_messages import Result
from ftdist.wording import counted

OWN_TRACK = "coordinator"


def spans(attempt: Attempt, result: Result, now_s: float) -> list[Traced]:
    """Out, wait, work, back. A worker's times are brought to this clock, and into their order."""
    worker, track, job, name = attempt.worker, attempt.worker.name, attempt.frame.job, str(attempt)
    times = [attempt.sent_s]
    for clock_s in (result.received_s, result.started_s, result.ended_s):
        times.append(min(max(clock_s - worker.clock_offset_s, times[-1]), now_s))
    sent_s, received_s, started_s, ended_s = times
    return [
        Traced(track, "send", name, sent_s, received_s, attempt.bytes, job),
        Traced(track, "wait", name, received_s, started_s, job=job),
        Traced(track, "task", name, started_s, ended_s, job=job),
        Traced(track, "receive", name, ended_s, now_s, attempt.received_bytes, job),
    ]


def planning(workers: int, asked_s: float, now_s: float) -> Traced:
    """From asking for a plan to its answer."""
    return Traced(OWN_TRACK, "plan", f"plan for {counted(workers, 'worker')}", asked_s, now_s)


def weights(worker: Worker, layers: set[int], now_s: float) -> Traced:
    """A worker has weights that it was told to get."""
    name = layers_named(min(layers), max(layers) + 1)
    return Traced(worker.name, "weights", f"weights of {name}", worker.loading_s, now_s)


def transfer(
    job: Job, kind: Literal["send", "receive"], frame: int, start_s: float, now_s: float, size: int
) -> Traced:
    """A frame came from its client, or its result went there.

    A client sends and takes one frame after another, so none begins before the last one ended.
    """
    start_s = min(max(start_s, job.transferred_s.get(kind, start_s)), now_s)
    job.transferred_s[kind] = now_s
    name = f"frame {frame}" if kind == "receive" else f"result of frame {frame}"
    return Traced(f"client of {job.name}", kind, name, start_s, now_s, size, job.name)
