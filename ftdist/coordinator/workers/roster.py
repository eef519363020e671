"""Which workers there are: admits them, measures their links, notices when they fall silent."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Literal

import numpy as np

from ftdist.coordinator import trace_spans
from ftdist.coordinator.events import Arrived, Origin, Peer
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.limits import PROTOCOL, versions_differ
from ftdist.protocol.shared_messages import Beat, Refusal
from ftdist.protocol.worker_messages import Heartbeat, Hello, Probe, ProbeReply, Ready, Welcome

_NOTHING, _MUCH = np.zeros(0, np.uint8), np.zeros(256 << 10, np.uint8)
_BALLAST = (_NOTHING, _NOTHING, _NOTHING, _MUCH, _MUCH)
"""What probes carry: nothing, to measure latency and clock; then enough to measure the rate.

The shortest round trip of each sort counts: a worker that has just begun answers late.
"""

PROBES = len(_BALLAST)
_MEASURING_S = 3.0
"""How long others wait for a worker to be measured."""

_BEHIND_BYTES = 128 << 10
"""Bytes that may travel ahead of a heartbeat: the time that takes does not count as silence."""

_REMEMBERED = 1024
"""Peers remembered as refused, so that not each of their messages is answered."""


def wrong_role(origin: Origin, role: Literal["worker", "client"]) -> Refusal | None:
    """A refusal of a peer whose key is for the other role."""
    if origin.role in (role, "both"):
        return None
    reason = f"the key '{origin.name}' is a {origin.role}'s, not a {role}'s"
    return Refusal(f"{reason}; make one with 'ftdist keygen DIR --{role} NAME'", final=True)


class Roster:
    """Workers by peer and by number. `deaf_s`: until when no message could be heard, because
    the coordinator itself was held up."""

    def __init__(self, settings: Settings, model: ModelInfo, out: Outbox) -> None:
        self._settings = settings
        self._model = model
        self._out = out
        self._next_number = 1
        self._silent: list[tuple[float, int]] = []
        self._refused: dict[Peer, float] = {}
        self._unmeasured: deque[Worker] = deque()
        self._measures: Worker | None = None
        self._measures_since_s = 0.0
        self.by_peer: dict[Peer, Worker] = {}
        self.by_number: dict[int, Worker] = {}
        self.deaf_s = float("-inf")

    def refusal(self, hello: Hello) -> Refusal | None:
        """Why a worker is not taken, if it is not."""
        if hello.protocol != PROTOCOL:
            return Refusal(versions_differ(hello.protocol), final=True)
        if not hello.fused and not self._settings.mix_unfused:
            isa = hello.instruction_set
            reason = f"{isa} has no fused multiply-add: results would differ in their last bits"
            return Refusal(f"{reason}; [job] mix_unfused allows it", final=True)
        if len(self.by_number) >= self._settings.most_workers:
            return Refusal(f"the cluster is full: {len(self.by_number)} workers", final=False)
        return None

    def take(self, arrived: Arrived, hello: Hello) -> Worker:
        """A worker is taken in and measured."""
        now_s, peer = self._out.now_s, arrived.peer
        worker = Worker(
            number=self._next_number,
            peer=peer,
            key=arrived.key,
            local=arrived.local,
            origin=arrived.origin,
            name=self._free_name(hello.name),
            hello=hello,
            first_relative_time=self._settings.reference_macs_per_s / hello.macs_per_s,
            heard_s=now_s,
            progress_s=now_s,
            baseline_bytes=hello.baseline_bytes,
        )
        self._next_number = self._next_number % (1 << 24) + 1
        self.by_peer[peer] = self.by_number[worker.number] = worker
        self._refused.pop(peer, None)
        heapq.heappush(self._silent, (now_s + self._settings.lost_after_s, worker.number))
        self.welcome(worker)
        if worker.local:
            worker.measured = True
        else:
            worker.probe_sent_s = now_s
            self._unmeasured.append(worker)
            self._measure_next()
        return worker

    def welcome(self, worker: Worker) -> None:
        settings = self._settings
        welcome = Welcome(PROTOCOL, worker.number, settings.heartbeat_s, settings.lost_after_s)
        self._out.send(worker.peer, welcome)

    def refuse(self, peer: Peer, reason: str, *, final: bool = False) -> bool:
        """Sends a peer away, not each time if it goes on; returns whether it did."""
        now_s = self._out.now_s
        pause_s = self._settings.heartbeat_s / 4
        if now_s - self._refused.get(peer, float("-inf")) < pause_s:
            return False
        self._refused.pop(peer, None)
        self._refused[peer] = now_s
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        self._out.send(peer, Refusal(reason, final))
        return True

    def remove(self, worker: Worker) -> None:
        """Removes the worker."""
        del self.by_peer[worker.peer], self.by_number[worker.number]
        self._measure_next()

    def _free_name(self, name: str) -> str:
        names = {worker.name for worker in self.by_number.values()}
        found, count = name, 1
        while found in names:
            count += 1
            found = f"{name}-{count}"
        return found

    # ---- measuring

    def _measure_next(self) -> None:
        """Measures one worker after another, for they may share a link; waits for none for long."""
        now_s, before = self._out.now_s, self._measures
        recent = now_s - self._measures_since_s < _MEASURING_S
        if recent and before is not None and self._is_here(before) and not before.measured:
            return
        self._measures = None
        while self._unmeasured and self._measures is None:
            worker = self._unmeasured.popleft()
            if self._is_here(worker):
                self._measures, self._measures_since_s = worker, now_s
                worker.progress_s = now_s
                self._probe(worker)
        for worker in self._unmeasured:
            worker.progress_s = now_s

    def _is_here(self, worker: Worker) -> bool:
        return self.by_number.get(worker.number) is worker

    def _probe(self, worker: Worker) -> None:
        worker.probe_sent_s = self._out.now_s
        self._out.send(worker.peer, Probe(worker.probe, _BALLAST[worker.probe]))

    def probe_reply(self, worker: Worker, message: ProbeReply) -> bool:
        """An answer to a probe; returns whether all is measured now."""
        if worker.measured or message.number != worker.probe:
            return False
        worker.probed(message.clock_s, self._out.now_s, _BALLAST[worker.probe].size)
        worker.probe += 1
        worker.measured = worker.probe == PROBES
        if worker.measured:
            self._measure_next()
        else:
            self._probe(worker)
        return worker.measured

    def ready(self, worker: Worker, message: Ready) -> bool:
        """A worker has weights; returns whether they are of this model."""
        if message.model != self._model.digest:
            return False
        layers = set(message.layers).intersection(self._model.weighted)
        came = layers & worker.asked_layers
        if self._settings.trace and came:
            self._out.actions.append(trace_spans.weights(worker, came, self._out.now_s))
        worker.layers |= layers
        worker.asked_layers -= layers
        worker.progress_s = worker.loading_s = self._out.now_s
        return True

    # ---- listening

    @property
    def next_s(self) -> float:
        """When somebody may have been silent for too long."""
        return self._silent[0][0] if self._silent else float("inf")

    def beat(self) -> None:
        """Tells all workers that the coordinator is alive."""
        for worker in self.by_number.values():
            self._out.send(worker.peer, Beat())
        self._measure_next()

    def heartbeat(self, worker: Worker, message: Heartbeat) -> None:
        """A worker says how it is."""
        worker.heartbeat(message, self._out.now_s)
        budget_bytes = worker.hello.budget_bytes
        if worker.peak_bytes > budget_bytes and not worker.over_budget:
            worker.over_budget = True
            mib = 1 << 20
            text = (
                f"worker {worker.name}: its process held {worker.peak_bytes / mib:.1f} MiB, "
                f"more than its budget of {budget_bytes / mib:.1f}"
            )
            self._out.log(text, "over-budget", worker=worker.name, peak_bytes=worker.peak_bytes)

    def silent(self) -> list[Worker]:
        """The workers that have not been heard for too long, each once."""
        now_s, limit_s = self._out.now_s, self._settings.lost_after_s
        found = []
        while self._silent and self._silent[0][0] <= now_s:
            _, number = heapq.heappop(self._silent)
            worker = self.by_number.get(number)
            if worker is None:
                continue
            due_s = max(worker.heard_s, self.deaf_s) + limit_s + worker.transfer_s(_BEHIND_BYTES)
            if due_s <= now_s:
                found.append(worker)
                due_s = now_s + limit_s
            heapq.heappush(self._silent, (due_s, number))
        return found
