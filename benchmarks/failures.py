"""Bar: workers killed, stopped and cut off at 100 random moments of jobs with three workers.

Real processes on loopback; each worker's link goes through a proxy. Half of the jobs have many
frames, of which workers take whole ones; the others a single one that all work on, in stages. Every
job must complete, with the bits of local mode, each frame computed once; a lost worker's tasks must
go to others within 3 heartbeats. ::

    python benchmarks/failures.py [--moments 100] [--heartbeat 0.5] [--seed 0]

*noticed*: from the harm until the coordinator gives the tasks to others. *frame*: the longest that
any frame of a harmed job took, less what it takes in a job that nobody harms. Both in heartbeats.
*tasks* were lost and given to others; *others* are workers that were lost without being harmed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.integration.frames import Frames, first_layers
from support.integration.moments import KINDS, NAMES, Kind, Outcome, Shelf
from support.integration.processes import Cluster
from support.smallmodels import write_small_model

BEATS = 3.0


JOBS = {"many": (first_layers(128), 16, 3e6), "one": (first_layers(224, 16), 1, 6e6)}
"""By name: a network, frames a job, and the rate of each link in bytes a second."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--heartbeat", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    heads = ("completed", "identical", "once", "noticed", "frame", "tasks", "others")
    print(f"{'job':6}{'harm':8}{'moments':>9}" + "".join(f"{head:>11}" for head in heads))
    sound = True
    for name, (text, count, link) in JOBS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            model = write_small_model(folder / "layers.ftd", text)
            frames = Frames(model, folder / "frames", count)
            with Cluster(folder, model) as cluster:
                try:
                    with Shelf(cluster, frames, arguments.heartbeat, link) as shelf:
                        sound &= _run(name, shelf, arguments.moments // len(JOBS), arguments.seed)
                except BaseException:
                    print(cluster.log())
                    raise
    print("all as it should be" if sound else "NOT as it should be")
    return 0 if sound else 1


def _run(name: str, shelf: Shelf, moments: int, seed: int) -> bool:
    """A line for each kind of harm; whether all is well."""
    shelf.prepare()
    rng = random.Random(seed)
    outcomes: dict[Kind, list[Outcome]] = {kind: [] for kind in KINDS}
    for number in range(moments):
        kind = KINDS[number % len(KINDS)]
        outcome = shelf.harmed(kind, rng.choice(NAMES), rng.random())
        outcomes[kind].append(outcome)
        if not _is_sound(outcome, shelf):
            print(f"  {outcome}")
    for kind, some in outcomes.items():
        _tell(name, kind, some, shelf)
    return all(_is_sound(each, shelf) for some in outcomes.values() for each in some)


def _is_sound(outcome: Outcome, shelf: Shelf) -> bool:
    done = outcome.completed and not outcome.wrong
    once = outcome.computed == len(shelf.frames.paths)
    noticed_s = outcome.noticed_s
    return done and once and noticed_s is not None and noticed_s <= BEATS * shelf.heartbeat_s


def _tell(name: str, kind: Kind, some: list[Outcome], shelf: Shelf) -> None:
    beat_s, count = shelf.heartbeat_s, len(shelf.frames.paths)
    noticed = max((each.noticed_s or 0.0 for each in some), default=0.0) / beat_s
    longer = max((each.longest_s - shelf.usual_s for each in some), default=0.0) / beat_s
    print(
        f"{name:6}{kind:8}{len(some):>9}"
        f"{sum(each.completed for each in some):>11}"
        f"{sum(not each.wrong for each in some):>11}"
        f"{sum(each.computed == count for each in some):>11}"
        f"{noticed:>11.2f}{longer:>11.2f}"
        f"{sum(each.lost_tasks for each in some):>11}{sum(each.others for each in some):>11}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
