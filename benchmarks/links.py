"""Bar: jobs over slow and shared links take at most 1.2 times what their bytes take at the rate.

    python benchmarks/links.py [2] [10] [30] [shared] [--frames N] [--network NAME] [--tcp cubic]

Emulated boards (``boards.py``: as root), one behind a link of 2, 10 or 30 Mbit/s, slow both ways or
one way, and four behind one of 40 Mbit/s together. A *cold* job comes before workers have weights;
the others when these were made ready, as they are where nobody asks for anything else. Nobody may
be lost. Debian and Raspberry Pi OS have the congestion control cubic, others bbr; what --tcp names
must be in this machine's net.ipv4.tcp_allowed_congestion_control.

*bytes* are the inputs, results and weights themselves that went down and up, at the link's rate;
what headers and encryption add (some 5 per cent) counts against the bar. *over* is the time of the
busier direction, or of *computing* where that is longer. *least* adds what nothing can run beside:
before the busier direction begins the weights and the first input must have come, after its end the
last result goes back, and a task is computed in between. Jobs are held to 1.2 times *least*; with
many frames the two are the same. Of the weights those count that boards had to have which computed
something, and one board's must come before anything else. Time is what `submit` measures, of jobs
that begin when links have been measured. The exit status is 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.boards import Make, Shelf
from common.clusters import Cluster, ClusterError
from common.groups import GroupError
from common.linkuse import Recorder
from common.models import Prepared, builtin, on_disk

BAR = 1.2
SHARED_BITS, SHARING = 40_000_000, 4
CORES = 1.0
_MEASURING_S, _LOOKS_S = 5.0, 0.5
LIMIT_BYTES = 1 << 30
WAYS = {"both ways": ("down", "up"), "down": ("down",), "up": ("up",)}


@dataclass(frozen=True)
class Job:
    """What a job over a link came to: seconds, and bytes that went down and up.

    `weights` (of one board) and `first` bytes (of an input) went down and `last` bytes (of a
    result) up beside nothing else. `boards` computed something, the one that computed longest for
    `computing_s`; `task_s` of one task.
    """

    seconds: float
    down: int
    up: int
    weights: int
    first: int
    last: int
    computing_s: float
    task_s: float
    boards: int
    lost: int

    def over_s(self, down_bits: float, up_bits: float) -> float:
        """The time of the busiest: a direction, or computing."""
        return max(8 * self.down / down_bits, 8 * self.up / up_bits, self.computing_s)

    def least_s(self, down_bits: float, up_bits: float) -> float:
        """That, and what nothing can run beside."""
        before_s, after_s = 8 * (self.weights + self.first) / down_bits, 8 * self.last / up_bits
        return max(
            8 * self.down / down_bits + self.task_s + after_s,
            before_s + self.task_s + 8 * self.up / up_bits,
            before_s + self.computing_s + after_s,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["2", "10", "30", "shared"])
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--network", default="yolov2-first16")
    parser.add_argument("--ways", nargs="*", default=[*WAYS], choices=[*WAYS])
    parser.add_argument("--tcp", help="the congestion control of both ends, else this machine's")
    parser.add_argument("--draw", action="store_true", help="show the use of the link")
    arguments = parser.parse_args()
    print(
        f"{'link':22}{'job':9}{'boards':>7}{'bytes':>16}{'over':>9}{'computing':>11}{'least':>9}{'took':>9}"
        f"{'/over':>7}{'/least':>7}{'lost':>6}"
    )
    sound = True
    try:
        with tempfile.TemporaryDirectory() as name:
            asked = arguments.network, arguments.frames, arguments.tcp
            bench = Bench(Path(name), *asked, draw=arguments.draw)
            for what in arguments.what:
                if what == "shared":
                    sound &= bench.shared()
                else:
                    for ways in arguments.ways:
                        sound &= bench.single(int(float(what) * 1e6), ways)
    except (GroupError, ClusterError) as error:
        print(f"links.py: {error}", file=sys.stderr)
        return 1
    return 0 if sound else 1


class Bench:
    """The network and a picture; each line is a cluster of its own, and two jobs."""

    def __init__(
        self, folder: Path, network: str, frames: int, tcp: str | None, *, draw: bool
    ) -> None:
        self._folder = folder
        self._tcp = tcp
        self._draw = draw
        self._frames = frames
        self._prepared: Prepared = builtin(network, folder)
        self._picture = folder / "picture.npy"
        shape = self._prepared.network.input
        np.save(self._picture, np.random.default_rng(1).integers(0, 256, shape, np.uint8))
        on_disk(self._picture)

    def single(self, bits: int, ways: str) -> bool:
        """One board behind a link of its own."""
        make = Make("pi", LIMIT_BYTES, CORES, bits, WAYS[ways])
        down, up = (float(bits) if way in WAYS[ways] else float("inf") for way in ("down", "up"))
        with Shelf([make], tcp=self._tcp) as shelf:
            label = f"{bits / 1e6:g} Mbit/s {ways}"
            return self._jobs(label, shelf, (down, up))

    def shared(self) -> bool:
        """Four boards behind one link."""
        makes = [Make(f"pi{number}", LIMIT_BYTES, CORES / 2) for number in range(SHARING)]
        with Shelf(makes, SHARED_BITS, self._tcp) as shelf:
            label = f"{SHARING} on {SHARED_BITS / 1e6:g} Mbit/s"
            rates = float(SHARED_BITS), float(SHARED_BITS)
            return self._jobs(label, shelf, rates)

    def _recorder(self, shelf: Shelf) -> Recorder:
        device = "trunk" if shelf.trunk_bits else "board0"
        return Recorder(shelf.command, device, self._folder / "use")

    def _jobs(
        self,
        label: str,
        shelf: Shelf,
        rates: tuple[float, float],
    ) -> bool:
        cold = self._cluster(label, shelf, rates, [("cold", self._frames)])
        kinds = [("first", self._frames), ("next", self._frames), ("one", 1)]
        return self._cluster(label, shelf, rates, kinds) and cold

    def _cluster(
        self,
        label: str,
        shelf: Shelf,
        rates: tuple[float, float],
        jobs: list[tuple[str, int]],
    ) -> bool:
        sound, cold = True, jobs[0][0] == "cold"
        name = re.sub(r"\W+", "-", f"{label} {jobs[0][0]}")
        weights = self._prepared.model.stat().st_size if cold else 0
        settings = f"[job]\nprepare = {str(not cold).lower()}\n"
        where = self._prepared.model, self._folder / name, shelf, settings
        with Cluster(*where, trace=True) as cluster:
            for board in shelf.boards:
                cluster.add(board.make.name, "256M", board, board.coordinator)
            time.sleep(_MEASURING_S)
            if not cold:
                _wait_for_weights(cluster)
            for kind, frames in jobs:
                with self._recorder(shelf) as recorder:
                    report = cluster.submit(self._picture, repeat=frames)
                    ended_s = time.monotonic()
                lost = len(re.findall(r": lost", cluster.coordinator.said))
                job = _job(report, cluster.trace, weights, lost)
                sound &= _tell(label, f"{kind} {frames}", job, rates)
                if self._draw:
                    print(recorder.drawn(ended_s - job.seconds - 0.2, ended_s, min(rates)))
            said = re.findall(r"plan for .*|\d+ workers share .*", cluster.coordinator.said)
            print("   ", "\n    ".join(said), flush=True)
        return sound


def _wait_for_weights(cluster: Cluster) -> None:
    """Waits until a plan is in use and its workers have their weights."""
    cluster.coordinator.wait_for("plan for .*")
    while any(each["state"] == "loading weights" for each in cluster.status()["workers"]):
        time.sleep(_LOOKS_S)


def _job(report: dict[str, Any], trace: Path, weights: int, lost: int) -> Job:
    """A job from its report and the coordinator's trace."""
    frames, traffic = report["frames"], report["traffic"]
    computing: dict[int, list[float]] = {}
    for line in trace.read_text().splitlines():
        if '"cat":"task"' in line and report["job"] in line:
            span = json.loads(line.rstrip(","))
            computing.setdefault(span["pid"], []).append(span["dur"] / 1e6)
    return Job(
        seconds=report["seconds"],
        down=frames * traffic["sent_bytes"] + len(computing) * weights,
        up=frames * traffic["received_bytes"],
        weights=weights,
        first=traffic["sent_bytes"],
        last=traffic["received_bytes"],
        computing_s=max(map(sum, computing.values())),
        task_s=min(map(min, computing.values())),
        boards=len(computing),
        lost=lost,
    )


def _tell(label: str, kind: str, job: Job, rates: tuple[float, float]) -> bool:
    over_s, least_s = job.over_s(*rates), job.least_s(*rates)
    ratio = job.seconds / least_s
    moved = f"{job.down / 1e6:.1f} / {job.up / 1e6:.1f} MB"
    print(
        f"{label:22}{kind:9}{job.boards:>7}{moved:>16}"
        f"{over_s:>7.1f} s{job.computing_s:>9.1f} s{least_s:>7.1f} s"
        f"{job.seconds:>7.1f} s{job.seconds / over_s:>7.2f}{ratio:>7.2f}{job.lost:>6}",
        flush=True,
    )
    return not job.lost and (ratio <= BAR or kind.startswith("one"))


if __name__ == "__main__":
    sys.exit(main())
