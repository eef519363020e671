"""The search's walk says the same of every group as strips and columns laid out one by one."""

from __future__ import annotations

from hypothesis import given, settings
from networks import cut_networks

from ftdist.planning.group import FusedGroup
from ftdist.planning.strips import passes
from ftdist.planning.walk import Walk


def laid_out(group, rows, columns, strip):
    """For each source (memory, work, whether some tile makes no row of it).

    Memory: most rows held, most kept, most columns stored. Work: calls, rows made, columns made.
    """
    tiles = [passes(group, rows, index, strip) for index in range(rows)]
    every = [each for tile in tiles for each in tile]
    stored = [group.needed_columns(columns, index) for index in range(columns)]
    found = {}
    for source in (*group.inputs, *group.members):
        width = group.network.shape(source).width
        memory = (
            max(each.held[source].size for each in every),
            max(each.kept(source).size for each in every),
            max(span[source].size for span in stored),
        )
        work = (
            sum(1 for each in every if each.new[source].size),
            sum(each.new[source].size for each in every),
            tuple(span[source].clipped(width).size for span in stored),
        )
        idle = any(all(not each.new[source].size for each in tile) for tile in tiles)
        found[source] = memory, work, idle
    return found


@settings(max_examples=60)
@given(cut_networks())
def test_a_walk_agrees_with_strips_and_columns(case):
    """Where some tile reads nothing but padding of a layer, the walk counts a row too many."""
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
                    memory, work, idle = expected[source]
                    assert memory == (found.held[index], found.kept[index], found.stored)
                    calls, rows, columns = work
                    assert columns == found.columns
                    if idle:
                        assert calls <= found.calls[index]
                        assert rows <= found.rows
                    else:
                        assert (calls, rows) == (found.calls[index], found.rows)
