"""Lowering: a group and its plan become programs, one a tile.

The columns of a tile decide its kernels, its rows decide its calls; so a grid of n x m tiles has n
lists of calls and m tables of kernels, and a tile's program is a pair of them. Within a pass a
source goes through up to four kernels::

    restore (kept rows to the top of its buffer) -> make (load or compute the new rows)
        -> store (copy the tile's own share to a map outside) ... readers ... -> save (rows to keep)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ftdist.geometry import Span
from ftdist.kernels.program import CALL, KERNEL, Program, Table
from ftdist.network.layers import Concatenate
from ftdist.planning.group import FusedGroup
from ftdist.planning.kernel_tables import Blobs, KernelWriter, MapLayout, OutsideMap
from ftdist.planning.layout import Layout, lay_out
from ftdist.planning.plan import GroupPlan
from ftdist.planning.strips import Pass


@dataclass(frozen=True, slots=True)
class GroupProgram:
    """All programs of one fused group, each needing an arena of `arena_bytes`.

    `maps` are the sources whose maps the programs address, in the order of their bases (inputs,
    then outputs). `made_by` is, for each kernel, the layer (or INPUT) that it works for.
    """

    plan: GroupPlan
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arena_bytes: int
    kernels: tuple[Table, ...]
    calls: tuple[Table, ...]
    made_by: tuple[int, ...]

    @property
    def maps(self) -> tuple[int, ...]:
        return (*self.inputs, *self.outputs)

    @property
    def tiles(self) -> int:
        return len(self.calls) * len(self.kernels)

    def program(self, tile: int) -> Program:
        """The program of a tile, counted row by row."""
        row, column = divmod(tile, len(self.kernels))
        return Program(self.kernels[column], self.calls[row])

    @property
    def table_bytes(self) -> int:
        """Bytes of the kernel tables and calls of all tiles."""
        return sum(table.nbytes for table in (*self.kernels, *self.calls))


def lower_group(
    group: FusedGroup, plan: GroupPlan, blobs: Blobs, outside: Mapping[int, OutsideMap]
) -> GroupProgram:
    """Lowers a group; `outside` says how each of its inputs and outputs lies in memory."""
    layout = lay_out(group, plan, direct_outputs(group, outside))
    numbers = _kernel_numbers(group, layout)
    tables = []
    for index, columns in enumerate(layout.columns):
        table = np.zeros(len(numbers), KERNEL)
        shares = group.column_shares(len(layout.columns), index)
        writer = KernelWriter(group, layout, blobs, outside, columns, shares, plan.streamed)
        for (kind, source, part), number in numbers.items():
            writer.write(table[number : number + 1], kind, source, part)
        tables.append(table)
    tops = {source: outside[source].region.top for source in (*group.inputs, *group.outputs)}
    calls = tuple(
        np.array(list(_calls(group, layout, row, numbers, tops)), CALL)
        for row in range(len(layout.passes))
    )
    made_by = tuple(
        group.taken_along.get(source, source) if kind == "make" else source
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
    )


def direct_outputs(group: FusedGroup, outside: Mapping[int, OutsideMap]) -> frozenset[int]:
    """Outputs that their kernel can write straight into the map: none in the group reads them."""
    return frozenset(
        output
        for output in group.outputs
        if outside[output].layout is MapLayout.INTERLEAVED and not group.readers[output]
    )


_Number = tuple[str, int, int]
"""A kernel's name within a group: (restore | make | store | save, source, part of it)."""


def _kernel_numbers(group: FusedGroup, layout: Layout) -> dict[_Number, int]:
    names: list[_Number] = []
    for source in layout.order:
        if source in group.pooled:
            continue
        parts = 1
        if source not in group.inputs:
            layer = group.network.layers[source]
            if isinstance(layer.operation, Concatenate):
                parts = len(layer.inputs)
        names += [("make", source, part) for part in range(parts)]
        if source in group.outputs and source in layout.buffers:
            names.append(("store", source, 0))
        if source in layout.kept:
            names += [("restore", source, 0), ("save", source, 0)]
    return {name: number for number, name in enumerate(names)}


def _calls(
    group: FusedGroup,
    layout: Layout,
    row: int,
    numbers: dict[_Number, int],
    tops: Mapping[int, int],
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """The calls of one row of tiles, as fields of CALL, pass by pass.

    `tops` are the rows that maps outside begin with.
    """
    passes = layout.passes[row]
    shares = group.row_shares(len(layout.passes), row)
    position = {source: step for step, source in enumerate(layout.order)}
    retired: dict[int, list[int]] = {}
    for source in layout.kept:
        last = max(position[group.made_with[reader]] for reader in group.readers[source])
        retired.setdefault(layout.order[last], []).append(source)
    for index, this in enumerate(passes):
        following = passes[index + 1] if index + 1 < len(passes) else None
        for source in layout.order:
            held, new, kept = this.held[source], this.new[source], this.kept(source)
            if kept.size and _active(group, this, source):
                number = numbers["restore", source, 0]
                yield (number, kept.start, kept.size, kept.start, 0, held.start)
            if new.size and source not in group.pooled:
                if source in group.inputs:
                    firsts = [tops[source]]
                else:
                    reads = group.network.reads(group.taken_along.get(source, source))
                    firsts = [this.held[each].start for each in reads]
                top = held.start if source in layout.buffers else tops[source]
                yield from _make(group, source, new, firsts, top, numbers)
                if ("store", source, 0) in numbers:
                    own = new.common(shares[source])
                    if own.size:
                        number = numbers["store", source, 0]
                        yield (number, own.start, own.size, held.start, 0, tops[source])
            for ended in retired.get(source, ()):
                saved = following.kept(ended) if following else Span(0, 0)
                if saved.size and _active(group, this, ended):
                    number = numbers["save", ended, 0]
                    first = this.held[ended].start
                    yield (number, saved.start, saved.size, first, 0, saved.start)


def _active(group: FusedGroup, this: Pass, source: int) -> bool:
    """Whether a pass makes rows of a source or reads them; otherwise kept rows just stay."""
    return bool(this.new[source].size) or any(this.new[r].size for r in group.readers[source])


def _make(
    group: FusedGroup,
    source: int,
    new: Span,
    firsts: list[int],
    top: int,
    numbers: dict[_Number, int],
) -> Iterator[tuple[int, int, int, int, int, int]]:
    if ("make", source, 1) in numbers:
        for part, first in enumerate(firsts):
            yield (numbers["make", source, part], new.start, new.size, first, 0, top)
        return
    number = numbers["make", source, 0]
    second = firsts[1] if len(firsts) > 1 else 0
    yield (number, new.start, new.size, firsts[0], second, top)
