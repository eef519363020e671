"""Fused groups: wiring seen from inside, and what a tile needs against a walk over elements."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import cut_networks
from support.oracles.dependencies import columns_read, rows_read
from support.planning.groups import needed_by_walk, small_detector

from ftdist.geometry import Shape, Span, partition
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Identity
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.planning.group import FusedGroup


def test_a_group_of_the_whole_network() -> None:
    group = FusedGroup(small_detector(), 0, 12)
    assert group.members == (0, 2, 3, 6, 7, 8, 10, 11)
    assert group.inputs == (INPUT,)
    assert group.outputs == (3, 8, 11), "sources of the heads, not the heads"
    assert group.readers == {
        INPUT: (0, 10),
        0: (2, 7, 10),
        2: (3,),
        3: (6,),
        6: (7,),
        7: (8,),
        8: (),
        10: (11,),
        11: (),
    }


def test_a_skip_over_a_group_is_no_business_of_the_group() -> None:
    network = small_detector()
    assert FusedGroup(network, 0, 1).outputs == (0,)
    middle = FusedGroup(network, 2, 4)
    assert (middle.inputs, middle.members, middle.outputs) == ((0,), (2, 3), (3,))
    last = FusedGroup(network, 4, 12)
    assert last.inputs == (INPUT, 0, 3)
    assert last.members == (6, 7, 8, 10, 11)
    assert last.outputs == (8, 11), "layer 3 is an output that an earlier group made"
    assert last.readers[0] == (7, 10)


def test_a_group_of_aliases_has_no_members() -> None:
    group = FusedGroup(small_detector(), 4, 6)
    assert group.members == group.inputs == group.outputs == ()


def test_a_map_read_twice_by_one_layer_has_one_reader() -> None:
    builder = NetworkBuilder("double", Shape(2, 2, 1))
    builder.add(Identity(), [INPUT])
    builder.add(Add(), [INPUT, 0])
    builder.add(Concatenate(), [1, 1])
    group = FusedGroup(builder.finish(), 0, 3)
    assert group.readers == {INPUT: (1,), 1: (2,), 2: ()}


def test_each_output_is_shared_out_by_its_own_height() -> None:
    group = FusedGroup(small_detector(), 0, 12)
    shares = [group.row_shares(3, index) for index in range(3)]
    assert [share[3] for share in shares] == list(partition(4, 3))
    assert [share[8] for share in shares] == [share[11] for share in shares]
    assert [share[8] for share in shares] == list(partition(8, 3))


def check_against_walk(found, needed, exact) -> None:
    assert found.keys() == needed.keys()
    for source, span in found.items():
        assert needed[source] <= set(range(*span)), f"layer {source} lacks what readers read"
        if exact[source]:
            tight = Span(min(needed[source]), max(needed[source]) + 1)
            assert span == tight, f"layer {source} has more than readers read"


@settings(max_examples=80)
@given(cut_networks(), st.data())
def test_needed_rows_are_those_that_elements_read(case, data) -> None:
    network, plan = case
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        if not group.members:
            continue
        shares = group.row_shares(each.rows, data.draw(st.integers(0, each.rows - 1)))
        needed, exact = needed_by_walk(group, shares, 0, rows_read)
        found = group.needed_rows(shares)
        check_against_walk(found, needed, exact)
        for source, span in found.items():
            assert span.clipped(network.shape(source).height) == span, "rows lie on the map"


@settings(max_examples=80)
@given(cut_networks(), st.data())
def test_needed_columns_are_those_that_elements_read(case, data) -> None:
    network, plan = case
    for each in plan.groups:
        group = FusedGroup(network, each.first, each.stop)
        index = data.draw(st.integers(0, each.columns - 1))
        shares = {
            output: partition(network.shape(output).width, each.columns)[index]
            for output in group.outputs
        }
        needed, exact = needed_by_walk(group, shares, 1, columns_read)
        check_against_walk(group.needed_columns(shares), needed, exact)
