"""A small network with a skip and two outputs, and shared plans for it: bands, grids, mixtures.

Real planning is not what is tested here, so these plans come from nowhere but a few numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from ftdist.coordinator.settings import ModelInfo
from ftdist.geometry import Region, Shape, Span, partition
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.sharing.plan import SharedPlan, Tile, WorkerSpec

CUTS = (0, 2, 5, 9)
"""Three stages of the small network."""

MACS_PER_S = 1e6


def small_network() -> Network:
    """Nine layers, 24x20 down to 6x5; outputs are layers 6 and 8."""
    builder = NetworkBuilder("small", Shape(24, 20, 3))
    same = Sliding.square(3, padding=1)
    builder.add(Convolution(4, same), [INPUT])
    builder.add(Pool("max", Sliding.square(2, stride=2)), [0])
    builder.add(Convolution(6, same), [1])
    builder.add(Convolution(4, Sliding.square(1)), [2])
    builder.add(Convolution(6, same), [3])
    builder.add(Concatenate(), [2, 4])
    builder.add(Convolution(5, Sliding.square(1)), [5])
    builder.add(Pool("max", Sliding.square(2, stride=2)), [5])
    builder.add(Convolution(3, same), [7])
    return builder.finish()


def model_of(network: Network, band_rows: int = 0) -> ModelInfo:
    return ModelInfo("small", network, "0" * 32, 1000, band_rows)


def primary_shape(network: Network, first: int, stop: int) -> Shape:
    """The shape of a stage's primary output."""
    return network.shape(FusedGroup(network, first, stop).outputs[-1])


def base_seconds(network: Network, first: int, stop: int, region: Region) -> float:
    """What a worker of relative_time 1 takes for a tile."""
    _, outputs = region_needs(network, first, stop, region)
    shape = primary_shape(network, first, stop)
    share = region.size / (shape.height * shape.width)
    macs = sum(
        network.macs(n) * network.shape(n).height * network.shape(n).width
        for n in range(first, stop)
    )
    return share * macs / MACS_PER_S if outputs else 0.0


def _tile(
    network: Network,
    specs: Sequence[WorkerSpec],
    stage: tuple[int, int],
    region: Region,
    seat: int | None,
) -> Tile:
    part = Plan((GroupPlan(*stage),), region=region)
    base_s = base_seconds(network, *stage, region)
    return Tile(
        seat, tuple(part for _ in specs), tuple(base_s * worker.relative_time for worker in specs)
    )


def _bands(height: int, specs: Sequence[WorkerSpec]) -> list[Span]:
    """Rows for each worker by speed; some may get none."""
    speeds = [worker.threads / worker.relative_time for worker in specs]
    edges = [round(height * sum(speeds[:n]) / sum(speeds)) for n in range(len(speeds) + 1)]
    return [Span(*pair) for pair in pairwise(edges)]


def plan_of(specs: Sequence[WorkerSpec], stages: Sequence[Sequence[Tile]]) -> SharedPlan:
    speeds = [worker.threads / worker.relative_time for worker in specs]
    return SharedPlan(
        workers=tuple(worker.name for worker in specs),
        stages=tuple(tuple(stage) for stage in stages),
        shares=tuple(speed / sum(speeds) for speed in speeds),
        seconds=1.0,
        period_s=0.5,
        sent_bytes=0,
        received_bytes=0,
        note="",
    )


def banded(network: Network, specs: Sequence[WorkerSpec], cuts: Sequence[int] = CUTS) -> SharedPlan:
    """Each worker makes the same share of rows of each stage."""
    stages = []
    for stage in pairwise(cuts):
        shape = primary_shape(network, *stage)
        stages.append(
            [
                _tile(network, specs, stage, Region(*rows, 0, shape.width), seat)
                for seat, rows in enumerate(_bands(shape.height, specs))
                if rows.size
            ]
        )
    return plan_of(specs, stages)


def gridded(
    network: Network,
    specs: Sequence[WorkerSpec],
    cuts: Sequence[int] = CUTS,
    rows: int = 3,
    columns: int = 2,
) -> SharedPlan:
    """Each stage is a grid of tiles that any worker may take."""
    stages = []
    for stage in pairwise(cuts):
        shape = primary_shape(network, *stage)
        stages.append(
            [
                _tile(network, specs, stage, Region(*top, *left), None)
                for top in partition(shape.height, min(rows, shape.height))
                for left in partition(shape.width, min(columns, shape.width))
            ]
        )
    return plan_of(specs, stages)


def in_bands(network: Network, specs: Sequence[WorkerSpec], rows: int) -> SharedPlan:
    """Any worker makes a whole band of so many rows of the last output."""
    bands = NumberedBands(network, rows)
    stage = 0, len(network.layers)
    return plan_of(specs, [[_tile(network, specs, stage, bands.region(bands.inner), None)]])


def mixed(network: Network, specs: Sequence[WorkerSpec], seed: int) -> SharedPlan:
    """Random cuts and grids; random workers, anybody, or parts that do not fit some workers."""
    chance = random.Random(seed)
    cuts = [0, *sorted(chance.sample((2, 3, 4, 5, 7), chance.randint(0, 3))), len(network.layers)]
    stages = []
    for stage in pairwise(cuts):
        shape = primary_shape(network, *stage)
        tiles = []
        for top in partition(shape.height, chance.randint(1, min(5, shape.height))):
            for left in partition(shape.width, chance.choice((1, 1, 2, 3))):
                seat = chance.choice((None, *range(len(specs))))
                tile = _tile(network, specs, stage, Region(*top, *left), seat)
                parts = tuple(
                    part if worker == seat or chance.random() < 0.8 else None
                    for worker, part in enumerate(tile.parts)
                )
                tiles.append(Tile(seat, parts if any(parts) else tile.parts, tile.seconds))
        stages.append(tiles)
    return plan_of(specs, stages)
