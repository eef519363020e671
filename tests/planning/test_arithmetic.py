"""The arithmetic of a plan: part of notation, digest and JSON, checked, and heeded by lowering.

A second algorithm is made up here: it computes as "direct" does, reads rows as blocks of four do,
and has a form of the weights of its own.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np
import pytest

from ftdist.errors import InputError
from ftdist.geometry import Anchored, Axes, Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import DIRECT, IMPLEMENTATIONS, Direct
from ftdist.network.operators.base import KernelRecord, Operation, Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.packing import BLOCKS, Named
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import GroupPlan, Plan, parse_json, parse_notation, untiled
from ftdist.planning.search.search import Search
from ftdist.planning.weights import layer_weights, unplaced

MODEL = "0" * 32
DIGEST = "4011a232a0b9f11a6f1ddfb849f2e935"


class Doubled:
    """A form of the weights that holds them twice."""

    name: ClassVar[str] = "doubled"
    stored: ClassVar[bool] = True

    def sizes(self, operation: Operation, source: Shape) -> dict[str, int]:
        return {n: 2 * size for n, size in BLOCKS.sizes(operation, source).items()}

    def pack(self, operation: Operation, source: Shape, weights: Named) -> dict[str, Any]:
        return {n: np.tile(a, 2) for n, a in BLOCKS.pack(operation, source, weights).items()}


class ByFours(Direct):
    """Suits 3x3 convolutions; needs whole blocks of four output rows."""

    name: ClassVar[str] = "byfours"

    def suits(self, operation: Operation, inputs: tuple[Shape, ...]) -> bool:
        return isinstance(operation, Convolution) and operation.window.vertical.kernel == 3

    def axes(self, operation: Operation, inputs: tuple[Shape, ...]) -> tuple[Axes, ...]:
        assert isinstance(operation, Convolution)
        (plain,) = operation.axes(inputs)
        return (Axes(Anchored(operation.window.vertical, 4), plain.columns, plain.padded),)

    def form(self, operation: Operation, source: Shape) -> Doubled:
        return Doubled()

    def record(
        self, operation: Operation, inputs: tuple[Shape, ...], output: Shape, part: int
    ) -> KernelRecord:
        direct = operation.record(inputs, output, part)
        return KernelRecord(direct.kernel, direct.fields, direct.weights, "doubled", direct.window)


@pytest.fixture(autouse=True)
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {DIRECT.name: DIRECT, ByFours.name: ByFours()}
    for name, each in known.items():
        monkeypatch.setitem(IMPLEMENTATIONS, name, each)


def network() -> Network:
    builder = NetworkBuilder("three", Shape(24, 24, 3))
    first = builder.add(Convolution(8, Sliding.square(3, padding=1)), [INPUT])
    pool = builder.add(Pool("max", Sliding.square(2, 2)), [first])
    builder.add(Convolution(8, Sliding.square(3, padding=1)), [pool])
    return builder.finish()


def test_a_plan_of_direct_layers_has_the_notation_and_digest_that_it_always_had() -> None:
    plan = parse_notation("2x2/1/1x1s4", network())
    assert plan.arithmetic == () and plan.notation == "2x2/1/1x1s4"
    assert plan.digest(MODEL) == DIGEST
    assert "arithmetic" not in plan.to_json(MODEL)


def test_the_arithmetic_is_part_of_notation_digest_and_json() -> None:
    plan = parse_notation("2x2/1/1x1s4@byfours=0,2", network())
    assert plan.arithmetic == ((0, "byfours"), (2, "byfours"))
    assert plan.notation == "2x2/1/1x1s4@byfours=0,2"
    plain = parse_notation("2x2/1/1x1s4", network())
    assert plan.digest(MODEL) != plain.digest(MODEL)
    text = json.dumps(plan.to_json(MODEL))
    assert parse_json(text, network(), MODEL) == plan
    assert parse_notation("1x1@direct=0", network()) == untiled(network())


@pytest.mark.parametrize(
    "algorithms",
    [
        *("byfours=1", "byfours=3", "nothing=0", "byfours=2,0", "0", "byfours=x", "byfours="),
        *("0=byfours", "byfours=0@direct=0", "byfours=0-999999", "byfours=0-2:0", "@byfours=0"),
    ],
)
def test_an_arithmetic_that_does_not_suit_is_refused(algorithms: str) -> None:
    with pytest.raises(InputError):
        parse_notation(f"1x1@{algorithms}", network())


def test_lowering_asks_the_implementation_of_each_layer() -> None:
    both = [Plan((GroupPlan(0, 3, 4, 1),), arithmetic=a) for a in ((), ((2, "byfours"),))]
    plain, other = (
        lower(network(), plan, unplaced(plan.applied_to(network())), picture=False) for plan in both
    )
    assert other.weights[2] == 2 * plain.weights[2] and other.weights[0] == plain.weights[0]
    rows = [
        max(int(call["row"] + call["rows"]) for call in lowered.programs[0].program(1).calls)
        for lowered in (plain, other)
    ]
    assert rows[1] > rows[0]


def test_searched_plans_have_the_arithmetic_that_was_chosen() -> None:
    chosen = network().computed_by(((0, "byfours"),))
    found = Search(chosen, 1).smallest()
    assert found.plan.arithmetic == ((0, "byfours"),)
    lowered = lower(network(), found.plan, unplaced(chosen), picture=False)
    assert found.peak_bytes == lowered.block_bytes + sum(lowered.weights.values())
    assert layer_weights(chosen)[0].whole == 2 * layer_weights(network())[0].whole
