"""A worker as the coordinator knows it: what it says, what was measured, when it was heard."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ftdist.coordinator.events import Origin, Peer
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.planning.sharing.simulation import TASK_S
from ftdist.protocol.worker_messages import Heartbeat, Hello
from ftdist.wording import counted

_WEIGHT = 0.8
"""What a frame counts for a worker's speed when one more has ended."""

_FASTEST_LINK = 1e10
"""Bytes a second: what a link counts as whose time was too short to measure."""

_LEAST_PART = 1 / 8
"""The part of a round trip that its ballast takes at least: a board that is held up now and then
may answer nothing later than much."""


@dataclass(slots=True, eq=False)
class Worker:
    """One worker from its Hello until it is lost or leaves; should it come back, it is another one.

    `moved_s`: when bytes of something large last moved to or from it; `left_bytes` are still on
    their way to it.
    `baseline_bytes` is raised when the worker says that a task needed more than was predicted.
    `crowded_bytes_per_s`: what its link gives while others use what it shares with them.
    `clock_offset_s`: its clock less the coordinator's. `layers`: whose weights it has;
    `asked_layers`: whose weights it was told to get, since `loading_s`.
    """

    number: int
    peer: Peer
    key: str
    local: bool
    origin: Origin
    name: str
    hello: Hello
    first_relative_time: float
    heard_s: float
    progress_s: float
    moved_s: float = -math.inf
    left_bytes: int = 0
    baseline_bytes: int = 0
    latency_s: float = 0.0
    link_bytes_per_s: float = math.inf
    crowded_bytes_per_s: float = math.inf
    clock_offset_s: float = 0.0
    probe: int = 0
    probe_sent_s: float = 0.0
    measured: bool = False
    layers: set[int] = field(default_factory=set)
    asked_layers: set[int] = field(default_factory=set)
    loading_s: float = 0.0
    progress: int = -1
    peak_bytes: int = 0
    over_budget: bool = False
    finished: int = 0
    failed: int = 0
    _round_trips: dict[int, float] = field(default_factory=dict)
    _base_s: float = 0.0
    _taken_s: float = 0.0

    @property
    def spec(self) -> WorkerSpec:
        """What planning is told."""
        hello = self.hello
        return WorkerSpec(
            name=self.name,
            budget_bytes=hello.budget_bytes,
            baseline_bytes=self.baseline_bytes,
            credit_bytes=hello.credit_bytes,
            threads=hello.threads,
            relative_time=self.relative_time,
            link_bytes_per_s=self.link_bytes_per_s,
            latency_s=self.latency_s,
        )

    @property
    def relative_time(self) -> float:
        """Seconds that it takes for what the profile says takes one."""
        return self._taken_s / self._base_s if self._base_s else self.first_relative_time

    @property
    def description(self) -> str:
        """What it works with, for people."""
        hello = self.hello
        kills = hello.oom_kills
        killed = f"; killed {counted(kills, 'time')} for lack of memory" if kills else ""
        threads, mib = counted(hello.threads, "thread"), hello.budget_bytes / (1 << 20)
        return f"{threads}, {hello.instruction_set}, {mib:.0f} MiB{killed}"

    @property
    def fetching(self) -> bool:
        """Whether it was told to get weights that it does not have yet."""
        return bool(self.asked_layers)

    def learn(self, base_s: float, taken_s: float) -> None:
        """A task took so long; the profile says that its arithmetic takes `base_s`."""
        if base_s > 0 and taken_s > 0:
            self._base_s += base_s + TASK_S
            self._taken_s += taken_s

    def end_frame(self) -> None:
        """A frame ended: what was learned counts less from now on.

        Whole frames are what speeds are compared over, since some layers are always predicted
        better than others.
        """
        self._base_s *= _WEIGHT
        self._taken_s *= _WEIGHT

    @property
    def crowded(self) -> bool:
        """Whether it shares its link with others."""
        return self.crowded_bytes_per_s < self.link_bytes_per_s

    def transfer_s(self, count_bytes: int) -> float:
        """Predicted time for bytes to or from it, while others have theirs."""
        rate = min(self.link_bytes_per_s, self.crowded_bytes_per_s)
        return self.latency_s + count_bytes / rate

    def heartbeat(self, beat: Heartbeat, now_s: float) -> None:
        """Notes what a heartbeat says: whether kernels worked since the one before."""
        if beat.progress != self.progress:
            self.progress_s = now_s
        self.progress = beat.progress
        self.peak_bytes = max(self.peak_bytes, beat.peak_bytes)

    def probed(self, clock_s: float, now_s: float, ballast_bytes: int) -> None:
        """A probe was answered: without ballast it tells latency and clock, with it the rate."""
        round_trip_s = max(0.0, now_s - self.probe_sent_s)
        shortest_s = self._round_trips.get(ballast_bytes, math.inf)
        if round_trip_s >= shortest_s:
            return
        self._round_trips[ballast_bytes] = round_trip_s
        if ballast_bytes == 0:
            self.latency_s = round_trip_s / 2
            self.clock_offset_s = clock_s - (now_s + self.probe_sent_s) / 2
        else:
            extra_s = max(round_trip_s - 2 * self.latency_s, _LEAST_PART * round_trip_s)
            fastest_s = ballast_bytes / _FASTEST_LINK
            self.link_bytes_per_s = max(1.0, ballast_bytes / max(extra_s, fastest_s))
