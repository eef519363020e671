"""Shared plans that no search would make: random stages, tiles, workers and inner plans.

A worker can hold all that it may be given, so a cluster can really run them.
"""

from __future__ import annotations

import itertools
from random import Random

from ftdist.geometry import Region, Span, partition
from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.regions import region_bytes, region_needs
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DEFAULT
from ftdist.planning.sharing.plan import KEPT_FRAMES, SharedPlan, Tile, WorkerSpec
from ftdist.planning.sharing.tile_regions import outputs
from ftdist.planning.sharing.worker_memory import MemoryDemand, WorkerPlans
from ftdist.planning.steps import split

_MOST_STAGES, _MOST_SIDE, _TRIES = 5, 4, 6


def random_shared_plan(
    network: Network, workers: tuple[WorkerSpec, ...], seed: int, picture: bool
) -> SharedPlan:
    """A plan of random stages, each in bands or a grid of tiles, for random workers or any."""
    chance, plans = Random(seed), WorkerPlans(network, DEFAULT)
    hands = [_Hands(plans, worker, picture) for worker in workers]
    stages = tuple(_stage(network, chance, hands, pair) for pair in _stages(network, chance))
    count = len(workers)
    names = tuple(worker.name for worker in workers)
    return SharedPlan(names, stages, (1 / count,) * count, 1.0, 1.0, 0, 0, "")


def _stages(network: Network, chance: Random) -> list[tuple[int, int]]:
    layers = len(network.layers)
    cuts = [n for n in range(1, layers) if not is_alias(network.layers[n])]
    inner = chance.sample(cuts, min(len(cuts), chance.randrange(_MOST_STAGES)))
    return list(itertools.pairwise((0, *sorted(inner), layers)))


class _Hands:
    """What a worker may be given so far."""

    def __init__(self, plans: WorkerPlans, worker: WorkerSpec, picture: bool) -> None:
        self.worker = worker
        self._plans = plans
        self._picture = picture
        self._demand: MemoryDemand | None = None

    def part(self, chance: Random, pair: tuple[int, int], region: Region) -> Plan | None:
        """A random part of the region that the worker can hold; None when some tries find none."""
        for attempt in range(_TRIES):
            groups = _groups(chance, pair, frugal=attempt >= _TRIES // 2)
            part = Plan(groups, chance.randint(1, self.worker.threads), region=region)
            if self._plans.fits(self.worker, self._with(part, kept=True), picture=self._picture):
                return part
        return None

    def take(self, part: Plan, *, kept: bool) -> None:
        """The worker may be given a part; it keeps what it makes of frames, if that is its own."""
        self._demand = self._with(part, kept=kept)

    def _with(self, part: Plan, *, kept: bool) -> MemoryDemand:
        network = self._plans.network
        assert part.region is not None
        inputs, made = region_needs(network, part.first, part.stop, part.region)
        out_bytes = region_bytes(network, made)
        in_bytes = region_bytes(network, inputs, picture=self._picture)
        demand = MemoryDemand((part,), in_bytes, out_bytes, KEPT_FRAMES * out_bytes * kept)
        return demand if self._demand is None else demand.beside(self._demand)


def _stage(
    network: Network, chance: Random, hands: list[_Hands], pair: tuple[int, int]
) -> tuple[Tile, ...]:
    height, width, _ = network.shape(outputs(network, *pair)[-1])
    columns = _spans(chance, width, chance.choice((1, 1, 2, 3)))
    regions = [
        Region(*rows, *side)
        for rows in _spans(chance, height, chance.randint(1, _MOST_SIDE))
        for side in columns
    ]
    chance.shuffle(regions)
    return tuple(_tile(network, chance, hands, pair, region) for region in regions)


def _spans(chance: Random, size: int, most: int) -> list[Span]:
    """A side cut into even or into random pieces."""
    count = min(size, most)
    if chance.random() < 0.5:
        return list(partition(size, count))
    inner = sorted(chance.sample(range(1, size), count - 1))
    return [Span(*pair) for pair in itertools.pairwise((0, *inner, size))]


def _tile(
    network: Network, chance: Random, hands: list[_Hands], pair: tuple[int, int], region: Region
) -> Tile:
    parts = [each.part(chance, pair, region) for each in hands]
    able = [number for number, part in enumerate(parts) if part is not None]
    if not able:
        raise ValueError(f"no worker can hold {region} of layers {pair}")
    owner = chance.choice((None, chance.choice(able), chance.choice(able)))
    for number, (each, part) in enumerate(zip(hands, parts, strict=True)):
        if part is not None:
            each.take(part, kept=owner == number)
    seconds = tuple(
        each.worker.relative_time * plan_seconds(network, Plan((GroupPlan(*pair),)), DEFAULT)
        for each in hands
    )
    return Tile(owner, tuple(parts), seconds)


def _groups(chance: Random, pair: tuple[int, int], *, frugal: bool) -> tuple[GroupPlan, ...]:
    first, stop = pair
    inner = chance.sample(range(first + 1, stop), min(stop - first - 1, chance.randrange(3)))
    groups = []
    for each in itertools.pairwise((first, *sorted(inner), stop)):
        grid = chance.randint(1, 3), chance.randint(1, 3)
        strip = chance.choice((1, 2)) if frugal else chance.choice((None, 1, 2, 3, 5, 8))
        groups.append(GroupPlan(*each, *grid, strip, frugal or chance.random() < 0.3))
    return tuple(groups)


def random_plan(network: Network, seed: int, threads: int = 1) -> Plan:
    """Groups cut anywhere, each with a grid and strips of its own, split into steps."""
    chance, count = Random(seed), len(network.layers)
    cuts = chance.sample(range(1, count), min(count - 1, chance.randrange(_MOST_STAGES)))
    groups = []
    for first, stop in itertools.pairwise((0, *sorted(cuts), count)):
        shapes = [network.shape(each) for each in FusedGroup(network, first, stop).outputs]
        rows = chance.randint(1, min(_MOST_SIDE, *(each.height for each in shapes)))
        columns = chance.randint(1, min(_MOST_SIDE, *(each.width for each in shapes)))
        strip = chance.choice([None, 1, 2, 8])
        groups.append(GroupPlan(first, stop, rows, columns, strip, chance.random() < 0.5))
    return Plan(split(network, groups), threads)
