"""Shared plans that no search would make: random stages, tiles, workers and inner plans.

Every part fits the budget of the worker that may take it, so a cluster can really run them.
"""

from __future__ import annotations

import itertools
from random import Random

from ftdist.geometry import Region, Span, partition
from ftdist.network.graph import Network, is_alias
from ftdist.planning.demand import outputs
from ftdist.planning.edges import plan_seconds
from ftdist.planning.holding import Duty, Means
from ftdist.planning.part import Part, map_bytes, part_needs
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DEFAULT
from ftdist.planning.sharing import SharedPlan, Tile, Traits

_MOST_STAGES, _MOST_SIDE, _TRIES = 5, 4, 6


def random_shared_plan(
    network: Network, workers: tuple[Traits, ...], seed: int, picture: bool
) -> SharedPlan:
    """A plan of random stages, each in bands or a grid of tiles, for random workers or any."""
    chance, means = Random(seed), Means(network, DEFAULT)
    stages = tuple(
        _stage(means, chance, workers, pair, picture) for pair in _stages(network, chance)
    )
    count = len(workers)
    names = tuple(worker.name for worker in workers)
    return SharedPlan(names, stages, (1 / count,) * count, 1.0, 1.0, 0, 0, "")


def _stages(network: Network, chance: Random) -> list[tuple[int, int]]:
    layers = len(network.layers)
    cuts = [n for n in range(1, layers) if not is_alias(network.layers[n])]
    inner = chance.sample(cuts, min(len(cuts), chance.randrange(_MOST_STAGES)))
    return list(itertools.pairwise((0, *sorted(inner), layers)))


def _stage(
    means: Means, chance: Random, workers: tuple[Traits, ...], pair: tuple[int, int], picture: bool
) -> tuple[Tile, ...]:
    network = means.network
    height, width, _ = network.shape(outputs(network, *pair)[-1])
    columns = _spans(chance, width, chance.choice((1, 1, 2, 3)))
    regions = [
        Region(*rows, *side)
        for rows in _spans(chance, height, chance.randint(1, _MOST_SIDE))
        for side in columns
    ]
    chance.shuffle(regions)
    return tuple(_tile(means, chance, workers, pair, region, picture) for region in regions)


def _spans(chance: Random, size: int, most: int) -> list[Span]:
    """A side cut into even or into random pieces."""
    count = min(size, most)
    if chance.random() < 0.5:
        return list(partition(size, count))
    inner = sorted(chance.sample(range(1, size), count - 1))
    return [Span(*pair) for pair in itertools.pairwise((0, *inner, size))]


def _tile(
    means: Means,
    chance: Random,
    workers: tuple[Traits, ...],
    pair: tuple[int, int],
    region: Region,
    picture: bool,
) -> Tile:
    network = means.network
    parts = [_part(means, chance, worker, pair, region, picture) for worker in workers]
    able = [number for number, part in enumerate(parts) if part is not None]
    if not able:
        raise ValueError(f"no worker can hold {region} of layers {pair}")
    owner = chance.choice((None, chance.choice(able), chance.choice(able)))
    seconds = tuple(
        worker.slowness * plan_seconds(network, Plan((GroupPlan(*pair),)), DEFAULT)
        for worker in workers
    )
    return Tile(owner, tuple(parts), seconds)


def _part(
    means: Means,
    chance: Random,
    worker: Traits,
    pair: tuple[int, int],
    region: Region,
    picture: bool,
) -> Part | None:
    """A random part of the region that the worker can hold; None when some tries find none."""
    inputs, made = part_needs(means.network, *pair, region)
    duty_bytes = map_bytes(means.network, inputs, picture=picture), map_bytes(means.network, made)
    for attempt in range(_TRIES):
        groups = _groups(chance, pair, frugal=attempt >= _TRIES // 2)
        part = Part(groups, region, chance.randint(1, worker.threads))
        if means.fits(worker, Duty((part,), *duty_bytes), picture=picture):
            return part
    return None


def _groups(chance: Random, pair: tuple[int, int], *, frugal: bool) -> tuple[GroupPlan, ...]:
    first, stop = pair
    inner = chance.sample(range(first + 1, stop), min(stop - first - 1, chance.randrange(3)))
    groups = []
    for each in itertools.pairwise((first, *sorted(inner), stop)):
        grid = chance.randint(1, 3), chance.randint(1, 3)
        strip = chance.choice((1, 2)) if frugal else chance.choice((None, 1, 2, 3, 5, 8))
        groups.append(GroupPlan(*each, *grid, strip, frugal or chance.random() < 0.3))
    return tuple(groups)
