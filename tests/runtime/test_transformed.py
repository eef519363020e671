"""Transformed weights come and go with the plans that want them, and are counted."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
from support.networks import model_of, random_input

from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import Arithmetic
from ftdist.network.modelfile import Model
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.lowering.lowered import Lowered, lower
from ftdist.planning.plan import untiled
from ftdist.runtime.runner import Runner


def two_layers() -> Network:
    builder = NetworkBuilder("two", Shape(20, 20, 8))
    first = builder.add(Convolution(24, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(16, Sliding.square(3, padding=1)), [first])
    return builder.finish()


def lowered_by(model: Model, arithmetic: Arithmetic) -> Lowered:
    plan = replace(untiled(model.network), arithmetic=arithmetic)
    return lower(model.network, plan, model.offsets, picture=False)


def test_plans_of_one_model_may_take_turns_in_any_arithmetic() -> None:
    network = two_layers()
    model, image = model_of(network), random_input(network)
    tried = [(), ((0, "winograd2"),), ((0, "winograd4"), (1, "winograd2")), ((1, "winograd4"),)]
    lowered = [lowered_by(model, each) for each in tried]
    alone = []
    for each in lowered:
        with Runner(model) as runner:
            alone.append(np.copy(runner.run(each, {INPUT: image})[1]))
    assert len({each.tobytes() for each in alone}) == len(tried)
    with Runner(model) as runner:
        for number in (0, 1, 2, 0, 3, 2, 1, 3, 0):
            for keep in (frozenset({0, 1}), frozenset()):
                runner.prepare(lowered[number], keep=keep)
                every = runner.held["weights"] if len(tried[number]) == 2 else 0
                assert every % 4096 == 0  # transformed ones have pages of their own
                assert runner.to_hold(lowered[number], others=False)[0] == runner.held["weights"]
                assert np.array_equal(runner.run(lowered[number], {INPUT: image})[1], alone[number])
        runner.rest()
        assert runner.held == {"weights": 0, "block": 0}


def test_weights_that_another_runner_gave_back_are_made_again() -> None:
    model = model_of(two_layers())
    lowered, image = lowered_by(model, ((0, "winograd2"),)), random_input(model.network)
    with Runner(model) as runner, Runner(model, beside=runner) as twin:
        expected = np.copy(runner.run(lowered, {INPUT: image})[1])
        assert np.array_equal(twin.run(lowered, {INPUT: image})[1], expected)
        runner.rest()
        twin.prepare(lowered)
        assert np.array_equal(twin.run(lowered, {INPUT: image})[1], expected)


def test_a_plan_that_is_forgotten_is_held_by_nobody() -> None:
    model = model_of(two_layers())
    lowered, image = lowered_by(model, ((0, "winograd2"),)), random_input(model.network)
    with Runner(model) as runner:
        runner.run(lowered, {INPUT: image})
        runner.forget()
        kept = weakref.ref(lowered)
        del lowered
        assert kept() is None
