"""What one part of the state machine tells the others; ``handover`` acts upon it.

The parts do not know each other's affairs: the scheduler says that a frame is finished, and does
not care what its job, its client and the plan make of that.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.workers.worker import Worker


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """A worker sent what it may not send."""

    worker: Worker
    why: str


@dataclass(frozen=True, slots=True)
class Hopeless:
    """A frame cannot be done; `reasons` are the last words of those that tried."""

    frame: Frame
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Nobody waits for a frame in flight any more."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Finished:
    """All outputs of a frame are here."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Parked:
    """A task of a frame fits no worker that is there under the frame's plan."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Outgrown:
    """A task needs more memory than its plan believed: plans should be made anew."""


@dataclass(frozen=True, slots=True)
class Review:
    """Workers, weights, jobs or plans changed, or time passed: see whose turn it is."""


Notice = Misbehaved | Hopeless | Unwanted | Finished | Parked | Outgrown | Review
