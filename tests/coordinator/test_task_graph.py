"""The dataflow of plans: who needs what of whom, what is returned, and plans that make no sense."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.coordinator.sharedplans import (
    banded,
    base_seconds,
    gridded,
    mixed,
    plan_of,
    small_network,
)
from support.networks import networks, plans
from support.protocol.mapvalues import marked

from ftdist.coordinator.plans.task_graph import TaskGraph
from ftdist.errors import InputError
from ftdist.geometry import Region, Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.sharing.plan import SharedPlan, Tile, WorkerSpec
from ftdist.protocol.records import Place
from ftdist.protocol.regions import common


def specs(count: int, **changed: Any) -> tuple[WorkerSpec, ...]:
    plain = WorkerSpec("w", 1 << 26, 1 << 24, 1 << 20, 1, 1.0, 1e8, 1e-3)
    return tuple(replace(plain, name=f"w{n}", **changed) for n in range(count))


def two_convolutions() -> Network:
    builder = NetworkBuilder("two", Shape(8, 8, 1))
    for number in range(2):
        builder.add(Convolution(1, Sliding.square(3, padding=1)), [number - 1])
    return builder.finish()


def test_the_worked_example() -> None:
    graph = TaskGraph(
        two_convolutions(), banded(two_convolutions(), specs(2), (0, 1, 2)), picture=True
    )
    upper = graph.tasks[2]
    needs = {(need.producer, need.place.region.rows) for need in upper.needs}
    assert needs == {(0, (0, 4)), (1, (4, 5))}
    first, second = graph.tasks[:2]
    assert first.returns == (Place(0, Region(3, 4, 0, 8)),)
    assert second.returns == (Place(0, Region(4, 5, 0, 8)),)
    assert first.keep
    assert second.readers == (2, 3)
    assert upper.returns == upper.outputs == (Place(1, Region(0, 4, 0, 8)),)
    assert not upper.keep
    assert graph.first == [0, 1]
    assert graph.waiting == [0, 0, 2, 2]


def test_bytes_that_travel_are_counted() -> None:
    network = two_convolutions()
    graph = TaskGraph(network, banded(network, specs(2), (0, 1, 2)), picture=True)
    first, _, upper, _ = graph.tasks
    assert first.sent_bytes == first.input_bytes == 5 * 8
    assert upper.sent_bytes == 1 * 8 * 4
    assert upper.input_bytes == 5 * 8 * 4
    assert first.returned_bytes == 1 * 8 * 4
    assert upper.returned_bytes == 4 * 8 * 4
    plain = TaskGraph(network, banded(network, specs(2), (0, 1, 2)), picture=False)
    assert plain.tasks[0].sent_bytes == 4 * first.sent_bytes


def test_a_frame_takes_its_input_halos_and_outputs_here() -> None:
    network = two_convolutions()
    graph = TaskGraph(network, banded(network, specs(2), (0, 1, 2)), picture=True)
    assert graph.frame_bytes == 64 + 2 * 32 + 2 * 128
    anybody = TaskGraph(network, gridded(network, specs(2), (0, 1, 2), 2, 1), picture=True)
    assert anybody.frame_bytes == 64 + 256 + 256


@given(st.data())
@settings(max_examples=60)
def test_needs_and_returns_are_what_the_parts_say(data: st.DataObject) -> None:
    """For random networks and cuts: each position once, and returned where others read it."""
    network = data.draw(networks())
    plan = random_plan(data, network)
    graph = TaskGraph(network, plan, picture=False)
    for task in graph.tasks:
        part = next(each for each in task.tile.parts if each)
        assert part.region is not None
        inputs, outputs = region_needs(network, part.first, part.stop, part.region)
        for source, region in inputs.items():
            found = [n.place.region for n in task.needs if n.place.source == source]
            assert (marked(region, found) == 1).all()
        for need in task.needs:
            if need.producer == INPUT:
                continue
            assert need.producer < task.number
            maker = graph.tasks[need.producer]
            sent = [place.region for place in maker.returns if place.source == need.place.source]
            if maker.slot is None or maker.slot != task.slot:
                assert (marked(need.place.region, sent) == 1).all() or not task.useful
            else:
                assert maker.keep or not task.useful
        for place in task.returns:
            assert common(outputs[place.source], place.region) == place.region
    for source in network.output_sources - {INPUT}:
        shape = network.shape(source)
        whole = Region(0, shape.height, 0, shape.width)
        returned = [
            place.region for task in graph.tasks for place in task.returns if place.source == source
        ]
        np.testing.assert_array_equal(marked(whole, returned), 1)
    assert graph.waiting == [len(task.producers) for task in graph.tasks]


def random_plan(data: st.DataObject, network: Network) -> SharedPlan:
    """One to three stages of bands, for two workers or anybody."""
    count = len(network.layers)
    cut = data.draw(plans(network))
    cuts = [0, *(group.stop for group in cut.groups)]
    stages = []
    for first, stop in pairwise(cuts):
        try:
            _, outputs = region_needs(network, first, stop, Region(0, 1, 0, 1))
        except InputError:
            outputs = {}
        if not outputs:
            return data.draw(st.just(banded(network, specs(2), (0, count))))
        stages.append((first, stop))
    tiles = []
    for first, stop in stages:
        _, outputs = region_needs(network, first, stop, Region(0, 1, 0, 1))
        shape = network.shape(max(outputs))
        edges = sorted({0, shape.height, *data.draw(st.sets(st.integers(1, 40), max_size=3))})
        edges = [edge for edge in edges if edge <= shape.height]
        row = []
        for top, bottom in pairwise(edges):
            part = Plan((GroupPlan(first, stop),), region=Region(top, bottom, 0, shape.width))
            seat = data.draw(st.sampled_from([0, 1, None]))
            row.append(Tile(seat, (part, part), (1.0, 1.0)))
        tiles.append(row)
    return plan_of(specs(2), tiles)


def test_what_no_output_depends_on_is_not_made() -> None:
    """A 1x1 window of stride 2 steps over every other row: a tile of such rows is of no use."""
    builder = NetworkBuilder("steps", Shape(8, 8, 1))
    builder.add(Convolution(1, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(1, Sliding.square(1, stride=2)), [0])
    network = builder.finish()
    graph = TaskGraph(
        network, gridded(network, specs(1), (0, 1, 2), rows=8, columns=1), picture=True
    )
    assert [task.useful for task in graph.tasks[:8]] == [True, False] * 4
    assert graph.first == [0, 2, 4, 6]


# ---- plans that make no sense


def altered(stage: int, number: int, tile: Tile | None) -> SharedPlan:
    """A good plan with one tile left out or replaced."""
    plan = banded(small_network(), specs(2))
    stages = [list(each) for each in plan.stages]
    stages[stage][number : number + 1] = [tile] if tile else []
    return plan_of(specs(2), stages)


def _tile() -> Tile:
    return banded(small_network(), specs(2)).stages[1][0]


def _moved(tile: Tile, **change: int) -> Tile:
    part = tile.parts[0]
    assert part is not None and part.region is not None
    moved = replace(part, region=part.region._replace(**change))
    return replace(tile, parts=(moved, moved))


@pytest.mark.parametrize(
    ("stage", "tile", "complaint"),
    [
        (0, None, "do not make"),
        (2, None, "do not make"),
        (1, _moved(_tile(), bottom=3), "do not make"),
        (1, replace(_tile(), parts=(None, None)), "fits no worker"),
        (1, replace(_tile(), parts=(None, _tile().parts[1])), "fits not its worker"),
        (1, replace(_tile(), parts=_tile().parts[:1]), "fits no worker"),
        (
            1,
            replace(_tile(), parts=(_tile().parts[0], _moved(_tile(), bottom=3).parts[0])),
            "regions",
        ),
        (1, banded(small_network(), specs(2)).stages[2][0], "runs of layers"),
    ],
    ids=["gap", "output gap", "short", "nobody", "owner", "count", "regions", "layers"],
)
def test_a_plan_that_makes_no_sense_is_refused(
    stage: int, tile: Tile | None, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        TaskGraph(small_network(), altered(stage, 0, tile), picture=True)


def test_a_plan_without_the_stage_that_makes_a_map_is_refused() -> None:
    plan = banded(small_network(), specs(2))
    with pytest.raises(InputError, match="no stage of the plan makes map 1"):
        TaskGraph(small_network(), plan_of(specs(2), plan.stages[1:]), picture=True)


@pytest.mark.parametrize("seed", range(5))
def test_mixed_plans_make_sense(seed: int) -> None:
    TaskGraph(small_network(), mixed(small_network(), specs(3), seed), picture=True)


def test_the_fake_planner_predicts_time() -> None:
    network = small_network()
    whole = base_seconds(network, 0, 2, Region(0, 12, 0, 10))
    assert base_seconds(network, 0, 2, Region(0, 6, 0, 10)) == pytest.approx(whole / 2)
