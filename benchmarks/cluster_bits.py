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
import sys
import tempfile
from pathlib import Path

from common import planned
from common.clusters import HERE, Cluster

import ftdist
from ftdist.coordinator.events import AskPlan
from ftdist.errors import BudgetError
from ftdist.kernels import native
from ftdist.network.modelfile import Model
from ftdist.planning.sharing.plan import SharedPlan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.integration.frames import Frames
from support.randomplans import random_shared_plan

TEAM = (("96M", 1), ("256M", 2), ("64M", 1), ("160M", 1))
"""Budgets and threads of the workers, in the order in which they join."""

FRAMES, KINDS = 3, (("pictures", True), ("arrays", False))
_SEEDS, _TRIES = 1000, 20


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
            jobs = jobs_for(path, Path(name))
            for number in range(arguments.rounds):
                seed = arguments.seed + _SEEDS * number
                wrong += compare(path, jobs, Path(name) / f"seed{seed}", seed, sets)
    return 0 if not wrong else 1


Job = tuple[Frames, int]
"""The first so many of some frames."""


def jobs_for(path: Path, folder: Path) -> list[Job]:
    """Jobs of one and of all frames of a kind, in turn: each wants another sort of plan."""
    kinds = [Frames(path, folder / name, FRAMES, picture=picture) for name, picture in KINDS]
    return [(frames, count) for count in (1, FRAMES) for frames in kinds]


def coordinator(path: Path, seed: int) -> list[str]:
    """The command of a coordinator whose plans for a model are random."""
    return [sys.executable, __file__, "--serve", str(path), "--seed", str(seed)]


def compare(path: Path, jobs: list[Job], folder: Path, seed: int, sets: list[str]) -> int:
    """Jobs for one to four workers; says what came of them, and returns how many frames differ."""
    done = wrong = 0
    with Cluster(path, folder, HERE, words=coordinator(path, seed)) as cluster:
        isas = itertools.cycle(sets)
        for count, (mem, threads) in enumerate(TEAM, 1):
            isa = {"FTDIST_ISA": next(isas)}
            cluster.add(f"w{count}", mem, environment=isa, threads=threads)
            for frames, number in jobs:
                report = cluster.submit(*frames.paths[:number])
                done += number
                wrong += len(frames.wrong(report["results"], number))
        status = cluster.status()
        plans = re.findall(
            r"plan for \d+ workers?: (\d+) stages?, (\d+) tasks?", cluster.coordinator.said
        )
    for line in re.findall(r".*(?:task|memory|fault).*", cluster.coordinator.said):
        if not line.startswith("plan for"):
            print(f"  {line}")
    shown = ", ".join(f"{stages}/{tasks}" for stages, tasks in plans)
    failed = sum(each["failed"] for each in status["workers"])
    print(
        f"{path.stem}, seed {seed}: {done - wrong} of {done} frames identical; "
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

    planned.serve(model, plan)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.ftd")
    parser.add_argument("--rounds", type=int, default=2, help="coordinators, each with other plans")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
