"""Plans for several workers: stages, and for each stage who makes which part of its maps.

A *stage* is a run of layers between two exchanges of maps. Each worker makes a region of a stage's
outputs (perhaps in several tiles), by a plan of its own under its own budget, and keeps it for the
next stage, where it makes the same region: only halos move. Or a plan has a single stage and tile
for any worker, and each worker takes whole frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftdist.network.implementations import Arithmetic
from ftdist.planning.plan import Plan

KEPT_FRAMES = 2
"""Frames of a job whose maps a worker keeps at the same time, unless the coordinator's settings say
otherwise: one is computed while the next one begins. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What plans need to know of a worker.

    `budget_bytes`: of its whole process; `baseline_bytes`: what the process holds without a task.
    `credit_bytes`: task inputs that may be sent to it ahead. `relative_time`: seconds that it takes
    with its `threads` where the profile says one second. `link_bytes_per_s` (in each direction) and
    `latency_s` (one way) are infinite and zero for the coordinator's own threads.
    `shared_link_bytes_per_s`: in each direction, of the link that all workers with a finite rate
    share.
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
    """One task of a stage: what is made, and by which worker (its index; None: by any of them).

    `parts` are by worker: all make the same region of the same layers, each by the plan that suits
    the worker; None where that does not fit its budget. A tile that has a worker also has parts of
    others that could take it, should this worker be lost. `seconds`: the predicted time of the
    arithmetic, by worker; infinite where there is no part.
    """

    worker: int | None
    parts: tuple[Plan | None, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """Stages in order; the tiles of a stage partition its outputs, in the order to make them.

    `workers`: their names, in the order of a tile's parts. `shares`: of the arithmetic, by worker.
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

    @property
    def arithmetic(self) -> Arithmetic:
        """The algorithms of a frame's layers: the same for every part, whoever makes it."""
        parts = (part for stage in self.stages for tile in stage for part in tile.parts)
        return next((part.arithmetic for part in parts if part is not None), ())
