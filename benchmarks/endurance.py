"""Everything at once: random plans, unlike workers, and harm at any moment, for some minutes.

As ``cluster_bits.py``, while workers are killed, stopped and continued, told to end, and started
anew at random moments. Every job must complete with the bits of one process, and no worker may hold
more than its budget, at any moment. ::

    python benchmarks/endurance.py MODEL.ftd [MODEL.ftd ...] [--minutes 3] [--seed 0]
"""

from __future__ import annotations

import argparse
import itertools
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

from cluster_bits import TEAM, Job, coordinator, jobs_for
from common.clusters import HERE, Cluster, ClusterError, Process

from ftdist.kernels import native

_PAUSE_S, _STOPPED_S = (0.2, 3.0), (0.5, 5.0)
_MOST = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.ftd")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sound = True
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as name:
            jobs = jobs_for(path, Path(name))
            folder = Path(name) / "run"
            sound &= endure(path, jobs, folder, arguments.seed, 60 * arguments.minutes)
    return 0 if sound else 1


class Harm(threading.Thread):
    """Does something to some worker now and then, until it is told to end. `done`: what it did."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        super().__init__(name="harm")
        self.done: Counter[str] = Counter()
        self._cluster = cluster
        self._chance = Random(seed)
        self._numbers = itertools.count(1)
        self._sets = itertools.cycle([each.name for each in native.available() if each.fused])
        self._ended = threading.Event()
        self._alive: list[Process] = []
        for _ in range(_MOST - 1):
            self._start()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(self._chance.uniform(*_PAUSE_S)):
            what = self._chance.choice(("kill", "stop", "end", "start"))
            if len(self._alive) < 2 or what == "start":
                what = "start"
                if len(self._alive) < _MOST:
                    self._start()
            else:
                self._harm(what, self._chance.choice(self._alive))
            self.done[what] += 1

    def _start(self) -> None:
        number = next(self._numbers)
        mem, threads = TEAM[number % len(TEAM)]
        isa = {"FTDIST_ISA": next(self._sets)}
        worker = self._cluster.add(f"w{number}", mem, environment=isa, threads=threads)
        self._alive.append(worker)

    def _harm(self, what: str, worker: Process) -> None:
        if what == "stop":
            worker.popen.send_signal(signal.SIGSTOP)
            self._ended.wait(self._chance.uniform(*_STOPPED_S))
            worker.popen.send_signal(signal.SIGCONT)
            return
        worker.popen.send_signal(signal.SIGKILL if what == "kill" else signal.SIGTERM)
        self._alive.remove(worker)


def endure(path: Path, jobs: list[Job], folder: Path, seed: int, seconds: float) -> bool:
    """Jobs one after another while harm is done; says what came of it, and whether all is well."""
    chance, until_s = Random(seed), time.monotonic() + seconds
    done = wrong = failed = 0
    with Cluster(path, folder, HERE, words=coordinator(path, seed)) as cluster:
        harm = Harm(cluster, seed)
        harm.start()
        try:
            while time.monotonic() < until_s:
                frames, number = chance.choice(jobs)
                try:
                    results = cluster.submit(*frames.paths[:number])["results"]
                except ClusterError as error:
                    failed += 1
                    print(f"  {error}")
                    continue
                done += number
                wrong += len(frames.wrong(results, number))
        finally:
            harm.end()
        said = cluster.coordinator.said
    over = re.findall(r"worker .*: its process held .* more than its budget.*", said)
    for line in over:
        print(f"  {line}")
    plans, harms = said.count("plan for"), ", ".join(f"{n} {what}" for what, n in harm.done.items())
    print(
        f"{path.stem}, seed {seed}: {done - wrong} of {done} frames identical, "
        f"{failed} jobs failed; {plans} plans; harm: {harms}; {len(over)} times over a budget",
        flush=True,
    )
    return not (wrong or failed or over)


if __name__ == "__main__":
    sys.exit(main())
