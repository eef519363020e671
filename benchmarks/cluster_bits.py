"""Bar: one to four unlike workers give the bits of one process, by plans that no search would make.

A coordinator whose plans are random (stages, bands and grids of tiles, owners, inner plans with
strips and streamed weights) is joined by one worker after another: other budgets, threads, and
instruction sets in turn. After each there are jobs of one frame and of several, of pictures and of
arrays; whatever comes out must be what ``ftdist.Session`` makes of the untiled network. ::

    python benchmarks/cluster_bits.py MODEL.ftd [MODEL.ftd ...] [--rounds 2] [--seed 0]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
from clusters import HERE, Cluster

import ftdist
from ftdist.cluster.endpoints import listening
from ftdist.cluster.planner import Planner
from ftdist.cluster.process import Stop
from ftdist.cluster.server import Server
from ftdist.coordinator.events import AskPlan
from ftdist.coordinator.settings import Settings
from ftdist.errors import BudgetError
from ftdist.kernels import native
from ftdist.network.modelfile import Model
from ftdist.planning.plan import untiled
from ftdist.planning.sharing import SharedPlan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from randomplans import random_shared_plan

TEAM = (("96M", 1), ("256M", 2), ("64M", 1), ("160M", 1))
"""Budgets and threads of the workers, in the order in which they join."""

FRAMES = 3
_SEEDS, _TRIES = 1000, 20

Outputs = dict[str, np.ndarray]


def main() -> int:
    arguments = _arguments()
    if arguments.serve is not None:
        serve(ftdist.load(arguments.serve), arguments.seed)
        return 0
    sets = [each.name for each in native.available() if each.fused]
    print(f"instruction sets: {', '.join(sets)}")
    wrong = 0
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as name:
            inputs = Inputs(ftdist.load(path), Path(name))
            for number in range(arguments.rounds):
                wrong += compare(path, inputs, arguments.seed + _SEEDS * number, sets)
    return 0 if not wrong else 1


class Inputs:
    """Pictures and arrays for a model in a folder, and what one process makes of them."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model = model
        self.folder = folder
        height, width, channels = model.network.input
        rng = np.random.default_rng(0)
        self._arrays = {
            folder / f"{kind}{number}.npy": rng.integers(
                0, 256, (height, width, channels), np.uint8
            )
            if kind == "picture"
            else rng.random((channels, height, width), np.float32)
            for number in range(FRAMES)
            for kind in ("picture", "array")
        }
        self._expected: dict[Path, Outputs] = {}
        with ftdist.Session(model, untiled(model.network)) as session:
            for path, array in self._arrays.items():
                np.save(path, array)
                self._expected[path] = session.run(array)

    def jobs(self) -> list[list[Path]]:
        """Jobs of one and of all frames of a kind, in turn: each wants another sort of plan."""
        kinds = [sorted(p for p in self._arrays if kind in p.name) for kind in ("picture", "array")]
        return [paths[:count] for count in (1, FRAMES) for paths in kinds]

    def wrong(self, paths: list[Path], results: Path) -> int:
        """How many of these frames' results differ in a bit, or lack."""
        return sum(not _same(self._expected[path], results / path.stem) for path in paths)


def coordinator(path: Path, seed: int) -> list[str]:
    """The command of a coordinator whose plans for a model are random."""
    return [sys.executable, __file__, "--serve", str(path), "--seed", str(seed)]


def compare(path: Path, inputs: Inputs, seed: int, sets: list[str]) -> int:
    """Jobs for one to four workers; says what came of them, and returns how many frames differ."""
    frames = wrong = 0
    words = coordinator(path, seed)
    with Cluster(path, inputs.folder / f"seed{seed}", HERE, words=words) as cluster:
        isas = itertools.cycle(sets)
        for count, (mem, threads) in enumerate(TEAM, 1):
            isa = {"FTDIST_ISA": next(isas)}
            cluster.add(f"w{count}", mem, environment=isa, threads=threads)
            for paths in inputs.jobs():
                report = cluster.submit(*paths)
                frames += len(paths)
                wrong += inputs.wrong(paths, report["results"])
        status = cluster.status()
        plans = re.findall(
            r"plan for \d+ workers: (\d+) stages, (\d+) tasks", cluster.coordinator.said
        )
    for line in re.findall(r".*(?:task|memory|fault).*", cluster.coordinator.said):
        if not line.startswith("plan for"):
            print(f"  {line}")
    shown = ", ".join(f"{stages}/{tasks}" for stages, tasks in plans)
    failed = sum(each["failed"] for each in status["workers"])
    print(
        f"{inputs.model.network.name}, seed {seed}: {frames - wrong} of {frames} frames identical; "
        f"{len(plans)} plans (stages/tasks: {shown}); {failed} tasks failed",
        flush=True,
    )
    return wrong


def serve(model: Model, seed: int) -> None:
    """A coordinator whose plans are random, until SIGTERM."""

    def plan(question: AskPlan) -> SharedPlan:
        for attempt in range(_TRIES):
            seed_of = seed + question.number + _SEEDS * attempt
            with contextlib.suppress(ValueError):  # this one fits nobody
                return random_shared_plan(
                    model.network, question.workers, seed_of, question.picture
                )
        raise BudgetError(f"none of {_TRIES} random plans fits", 0)

    planner, stop = Planner(plan), Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.request())

    def say(line: str) -> None:
        print(line, flush=True)

    endpoint = listening("tcp://127.0.0.1:*")
    server = Server(endpoint, Settings(), model, planner, stop, None, None, None, say)
    try:
        say(f"listens    tcp://127.0.0.1:{server.port}")
        server.serve()
    finally:
        server.close()
        planner.close()


def _same(expected: Outputs, results: Path) -> bool:
    """Whether the files of a frame's result hold just these bits."""
    one, several = results.with_suffix(".npy"), results.with_suffix(".npz")
    if one.exists():
        (only,) = expected
        found = {only: np.load(one)}
    elif several.exists():
        found = dict(np.load(several))
    else:
        return False
    return found.keys() == expected.keys() and all(
        (found[name].shape, found[name].tobytes()) == (array.shape, array.tobytes())
        for name, array in expected.items()
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.ftd")
    parser.add_argument("--rounds", type=int, default=2, help="coordinators, each with other plans")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
