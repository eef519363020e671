"""How long planning takes: a plan without a budget, plans under three, and one that was kept.

Each search is a fresh process that tries all arithmetics; times are of its processor. "free" is a
search that no budget binds, "tight", "half" and "loose" are at 1.3, 2 and 5 times the smallest
plan's memory; "kept" is the second of two processes that decide on a plan for the same budget, a
plentiful one. Bars, on one core: 1 s for yolo-fastest, 1.5 for yolov3, 2 for yolov4, 4 for
densenet201; a kept plan 0.1 s. ::

    python benchmarks/planning.py [yolov4 ...] [--threads N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import deepnets

TRAINED = Path(__file__).resolve().parents[2] / "shared" / "models" / "yolo-fastest-1.1-xl.cfg"
NETWORKS: dict[str, tuple[Callable[[], str], float]] = {
    "yolo-fastest": (TRAINED.read_text, 1.0),
    "yolov3": (deepnets.yolov3, 1.5),
    "yolov4": (deepnets.yolov4, 2.0),
    "densenet201": (deepnets.densenet201, 4.0),
    "chain": (deepnets.chain, 4.0),
}
FACTORS: dict[str, float | None] = {"free": None, "tight": 1.3, "half": 2.0, "loose": 5.0}

_SEARCH = """
import json, resource, sys, time
from pathlib import Path
from ftdist.network.darknet.importer import parse_cfg
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import AnySearch, arithmetics
from ftdist.runtime.budget.memory import peak_resident_bytes
network = parse_cfg(Path(sys.argv[1]).read_text(), "net", "net.cfg").network
threads, size = int(sys.argv[2]), json.loads(sys.argv[3])
before, begun = peak_resident_bytes(), time.process_time()
search = AnySearch(network, threads, DEFAULT, arithmetics(network, DEFAULT))
found = search.smallest() if size == "smallest" else search.fastest(size)
took_s = time.process_time() - begun
print(json.dumps([found.peak_bytes, found.seconds, took_s, peak_resident_bytes() - before]))
"""

_KEPT = """
import sys, time
from ftdist.network.modelfile import load
from ftdist.runtime.plans.choice import PlanProblem
from ftdist.runtime.plans.decision import Decision
from ftdist.runtime.bound import load_kernels
from ftdist.runtime.budget.limits import budget
from ftdist.runtime.measuring.profiles import SHIPPED
load_kernels("native")
model = load(sys.argv[1])
begun = time.process_time()
Decision(PlanProblem(model, budget(sys.argv[3]), threads=int(sys.argv[2]))).choice()
print(time.process_time() - begun)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    slow = 0
    with tempfile.TemporaryDirectory() as name:
        for network in arguments.networks:
            text, most_s = NETWORKS[network]
            if network == "yolo-fastest" and not TRAINED.exists():
                print(f"{network}: skipped, {TRAINED} is absent")
                continue
            cfg = Path(name) / f"{network}.cfg"
            cfg.write_text(text())
            smallest = _searched(cfg, arguments.threads, "smallest")[0]
            for label, factor in FACTORS.items():
                size = None if factor is None else int(smallest * factor)
                peak, seconds, took_s, grown = _searched(cfg, arguments.threads, size)
                slow += took_s > most_s
                print(
                    f"{network:13} {label:6} {took_s:5.2f} s of {most_s}, {grown / 2**20:5.1f} MiB"
                    f": a plan of {1e3 * seconds:8.2f} ms in {peak / 2**20:6.1f} MiB",
                    flush=True,
                )
            kept_s = _kept_s(cfg, arguments.threads)
            slow += kept_s > 0.1
            print(f"{network:13} kept   {kept_s:5.2f} s of 0.1", flush=True)
    return 1 if slow else 0


def _searched(cfg: Path, threads: int, size: int | str | None) -> tuple[int, float, float, int]:
    """(peak bytes, seconds of the plan, seconds of planning, bytes that planning took)."""
    words = [sys.executable, "-c", _SEARCH, str(cfg), str(threads), json.dumps(size)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    peak, seconds, took_s, grown = json.loads(done.stdout)
    return peak, seconds, took_s, grown


def _kept_s(cfg: Path, threads: int) -> float:
    """Seconds of deciding on a plan that a run before found."""
    model = cfg.with_suffix(".ftd")
    words = ["import", str(cfg), "--random-weights", "1", "-o", str(model)]
    command = [sys.executable, "-m", "ftdist", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    size = str(6 * model.stat().st_size + (128 << 20))  # transformed weights are larger
    environment = {**os.environ, "XDG_CACHE_HOME": str(cfg.parent / "cache")}
    command = [sys.executable, "-c", _KEPT, str(model), str(threads), size]
    for _ in range(2):
        done = subprocess.run(command, check=True, env=environment, text=True, capture_output=True)
    model.unlink()
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
