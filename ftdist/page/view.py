"""A snapshot as the page's script reads it: JSON with short names, regions in parts of the map."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ftdist.coordinator.observing.snapshot import FrameNow, JobNow, Snapshot, WorkerNow
from ftdist.page.exchange import LineShown
from ftdist.page.subject import Subject

_DIGITS = 4


def about(subject: Subject) -> dict[str, Any]:
    """What does not change: said once to each browser."""
    network = subject.network
    return {
        "kind": subject.kind,
        "version": subject.version,
        "model": network.name,
        "input": list(network.input),
        "layers": len(network.layers),
        "budget": subject.budget_bytes,
        "started": subject.started_s,
        "answers": subject.task.kind,
    }


def state(snapshot: Snapshot, peak_bytes: int) -> dict[str, Any]:
    """Everything that changes, but the log."""
    return {
        "now": round(snapshot.now_s, 3),
        "plan": {"number": snapshot.plan_number, "text": snapshot.plan_text},
        "workers": [_worker(each) for each in snapshot.workers],
        "jobs": [_job(each) for each in snapshot.jobs],
        "frames": [_frame(each) for each in snapshot.frames],
        "inFlight": snapshot.frames_in_flight,
        "totals": asdict(snapshot.totals),
        "peak": peak_bytes,
    }


def line(shown: LineShown) -> dict[str, Any]:
    """A line of the log."""
    return {
        "n": shown.number,
        "time": shown.time_s,
        "level": shown.level,
        "event": shown.event,
        "text": shown.text,
    }


def _worker(worker: WorkerNow) -> dict[str, Any]:
    status = worker.status
    return {
        "id": worker.number,
        "name": status.name,
        "state": status.state,
        "key": status.key,
        "address": status.address,
        "kernels": status.instruction_set,
        "threads": status.threads,
        "budget": status.budget_bytes,
        "peak": status.peak_bytes,
        "baseline": worker.baseline_bytes,
        "share": round(status.share, _DIGITS),
        "flops": 2 * status.macs_per_s,
        "link": status.link_bytes_per_s,
        "latency": round(worker.latency_s, 6),
        "shared": worker.shared,
        "silent": round(worker.silent_s, 1),
        "done": status.finished,
        "failed": status.failed,
        "tasks": [
            {
                "job": task.job,
                "frame": task.frame,
                "layers": [task.first, task.stop - 1],
                "tile": task.tile + 1,
                "tiles": task.tiles,
            }
            for task in worker.tasks
        ],
    }


def _job(job: JobNow) -> dict[str, Any]:
    status = job.status
    return {
        "name": status.job,
        "finished": status.finished,
        "frames": status.frames,
        "inFlight": job.in_flight,
        "each": status.seconds_a_frame,
        "bytes": status.bytes_a_frame,
        "left": round(job.left_s, 1),
        "text": status.text,
        "key": status.key,
        "address": status.address,
    }


def _frame(frame: FrameNow) -> dict[str, Any]:
    high, wide = frame.height, frame.width
    return {
        "job": frame.job,
        "frame": frame.frame,
        "stage": frame.stage + 1,
        "stages": frame.stages,
        "layers": [frame.first, frame.stop - 1],
        "tiles": [
            [
                tile.worker,
                tile.state,
                round(tile.region.top / high, _DIGITS),
                round(tile.region.bottom / high, _DIGITS),
                round(tile.region.left / wide, _DIGITS),
                round(tile.region.right / wide, _DIGITS),
            ]
            for tile in frame.tiles
        ],
    }
