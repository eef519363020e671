"""What moves, counted a second time: position by position, from what each part needs and makes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from support.planning.workers import boards, first16, local, small_network, stage_table

from ftdist.geometry import Region
from ftdist.network.graph import INPUT
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.sharing.halo_exchange import moved_bytes, positions, tasks_of
from ftdist.planning.sharing.partitioning import Partitioning, Stage, stage_tiles
from ftdist.planning.sharing.worker_regions import worker_regions

CUTS = {"small": (0, 2, 3, 4, 5, 7, 8), "first16": (0, 2, 4, 6, 8, 10, 12, 14, 16)}


def random_partitioning(
    name: str, workers: int, seed: int, local_worker: int | None
) -> Partitioning:
    chance = random.Random(seed)
    inner = chance.sample(CUTS[name][1:-1], chance.randint(0, 3))
    pairs = itertools.pairwise((0, *sorted(inner), CUTS[name][-1]))
    order = list(range(workers))
    cut = chance.randint(1, workers - 1)
    bands = chance.choice([[order[:cut], order[cut:]], [order], [[each] for each in order]])
    stages = []
    for first, stop in pairs:
        cuts = sorted(chance.uniform(0.1, 0.9) for _ in range(chance.randint(0, 2)))
        alone = local_worker if chance.random() < 0.3 else None
        stages.append(Stage(first, stop, () if alone is not None else tuple(cuts), alone))
    speeds = [chance.uniform(0.3, 3.0) for _ in order]
    return Partitioning(worker_regions(bands, speeds), tuple(stages), chance.random() < 0.5)


def mask(network, source: int, region: Region) -> np.ndarray:
    found = np.zeros(network.shape(source)[:2], bool)
    top, bottom, left, right = region
    found[top:bottom, left:right] = True
    return found


def counted(
    network, partitioning: Partitioning, remote: set[int], *, picture: bool
) -> tuple[int, int]:
    """Bytes sent and received: a worker is sent what it needs and did not make itself; what others
    need, and the network's outputs, it gives back once."""
    sent = received = 0
    tasks = []
    for stage in partitioning.stages:
        for worker, region in zip(*stage_tiles(network, partitioning, stage), strict=True):
            inputs, outputs = region_needs(network, stage.first, stage.stop, region)
            tasks.append((worker, inputs, outputs))
    for number, (worker, inputs, outputs) in enumerate(tasks):
        for source, region in inputs.items():
            size = 1 if picture and source == INPUT else 4
            own = np.zeros(network.shape(source)[:2], bool)
            for other, _, made in tasks[:number]:
                if other == worker and source in made:
                    own |= mask(network, source, made[source])
            needed = mask(network, source, region) & ~own
            sent += (worker in remote) * size * network.shape(source).channels * int(needed.sum())
        for source, region in outputs.items():
            wanted = np.full(network.shape(source)[:2], source in network.output_sources)
            for other, needs, _ in tasks[number + 1 :]:
                if other != worker and source in needs:
                    wanted |= mask(network, source, needs[source])
            given = int((wanted & mask(network, source, region)).sum())
            received += (worker in remote) * 4 * network.shape(source).channels * given
    return sent, received


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["small", "first16"])
def test_bytes_are_those_of_the_pieces_that_move(name, seed) -> None:
    network = small_network() if name == "small" else first16()
    with_local = seed % 2 == 0
    workers = (*boards(3), local()) if with_local else boards(4)
    partitioning = random_partitioning(name, 4, seed, 3 if with_local else None)
    picture = seed % 3 == 0
    mine = stage_table(network, workers, picture=picture)
    remote = {0, 1, 2} if with_local else {0, 1, 2, 3}
    expected = counted(network, partitioning, remote, picture=picture)
    assert moved_bytes(mine, tasks_of(mine, partitioning)) == expected


def test_a_worker_alone_takes_the_input_and_gives_the_output() -> None:
    network = first16()
    mine = stage_table(network, boards(1), picture=True)
    tasks = tasks_of(mine, Partitioning((), (Stage(0, 16, alone=0),)))
    assert moved_bytes(mine, tasks) == (608 * 608 * 3, 38 * 38 * 256 * 4)


def test_more_stages_with_the_same_areas_move_halos_only() -> None:
    network = first16()
    mine = stage_table(network, boards(2), picture=True)
    places = worker_regions([(0,), (1,)], (1.0, 1.0))
    sent, received = moved_bytes(
        mine, tasks_of(mine, Partitioning(places, (Stage(0, 8), Stage(8, 16))))
    )
    halo = 2 * 6 * 76 * 128 * 4  # each half of layer 15 needs six more rows of layer 7
    assert received == 38 * 38 * 256 * 4 + halo
    assert sent == (608 + 2 * 11) * 608 * 3 + halo  # each of layer 7 eleven more of the picture


def test_overlapping_places_count_once() -> None:
    assert positions(((0, 0, 2, 4), (0, 0, 2, 4), (1, 0, 2, 2))) == 8
    assert positions(((0, 0, 2, 4), (0, 0, 4, 2))) == 12
    assert positions(((0, 0, 1, 1), (2, 2, 3, 5))) == 4
    assert positions(()) == 0
