"""Tasks on a worker, as parts of any shape: the same bits as at home."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from support.cluster.scriptedcoordinator import (
    assignment,
    joined,
    pieces_of,
    task_id,
    whole,
    whole_task,
)
from support.cluster.workertasks import at_home, done, image_of, piece, task
from support.smallmodels import CHAIN, TWO_OUTPUTS, write_small_model

from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.tasks import TaskRunner
from ftdist.geometry import Region
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.regions import region_needs
from ftdist.protocol.records import Group, Piece, Place
from ftdist.runtime.budget.memory import MIB

GENEROUS = 1 << 40


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("two") / "two.ftd", TWO_OUTPUTS))


@pytest.fixture
def runner() -> TaskRunner:
    return TaskRunner(GENEROUS, MIB, 1)


def shares(size: int, parts: int) -> Iterable[tuple[int, int]]:
    return itertools.pairwise(size * number // parts for number in range(parts + 1))


@pytest.mark.parametrize("picture", [False, True])
def test_a_whole_network_as_one_task(chain: Model, runner: TaskRunner, picture: bool) -> None:
    image = image_of(chain, picture=picture)
    parts = done(runner.run(task(whole_task(chain, image), chain), 0))
    assert np.array_equal(joined(parts, chain, 3), at_home(chain, image)[3])
    first = parts[0]
    assert first.task == task_id() and first.received_s == 1.0
    assert first.received_s < first.started_s <= first.ended_s
    assert first.peak_bytes > MIB


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 1), (2, 3)])
def test_tiles_with_halos_in_pieces_make_the_same_bits(
    chain: Model, runner: TaskRunner, rows: int, columns: int
) -> None:
    image = image_of(chain)
    found = np.full((32, 32, 7), np.nan, np.float32)
    groups = (Group(0, 2, 2, 1, 3, False), Group(2, 4, 1, 2, 0, True))
    for top, bottom in shares(32, rows):
        for left, right in shares(32, columns):
            region = Region(top, bottom, left, right)
            inputs, _ = region_needs(chain.network, 0, 4, region)
            upper, lower, west, east = inputs[-1]
            middle = (upper + lower) // 2
            pieces = (
                piece(-1, image, Region(upper, middle + 2, west, east)),
                piece(-1, image, Region(middle, lower, west, 40)),
                piece(-1, image, Region(middle, lower, min(west + 1, 40), east)),
            )
            assign = assignment(
                chain, task_id(), groups, region, pieces=pieces, returns=(Place(3, region),)
            )
            for part in done(runner.run(task(assign, chain), 0)):
                for each in part.pieces:
                    upper, lower, west, east = each.region
                    found[upper:lower, west:east] = each.data
    assert np.array_equal(found, at_home(chain, image)[3])


def test_stages_share_what_is_kept_and_send_only_halos(chain: Model, runner: TaskRunner) -> None:
    """Two workers, each with its half: from the first stage only the rows of the halo travel."""
    image = image_of(chain)
    halves = [Region(0, 16, 0, 32), Region(16, 32, 0, 32)]
    kept = [MapStore(), MapStore()]
    halos: list[Piece] = []
    for number, half in enumerate(halves):
        inputs, _ = region_needs(chain.network, 0, 2, half)
        border = half.bottom - 1 if number == 0 else half.top
        halo = Region(border, border + 1, 0, 32)
        assign = assignment(
            chain,
            task_id(number),
            (Group(0, 2, 1, 1, 4, False),),
            half,
            pieces=(piece(-1, image, inputs[-1]),),
            returns=(Place(1, halo),),
            keep=True,
        )
        parts = done(runner.run(task(assign, chain, kept[number]), 0))
        halos += pieces_of(parts)
    assert [each.region.size for each in halos] == [32, 32]
    found = np.full((32, 32, 7), np.nan, np.float32)
    for number, half in enumerate(halves):
        assign = assignment(
            chain,
            task_id(number, stage=1),
            (Group(2, 4, 1, 1, 0, False),),
            half,
            pieces=(halos[1 - number],),
            kept=(Place(1, half),),
            returns=(Place(3, half),),
        )
        for each in pieces_of(done(runner.run(task(assign, chain, kept[number]), 0))):
            found[each.region.top : each.region.bottom] = each.data
    assert np.array_equal(found, at_home(chain, image)[3])


def test_two_outputs_of_one_task(two: Model, runner: TaskRunner) -> None:
    image = image_of(two)
    count = len(two.network.layers)
    outputs = sorted(two.network.output_sources)
    region = whole(two, outputs[-1])
    assign = assignment(
        two,
        task_id(),
        (Group(0, count, 1, 1, 0, False),),
        region,
        pieces=(piece(-1, image, whole(two, -1)),),
        returns=tuple(Place(source, whole(two, source)) for source in outputs),
    )
    found = {each.source: each for each in pieces_of(done(runner.run(task(assign, two), 0)))}
    wanted = at_home(two, image)
    assert sorted(found) == outputs
    assert all(np.array_equal(found[source].data, wanted[source]) for source in outputs)


def test_a_task_may_return_nothing(chain: Model, runner: TaskRunner) -> None:
    kept = MapStore()
    assign = replace(whole_task(chain, image_of(chain)), returns=(), keep=True)
    (only,) = done(runner.run(task(assign, chain, kept), 0))
    assert only.pieces == () and not only.more
    assert [each.region for each in kept.find("job", 0, 3)] == [whole(chain, 3)]
