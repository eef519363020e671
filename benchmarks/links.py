"""Bar: jobs over slow and shared links take at most 1.2 times what their bytes take at the rate.

    python benchmarks/links.py [2] [10] [30] [shared] [--frames N] [--network NAME]

Emulated boards (``boards.py``: as root), one behind a link of 2, 10 or 30 Mbit/s, slow both ways or
one way, and four behind one of 40 Mbit/s together. Workers begin without weights. *bytes* are those
that passed the link while the job ran, headers included; *least* is the time of the busier
direction at the link's rate, or of the computing where that is longer. Nobody may be lost. The exit
status is 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from boards import Make, Shelf
from clusters import Cluster, ClusterError
from groups import GroupError
from models import Prepared, builtin, on_disk

BAR = 1.2
SHARED_BITS, SHARING = 40_000_000, 4
CORES = 1.0
LIMIT_BYTES = 1 << 30
WAYS = {"both ways": ("down", "up"), "down": ("down",), "up": ("up",)}


@dataclass(frozen=True)
class Job:
    """What a job over a link came to."""

    seconds: float
    sent: int
    received: int
    lost: int
    computing_s: float

    def least_s(self, down_bits: float, up_bits: float) -> float:
        """What it takes at the least."""
        return max(8 * self.sent / down_bits, 8 * self.received / up_bits, self.computing_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["2", "10", "30", "shared"])
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--network", default="yolov2-first16")
    parser.add_argument("--ways", nargs="*", default=[*WAYS], choices=[*WAYS])
    arguments = parser.parse_args()
    print(f"{'link':22}{'job':8}{'bytes':>16}{'least':>9}{'took':>9}{'ratio':>7}{'lost':>6}")
    sound = True
    try:
        with tempfile.TemporaryDirectory() as name:
            bench = Bench(Path(name), arguments.network, arguments.frames)
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

    def __init__(self, folder: Path, network: str, frames: int) -> None:
        self._folder = folder
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
        with Shelf([make]) as shelf:
            board = shelf.boards[0]
            label = f"{bits / 1e6:g} Mbit/s {ways}"
            return self._jobs(label, shelf, lambda: board.traffic, (down, up))

    def shared(self) -> bool:
        """Four boards behind one link."""
        makes = [Make(f"pi{number}", LIMIT_BYTES, CORES / 2) for number in range(SHARING)]
        with Shelf(makes, trunk_bits=SHARED_BITS) as shelf:
            label = f"{SHARING} on {SHARED_BITS / 1e6:g} Mbit/s"
            rates = float(SHARED_BITS), float(SHARED_BITS)
            return self._jobs(label, shelf, lambda: shelf.trunk_traffic, rates)

    def _jobs(
        self,
        label: str,
        shelf: Shelf,
        traffic: Callable[[], tuple[int, int]],
        rates: tuple[float, float],
    ) -> bool:
        sound = True
        name = re.sub(r"\W+", "-", label)
        with Cluster(self._prepared.model, self._folder / name, shelf) as cluster:
            for board in shelf.boards:
                cluster.add(board.make.name, "256M", board, board.coordinator)
            for kind, frames in (("first", self._frames), ("next", self._frames), ("one", 1)):
                before = traffic()
                report = cluster.submit(self._picture, repeat=frames)
                sent, received = (b - a for a, b in zip(before, traffic(), strict=True))
                lost = len(re.findall(r": lost", cluster.coordinator.said))
                alone_s = float(report.get("computing_s", 0.0))
                job = Job(float(report["seconds"]), sent, received, lost, alone_s)
                sound &= _tell(label, f"{kind} {frames}", job, rates)
            said = re.findall(r"plan for .*|\d+ workers share .*", cluster.coordinator.said)
            print("   ", "\n    ".join(said), flush=True)
        return sound


def _tell(label: str, kind: str, job: Job, rates: tuple[float, float]) -> bool:
    least_s = job.least_s(*rates)
    ratio = job.seconds / least_s
    moved = f"{job.sent / 1e6:.1f} / {job.received / 1e6:.1f} MB"
    print(
        f"{label:22}{kind:8}{moved:>16}{least_s:>7.1f} s{job.seconds:>7.1f} s{ratio:>7.2f}"
        f"{job.lost:>6}",
        flush=True,
    )
    return not job.lost and (ratio <= BAR or kind.startswith("one"))


if __name__ == "__main__":
    sys.exit(main())
