"""Plans for several workers: stages, and for each stage who makes which part of its maps.

A *stage* is a run of layers between two exchanges of maps. Each worker makes an area of a stage's
outputs (perhaps in several tiles), by a plan of its own under its own budget, and keeps it for the
next stage, where it makes the same area: only halos move. Or a plan has a single stage and tile,
for any worker: each takes whole frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftdist.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What plans need to know of a worker.

    `budget_bytes`: of its whole process; `baseline_bytes`: what the process holds without a task.
    `relative_time`: seconds that it takes, with so many threads, where the profile says one second.
    `link_bytes_per_s` each way, and `latency_s` one way; infinite and zero for the coordinator's
    own threads. `shared_link_bytes_per_s` each way, of what all those share that have a finite one.
    """

    name: str
    budget_bytes: int
    baseline_bytes: int
    credit_bytes: int
    threads: int
    relative_time: float
    link_bytes_per_s: float
    latency_s: float
    shared_link_bytes_per_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Tile:
    """One task of a stage: what is made, and by which worker (its index; None: by any).

    When any worker may take it, `parts` has one plan for each worker (None where it does not fit
    that worker's budget): same layers, same region, each with the plan that suits the worker. A
    tile with a worker has the parts of others who could take it too, should that worker be lost.
    `seconds` is the predicted time of the arithmetic, by worker; infinite where there is no part.
    """

    worker: int | None
    parts: tuple[Plan | None, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """Stages in order; the tiles of a stage partition its outputs, in the order to make them.

    `workers` are names, in the order that tiles refer to; `shares` of the arithmetic by worker.
    `seconds`: predicted for one frame alone; `period_s`: between frames when many are in flight.
    `sent_bytes`, `received_bytes`: over all links, for one frame. `note`: what a person should
    know, such as that one worker alone would be faster.
    """

    workers: tuple[str, ...]
    stages: tuple[tuple[Tile, ...], ...]
    shares: tuple[float, ...]
    seconds: float
    period_s: float
    sent_bytes: int
    received_bytes: int
    note: str
