"""Lowering: a group and its plan become programs, one a tile.

The columns of a tile decide its kernels, its rows decide its calls; so a grid of n x m tiles has n
lists of calls (``calls``) and m tables of kernels (``kernel_tables``), each once for every slice of
its output channels (``slices``), and a tile's program is a pair of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ftdist.kernels.program import KERNEL, NO_VIEWS, Program, Table, tile_program
from ftdist.planning.group import FusedGroup, stays_on_map
from ftdist.planning.lowering.calls import CallWriter, kernel_numbers
from ftdist.planning.lowering.descriptors import write
from ftdist.planning.lowering.kernel_tables import (
    KernelWriter,
    MapLayout,
    Offsets,
    OutsideMap,
    group_bases,
    group_views,
    view_table,
)
from ftdist.planning.lowering.layout import Layout, lay_out
from ftdist.planning.lowering.slices import slice_tables
from ftdist.planning.plan import GroupPlan


@dataclass(frozen=True, slots=True)
class GroupProgram:
    """All programs of one fused group, each needing an arena of `arena_bytes`.

    `maps` are the sources whose maps the programs address, in the order of their bases (inputs,
    then outputs); those `in_place` are read as they lie. `transformed` are the layers whose
    weights lie, transformed, in the bases after these. `made_by` is, for each kernel, the layer (or
    INPUT) that it works for.
    """

    plan: GroupPlan
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arena_bytes: int
    kernels: tuple[Table, ...]
    calls: tuple[Table, ...]
    made_by: tuple[int, ...]
    in_place: frozenset[int] = frozenset()
    views: Table = field(default_factory=lambda: NO_VIEWS)
    transformed: tuple[int, ...] = ()

    @property
    def maps(self) -> tuple[int, ...]:
        return (*self.inputs, *self.outputs)

    @property
    def tiles(self) -> int:
        return len(self.calls) * len(self.kernels)

    def program(self, tile: int) -> Program:
        """The program of a tile, counted row by row."""
        return tile_program(self.kernels, self.calls, self.views, tile)

    @property
    def table_bytes(self) -> int:
        """Bytes of the kernel tables and calls of all tiles."""
        return sum(table.nbytes for table in (*self.kernels, *self.calls, self.views))


def lower_group(
    group: FusedGroup,
    plan: GroupPlan,
    offsets: Offsets,
    outside: Mapping[int, OutsideMap],
) -> GroupProgram:
    """Lowers a group; `outside` says how each of its inputs and outputs lies in memory."""
    layout = lay_out_group(group, plan, outside)
    program = lower_laid_out(group, plan, layout, offsets, outside)
    if plan.slices == 1:
        return program
    (member,) = group.members
    own = [number for number, source in enumerate(program.made_by) if source == member]
    tables = (slice_tables(each, plan.slices, own, weighted=True) for each in program.kernels)
    return replace(program, kernels=tuple(itertools.chain.from_iterable(tables)))


def lay_out_group(group: FusedGroup, plan: GroupPlan, outside: Mapping[int, OutsideMap]) -> Layout:
    """The arena of a group whose inputs and outputs lie so in memory."""
    return lay_out(group, plan, _direct_outputs(group, outside), _direct_inputs(group, outside))


def lower_laid_out(
    group: FusedGroup,
    plan: GroupPlan,
    layout: Layout,
    offsets: Offsets,
    outside: Mapping[int, OutsideMap],
) -> GroupProgram:
    """Lowers a group whose arena is laid out."""
    numbers, views, bases = kernel_numbers(group, layout), group_views(group), group_bases(group)
    places = {name: number for number, name in enumerate(views)}
    tables = []
    for index, columns in enumerate(layout.columns):
        shares = group.column_shares(len(layout.columns), index)
        streamed = plan.streamed
        writer = KernelWriter(
            group, layout, offsets, outside, columns, shares, streamed, bases, places
        )
        table: Table = np.empty(len(numbers), KERNEL)
        for name, number in numbers.items():
            write(writer.kernel(*name), table, number)
        tables.append(table)
    tops = {source: outside[source].region.top for source in (*group.inputs, *group.outputs)}
    writing = CallWriter(group, layout, numbers, tops)
    calls = tuple(writing.calls(row) for row in range(len(layout.passes)))
    made_by = tuple(
        group.fused_into.get(source, source) if kind == "make" else source
        for kind, source, _ in numbers
    )
    return GroupProgram(
        plan,
        group.inputs,
        group.outputs,
        layout.arena_bytes,
        tuple(tables),
        calls,
        made_by,
        layout.in_place,
        views=view_table(views.values()),
        transformed=() if plan.streamed else group.transformed,
    )


def _direct_inputs(group: FusedGroup, outside: Mapping[int, OutsideMap]) -> frozenset[int]:
    """Inputs that all kernels can read as they lie in the block: none wants zeros beside them."""
    return frozenset(
        source
        for source in group.inputs
        if outside[source].in_block
        and all(stays_on_map(group.network, each, source) for each in group.readers[source])
    )


def _direct_outputs(group: FusedGroup, outside: Mapping[int, OutsideMap]) -> frozenset[int]:
    """Outputs that their kernel can write straight into the map: none in the group reads them."""
    return frozenset(
        output
        for output in group.outputs
        if outside[output].layout is MapLayout.INTERLEAVED and not group.readers[output]
    )
