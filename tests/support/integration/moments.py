"""Workers that are harmed at a moment of a job: what becomes of the job, and how soon.

Three workers, each behind a proxy of its own whose link is slow enough for a job to take a while
without much arithmetic. The moment is a share of the bytes that pass over these links for a job, so
it is met whatever the machine is doing.

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

from support.integration.frames import Frames
from support.integration.processes import Cluster, Process, Said
from support.integration.proxy import Meter, Proxy

Kind = Literal["kill", "stop", "cut", "stall"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES = ("ann", "bob", "cid")
_LOOK_AGAIN_S = 0.05


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
    """A coordinator and three workers; a context manager that ends the proxies.

    Each worker's link passes on `link` bytes a second each way.
    """

    def __init__(self, cluster: Cluster, frames: Frames, heartbeat_s: float, link: float) -> None:
        self.cluster = cluster
        self.frames = frames
        self.heartbeat_s = heartbeat_s
        self.coordinator = cluster.coordinator(heartbeat_s=heartbeat_s)
        self.usual_s = 0.0
        self._usual_bytes = 0
        self._meter = Meter()
        self._proxies = {name: Proxy(self.coordinator.port, meter=self._meter) for name in NAMES}
        for proxy in self._proxies.values():
            proxy.slow(link)
        self._workers: dict[str, Process] = {}
        self._jobs = 0

    def __enter__(self) -> Shelf:
        for name in NAMES:
            self._start(name)
        for name in NAMES:
            self._await(name)
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies.values():
            proxy.close()

    def prepare(self) -> None:
        """Jobs that nobody harms: to see that all is well, and how many bytes and seconds it takes.

        With the first one come the weights.
        """
        for _ in range(2):
            self._meter.passed = 0
            outcome = self._job(None, "cut", 0.0, "")
            assert outcome.completed and not outcome.wrong, outcome
        self._usual_bytes, self.usual_s = self._meter.passed, outcome.longest_s

    def harmed(self, kind: Kind, victim: str, share: float) -> Outcome:
        """A job in which a worker is harmed when a share of the usual bytes have passed.

        It may still be on its way back afterwards.
        """
        self._await(victim)
        harm = _Harm(kind, self._workers[victim], self._proxies[victim])
        self._meter.passed = 0
        self._meter.when_passed(int(share * self._usual_bytes), harm.do)
        outcome = self._job(harm, kind, share, victim)
        if not self._workers[victim].is_running:
            self._start(victim)
        return outcome

    def _job(self, harm: _Harm | None, kind: Kind, share: float, victim: str) -> Outcome:
        self._jobs += 1
        name = f"job{self._jobs}"
        output = self.cluster.folder / name
        after = self.coordinator.mark()
        report = output.with_suffix(".json")
        process = self.cluster.submit(
            self.frames.paths, self.coordinator.endpoint, output, "--job", name, "--json", report
        )
        lost = None
        if harm is not None:
            harm.await_moment(process)
            lost = self._lost(victim, after)
            harm.undo()
        completed = process.status() == 0
        done = self.coordinator.says(f"job {name}: (done|given up|dropped|cancel)", after)
        others = self.coordinator.said(r"worker \w+: lost", after)
        return Outcome(
            kind=kind,
            share=share,
            completed=completed,
            wrong=self.frames.wrong(output),
            computed=_number(r"done, (\d+) frames?", done.text),
            noticed_s=None if lost is None or harm is None else lost.time_s - harm.done_s,
            lost_tasks=0 if lost is None else _number(r"(\d+) tasks? given", lost.text),
            longest_s=_longest_s(report) if completed else 0.0,
            others=sum(victim not in said.text for said in others),
        )

    def _lost(self, victim: str, after: int) -> Said:
        return self.coordinator.says(rf"worker {victim}(-\d+)?: .*lost", after)

    def _start(self, name: str) -> None:
        self._workers[name] = self.cluster.worker(name, self._proxies[name].endpoint)

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
        self._lock = threading.Lock()
        self.done_s = 0.0

    def await_moment(self, job: Process) -> None:
        """Waits until it is done; should the job end before its time, it is done then."""
        while not self._happened.wait(_LOOK_AGAIN_S):
            if not job.is_running:
                self.do()

    def do(self) -> None:
        """Once, by whichever thread comes first: what is undone must not be done again later."""
        with self._lock:
            if not self._happened.is_set():
                self._harm()
                self._happened.set()

    def _harm(self) -> None:
        match self._kind:
            case "kill":
                self.done_s = self._worker.kill()
            case "stop":
                self.done_s = self._worker.signal(signal.SIGSTOP)
            case "cut":
                self.done_s = self._proxy.cut()
            case "stall":
                self.done_s = self._proxy.stall()

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
