"""Spans of the time line: where the time of a task went, in the coordinator's clock."""

from __future__ import annotations

from ftdist.coordinator.attempts import Attempt
from ftdist.coordinator.events import Traced
from ftdist.coordinator.messages import Result


def spans(attempt: Attempt, result: Result, now_s: float) -> list[Traced]:
    """Out, wait, work, back. A worker's times are brought to this clock, and into their order."""
    worker = attempt.worker
    track = worker.name
    id_ = attempt.id
    name = f"{id_.stage}.{id_.tile} of {attempt.frame.job} {id_.frame}"
    times = [attempt.sent_s]
    for clock_s in (result.received_s, result.started_s, result.ended_s):
        times.append(min(max(clock_s - worker.clock_offset_s, times[-1]), now_s))
    sent_s, received_s, started_s, ended_s = times
    return [
        Traced(track, "send", name, sent_s, received_s, attempt.bytes),
        Traced(track, "wait", name, received_s, started_s),
        Traced(track, "task", name, started_s, ended_s),
        Traced(track, "receive", name, ended_s, now_s, attempt.received_bytes),
    ]
