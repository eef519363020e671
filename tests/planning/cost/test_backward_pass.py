"""The search's walk says the same of every group as strips and columns laid out one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from support.networks import cut_networks
from support.planning.stripviews import passes

from ftdist.planning.cost.backward_pass import BackwardPass
from ftdist.planning.group import FusedGroup


def laid_out(group, rows, strip):
    """For each source (most rows held, most kept, rows made, calls), and if a tile makes none."""
    tiles = [passes(group, rows, index, strip) for index in range(rows)]
    every = [each for tile in tiles for each in tile]
    extents = {}
    idle = False
    for source in (*group.inputs, *group.members):
        held = max(each.held[source].size for each in every)
        kept = max(each.kept(source).size for each in every)
        new = [each.new[source].size for each in every]
        extents[source] = held, kept, sum(new), sum(1 for size in new if size)
        idle |= any(all(not each.new[source].size for each in tile) for tile in tiles)
    return extents, idle


def walks(case):
    """(group, its plan, layers and what they read with their extents, strips) for every group.

    Layers that need whole maps are steps of their own: groups do not go beyond them.
    """
    network, plan = case
    for each in plan.groups:
        if not FusedGroup(network, each.first, each.stop).members:
            continue
        backward = BackwardPass(network, each.stop, each.rows, each.columns)
        for number, extent, inputs in backward.members() if backward.strips else ():
            group = FusedGroup(network, number, each.stop)
            if len(group.members) > 1 and not network.whole_layers.isdisjoint(group.members):
                break
            yield group, each, ((number, extent), *inputs.items()), backward.strips


@settings(max_examples=40)
@given(cut_networks())
def test_a_backward_pass_counts_the_rows_that_strips_make(case) -> None:
    """Where a tile reads nothing but padding of some layer, the walk may count rows too many.

    With several outputs it may begin a tile with one pass fewer: their rows advance in proportion.
    """
    for group, plan, extents, strips in walks(case):
        for index, strip in enumerate(strips):
            expected, idle = laid_out(group, plan.rows, strip)
            for source, found in extents:
                *rows, calls = expected[source]
                walked = [found.held[index], found.kept[index], found.rows]
                if idle:
                    assert all(np.less_equal(rows, walked))
                    continue
                assert rows == walked
                missing = calls - found.calls[index]
                assert 0 <= missing <= (0 if len(group.outputs) == 1 else plan.rows)


@settings(max_examples=40)
@given(cut_networks())
def test_a_walk_counts_the_columns_that_tiles_hold(case) -> None:
    for group, plan, extents, _ in walks(case):
        shares = (group.column_shares(plan.columns, index) for index in range(plan.columns))
        tiles = [group.needed_columns(each) for each in shares]
        for source, found in extents:
            width = group.network.shape(source).width
            assert found.stored == max(tile[source].size for tile in tiles)
            assert found.columns == tuple(tile[source].clipped(width).size for tile in tiles)
