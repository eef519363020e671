"""Workers that are harmed at a moment of a job: what becomes of the job, and how soon.

Three workers, each behind a proxy of its own whose link is slow enough for a job to take a while
without much arithmetic. The moment is a share of the bytes that client and coordinator exchange for
the job, so it is met whatever the machine is doing.

    kill    kill -9; a new process takes its place after the job
    stop    SIGSTOP; SIGCONT when it is noticed that the worker is lost, while the job goes on
    cut     its connection is reset; it comes back by itself
    stall   its link passes nothing on, and does again when that has been noticed
"""

from __future__ import annotations

import json
import re
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from frames import Frames
from processes import PATIENCE_S, Cluster, Process, Said
from proxy import Proxy

Kind = Literal["kill", "stop", "cut", "stall"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES = ("ann", "bob", "cid")
_LINK = 6e6
"""Bytes a second of each worker's link."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job whose worker was harmed at `share` of it.

    `noticed_s`: after how long its tasks went to others; None if the job ended before that.
    `longest_s`: the longest that any frame took, from its first task to its last. `others`: workers
    that were lost without having been harmed.
    """

    kind: Kind
    share: float
    completed: bool
    wrong: list[str]
    computed: int
    noticed_s: float | None
    lost_tasks: int
    longest_s: float
    others: int


class Shelf:
    """A coordinator and three workers; a context manager that ends the proxies."""

    def __init__(self, cluster: Cluster, frames: Frames, heartbeat_s: float) -> None:
        self.cluster = cluster
        self.frames = frames
        self.heartbeat_s = heartbeat_s
        self.coordinator = cluster.coordinator(heartbeat_s=heartbeat_s)
        self.proxies = {name: Proxy(self.coordinator.port) for name in (*NAMES, "client")}
        for name in NAMES:
            self.proxies[name].slow(_LINK)
        self.workers: dict[str, Process] = {}
        self._jobs = 0

    def __enter__(self) -> Shelf:
        for name in NAMES:
            self._start(name)
        for name in NAMES:
            self._await(name)
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self.proxies.values():
            proxy.close()

    def run(self, count: int) -> tuple[int, float]:
        """A job of the first `count` frames, unharmed: bytes to and from its client, and longest_s.

        It is there to see that all is well, and to learn what is usual.
        """
        outcome = self._job(count, None, "cut", 0.0, "")
        assert outcome.completed and not outcome.wrong, outcome
        return self.proxies["client"].passed, outcome.longest_s

    def harmed(self, kind: Kind, victim: str, share: float, count: int, usual: int) -> Outcome:
        """A job in which a worker is harmed when `share` of the `usual` bytes have passed.

        It may still be on its way back afterwards.
        """
        self._await(victim)
        harm = _Harm(kind, self.workers[victim], self.proxies[victim])
        outcome = self._job(count, harm, kind, share, victim, int(share * usual))
        if not self.workers[victim].is_running:
            self._start(victim)
        return outcome

    def _job(
        self, count: int, harm: _Harm | None, kind: Kind, share: float, victim: str, at: int = 0
    ) -> Outcome:
        self._jobs += 1
        name, client = f"job{self._jobs}", self.proxies["client"]
        output = self.cluster.folder / name
        after = self.coordinator.mark()
        client.passed = 0
        if harm is not None:
            client.when_passed(at, harm.do)
        report = output.with_suffix(".json")
        process = self.cluster.submit(
            self.frames.paths[:count], client.endpoint, output, "--job", name, "--json", report
        )
        lost = None
        if harm is not None and kind in ("stop", "stall"):
            lost = self._lost(victim, after)
            harm.undo()
        completed = process.status() == 0
        done = self.coordinator.says(f"job {name}: ", after + 1).number
        done = self.coordinator.says(f"job {name}: (done|given up|dropped|cancel)", done).number
        if lost is None and harm is not None:
            lost = self._lost(victim, after)
        others = self.coordinator.said(r"worker \w+: lost", after)
        return Outcome(
            kind=kind,
            share=share,
            completed=completed,
            wrong=self.frames.wrong(output, count),
            computed=_number(r"done, (\d+) frames", self.coordinator.lines[done].text),
            noticed_s=None if lost is None or harm is None else lost.time_s - harm.done_s,
            lost_tasks=0 if lost is None else _number(r"its (\d+) tasks", lost.text),
            longest_s=_longest_s(report) if completed else 0.0,
            others=sum(victim not in said.text for said in others),
        )

    def _lost(self, victim: str, after: int) -> Said:
        return self.coordinator.says(rf"worker {victim}(-\d+)?: .*lost", after)

    def _start(self, name: str) -> None:
        self.workers[name] = self.cluster.worker(name, self.proxies[name].endpoint)

    def _await(self, name: str) -> None:
        """Waits until a worker is there, also if it was lost meanwhile."""
        lost = self.coordinator.said(rf"worker {name}(-\d+)?: .*lost")
        self.coordinator.says(rf"worker {name}(-\d+)?: joins", lost[-1].number if lost else 0)


class _Harm:
    """Something that is done to a worker once, and undone."""

    def __init__(self, kind: Kind, worker: Process, proxy: Proxy) -> None:
        self._kind = kind
        self._worker = worker
        self._proxy = proxy
        self._happened = threading.Event()
        self._done_s = 0.0

    @property
    def done_s(self) -> float:
        """When it was done; waits for it."""
        assert self._happened.wait(PATIENCE_S), "the moment never came"
        return self._done_s

    def do(self) -> None:
        match self._kind:
            case "kill":
                self._done_s = self._worker.kill()
            case "stop":
                self._done_s = self._worker.signal(signal.SIGSTOP)
            case "cut":
                self._done_s = self._proxy.cut()
            case "stall":
                self._done_s = self._proxy.stall()
        self._happened.set()

    def undo(self) -> None:
        """As far as it can be."""
        if self._kind == "stop":
            self._worker.signal(signal.SIGCONT)
        self._proxy.heal()


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def _longest_s(report: Path) -> float:
    found: dict[str, Any] = json.loads(report.read_text())
    return float(max(found["latency_s"]))
