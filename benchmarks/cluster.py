"""What several workers make of yolov2-first16: speed, memory and bytes on the wire, with bars.

    python benchmarks/cluster.py two       two workers on this machine against one
    python benchmarks/cluster.py six       six emulated boards, one frame at a time, against one
    python benchmarks/cluster.py mixed     three unequal boards against perfect sharing by speed
    python benchmarks/cluster.py memory    what workers hold, idle and busy

Boards are emulated by ``boards.py``: as root, `six` and `mixed` only. All processes are those that
users start. Rounds are interleaved, figures are medians; other work on the machine shows in them.
The exit status is 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common.boards import Board, Make, Shelf
from common.clusters import HERE, Cluster, ClusterError, Process, Somewhere, finished, ftdist
from common.groups import GroupError
from common.models import Prepared, builtin, on_disk

MIB = 1 << 20
NETWORK = "yolov2-first16"
ALONE_FRAMES = 4
ONE_AT_A_TIME = "[job]\nin_flight = 1\n"


@dataclass
class Bars:
    """Figures beside what they should be."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def at_least(self, what: str, value: float, bar: float, unit: str = "") -> None:
        self._add(what, value, unit, f"at least {bar:g}", kept=value >= bar)

    def at_most(self, what: str, value: float, bar: float, unit: str = "") -> None:
        self._add(what, value, unit, f"at most {bar:g}", kept=value <= bar)

    def note(self, what: str, value: float, unit: str = "") -> None:
        """A figure without a bar."""
        self._add(what, value, unit, "", kept=True)

    @property
    def kept(self) -> bool:
        return all(row["kept"] for row in self.rows)

    def _add(self, what: str, value: float, unit: str, bar: str, *, kept: bool) -> None:
        self.rows.append({"what": what, "value": value, "unit": unit, "bar": bar, "kept": kept})
        number = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
        said = f"{bar:>14}  {'kept' if kept else 'MISSED'}" if bar else ""
        print(f"  {what:50} {number:>9} {unit:7}{said}".rstrip(), flush=True)


