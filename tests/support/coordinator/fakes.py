"""A worker that computes nothing, and checks everything that it is sent.

A task must find all that it reads, once, of one frame, with the right values; its weights must be
here, its inputs within the worker's credit. When it is not so, the test fails.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ftdist.geometry import Region
from ftdist.network.graph import Network, weighted_layers
from ftdist.planning.lowering.regions import region_needs
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece, Place, TaskId
from ftdist.protocol.regions import common
from ftdist.protocol.shared_messages import Beat, Drain, Refusal
from ftdist.protocol.worker_messages import (
    Assign,
    Cancel,
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
    Welcome,
)
from support.protocol.mapvalues import marked, seed_of, values

MIB = 1 << 20
CLOCK_S = 5000.0
"""What workers' clocks are ahead of the coordinator's."""


class FakeWorker:
    """Does what it is told, one task at a time, when ``work`` is called.

    `relative_time`: the true one. `refused`: the Refusal it got since its last Hello. `ahead`:
    tasks that it may have beside the one to run. `slow_weights`: it gets weights when
    ``fetch_weights`` is called. `kept`: by what the coordinator calls job and frame, places and the
    seed of their values.
    """

    def __init__(
        self, name: str, network: Network, relative_time: float = 1.0, **said: Any
    ) -> None:
        self.name = name
        self.network = network
        self.relative_time = relative_time
        usual = {
            "protocol": PROTOCOL,
            "name": name,
            "version": "1",
            "budget_bytes": 64 * MIB,
            "baseline_bytes": 20 * MIB,
            "credit_bytes": MIB,
            "threads": 1,
            "instruction_set": "avx2",
            "fused": True,
            "macs_per_s": 1e10,
        }
        self.said: Any = usual | said
        self.slow_weights = self.forgetful = False
        self.ahead = 1
        self.layers: set[int] = set()
        self.unfetched: list[Prepare] = []
        self.done: list[Assign] = []
        self.progress = 0
        self.reset()

    def reset(self) -> None:
        """As it is before its Hello."""
        self.welcome: Welcome | None = None
        self.refused: Refusal | None = None
        self.drained = False
        self.tasks: deque[Assign] = deque()
        self.kept: dict[tuple[str, int], list[tuple[Place, int]]] = {}
        self.seeds: dict[TaskId, int] = {}
        self.forgotten: set[tuple[str, int]] = set()
        self.lost: set[tuple[str, int]] = set()

    def hello(self) -> Hello:
        self.reset()
        return Hello(**self.said)

    # ---- what comes

    def receive(self, message: Message, now_s: float = 0.0) -> list[Message]:
        """Takes a message; returns what it answers at once."""
        match message:
            case Welcome():
                self.welcome = message
            case Refusal():
                self.reset()
                self.refused = message
            case Probe(number=number):
                return [ProbeReply(number, now_s + CLOCK_S)]
            case Prepare():
                self.unfetched.append(message)
                return [] if self.slow_weights else self.fetch_weights()
            case Assign():
                if self._lost(message):
                    return [self._failed(message, "kept")]
                if self.forgetful and not self._weights_of(message) <= self.layers:
                    return [self._failed(message, "weights")]
                self._check(message)
                self.tasks.append(message)
            case Cancel(task=task):
                self._cancel(task)
            case Fetch():
                return [self._fetched(message)]
            case Forget():
                self._forget(message)
            case Drain():
                self.drained = True
            case _:
                assert isinstance(message, Beat), f"a worker was sent {message}"
        return []

    def fetch_weights(self) -> list[Message]:
        """Gets the weights that it was told to get."""
        ready: list[Message] = []
        for prepare in self.unfetched:
            self.layers |= set(prepare.layers)
            ready.append(Ready(prepare.model, prepare.layers))
        self.unfetched = []
        return ready

    def _cancel(self, task: TaskId) -> None:
        """The first task has begun and goes on; others are dropped."""
        for assign in list(self.tasks)[1:]:
            if assign.task == task:
                self.tasks.remove(assign)

    def _forget(self, message: Forget) -> None:
        gone = [
            (job, frame)
            for job, frame in self.kept
            if job == message.job and (frame < message.before or frame in message.frames)
        ]
        for key in gone:
            del self.kept[key]
        self.forgotten |= {(message.job, frame) for frame in message.frames}

    def _check(self, assign: Assign) -> None:
        """All that a task needs is there, once, and right; it makes all that is asked."""
        first, stop = assign.groups[0].first, assign.groups[-1].stop
        assert self._weights_of(assign) <= self.layers, "a task came before its weights"
        held = [piece.data.nbytes for each in (*self.tasks, assign) for piece in each.pieces]
        assert not self.tasks or sum(held) <= self.said["credit_bytes"], "more than its credit"
        assert len(self.tasks) <= self.ahead, "more than one task to run and those prefetched"
        inputs, outputs = region_needs(self.network, first, stop, assign.region)
        given: list[Piece | Place] = [*assign.pieces, *assign.kept]
        for source, region in inputs.items():
            count = marked(region, [each.region for each in given if each.source == source])
            assert (count == 1).all(), f"map {source}: not each position once"
        for place in assign.returns:
            assert common(place.region, outputs[place.source]) == place.region
        seeds = self._seeds(assign)
        assert len(seeds) == 1, "values of several frames"
        self.seeds[assign.task] = seeds.pop()

    def _seeds(self, assign: Assign) -> set[int]:
        """The seeds of all that a task is given: of values, and of what is kept."""
        seeds = {seed_of(piece) for piece in assign.pieces}
        kept = self.kept.get((assign.task.job, assign.task.frame), [])
        for place in assign.kept:
            found = [(p.region, seed) for p, seed in kept if p.source == place.source]
            assert marked(place.region, [region for region, _ in found]).all(), "not kept"
            seeds |= {seed for region, seed in found if common(region, place.region)}
        return seeds

    # ---- what it does

    def work(
        self, now_s: float = 0.0, parts: int = 1, started_s: float | None = None
    ) -> list[Message]:
        """Ends the first task; returns its result, in so many messages if it has so many rows."""
        assign = self.tasks.popleft()
        self.progress += 1
        self.done.append(assign)
        seed = self.seeds.pop(assign.task)
        frame = (assign.task.job, assign.task.frame)
        if assign.keep and frame not in self.forgotten:
            first, stop = assign.groups[0].first, assign.groups[-1].stop
            _, outputs = region_needs(self.network, first, stop, assign.region)
            kept = self.kept.setdefault(frame, [])
            kept += [(Place(*each), seed) for each in outputs.items() if each[1].size]
        times = (now_s if started_s is None else started_s, now_s)
        return self._results(assign.task, assign.returns, seed, times, parts)

    def _fetched(self, fetch: Fetch) -> Message:
        kept = self.kept.get((fetch.task.job, fetch.task.frame), [])
        seeds = set()
        for place in fetch.places:
            found = [(p.region, seed) for p, seed in kept if p.source == place.source]
            if not marked(place.region, [region for region, _ in found]).all():
                return Failed(fetch.task, "kept", "not here", 0)
            seeds |= {seed for region, seed in found if common(region, place.region)}
        (seed,) = seeds
        return self._results(fetch.task, fetch.places, seed, (0.0, 0.0), 1)[0]

    def _results(
        self,
        task: TaskId,
        places: tuple[Place, ...],
        seed: int,
        times: tuple[float, float],
        parts: int,
    ) -> list[Message]:
        pieces = []
        for place in places:
            channels = self.network.shape(place.source).channels
            for region in _cut(place.region, parts):
                data = values(seed, place.source, region, channels, np.float32)
                pieces.append(Piece(place.source, region, data))
        started_s, ended_s = (each + CLOCK_S for each in times)
        bunches = [pieces[n::parts] for n in range(parts)]
        return [
            Result(task, n + 1 < parts, tuple(bunch), started_s, started_s, ended_s, 31 * MIB)
            for n, bunch in enumerate(bunches)
        ]

    def fail(self, reason: Any, needed_bytes: int = 0) -> Message:
        """Gives up the first task."""
        return self._failed(self.tasks.popleft(), reason, needed_bytes)

    def _failed(self, assign: Assign, reason: Any, needed_bytes: int = 0) -> Message:
        return Failed(assign.task, reason, f"{self.name} could not", needed_bytes)

    def lose_kept(self) -> list[Message]:
        """Whatever it kept is gone; returns its complaints about tasks that need it."""
        self.lost |= set(self.kept)
        self.kept.clear()
        failed = [assign for assign in self.tasks if self._lost(assign)]
        for assign in failed:
            self.tasks.remove(assign)
        return [self._failed(assign, "kept") for assign in failed]

    def lose_weights(self) -> Message:
        """The weights of its first task are gone; returns its complaint."""
        self.forgetful = True
        self.layers -= self._weights_of(self.tasks[0])
        return self.fail("weights")

    def _weights_of(self, assign: Assign) -> set[int]:
        first, stop = assign.groups[0].first, assign.groups[-1].stop
        return {n for n, _, _ in weighted_layers(self.network) if first <= n < stop}

    def _lost(self, assign: Assign) -> bool:
        """Whether a task needs what it lost."""
        frame = (assign.task.job, assign.task.frame)
        regions: dict[int, list[Region]] = {}
        for place, _ in self.kept.get(frame, []):
            regions.setdefault(place.source, []).append(place.region)
        return frame in self.lost and not all(
            marked(place.region, regions.get(place.source, [])).all() for place in assign.kept
        )

    def heartbeat(self) -> Message:
        return Heartbeat(self.progress, len(self.tasks), 30 * MIB, 31 * MIB)


def _cut(region: Region, parts: int) -> list[Region]:
    """A region in up to so many bands."""
    step = -(-region.rows.size // parts)
    return [
        Region(top, min(top + step, region.bottom), region.left, region.right)
        for top in range(region.top, region.bottom, step)
    ]
