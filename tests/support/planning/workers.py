"""Workers, and tables of what stages ask of them, for tests of shared plans."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ftdist.geometry import Shape
from ftdist.network import architectures
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.profile import DEFAULT
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.planning.sharing.stage_table import StageTable
from ftdist.planning.sharing.worker_memory import ParetoPlans

MIB = 1 << 20
FAST_ETHERNET = 12.5e6


def worker(
    name: str = "worker",
    relative_time: float = 1.0,
    budget_mib: float = 256,
    link: float = FAST_ETHERNET,
    latency_s: float = 3e-4,
    threads: int = 1,
    baseline_mib: float = 36,
) -> WorkerSpec:
    """A worker; its credit is an eighth of what its budget leaves."""
    left = int((budget_mib - baseline_mib) * MIB)
    return WorkerSpec(
        name,
        int(budget_mib * MIB),
        int(baseline_mib * MIB),
        max(left // 8, 256 << 10),
        threads,
        relative_time,
        link,
        latency_s,
    )


def boards(count: int, **what: Any) -> tuple[WorkerSpec, ...]:
    """Workers that differ in nothing but their names."""
    return tuple(worker(f"board{number}", **what) for number in range(count))


def local(relative_time: float = 1.0) -> WorkerSpec:
    """The coordinator's own threads."""
    return worker("here", relative_time, 1024, math.inf, 0.0)


@cache
def first16() -> Network:
    return architectures.load("yolov2-first16").network


def alone_s(network: Network) -> float:
    """Seconds of a whole frame on one thread of a machine of relative time 1."""
    return ParetoPlans(network, 1, DEFAULT).seconds(0)


def stage_table(
    network: Network, workers: tuple[WorkerSpec, ...], *, picture: bool = False
) -> StageTable:
    """A table of workers who all compute by the fastest plan for their threads."""
    pareto_plans = {
        threads: ParetoPlans(network, threads, DEFAULT) for threads in {w.threads for w in workers}
    }
    times = tuple(pareto_plans[each.threads].times(0) for each in workers)
    return StageTable(network, picture, workers, times)


@cache
def small_network() -> Network:
    """Eight layers with a map that skips over three of them, and an output half-way."""
    builder = NetworkBuilder("small", Shape(48, 40, 3))
    same = Sliding.square(3, padding=1)
    builder.add(Convolution(16, same), [INPUT])
    builder.add(Pool("max", Sliding.square(2, 2)), [0])
    builder.add(Convolution(32, same), [1])
    builder.add(Convolution(32, Sliding.square(1)), [2])
    builder.add(Convolution(32, same), [3])
    builder.add(Add(), [2, 4])
    builder.add(Convolution(5, Sliding.square(1)), [3])
    builder.add(Convolution(24, same), [5])
    return builder.finish()
