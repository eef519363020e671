"""The arena: every read finds the rows it expects, and no byte is reserved that nobody uses."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.networks import cut_networks, reads_nothing_but_padding
from support.oracles.tracing import Trace

from ftdist.geometry import Shape
from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.joining import Add
from ftdist.network.operators.windows import Convolution
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.placement import ALIGNMENT_BYTES
from ftdist.planning.lowering.programs import lower_group
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.weights import unplaced


def traces(case, picture=False):
    """(group, its plan, trace of its programs) for each group that computes something."""
    network, plan = case
    blobs = unplaced(network)
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        if group.members:
            outside = whole_maps(network, (*group.inputs, *group.outputs), picture=picture)
            program = lower_group(group, each, blobs, outside)
            yield group, each, Trace(network, program, outside)


@settings(max_examples=60)
@given(cut_networks(), st.booleans())
@example(reads_nothing_but_padding(), True)
def test_every_read_finds_the_rows_it_expects_and_outputs_are_complete(case, picture) -> None:
    for group, _, trace in traces(case, picture):
        for output in group.outputs:
            expected = trace.stored(output).ravel()
            np.testing.assert_array_equal(trace.maps[output], expected)


@settings(max_examples=40)
@given(cut_networks())
def test_inside_a_tile_nothing_is_computed_twice(case) -> None:
    for _, _, trace in traces(case):
        for made in trace.times_made:
            for layer, times in made.items():
                assert times.max() <= 1, f"layer {layer}"


def output_that_the_group_reads_itself():
    """Layer 0 is an output and is read by a 3x3 window: tiles compute it beyond their share."""
    builder = NetworkBuilder("skip", Shape(12, 12, 4))
    builder.add(Convolution(4, Sliding.square(1)), [INPUT])
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [0])
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [1])
    builder.add(Add(), [0, 2])
    return builder.finish(), Plan((GroupPlan(0, 3, 3, 3, 2), GroupPlan(3, 4)))


@settings(max_examples=40)
@given(cut_networks())
@example(output_that_the_group_reads_itself())
def test_a_tile_stores_its_own_share_of_the_outputs_and_nothing_else(case) -> None:
    """Tiles run at the same time: none may touch what is another's, not even with equal values."""
    for group, _, trace in traces(case):
        for output in group.outputs:
            assert (trace.stores[output] == 1).all()


def never_made(trace):
    """The layers of which no tile makes any row."""
    layers = trace.times_made[0]
    return [each for each in layers if not any(made[each].any() for made in trace.times_made)]


@settings(max_examples=60)
@given(cut_networks())
def test_the_arena_is_as_large_as_what_the_programs_touch(case) -> None:
    for _, _, trace in traces(case):
        if never_made(trace):
            continue  # a layer whose readers see nothing but padding has a row that nobody touches
        spare = trace.program.arena_bytes - OVERREAD_BYTES - trace.touched_bytes
        assert 0 <= spare < ALIGNMENT_BYTES
