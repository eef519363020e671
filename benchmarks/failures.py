"""Bar: workers killed, stopped and cut off at 100 random moments of jobs with three workers.

Real processes on loopback; each worker's link goes through a proxy. Every job must complete, with
the bits of local mode, each frame computed once; a lost worker's tasks must go to others within 3
heartbeats. ::

    python benchmarks/failures.py [--moments 100] [--frames 16] [--heartbeat 0.5] [--seed 0]

*noticed*: from the harm until the coordinator gives the tasks to others. *frame*: the longest that
any frame of a harmed job took, less what it takes in a job that nobody harms. Both in heartbeats.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cluster" / "integration"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from frames import Frames, first_layers
from moments import KINDS, NAMES, Kind, Outcome, Shelf
from processes import Cluster
from smallmodels import write_small_model

BEATS = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--heartbeat", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_small_model(folder / "layers.ftd", first_layers(128))
        frames = Frames(model, folder / "frames", arguments.frames)
        with (
            Cluster(folder, model) as cluster,
            Shelf(cluster, frames, arguments.heartbeat) as shelf,
        ):
            try:
                return _run(shelf, arguments)
            except BaseException:
                print(cluster.log())
                raise


def _run(shelf: Shelf, arguments: argparse.Namespace) -> int:
    count = arguments.frames
    shelf.run(count)  # weights are there from now on
    usual_bytes, usual_s = shelf.run(count)
    print(f"{count} frames a job, {usual_bytes / 1e6:.1f} MB; a frame takes {usual_s * 1e3:.0f} ms")
    rng = random.Random(arguments.seed)
    outcomes: dict[Kind, list[Outcome]] = defaultdict(list)
    for number in range(arguments.moments):
        kind, victim = KINDS[number % len(KINDS)], rng.choice(NAMES)
        outcome = shelf.harmed(kind, victim, rng.random(), count, usual_bytes)
        outcomes[kind].append(outcome)
        if not _is_sound(outcome, count):
            print(f"  {outcome}")
    return _report(outcomes, count, arguments.heartbeat, usual_s)


def _is_sound(outcome: Outcome, count: int) -> bool:
    return outcome.completed and not outcome.wrong and outcome.computed == count


def _report(outcomes: dict[Kind, list[Outcome]], count: int, beat_s: float, usual_s: float) -> int:
    heads = ("completed", "identical", "once", "noticed", "frame", "tasks", "others")
    print(f"\n{'kind':8}{'moments':>9}" + "".join(f"{head:>11}" for head in heads))
    worst = 0.0
    for kind, some in outcomes.items():
        noticed = max(each.noticed_s or 0.0 for each in some) / beat_s
        delayed = max(each.longest_s - usual_s for each in some) / beat_s
        worst = max(worst, noticed)
        print(
            f"{kind:8}{len(some):>9}"
            f"{sum(each.completed for each in some):>11}"
            f"{sum(not each.wrong for each in some):>11}"
            f"{sum(each.computed == count for each in some):>11}"
            f"{noticed:>11.2f}{delayed:>11.2f}"
            f"{sum(each.lost_tasks for each in some):>11}{sum(each.others for each in some):>11}"
        )
    everything = [each for some in outcomes.values() for each in some]
    sound = sum(_is_sound(each, count) for each in everything)
    print(
        f"\n{sound} of {len(everything)} as they should be; worst recovery {worst:.2f} heartbeats"
    )
    return 0 if sound == len(everything) and worst <= BEATS else 1


if __name__ == "__main__":
    sys.exit(main())
