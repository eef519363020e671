"""Plans whose algorithms the search chose: within their budgets, never slower, errors by class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.networks import model_of, random_input
from support.oracles.oracle import evaluate

from ftdist.geometry import Shape
from ftdist.network import architectures
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import Plan, parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.local import Session
from ftdist.runtime.plans.choice import Choice, PlanProblem
from ftdist.runtime.plans.plan_cache import PlanCache
from ftdist.runtime.plans.plan_search import PlanSearch

PROCESS = ProcessMemory(30 * MIB, 30 * MIB)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(_network())


def _network() -> Network:
    """Convolutions that Winograd's algorithm suits, and a pool that is fused into one of them."""
    builder = NetworkBuilder("deep", Shape(40, 36, 16))
    window, leaky = Sliding.square(3, padding=1), Activation("leaky", 0.1)
    last = builder.add(Convolution(32, window, activation=leaky), [INPUT])
    last = builder.add(Pool("max", Sliding.square(2, 2)), [last])
    for filters in (64, 128, 128):
        last = builder.add(Convolution(filters, window, activation=leaky), [last])
    return builder.finish()


def problem(model: Model, size: int, *, exact_direct: bool = False) -> PlanProblem:
    limit = Budget(size, "--mem")
    return PlanProblem(model, limit, process=PROCESS, exact_direct=exact_direct)


def fastest(model: Model, size: int, *, exact_direct: bool = False) -> Choice:
    return PlanSearch(problem(model, size, exact_direct=exact_direct)).fastest()


def run(model: Model, plan: Plan) -> dict[str, np.ndarray]:
    with Session(model, plan) as session:
        return session.run(random_input(model.network))


def test_the_search_takes_the_faster_algorithm_and_exact_direct_keeps_to_direct_ones(model) -> None:
    chosen = fastest(model, 200 * MIB)
    assert chosen.plan.arithmetic == arithmetics(model.network, DEFAULT)[0] != ()
    direct = fastest(model, 200 * MIB, exact_direct=True)
    assert direct.plan.arithmetic == ()
    assert chosen.latency_s < 0.9 * direct.latency_s
    assert chosen.plan.digest(model.digest) != direct.plan.digest(model.digest)
    again = fastest(model, 200 * MIB)
    assert again.plan == chosen.plan == parse_notation(chosen.plan.notation, model.network)


def test_no_budget_makes_it_slower_than_direct_kernels_and_every_one_is_kept(model) -> None:
    least = PlanSearch(problem(model, 200 * MIB)).smallest().peak_bytes
    most = fastest(model, 200 * MIB).peak_bytes
    seen = set()
    for size in (*np.linspace(least, most, 9).astype(int).tolist(), most - MIB // 4):
        chosen, direct = fastest(model, size), fastest(model, size, exact_direct=True)
        assert chosen.peak_bytes <= size and direct.peak_bytes <= size
        assert chosen.latency_s <= direct.latency_s
        seen |= {bool(group.streamed) for group in chosen.plan.groups if chosen.plan.arithmetic}
    assert seen == {False, True}, "transformed weights are kept, and they are streamed"


def test_streamed_weights_that_are_transformed_give_the_bits_of_resident_ones(model) -> None:
    arithmetic = arithmetics(model.network, DEFAULT)[0]
    plan = replace(parse_notation("1x1s4/2/1x1s8", model.network), arithmetic=arithmetic)
    streamed = replace(plan, groups=tuple(replace(each, streamed=True) for each in plan.groups))
    for name, array in run(model, plan).items():
        np.testing.assert_array_equal(run(model, streamed)[name].view(int), array.view(int))
    choices = [problem(model, 200 * MIB).examine(each) for each in (plan, streamed)]
    assert choices[0].footprint.weights > 3 * model.weight_bytes
    assert choices[1].footprint.weights == 0


def test_errors_are_those_of_the_classes_that_are_told(model) -> None:
    """Of four layers one after another: no more than their sum."""
    image, network = random_input(model.network), model.network
    expected = evaluate(network, random_parameters(network, 0), image)
    for exact in (False, True):
        plan = fastest(model, 200 * MIB, exact_direct=exact).plan
        told = plan.to_json(model.digest)["error_classes"]
        assert told == plan.error_classes and told["direct"] == 1e-6
        classes = dict(plan.arithmetic)
        most = sum(told[classes.get(layer, "direct")] for layer in range(len(network.layers)))
        for name, array in run(model, plan).items():
            error = np.abs(array - expected[name]).max() / np.abs(expected[name]).max()
            assert error <= most


def test_plans_are_kept_apart_by_the_algorithms_that_they_may_have(model) -> None:
    keys = [PlanCache(model.digest, 1, DEFAULT, each).key for each in (False, True)]
    assert keys[0] != keys[1]


def test_yolov2_within_64_mib_is_nearly_as_fast_as_without_a_budget() -> None:
    """By the cost model; beside the process there are 64 - 37 MiB for weights and activations."""
    network = architectures.load("yolov2-first16").network
    model = model_of(network)
    free, bound = fastest(model, 400 * MIB), fastest(model, 57 * MIB)
    direct = fastest(model, 400 * MIB, exact_direct=True)
    assert bound.latency_s <= 1.4 * free.latency_s
    assert bound.latency_s <= 0.8 * direct.latency_s
