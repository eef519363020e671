"""A coordinator under attack while honest workers and clients go about their business."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ftdist.cluster.keys import coordinator_keys, make_coordinator, make_peer, peer_keys
from ftdist.cluster.transport import CurveKeys
from support.integration.attack import (
    FalseWorker,
    Siege,
    Strangers,
    known,
    recorded,
    understood,
    usual,
)
from support.integration.falsecoordinator import FalseCoordinator
from support.integration.flood import flood
from support.integration.forge import Forge
from support.integration.frames import Frames
from support.integration.processes import PATIENCE_S, Cluster, Process, joined
from support.integration.proxy import Proxy

SLOW_CONNECTIONS = 50
_BATCH = 500
_EACH_JOB = 6
_A_WHILE_S = 0.1
_TASKS = 5
_AT_ONCE = 4
"""Floods of a coordinator at a time."""


@dataclass
class Result:
    """What an attack came to. `jobs` completed meanwhile, of which `wrong` results.

    `refused`: what each false worker was told at last, "" if nothing.
    """

    sent: int = 0
    strangers: int = 0
    cheated: int = 0
    refused: list[str] = field(default_factory=list)
    jobs: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    growth_bytes: int = 0


class Town:
    """A coordinator with two honest workers and an honest client, and what they said to it.

    With `secured`, all have keys, the attackers too, but other ones.
    """

    def __init__(self, cluster: Cluster, frames: Frames, seed: int, *, secured: bool) -> None:
        self._cluster = cluster
        self._frames = frames
        self._seed = seed
        self._keys = make_keys(cluster.folder) if secured else None
        self._jobs = 0
        self.coordinator = cluster.coordinator(keys=self._keys)
        self._proxy = Proxy(self.coordinator.port, recording=True)
        for name in ("ann", "bob"):
            cluster.worker(name, self._proxy.endpoint, *self._as(name))
        for worker in cluster.processes[-2:]:
            joined(worker)

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.close()

    def attacked(self, count: int, tell: Callable[[str], None] = lambda _: None) -> Result:
        """So many hostile messages, and other attacks, while jobs go on."""
        result = Result()
        self._end(self._begin(), result)
        said = list(understood(recorded(self._proxy.sent)))
        model = self._frames.model
        replays = recorded(self._proxy.sent) if self._keys is None else usual(model)
        forge = Forge(self._seed, known(said, model), replays)
        keys = self._attackers_keys()
        before = self.coordinator.peak_bytes()
        endpoint, port = self.coordinator.endpoint, self.coordinator.port
        with Siege(endpoint, forge, keys) as siege, Strangers(port, self._seed) as strangers:
            strangers.linger(SLOW_CONNECTIONS)
            job = self._begin()
            while siege.sent < count:
                siege.send(min(_BATCH, count - siege.sent))
                strangers.assault(5)
                result.strangers += 5
                strangers.dribble()
                if siege.sent % (10 * _BATCH) < _BATCH:
                    tell(f"{siege.sent} messages, {self._growth(before) / (1 << 20):.1f} MiB more")
                if not job.is_running:
                    self._end(job, result)
                    job = self._begin()
            result.sent = siege.sent
            self._end(job, result)
        result.growth_bytes = self._growth(before)
        return result

    def flooded(self, rounds: int) -> Result:
        """Messages without an end, some at once, so often, while jobs go on."""
        result = Result()
        for _ in range(2):
            self._end(self._begin(), result)
        before = self.coordinator.peak_bytes()
        keys = None if self._keys is None else self._keys / "eve"
        job = self._begin()
        for _ in range(rounds):
            mark = self.coordinator.mark()
            with flood(self.coordinator.endpoint, _AT_ONCE, keys):
                self.coordinator.says("cut off the connection of", after=mark)
            result.sent += _AT_ONCE
        self._end(job, result)
        result.growth_bytes = self._growth(before)
        return result

    def cheated(self, tricks: Sequence[str]) -> Result:
        """False workers, one after another, each with its trick, while jobs go on."""
        result = Result()
        self._end(self._begin(), result)
        before = self.coordinator.peak_bytes()
        job = self._begin()
        for trick in tricks:
            keys = self._attackers_keys()
            with FalseWorker(self.coordinator.endpoint, trick, keys) as worker:
                until_s = time.monotonic() + PATIENCE_S
                while not worker.refused and time.monotonic() < until_s:
                    worker.work(time.monotonic() + _A_WHILE_S)
                    if worker.cheated >= _TASKS and worker.heard_out():
                        break  # whatever it did is answered by now
                    if not job.is_running:
                        self._end(job, result)
                        job = self._begin()
                result.cheated += worker.cheated
                result.refused.append(worker.refused)
        self._end(job, result)
        result.growth_bytes = self._growth(before)
        return result

    def _growth(self, before: int) -> int:
        assert self.coordinator.is_running, self.coordinator.log()
        return self.coordinator.peak_bytes() - before

    def _begin(self) -> Process:
        self._jobs += 1
        output = self._cluster.folder / f"honest{self._jobs}"
        inputs = self._frames.paths[:_EACH_JOB]
        return self._cluster.submit(inputs, self._proxy.endpoint, output, *self._as("client"))

    def _end(self, job: Process, result: Result) -> None:
        output = self._cluster.folder / f"honest{self._jobs}"
        if job.status() != 0:
            result.failed.append(job.log())
        result.wrong += self._frames.wrong(output, _EACH_JOB)
        result.jobs += 1

    def _as(self, name: str) -> tuple[object, ...]:
        return () if self._keys is None else ("--keys", self._keys / name)

    def _attackers_keys(self) -> CurveKeys | None:
        return None if self._keys is None else peer_keys(self._keys / "eve")


def lied_to(
    cluster: Cluster, frames: Frames, count: int, seed: int, *, endings: int, secured: bool
) -> Result:
    """A worker whose coordinator sends it so many hostile messages, and then an honest task."""
    keys = make_keys(cluster.folder) if secured else None
    (output,) = frames.expected[()][0].values()
    expected = np.ascontiguousarray(output.transpose(1, 2, 0))
    image = np.ascontiguousarray(np.load(frames.paths[0]).transpose(1, 2, 0))
    result = Result(sent=count)
    own = coordinator_keys(keys) if keys else None
    with FalseCoordinator(frames.model, seed, own) as liar:
        more = ("--keys", keys / "ann") if keys else ()
        worker = cluster.worker("ann", liar.endpoint, *more, mem="96M")
        for lies in (0, count):
            before = worker.peak_bytes()
            liar.lie(lies, endings)
            if not liar.honest(image, expected):
                result.wrong.append(f"after {lies} lies")
            result.jobs += 1
            assert worker.is_running, worker.log()
            result.growth_bytes = worker.peak_bytes() - before
        assert liar.hellos >= endings // 2
    return result


def flooded_worker(cluster: Cluster, frames: Frames, rounds: int, *, secured: bool) -> Result:
    """A worker whose coordinator sends it messages without an end, and then an honest task."""
    keys = make_keys(cluster.folder) if secured else None
    (output,) = frames.expected[()][0].values()
    expected = np.ascontiguousarray(output.transpose(1, 2, 0))
    image = np.ascontiguousarray(np.load(frames.paths[0]).transpose(1, 2, 0))
    result = Result()
    own = coordinator_keys(keys) if keys else None
    with FalseCoordinator(frames.model, 0, own) as liar:
        more = ("--keys", keys / "ann") if keys else ()
        worker = cluster.worker("ann", liar.endpoint, *more, mem="96M")
        before = 0
        for _ in range(rounds + 1):
            if not liar.honest(image, expected):
                result.wrong.append(f"after {result.sent} floods")
            before = before or worker.peak_bytes()
            mark = worker.mark()
            liar.flood()
            worker.says("cut off the connection of", after=mark)
            result.sent += 1
            result.jobs += 1
        result.growth_bytes = worker.peak_bytes() - before
    return result


def make_keys(folder: Path) -> Path:
    """A cluster's folder of keys, in which everybody here has some."""
    keys = folder / "keys"
    make_coordinator(keys)
    for name in ("ann", "bob", "client", "eve"):
        make_peer(keys, name)
    return keys
