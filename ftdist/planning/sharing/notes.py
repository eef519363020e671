"""What a shared plan says to people: who is left out and why, and which link is shared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ftdist.planning.sharing.frame_parallel import FrameParallel
from ftdist.planning.sharing.plan import WorkerSpec

_NAMED = 4
"""Workers that a note names; of more it gives the number."""


def _without(names: Mapping[str, Sequence[str]]) -> str:
    """Says which workers a plan leaves out, by reason."""
    said = []
    for reason, left_out in names.items():
        listed = ", ".join(left_out[:_NAMED])
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        if left_out:
            said.append(f"without {listed}{more}, {reason}")
    return "; ".join(said)


def shared_note(
    workers: Sequence[WorkerSpec],
    indices: Sequence[int | None],
    work: Sequence[float],
    times_s: tuple[float, float],
) -> str:
    """Says which workers a partitioning leaves out, or that one worker does everything."""
    if max(work) == sum(work):
        return _alone(workers[max(range(len(work)), key=work.__getitem__)], *times_s)
    small = [each.name for each, index in zip(workers, indices, strict=True) if index is None]
    idle = [each.name for n, each in enumerate(workers) if indices[n] is not None and not work[n]]
    return _without({"too small": small, "no help here": idle})


def whole_note(by_frame: FrameParallel, frames: int, shared_s: float | None) -> str:
    """Says who takes no whole frames, or that one worker alone is faster than sharing."""
    workers, able = by_frame.workers, {task.worker for task in by_frame.tasks}
    if shared_s is None or (frames > 1 and len(able) > 1):
        unable = [each.name for number, each in enumerate(workers) if number not in able]
        return _without({"too small for a whole frame": unable})
    alone_s = by_frame.job_s(frames)
    return _alone(workers[by_frame.fastest.worker], alone_s / frames, shared_s / frames)


def with_shared_link(note: str, workers: Sequence[WorkerSpec]) -> str:
    """A note, with a word on the link that workers share."""
    shared_rate = min(worker.shared_link_bytes_per_s for worker in workers)
    if math.isinf(shared_rate):
        return note
    shared = f"workers share a link of {8e-6 * shared_rate:.0f} Mbit/s"
    return f"{note}; {shared}" if note else shared


def _alone(worker: WorkerSpec, alone_s: float, shared_s: float) -> str:
    return f"{worker.name} alone is faster than sharing: {_ms(alone_s)} against {_ms(shared_s)}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms"