class Bench:
    """The network and a picture, in a folder for the time of the benchmark."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder = folder
        self.arguments = arguments
        self.prepared: Prepared = builtin(NETWORK, folder)
        self.picture = folder / "picture.npy"
        values = np.random.default_rng(1).integers(0, 256, self.prepared.network.input, np.uint8)
        np.save(self.picture, values)
        on_disk(self.picture)

    def alone_s(self, where: Somewhere = HERE, mem: str | None = None) -> float:
        """Seconds a frame of `ftdist run` on one thread, the median."""
        report = self.folder / "run.json"
        words = ftdist("run", self.prepared.model, self.picture, "--threads", 1, "--json", report)
        words += ["--repeat", str(1 + ALONE_FRAMES), *(["--mem", mem] if mem else [])]
        finished(words, where)
        return float(median(json.loads(report.read_text())["measured"]["latency_s"][1:]))

    def cluster(self, name: str, hub: Somewhere = HERE, settings: str = "") -> Cluster:
        trace = self.arguments.trace
        return Cluster(self.prepared.model, self.folder / name, hub, settings, trace)


# ---- two workers on one machine


def two(bench: Bench, bars: Bars) -> None:
    frames, rounds = bench.arguments.frames or 30, bench.arguments.rounds or 5
    rates: dict[int, list[float]] = {1: [], 2: []}
    alone = []
    with bench.cluster("one") as one, bench.cluster("two") as both:
        for cluster, names in ((one, "a"), (both, "bc")):
            for name in names:
                cluster.add(name, "128M")
            cluster.submit(bench.picture, repeat=frames)
        for _ in range(rounds):
            alone.append(bench.alone_s())
            for count, cluster in ((1, one), (2, both)):
                seconds = cluster.submit(bench.picture, repeat=frames)["seconds"]
                rates[count].append(frames / seconds)
        bars.note("ftdist run", 1 / median(alone), "fps")
        bars.note("one worker", median(rates[1]), "fps")
        bars.note("two workers", median(rates[2]), "fps")
        ratios = [second / first for first, second in zip(rates[1], rates[2], strict=True)]
        bars.at_least("two against one", median(ratios), 1.75, "x")
        say_plan(both)


# ---- six boards, one frame at a time


def six(bench: Bench, bars: Bars) -> None:
    arguments = bench.arguments
    frames, rounds = arguments.frames or 10, arguments.rounds or 5
    link = round(arguments.link * 1e6)
    names = [f"pi{number}" for number in range(1, arguments.boards + 1)]
    makes = [Make(name, 128 * MIB, arguments.cores, link) for name in [*names, "single"]]
    alone: list[float] = []
    shared: list[float] = []
    lonely: list[float] = []
    with (
        Shelf(makes) as shelf,
        bench.cluster("six", shelf, ONE_AT_A_TIME) as cluster,
        bench.cluster("one", shelf, ONE_AT_A_TIME) as one,
    ):
        *boards, single = shelf.boards
        for board in boards:
            cluster.add(board.make.name, None, board, board.coordinator)
        one.add("single", None, single, single.coordinator)
        cluster.submit(bench.picture, repeat=3 * frames)
        one.submit(bench.picture)
        moved = 0
        counted: list[float] = []
        for _ in range(rounds):
            alone.append(bench.alone_s(single))
            lonely += one.submit(bench.picture, repeat=2)["latency_s"]
            before = _moved(boards)
            report = cluster.submit(bench.picture, repeat=frames)
            moved += _moved(boards) - before
            counted += _counted(report)
            shared += report["latency_s"]
        alone, lonely, shared = (
            [1e3 * each for each in times] for times in (alone, lonely, shared)
        )
        bars.note("one board, ftdist run", median(alone), "ms")
        bars.note("one board, through a coordinator", median(lonely), "ms")
        bars.note(f"{len(boards)} boards", median(shared), "ms")
        bars.note(f"{len(boards)} boards, best and", min(shared), "ms")
        bars.note(f"{len(boards)} boards, worst", max(shared), "ms")
        bars.at_least("against one board alone", median(alone) / median(shared), 4.0, "x")
        total = frames * rounds
        bars.at_most("a frame, as reported", median(counted) / 1e6, 9.0, "MB")
        bars.at_most("a frame, by the interfaces", moved / 1e6 / total, 9.0, "MB")
        for board in boards:
            _say_memory(bars, board, cluster.workers[board.make.name], 128)
        say_plan(cluster)


def _counted(report: dict[str, Any]) -> list[float]:
    """Bytes a frame by a report, if it knows: word of the last frames may come too late for it."""
    traffic = report["traffic"]
    return [traffic["sent_bytes"] + traffic["received_bytes"]] if traffic else []


def _moved(boards: list[Board]) -> int:
    return sum(sum(board.traffic) for board in boards)


# ---- unequal boards


def mixed(bench: Bench, bars: Bars) -> None:
    frames, rounds = bench.arguments.frames or 40, bench.arguments.rounds or 3
    kinds = {"large": (0.3, 256), "middle": (0.1, 96), "small": (0.1, 64)}
    makes = [Make(name, mib * MIB, cores) for name, (cores, mib) in kinds.items()]
    alone: dict[str, list[float]] = {name: [] for name in kinds}
    together = []
    with Shelf(makes) as shelf, bench.cluster("mixed", shelf) as cluster:
        for board in shelf.boards:
            name = board.make.name
            cluster.add(name, f"{kinds[name][1]}M", board, board.coordinator)
        cluster.submit(bench.picture, repeat=frames)
        for _ in range(rounds):
            for board in shelf.boards:
                name = board.make.name
                alone[name].append(bench.alone_s(board, f"{kinds[name][1]}M"))
            together.append(cluster.submit(bench.picture, repeat=frames)["seconds"])
        for name, times in alone.items():
            bars.note(f"{name} alone, ftdist run", 1e3 * median(times), "ms")
        perfect = frames / sum(1 / median(times) for times in alone.values())
        bars.note(f"{frames} frames, shared perfectly by speed", perfect, "s")
        bars.note(f"{frames} frames", median(together), "s")
        bars.at_most("against perfect sharing", median(together) / perfect, 1.15, "x")
        for board in shelf.boards:
            name = board.make.name
            _say_memory(bars, board, cluster.workers[name], kinds[name][1])
        say_plan(cluster)


def _say_memory(bars: Bars, board: Board, worker: Process, most: float) -> None:
    name, group = board.make.name, board.group
    bars.at_most(f"{name}: VmHWM", worker.peak_bytes / MIB, most, "MiB")
    bars.at_most(f"{name}: processes killed for memory", group.kills, 0)
    bars.note(f"{name}: times at its memory limit", group.refusals)


# ---- memory


def memory(bench: Bench, bars: Bars) -> None:
    frames = bench.arguments.frames or 10
    for mem in (96, 64):
        with bench.cluster(f"m{mem}") as cluster:
            worker = cluster.add("worker", f"{mem}M")
            bars.at_most(f"idle worker, --mem {mem}M: VmHWM", worker.peak_bytes / MIB, 40, "MiB")
            for repeat in (1, frames):
                cluster.submit(bench.picture, repeat=repeat)
            bars.at_most(f"busy worker, --mem {mem}M: VmHWM", worker.peak_bytes / MIB, mem, "MiB")
    with bench.cluster("pair") as cluster:
        workers = {mem: cluster.add(f"w{mem}", f"{mem}M") for mem in (96, 64)}
        for repeat in (1, frames):
            cluster.submit(bench.picture, repeat=repeat)
        for mem, worker in workers.items():
            bars.at_most(f"one of two, --mem {mem}M: VmHWM", worker.peak_bytes / MIB, mem, "MiB")


def say_plan(cluster: Cluster) -> None:
    """Prints what the coordinator says of its plan and workers."""
    status = cluster.status()
    print(f"  plan: {status['plan']}; {status['late']} results too late")
    for worker in status["workers"]:
        link = worker["link_bytes_per_s"] / 1e6
        print(
            f"  {worker['name']:8} {worker['share']:5.1%}  {2e-9 * worker['macs_per_s']:6.1f} "
            f"GFLOP/s, {link:.1f} MB/s, {worker['finished']} tasks, {worker['failed']} failed"
        )


COMMANDS: dict[str, Callable[[Bench, Bars], None]] = {
    "two": two,
    "six": six,
    "mixed": mixed,
    "memory": memory,
}


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # boards and processes are given back
    bars = Bars()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = arguments.keep or Path(name)
            folder.mkdir(parents=True, exist_ok=True)
            COMMANDS[arguments.command](Bench(folder, arguments), bars)
    except (GroupError, ClusterError) as error:
        sys.exit(f"cluster.py: {error}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(bars.rows, indent=1) + "\n")
    return 0 if bars.kept else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--frames", type=int, help="of each job, or one after another (six)")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--boards", type=int, default=6, help="of six")
    parser.add_argument("--cores", type=float, default=0.15, help="share of a core of each of six")
    parser.add_argument("--link", type=float, default=100, help="Mbit/s of each of six")
    parser.add_argument("--trace", action="store_true", help="have coordinators write time lines")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep all files there")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
