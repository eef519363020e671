"""What the tuned numbers of the search for a partitioning are worth: each halved, doubled, or left.

For every number the predicted time of the job, as a ratio to that of today's value (the geometric
mean over the jobs below), and how many tasks are simulated, which is what the search takes. Nothing
is timed, so the same code gives the same table on every machine. ::

    python benchmarks/tuning.py [NAME...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.planning.workers import boards, first16, local, stage_table, worker

from ftdist.planning.sharing import partition_search
from ftdist.planning.sharing.partition_search import PartitionSearch
from ftdist.planning.sharing.plan import WorkerSpec

JOBS: tuple[tuple[tuple[WorkerSpec, ...], int], ...] = (
    (boards(6, relative_time=6.0), 1),
    (boards(3, relative_time=30.0, link=2e6), 1),
    ((local(7.0), *boards(4, relative_time=7.0)), 1),
    ((worker("a", 5.0), worker("b", 40.0), worker("c", 10.0), worker("d", 10.0, link=1e6)), 8),
)
TRIED: dict[str, tuple[Any, ...]] = {
    "_PATH_KINDS": (((1, 1.0),), ((2, 0.25),), ((1, 1.0), (2, 0.5)), ((1, 1.0), (2, 0.1))),
    "_PATTERNS": (((),), ((), (0.5,)), ((), (0.7,)), ((), (0.5,), (0.7,))),
    "_LAYOUTS": (1, 2, 6),
    "_STARTS": (1, 2, 6),
    "_SIMULATED_TASKS": (3_750, 7_500, 30_000),
    "_MOST_CHANGES": (90, 180, 720),
    "_TOLERANCE": (0.0, 0.005, 0.02, 0.04),
    "_BALANCE_EVERY": (30, 120, 1_000_000),
    "_CUT_STEPS": ((0.2, 0.1), (0.05, 0.02), (0.1,)),
    "_SKEW": (0.0, 0.03, 0.12),
    "_MOST_TILES": (2, 4),
    "_BALANCE_ROUNDS": (1, 2, 8),
    "_DAMPING": (0.35, 0.5, 1.0),
}


def searched() -> tuple[list[float], int]:
    """(predicted seconds of each job, tasks that were simulated)."""
    tasks_simulated = 0
    simulate = partition_search.simulate

    def counted(tasks: Any, *rest: Any) -> Any:
        nonlocal tasks_simulated
        tasks_simulated += len(tasks)
        return simulate(tasks, *rest)

    partition_search.simulate = counted  # type: ignore[assignment]
    try:
        found = [
            PartitionSearch(stage_table(first16(), workers), tuple(range(len(workers))), frames)
            .best()
            .job_s
            for workers, frames in JOBS
        ]
    finally:
        partition_search.simulate = simulate
    return found, tasks_simulated


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *TRIED], default=[])
    chosen = parser.parse_args().names or TRIED
    today, simulated = searched()
    print(f"{'today':52} 1.0000  {simulated:7} tasks")
    for name in chosen:
        kept = getattr(partition_search, name)
        for value in TRIED[name]:
            setattr(partition_search, name, value)
            found, simulated = searched()
            ratio = statistics.geometric_mean(
                each / best for each, best in zip(found, today, strict=True)
            )
            print(
                f"{name} = {value!s:{50 - len(name)}} {ratio:.4f}  {simulated:7} tasks", flush=True
            )
        setattr(partition_search, name, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
