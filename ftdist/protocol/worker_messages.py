"""Messages between a worker and the coordinator.

    from the worker         Hello, ProbeReply, Ready, Result, Failed, Heartbeat
    to the worker           Welcome, Probe, Prepare, Assign, Cancel, Fetch, Forget

Those that clients use too are in ``shared_messages``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from ftdist.geometry import Region
from ftdist.protocol.limits import (
    MOST_OOM_KILLS,
    Arithmetic,
    AtMost,
    Ballast,
    Between,
    Bytes,
    Clock,
    Count,
    Digest,
    Layers,
    Line,
    Name,
    Rate,
    Seconds,
    Word,
)
from ftdist.protocol.records import Groups, Pieces, Places, TaskId


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker introduces itself; Welcome or Refusal answers.

    `baseline_bytes`: what its process holds without a task, libraries included. `credit_bytes`: the
    most bytes of task inputs that it takes at a time, running and prefetched together.
    `macs_per_s`: measured, of one thread. `oom_kills`: how often it was killed for lack of memory
    while it computed, for which it offers less.
    """

    kind: ClassVar[str] = "hello"
    protocol: Count
    name: Name
    version: Name
    budget_bytes: Bytes
    baseline_bytes: Bytes
    credit_bytes: Bytes
    threads: Annotated[int, Between(1, 1 << 10)]
    instruction_set: Word
    fused: bool
    macs_per_s: Rate
    oom_kills: Annotated[int, Between(0, MOST_OOM_KILLS)] = 0


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """Answers a Probe at once; `clock_s` is the worker's monotonic clock, for one time line."""

    kind: ClassVar[str] = "probe-reply"
    number: Count
    clock_s: Clock


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has the weights of these layers, checked."""

    kind: ClassVar[str] = "ready"
    model: Digest
    layers: Layers


@dataclass(frozen=True, slots=True)
class Result:
    """What a task returns, or what a Fetch asked for, perhaps in parts: the last has `more` False.

    Times are of the worker's clock: the task's last input came, it began, it ended.
    """

    kind: ClassVar[str] = "result"
    task: TaskId
    more: bool
    pieces: Pieces
    received_s: Clock
    started_s: Clock
    ended_s: Clock
    peak_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that could not be done. `memory`: it would exceed the budget, or memory ran out; then
    `needed_bytes` is what the process would need."""

    kind: ClassVar[str] = "failed"
    task: TaskId
    reason: Literal["memory", "weights", "kept", "error"]
    text: Line
    needed_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker is alive. `progress` grows while its kernels work; `tasks` wait or run."""

    kind: ClassVar[str] = "heartbeat"
    progress: Annotated[int, Between(0, 1 << 62)]
    tasks: Count
    resident_bytes: Bytes
    peak_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The worker belongs to the cluster; it beats every `heartbeat_s`."""

    kind: ClassVar[str] = "welcome"
    protocol: Count
    worker: Count
    heartbeat_s: Seconds
    lost_after_s: Seconds


@dataclass(frozen=True, slots=True)
class Probe:
    """Measures the link: answered at once. `data` is ballast."""

    kind: ClassVar[str] = "probe"
    number: Count
    data: Ballast


@dataclass(frozen=True, slots=True)
class Prepare:
    """Get these layers' weights; `header_bytes`: the model file up to its first blob."""

    kind: ClassVar[str] = "prepare"
    model: Digest
    header_bytes: Annotated[int, Between(0, 2 << 20)]
    layers: Layers


@dataclass(frozen=True, slots=True)
class Assign:
    """A task: make `region` of the last output of layers [groups[0].first, groups[-1].stop).

    Inputs are `pieces`, and `kept`, which the worker has from earlier tasks of the frame. It sends
    `returns` back, and keeps all its outputs until Forget if `keep`. Groups follow one another.
    `arithmetic`: the algorithm of each layer of the network that is not computed directly.
    """

    kind: ClassVar[str] = "assign"
    task: TaskId
    model: Digest
    groups: Groups
    region: Region
    threads: Annotated[int, Between(1, 1 << 10)]
    pieces: Pieces
    kept: Places
    returns: Places
    keep: bool
    arithmetic: Arithmetic = ()

    def flaw(self) -> str:
        """Each group begins where the one before ends."""
        for before, after in pairwise(self.groups):
            if before.stop != after.first:
                return f"a group from layer {after.first} follows one up to {before.stop}"
        return ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A task is no longer wanted; if it has not begun, it is dropped without an answer."""

    kind: ClassVar[str] = "cancel"
    task: TaskId


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send these places, which the worker keeps, as a Result of `task`."""

    kind: ClassVar[str] = "fetch"
    task: TaskId
    places: Places


@dataclass(frozen=True, slots=True)
class Forget:
    """What is kept of a job's frames up to (not including) `before`, and of `frames`, may go."""

    kind: ClassVar[str] = "forget"
    job: Name
    before: Count
    frames: Annotated[tuple[Count, ...], AtMost(1024)]
