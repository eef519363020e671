"""What a worker says of itself: its Hello, and the measurements that go into it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from ftdist import __version__
from ftdist.errors import BudgetError
from ftdist.geometry import Region, Shape
from ftdist.kernels import native
from ftdist.kernels.program import COUNTERS
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import SLACK_BYTES
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.weights import unplaced
from ftdist.protocol.limits import MOST_OOM_KILLS, PROTOCOL
from ftdist.protocol.worker_messages import Hello
from ftdist.runtime.budget.controlgroups import processor_quota
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import ceil_size, format_size
from ftdist.runtime.budget.process_memory import will_hold_bytes
from ftdist.runtime.budget.sizes import SPREAD_BYTES
from ftdist.runtime.forked import run_forked

_CREDIT_SHARE = 8
_LEAST_CREDIT, _MOST_CREDIT = 256 << 10, 64 << 20
_LEAST_LEFT = 2 << 20
"""Bytes beside the idle process below which no task would fit."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a worker is, apart from what it holds: see Hello."""

    name: str
    budget: Budget
    threads: int
    macs_per_s: float
    oom_kills: int = 0


def make_hello(capabilities: Capabilities) -> Hello:
    """The Hello of a process that has no task; BudgetError when the budget leaves no room for any.

    What it holds is measured now; what any task takes beside its own needs is added.
    """
    baseline = will_hold_bytes() + SLACK_BYTES
    left = capabilities.budget.bytes - baseline
    if left < _LEAST_LEFT:
        smallest = baseline + _LEAST_LEFT + SPREAD_BYTES
        raise BudgetError(
            f"a worker holds {format_size(baseline)} without any task, which leaves no room in "
            f"{format_size(capabilities.budget.bytes)} ({capabilities.budget.origin}); "
            f"give it {ceil_size(smallest)} at the very least",
            smallest,
        )
    chosen = native.chosen()
    return Hello(
        protocol=PROTOCOL,
        name=capabilities.name,
        version=__version__,
        budget_bytes=capabilities.budget.bytes,
        baseline_bytes=baseline,
        credit_bytes=min(max(left // _CREDIT_SHARE, _LEAST_CREDIT), _MOST_CREDIT),
        threads=capabilities.threads,
        instruction_set=chosen.name,
        fused=chosen.fused,
        macs_per_s=capabilities.macs_per_s,
        oom_kills=min(capabilities.oom_kills, MOST_OOM_KILLS),
    )


def measured_rate(threads: int) -> float:
    """Multiply-accumulates a second of one of so many threads, in a child that leaves no trace.

    The measurement counts the processor's time, so a quota of it is counted by itself.
    """
    quota = processor_quota()
    share = 1.0 if quota is None else min(1.0, quota / threads)
    alone = threading.active_count() == 1
    rate = float(run_forked(_rate) if alone else _rate())
    return max(1.0, rate * share)


def _rate() -> float:
    from ftdist.runtime.measuring.kernelbench import convolution_rate

    return convolution_rate()


def warm_up() -> None:
    """Brings into memory what every task needs of the code, before it is measured."""
    builder = NetworkBuilder("warm-up", Shape(8, 8, 3))
    builder.add(Convolution(16, Sliding.square(3, padding=1)), [INPUT])
    network = builder.finish()
    part = Plan((GroupPlan(0, 1, 2, 1, 2),), region=Region(0, 8, 0, 8))
    lowered = lower(network, part, unplaced(network), picture=False)
    weights = np.zeros(4 * 28 * 16, np.uint8)
    program = lowered.programs[0]
    arena = np.zeros(program.arena_bytes, np.uint8)
    maps = (np.zeros((8, 8, 3), np.float32), np.empty((8, 8, 16), np.float32))
    tally = np.zeros(len(program.made_by), COUNTERS)
    for tile in range(program.tiles):
        native.run(program.program(tile), arena, weights, maps, tally)
