"""The search's walk says the same of every group as strips and columns laid out one by one."""

from __future__ import annotations

from hypothesis import given, settings
from networks import cut_networks

from ftdist.planning.group import FusedGroup
from ftdist.planning.strips import passes
from ftdist.planning.walk import Walk


def laid_out(group, rows, columns, strip):
    """For each source (most rows held, most kept, calls, rows made, columns stored, made)."""
    tiles = [passes(group, rows, index, strip) for index in range(rows)]
    every = [each for tile in tiles for each in tile]
    stored = [group.needed_columns(columns, index) for index in range(columns)]
    return {
        source: (
            max(each.held[source].size for each in every),
            max(each.kept(source).size for each in every),
            sum(1 for each in every if each.new[source].size),
            sum(each.new[source].size for each in every),
            max(span[source].size for span in stored),
            tuple(span[source].clipped(group.network.shape(source).width).size for span in stored),
        )
        for source in (*group.inputs, *group.members)
    }


@settings(max_examples=60)
@given(cut_networks())
def test_a_walk_agrees_with_strips_and_columns(case):
    network, plan = case
    for each in plan.groups:
        if not FusedGroup(network, each.first, each.stop).members:
            continue
        walk = Walk(network, each.stop, each.rows, each.columns)
        for number, extent, inputs in walk.members() if walk.strips else ():
            group = FusedGroup(network, number, each.stop)
            for index, strip in enumerate(walk.strips):
                expected = laid_out(group, each.rows, each.columns, strip)
                for source, found in ((number, extent), *inputs.items()):
                    assert expected[source] == (
                        found.held[index],
                        found.kept[index],
                        found.calls[index],
                        found.rows,
                        found.stored,
                        found.columns,
                    )
