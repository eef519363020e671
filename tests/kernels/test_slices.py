"""Cutting a convolution by its output channels changes no bit and shares its work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.growth import activations
from support.networks import model_of, random_input
from support.oracles.poison import poisoned_memory
from support.oracles.tracing import Trace

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.implementations import IMPLEMENTATIONS
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.programs import lower_group
from ftdist.planning.plan import GroupPlan, Plan, check, parse_notation, untiled
from ftdist.planning.steps import most_slices
from ftdist.planning.weights import unplaced
from ftdist.runtime.local import Session

_filters = st.sampled_from([33, 36, 64, 70, 96]) | st.integers(1, 100)


@st.composite
def sliced(draw: Any) -> tuple[Network, Plan]:
    """Up to three convolutions, each a group that is cut into tiles and slices of any number, and
    computed by any algorithm that suits."""
    side = st.integers(4, 13)
    builder = NetworkBuilder("sliced", Shape(draw(side), draw(side), draw(st.integers(1, 20))))
    for number in range(draw(st.integers(1, 3))):
        shape = builder.shape(number - 1 if number else INPUT)
        window = draw(st.sampled_from([1, 3, 3])) if min(shape[:2]) >= 3 else 1
        stride = draw(st.sampled_from([1, 1, 2]))
        sliding = Sliding.square(window, stride, padding=draw(st.integers(0, window // 2)))
        source = number - 1 if number else INPUT
        before = builder.shape(source)
        reads, filters = [source], draw(_filters)
        if (stride, sliding.vertical.pad_before * 2 + 1) == (1, window) and draw(st.booleans()):
            builder.add(Convolution(before.channels, sliding, 1, draw(activations)), [source] * 2)
            continue
        builder.add(Convolution(filters, sliding, 1, draw(activations)), reads)
    network = builder.finish()
    return network, _plan(draw, network)


def _plan(draw: Any, network: Network) -> Plan:
    groups, arithmetic = [], []
    for number, layer in enumerate(network.layers):
        groups.append(
            GroupPlan(
                number,
                number + 1,
                draw(st.integers(1, min(3, layer.shape.height))),
                draw(st.integers(1, min(3, layer.shape.width))),
                draw(st.none() | st.integers(1, 5)),
                draw(st.booleans()),
                slices=draw(st.integers(1, most_slices(network, number, number + 1))),
            )
        )
        suited = [n for n, each in IMPLEMENTATIONS.items() if each.suits(*network.asked(number))]
        name = draw(st.sampled_from(suited))
        if name != "direct":
            arithmetic.append((number, name))
    return Plan(tuple(groups), draw(st.integers(1, 4)), arithmetic=tuple(arithmetic))


def run(model: Any, plan: Plan, image: Any, kernels: Any = "native") -> dict[str, Any]:
    with poisoned_memory(), Session(model, plan, kernels) as session:
        return session.run(image)


@settings(max_examples=80)
@given(sliced())
def test_slices_change_no_bit(case: tuple[Network, Plan]) -> None:
    network, plan = case
    model, image = model_of(network), random_input(network)
    whole = replace(untiled(network), arithmetic=plan.arithmetic)
    expected, found = run(model, whole, image), run(model, plan, image)
    reference = run(model, plan, image, "reference")
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name].view(np.int32), array.view(np.int32))
        atol = 1e-4 * np.abs(array).max()
        np.testing.assert_allclose(reference[name], array, rtol=0, atol=atol)


@settings(max_examples=60)
@given(sliced(), st.booleans())
def test_tiles_of_slices_store_each_element_once(case: tuple[Network, Plan], picture: bool) -> None:
    network, plan = case
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        outside = whole_maps(network, (*group.inputs, *group.outputs), picture=picture)
        program = lower_group(group, each, unplaced(network), outside)
        down, across = group.grid(each.rows, each.columns)
        assert program.tiles == down * across * each.slices
        trace = Trace(network, program, outside)
        for output in group.outputs:
            assert (trace.stores[output] == 1).all()
            np.testing.assert_array_equal(trace.maps[output], trace.stored(output).ravel())


@settings(max_examples=40)
@given(sliced())
def test_each_slice_multiplies_its_own_part(case: tuple[Network, Plan]) -> None:
    """Together they multiply what the layer does, whatever the tiles compute again."""
    network, plan = case
    model, image = model_of(network), random_input(network)
    without = replace(plan, groups=tuple(replace(each, slices=1) for each in plan.groups))
    macs = []
    for each in (plan, without):
        with Session(model, each) as session:
            session.run(image)
            macs.append({layer: c.macs for layer, c in session.counters.items() if c.macs})
    assert macs[0] == macs[1]


def joined() -> Network:
    builder = NetworkBuilder("joined", Shape(8, 8, 4))
    builder.add(Convolution(80, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(80, Sliding.square(3, padding=1), 80), [0])
    builder.add(Pool("max", Sliding.square(2, 2)), [1])
    builder.add(Convolution(20, Sliding.square(1)), [2])
    return builder.finish()


def test_notations_name_slices() -> None:
    network = joined()
    plan = parse_notation("2x1c3s2w/1/1x1", network)
    assert plan.groups[0] == GroupPlan(0, 1, 2, 1, 2, True, slices=3)
    assert (plan.groups[0].tiles, plan.notation) == (6, "2x1c3s2w/1/1x1")
    assert plan.to_json("")["groups"][0]["slices"] == 3


@pytest.mark.parametrize(
    ("notation", "why"),
    [
        ("1x1c4/1/1x1", "layers 0..0 can be cut into 3 slices at most"),
        ("1x1c2", "layers 0..3 can be cut into no slices of channels"),
        ("1x1/1/1x1c2/2/1x1", "layers 1..1 can be cut into no slices of channels"),
        ("1x1/2/1x1c2/3/1x1", "layers 2..2 can be cut into no slices of channels"),
        ("1x1/3/1x1c2", "layers 3..3 can be cut into no slices of channels"),
        ("1x1c0/1/1x1", "'1x1c0' is not a grid"),
    ],
)
def test_only_channels_that_are_summed_on_their_own_are_cut(notation: str, why: str) -> None:
    """Not several layers, depthwise ones, pools, and fewer channels than a chunk has."""
    with pytest.raises(InputError, match=why):
        parse_notation(notation, joined())


def test_parts_are_checked_too() -> None:
    network = joined()
    region = FusedGroup(network, 0, 1).wanted(0)
    check(Plan((GroupPlan(0, 1, slices=3),), region=region), network)
    for slices in (0, 4):
        with pytest.raises(InputError, match="3 slices at most"):
            check(Plan((GroupPlan(0, 1, slices=slices),), region=region), network)
