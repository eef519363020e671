"""Whole-map steps: where plans split, what notations say of it, and what it costs and computes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import model_of, plans, random_input

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Activation, Identity, Sliding
from ftdist.network.operators.channels import Softmax
from ftdist.network.operators.joining import Multiply
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import GroupPlan, Plan, check, parse_json, parse_notation, untiled
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.breakdown import group_breakdowns, peak_moment
from ftdist.planning.search.search import Search
from ftdist.planning.steps import split
from ftdist.planning.weights import unplaced
from ftdist.runtime.local import Session

RELU = Activation("relu")


def over(shape: Shape) -> Sliding:
    """A window over a whole map."""
    return Sliding(Window(shape.height), Window(shape.width))


def classifier(channels: int = 40, classes: int = 70) -> Network:
    """Factors for channels from their means, softmax over space, a fully connected layer, a list.

    Whole maps are needed by layers 1, 5, 7 and 9.
    """
    builder = NetworkBuilder("classifier", Shape(12, 10, 3))
    add = builder.add
    first = add(Convolution(channels, Sliding.square(3, padding=1), activation=RELU), [INPUT])
    mean = add(Pool("average", over(builder.shape(first))), [first])
    factors = add(Convolution(channels, Sliding.square(1)), [mean])
    scaled = add(Multiply(), [first, factors])
    deep = add(Convolution(channels, Sliding.square(3, padding=1), activation=RELU), [scaled])
    odds = add(Softmax(), [deep])
    deep = add(Convolution(channels, Sliding.square(3, 2, 1)), [odds])
    wide = add(Convolution(classes, over(builder.shape(deep)), activation=RELU), [deep])
    add(Identity(), [wide])
    add(Softmax(), [add(Convolution(classes, Sliding.square(1)), [len(builder) - 1])])
    return builder.finish()


def layers_of(plan: Plan) -> list[tuple[int, int, bool]]:
    return [(step.first, step.stop, step.whole) for step in plan.groups]


def test_a_group_is_split_at_layers_that_need_whole_maps() -> None:
    network = classifier()
    assert network.whole_layers == {1, 5, 7}
    expected = [
        *((0, 1, False), (1, 2, True), (2, 5, False), (5, 6, True)),
        *((6, 7, False), (7, 9, True), (9, 11, False)),
    ]
    assert layers_of(untiled(network)) == expected
    assert layers_of(parse_notation("2x2/1/1x1/2/1x1", network)) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1x1", "1x1"),
        ("2x2s3", "2x2s3/9/1x1s3"),
        ("2x2/1/2x2", "2x2/9/1x1"),
        ("1x1/1/1x1w", "1x1/2/1x1w"),
        ("1x1s2/7/1x1w", "1x1s2/7/1x1w"),
        ("1x1/3/1x1", "1x1/3/1x1"),
        ("1x1w", "1x1w"),
    ],
)
def test_notations_do_not_name_whole_map_steps(text: str, shown: str) -> None:
    network = classifier()
    plan = parse_notation(text, network)
    assert plan.notation == shown
    assert parse_notation(shown, network) == plan


def test_json_says_the_kind_of_each_step() -> None:
    network = classifier()
    plan = parse_notation("2x2s3", network)
    value = plan.to_json("model")
    assert [each["kind"] for each in value["groups"]] == ["fused", "whole"] * 3 + ["fused"]
    assert parse_json(json.dumps(value), network, "model") == plan


def test_a_step_that_is_none_is_refused() -> None:
    groups = GroupPlan(0, 5, whole=True), GroupPlan(5, 11)
    with pytest.raises(InputError, match=r"layers 0\.\.4 are not a whole-map step"):
        check(Plan(groups), classifier())


@st.composite
def cut(draw: Any) -> tuple[Network, Plan]:
    network = classifier(draw(st.sampled_from([5, 16, 40])), draw(st.sampled_from([3, 70])))
    plan = draw(plans(network))
    return network, Plan(split(network, plan.groups), plan.threads)


@settings(max_examples=25)
@given(cut())
def test_no_cut_changes_a_bit(case: tuple[Network, Plan]) -> None:
    """Whole-map steps make what one fused group makes that copies all it reads."""
    network, plan = case
    model, image = model_of(network), random_input(network)
    with Session(model, Plan((GroupPlan(0, len(network.layers)),)), "reference") as session:
        expected = session.run(image)
    for kernels in ("native", "reference"):
        with Session(model, plan, kernels) as session:
            for _ in range(2):
                for name, found in session.run(image).items():
                    np.testing.assert_allclose(found, expected[name], rtol=2e-5, atol=1e-6)
    with Session(model, Plan((GroupPlan(0, len(network.layers)),))) as session:
        native = session.run(image)
    with Session(model, plan) as session:
        for name, found in session.run(image).items():
            np.testing.assert_array_equal(found, native[name])


@settings(max_examples=25)
@given(cut())
def test_notations_and_plans_are_the_same(case: tuple[Network, Plan]) -> None:
    network, plan = case
    again = parse_notation(plan.notation, network, plan.threads)
    assert again.notation == plan.notation
    assert layers_of(again) == layers_of(plan)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_whole_map_step_copies_nothing_and_threads_share_it(threads: int) -> None:
    network = classifier()
    plan = Plan(untiled(network).groups, threads)
    blobs = unplaced(network)
    lowered = lower(network, plan, blobs, picture=False)
    for program in (each for each in lowered.programs if each.plan.whole):
        assert len(program.made_by) == 1 and program.arena_bytes == 64
        assert program.in_place == {*program.inputs}
        assert program.tiles == min(threads, {1: 2, 5: 12, 7: 3}[program.made_by[0]])


def test_the_input_itself_goes_through_an_arena() -> None:
    """It is planar, or a picture: kernels cannot read it as it lies."""
    builder = NetworkBuilder("mean", Shape(7, 5, 3))
    builder.add(Pool("average", over(Shape(7, 5, 3))), [INPUT])
    network = builder.finish()
    model, image = model_of(network), random_input(network)
    with Session(model, Plan(untiled(network).groups, 2)) as session:
        (found,) = session.run(image).values()
    np.testing.assert_allclose(found[:, 0, 0], image.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_search_has_steps_with_a_time_and_a_peak(threads: int) -> None:
    network = classifier()
    search = Search(network, threads)
    blobs = unplaced(network)
    fastest, smallest = search.fastest(), search.smallest()
    assert fastest is not None
    for found in (fastest, smallest):
        assert [s for s in layers_of(found.plan) if s[2]] == [
            (1, 2, True),
            (5, 6, True),
            (7, 9, True),
        ]
        lowered = lower(network, found.plan, blobs, picture=False)
        taken = sum(lowered.weights.values()) + lowered.block_bytes
        aligned = 64 * len(lowered.maps)
        assert found.peak_bytes * 0.98 <= taken <= found.peak_bytes + aligned
        assert found.seconds == pytest.approx(plan_seconds(network, found.plan, DEFAULT), rel=1e-6)
        breakdowns = group_breakdowns(network, lowered, DEFAULT)
        assert sum(each.seconds for each in breakdowns) == pytest.approx(found.seconds)
        assert all(each.seconds > 0 and each.held_bytes > 0 for each in breakdowns)
        assert 0 <= peak_moment(network, lowered).layer < len(network.layers)
    assert smallest.peak_bytes < fastest.peak_bytes
