"""What somebody who looks on is shown: everything that goes on, at one moment, as plain values.

A coordinator and a local run show themselves in the same form, so that whoever draws it need not
know which of them it is. Nothing here is larger than what a page has room for.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Region
from ftdist.planning.plan import Plan
from ftdist.protocol.client_messages import JobStatus, WorkerStatus

FRAMES = 16
"""Frames on their way that a snapshot shows at most, the oldest first."""

BLOCKED, QUEUED, GIVEN, DONE = range(4)
"""What a tile waits for: its inputs, a worker, that worker's result, nothing."""


@dataclass(frozen=True, slots=True)
class TaskNow:
    """What a worker is given to do: tile `tile` of the `tiles` of layers [first, stop)."""

    job: str
    frame: int
    first: int
    stop: int
    tile: int
    tiles: int
    since_s: float


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """One worker; `number` is its own as long as it stays, also for a name that comes back.

    `latency_s` is one way. `shared`: it has its link together with others. `silent_s`: since it was
    last heard of. `baseline_bytes`: what it holds without a task.
    """

    number: int
    status: WorkerStatus
    latency_s: float
    shared: bool
    silent_s: float
    baseline_bytes: int
    tasks: tuple[TaskNow, ...]


@dataclass(frozen=True, slots=True)
class TileNow:
    """One tile of a stage: who has it (0: nobody yet), its state, its region of the map."""

    worker: int
    state: int
    region: Region


@dataclass(frozen=True, slots=True)
class FrameNow:
    """A frame on its way: the tiles of its first stage that is not done.

    `height` and `width` are those of the map that the tiles' regions lie in.
    """

    job: str
    frame: int
    stage: int
    stages: int
    first: int
    stop: int
    height: int
    width: int
    since_s: float
    tiles: tuple[TileNow, ...]


@dataclass(frozen=True, slots=True)
class JobNow:
    """One job; `left_s`: how much longer it takes at the speed so far, negative if not known."""

    status: JobStatus
    in_flight: int
    left_s: float


@dataclass(frozen=True, slots=True)
class PartNow:
    """One tile of a plan: the worker whose it is (an index into the plan's workers, -1: any), how
    that one makes it, and how long it is predicted to take."""

    worker: int
    part: Plan
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanNow:
    """The plan in use. `stages` are tuples of tiles; `seconds` of one frame, `period_s` of each of
    many; `shares` and `workers` go together."""

    number: int
    workers: tuple[str, ...]
    shares: tuple[float, ...]
    seconds: float
    period_s: float
    sent_bytes: int
    received_bytes: int
    note: str
    stages: tuple[tuple[PartNow, ...], ...]


@dataclass(slots=True)
class Totals:
    """What happened since the coordinator began; each only grows.

    `moved_tasks`: given to other workers because theirs was lost. `restarts`: frames that began
    again. Bytes are those of finished frames' task inputs and results.
    """

    frames: int = 0
    tasks: int = 0
    failed_tasks: int = 0
    moved_tasks: int = 0
    joined: int = 0
    lost: int = 0
    restarts: int = 0
    late_results: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment, `now_s` of the clock of whoever is shown.

    `plan_number` names the plan in use, 0 where there is none; `plan` is it, for those who do not
    have it yet.
    """

    now_s: float
    model: str
    plan_number: int
    plan_text: str
    plan: PlanNow | None
    workers: tuple[WorkerNow, ...]
    jobs: tuple[JobNow, ...]
    frames: tuple[FrameNow, ...]
    frames_in_flight: int
    totals: Totals
