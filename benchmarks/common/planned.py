"""Coordinators whose plans are made by no search, for benchmarks to cut frames as they want.

    python benchmarks/common/planned.py MODEL.ftd --listen tcp://127.0.0.1:5555 --trace FILE

shares every frame evenly: each worker makes its part of each stage, however slow it is, and nobody
takes over what is late.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ftdist
from ftdist.cluster.endpoints import listening
from ftdist.cluster.process import StopRequest
from ftdist.cluster.server.planner import Planner
from ftdist.cluster.server.server import Server
from ftdist.coordinator.events import AskPlan
from ftdist.coordinator.settings import Settings
from ftdist.network.modelfile import Model
from ftdist.planning.sharing.plan import SharedPlan
from ftdist.planning.sharing.search import share
from ftdist.runtime.trace import Trace

ANYWHERE = "tcp://127.0.0.1:*"
_PATIENT = Settings(speculate=False, stuck_after_s=600.0, trace=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL.ftd")
    parser.add_argument("--listen", default=ANYWHERE, metavar="tcp://ADDRESS:PORT")
    parser.add_argument("--trace", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    model = ftdist.load(arguments.model)
    with Trace(arguments.trace) as trace:
        serve(model, lambda asked: even(model, asked), arguments.listen, _PATIENT, trace)
    return 0


def even(model: Model, asked: AskPlan) -> SharedPlan:
    """The plan for one frame, by direct kernels, as if all workers and links were equally fast."""
    equals = tuple(
        replace(
            each,
            threads=1,
            relative_time=1.0,
            link_bytes_per_s=math.inf,
            shared_link_bytes_per_s=math.inf,
            latency_s=0.0,
        )
        for each in asked.workers
    )
    return share(model.network, equals, 1, asked.picture, arithmetic=())


def serve(
    model: Model,
    plan: Callable[[AskPlan], SharedPlan],
    address: str = ANYWHERE,
    settings: Settings | None = None,
    trace: Trace | None = None,
) -> None:
    """A coordinator with plans of one's own, until SIGTERM; says where it listens."""
    planner, stop = Planner(plan), StopRequest()
    signal.signal(signal.SIGTERM, lambda *_: stop.request())

    def say(line: str, /, event: str = "", **about: str | int | float) -> None:
        print(line, flush=True)

    asked = settings or Settings()
    server = Server(listening(address), asked, model, planner, stop, None, None, trace, None, say)
    try:
        say(f"listens    tcp://127.0.0.1:{server.port}")
        server.serve()
    finally:
        server.close()
        planner.close()


def computed(trace: Path) -> dict[str, dict[str, int]]:
    """By frame ("frame 0"), the tasks that each worker computed of it, as a trace tells."""
    text = trace.read_text().rstrip().rstrip(",]")
    events = json.loads(f"{text}]")
    tracks = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        if event.get("cat") == "task":
            found[event["name"].partition(",")[0]][tracks[event["pid"]]] += 1
    return {frame: dict(workers) for frame, workers in found.items()}


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
