"""The native walk says of every group what its definition in Python says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from support.networks import cut_networks

from ftdist.geometry import Shape, Window
from ftdist.network import architectures
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution
from ftdist.planning.cost.backward_pass import STRIPS, BackwardPass, LayerExtent
from ftdist.planning.cost.group_cost import CostContext, GroupCost
from ftdist.planning.cost.group_tables import native_groups
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.programs import lay_out_group
from ftdist.planning.plan import GroupPlan
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.search import Search

HEIGHTS = [strip or 0 for strip in STRIPS]
MOST_MADE_WHOLE = 8


def made_whole(shape: Shape, extent: LayerExtent, grid: tuple[int, int]) -> bool:
    """Whether each of several tiles makes all of a map that could be cut."""
    (rows, columns), (height, width, _) = grid, shape
    made = extent.rows == rows * height and sum(extent.columns) == columns * width
    return rows * columns > 1 and height >= rows and width >= columns and made


def defined(context, stop, grid):
    """(strips, and for each first layer its number, seconds, streamed seconds, arena bytes)."""
    backward = BackwardPass(context.network, stop, *grid)
    rows, whole = [], 0
    if backward.strips:
        cost = GroupCost(context, backward)
        for number, extent, inputs in backward.members():
            cost.add_layer(number, extent, inputs)
            seconds = cost.seconds()
            rows.append((number, seconds, cost.streamed_s(seconds), cost.arena_bytes()))
            is_whole = made_whole(context.network.shape(number), extent, grid)
            whole = whole + 1 if is_whole else 0
            if whole > MOST_MADE_WHOLE:
                break
    return [strip or 0 for strip in backward.strips], rows


def compare(network: Network, stops: Iterable[int], grid: tuple[int, int]) -> None:
    context = CostContext.of(network, DEFAULT)
    native = native_groups(context)
    for stop in stops:
        strips, rows = defined(context, stop, grid)
        possible, firsts, seconds, reading_s, disk_s, sizes = native.ending_at(
            stop + 1, 1, *grid, HEIGHTS
        )
        assert possible == strips
        assert len(firsts) == len(rows)
        for at, (number, expected_s, streamed_s, expected_bytes) in enumerate(rows):
            assert firsts[at] == number + 1
            assert seconds[at] == pytest.approx(expected_s)
            assert np.maximum(seconds[at] + reading_s[at], disk_s[at]) == pytest.approx(streamed_s)
            assert np.array_equal(sizes[at], expected_bytes)


@settings(max_examples=60)
@given(cut_networks())
def test_the_native_walk_says_what_its_definition_says(case) -> None:
    network, plan = case
    for group in plan.groups:
        if FusedGroup(network, group.first, group.stop).members:
            compare(network, [group.stop], (group.rows, group.columns))


def test_a_position_behind_the_last_reads_the_last() -> None:
    """The transposed convolution makes just what lies behind its narrow map."""
    builder = NetworkBuilder("behind", Shape(6, 1, 4))
    builder.add(Activate(Activation("tanh")), [INPUT])
    window = Sliding(Window(2, stride=2), Window(2, stride=2, pad_before=2))
    builder.add(TransposedConvolution(4, window, more_columns=1), [0])
    network = builder.finish()
    assert FusedGroup(network, 0, 2).members
    compare(network, [1, 2], (1, 1))


@pytest.mark.parametrize("grid", [(1, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("name", ["yolov2", "yolov3-tiny"])
def test_also_of_whole_architectures(name, grid) -> None:
    network = architectures.load(name).network
    compare(network, range(1, len(network.layers) + 1, 3), grid)


def test_a_walk_ends_where_every_tile_makes_whole_maps() -> None:
    builder = NetworkBuilder("chain", Shape(8, 8, 2))
    for number in range(40):
        same = Convolution(2, Sliding.square(3, padding=1))
        builder.add(same, [number - 1 if number else INPUT])
    network = builder.finish()
    native = native_groups(CostContext.of(network, DEFAULT))
    for grid, longest in (((1, 1), 40), ((2, 1), 13), ((2, 2), 13)):
        compare(network, [40], grid)
        assert len(native.ending_at(41, 1, *grid, HEIGHTS)[1]) == longest
    plan = Search(network, 2, DEFAULT).smallest().plan
    assert [group.first for group in plan.groups[1:]] == [group.stop for group in plan.groups[:-1]]
    assert max(group.stop - group.first for group in plan.groups) <= 13


def test_a_walk_may_end_early() -> None:
    network = architectures.load("yolov3-tiny").network
    native = native_groups(CostContext.of(network, DEFAULT))
    stop = len(network.layers) + 1
    whole, part = (native.ending_at(stop, first, 1, 1, HEIGHTS) for first in (1, 9))
    count = len(part[1])
    assert 0 < count < len(whole[1])
    for longer, shorter in zip(whole[1:], part[1:], strict=True):
        assert np.array_equal(longer[:count], shorter)


def arenas(
    network: Network, stop: int, grid: tuple[int, int]
) -> Iterator[tuple[int, int | None, int, int]]:
    """For each group that ends at `stop` and each strip: its first layer, the strip, native bytes
    of an arena, and those of a layout."""
    native = native_groups(CostContext.of(network, DEFAULT))
    for first in range(stop - 1, -1, -1):
        group = FusedGroup(network, first, stop)
        if not group.members or is_alias(network.layers[first]):
            continue
        outside = whole_maps(network, (*group.inputs, *group.outputs), picture=False)
        for strip in BackwardPass(network, stop, *grid).strips:
            plan = GroupPlan(first, stop, *grid, strip)
            expected = lay_out_group(group, plan, outside).arena_bytes
            yield first, strip, native.arena_bytes(first + 1, stop + 1, *grid, strip or 0), expected


@settings(max_examples=40)
@given(cut_networks())
def test_an_arena_is_as_large_as_its_layout(case) -> None:
    """Or larger, where a tile reads nothing but padding of some layer (see test_walk)."""
    network, plan = case
    for group in plan.groups:
        if FusedGroup(network, group.first, group.stop).members:
            for _, _, found, expected in arenas(network, group.stop, (group.rows, group.columns)):
                assert found >= expected


@pytest.mark.parametrize("grid", [(1, 1), (2, 1)])
@pytest.mark.parametrize(("name", "stop"), [("yolov2", 31), ("yolov2", 17), ("yolov3-tiny", 23)])
def test_arenas_of_whole_architectures_are_exact(name, stop, grid) -> None:
    network = architectures.load(name).network
    for first, strip, found, expected in arenas(network, stop, grid):
        assert (first, strip, found) == (first, strip, expected)
