"""Lowering a whole-map step: one layer that reads whole maps where they lie.

The step has programs as a fused group has, so executors need not tell them apart: one pass over
each tile, the layer's inputs read in the block of memory, its output written where it belongs. What
kernels cannot read or write as it lies (arrays of the user, planar ones) goes through an arena,
which is placed and counted as that of a group.

Threads share the rows of the output; where there is one position, its channels, as far as the
kernel makes them independently: each channel is summed as ever, so no bit depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import Offsets, OutsideMap
from ftdist.planning.lowering.layout import Layout, lay_out
from ftdist.planning.lowering.programs import GroupProgram, lower_laid_out
from ftdist.planning.lowering.slices import slice_tables
from ftdist.planning.steps import SHARED_CHANNELS, GroupPlan


def lower_whole(
    group: FusedGroup,
    plan: GroupPlan,
    offsets: Offsets,
    outside: Mapping[int, OutsideMap],
    threads: int,
) -> GroupProgram:
    """Lowers the whole-map step of a group of one member, for so many threads."""
    layout = lay_out_whole(group, plan, outside, threads)
    program = lower_laid_out(group, plan, layout, offsets, outside)
    shares = channel_shares(group, layout, threads)
    if shares == 1:
        return program
    (member,) = group.members
    source = group.network.shape(group.network.reads(member)[0])
    weighted = bool(group.network.layers[member].operation.weights(source))
    tables = slice_tables(program.kernels[0], shares, [0], weighted=weighted)
    return replace(program, kernels=tables)


def lay_out_whole(
    group: FusedGroup, plan: GroupPlan, outside: Mapping[int, OutsideMap], threads: int
) -> Layout:
    """The arena of a whole-map step, its tiles being rows of the output that threads share.

    A thread that copies what it reads copies all of it, so then there is one tile.
    """
    in_place = frozenset(source for source in group.inputs if outside[source].in_block)
    direct = frozenset(output for output in group.outputs if outside[output].interleaved)
    rows = group.wanted(group.outputs[0]).rows.size
    shared = min(threads, rows) if len(in_place) == len(group.inputs) else 1
    return lay_out(group, replace(plan, rows=shared, columns=1, strip=None), direct, in_place)


def channel_shares(group: FusedGroup, layout: Layout, threads: int) -> int:
    """By how many threads the channels of a step with one output position are shared."""
    (member,) = group.members
    operation, shape = group.network.layers[member].operation, group.network.shape(member)
    if layout.buffers or len(layout.passes) > 1 or shape.height * shape.width > 1:
        return 1
    inputs = tuple(map(group.network.shape, group.network.reads(member)))
    if not operation.splits_channels(inputs):
        return 1
    return min(threads, -(-shape.channels // SHARED_CHANNELS))
