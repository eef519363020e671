"""Workers, and teams of them, for tests of shared plans."""

from __future__ import annotations

import math
from functools import cache

from ftdist.geometry import Shape
from ftdist.network import architectures
from ftdist.network.graph import INPUT, Network, NetworkBuilder
from ftdist.network.layers import Add, Convolution, Pool, Sliding
from ftdist.planning.profile import DEFAULT
from ftdist.planning.sharing.holding import Ladder
from ftdist.planning.sharing.plan import Traits
from ftdist.planning.sharing.team import Team

MIB = 1 << 20
FAST_ETHERNET = 12.5e6


def worker(
    name: str = "worker",
    slowness: float = 1.0,
    budget_mib: float = 256,
    link: float = FAST_ETHERNET,
    latency_s: float = 3e-4,
    threads: int = 1,
    baseline_mib: float = 36,
) -> Traits:
    """A worker; its credit is an eighth of what its budget leaves."""
    left = int((budget_mib - baseline_mib) * MIB)
    return Traits(
        name,
        int(budget_mib * MIB),
        int(baseline_mib * MIB),
        max(left // 8, 256 << 10),
        threads,
        slowness,
        link,
        latency_s,
    )


def boards(count: int, **what: float) -> tuple[Traits, ...]:
    """Workers that differ in nothing but their names."""
    return tuple(worker(f"board{number}", **what) for number in range(count))


def local(slowness: float = 1.0) -> Traits:
    """The coordinator's own threads."""
    return worker("here", slowness, 1024, math.inf, 0.0)


@cache
def first16() -> Network:
    return architectures.load("yolov2-first16").network


def alone_s(network: Network) -> float:
    """Seconds of a whole frame on one thread of a machine of slowness 1."""
    ladder = Ladder(network, 1, DEFAULT)
    assert ladder.pace(0) is not None
    return ladder.seconds(0)


def team(network: Network, workers: tuple[Traits, ...], *, picture: bool = False) -> Team:
    """A team whose workers all compute by the fastest plan for their threads."""
    ladders = {
        threads: Ladder(network, threads, DEFAULT) for threads in {w.threads for w in workers}
    }
    paces = [ladders[each.threads].pace(0) for each in workers]
    return Team(network, picture, workers, tuple(pace for pace in paces if pace is not None))


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
