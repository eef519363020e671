"""The calls of the rows of tiles: which rows each kernel works on, pass by pass.

Within a pass a source goes through up to four kernels::

    restore (kept rows to the top of its buffer) -> make (load or compute the new rows)
        -> store (copy the tile's own share to a map outside) ... readers ... -> save (rows to keep)

So each pass has the same steps, apart from those that have no rows to work on. Every row number in
a call stands in one of the columns that tell of the passes (``PassBlock``), so a step is said by
the columns from which its numbers come, and all calls are taken from the table at once.

A deep group in low strips has a hundred thousand calls. They are worked out for a block of passes
at a time and written into one array, so that lowering takes hardly more than what it leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import CALL, Table
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.layout import Layout
from ftdist.planning.lowering.row_walk import Rows
from ftdist.planning.lowering.strips import PassBlock, Passes

Number = tuple[str, int, int]
"""A kernel's name within a group: (restore | make | store | save, source, part of it)."""


def kernel_numbers(group: FusedGroup, layout: Layout) -> dict[Number, int]:
    """The kernels of a group, by name, and their places in its tables."""
    names: list[Number] = []
    for source in layout.order:
        if source in group.fused_pool or source in layout.in_place:
            continue
        parts = 1
        if source not in group.inputs:
            layer = group.network.layers[source]
            if layer.operation.joins:
                parts = len(layer.inputs)
        names += [("make", source, part) for part in range(parts)]
        if source in group.outputs and source in layout.buffers:
            names.append(("store", source, 0))
        if source in layout.kept:
            names += [("restore", source, 0), ("save", source, 0)]
    return {name: number for number, name in enumerate(names)}


class _Step(NamedTuple):
    """One kernel in each pass: its number, and of the table of row numbers the columns that say
    from where and up to where it makes rows, and with which row each buffer begins."""

    kernel: int
    row: int
    stop: int
    in_row: int
    in2_row: int
    out_row: int


_FIRST, _DONE, _REACHED, _FOLLOWING = range(4)
"""The tables of a block, in the order in which they stand side by side."""

_Columns = NDArray[np.intp]


@dataclass(frozen=True)
class CallWriter:
    """Writes the calls of a group; `tops` are the rows that maps outside begin with."""

    group: FusedGroup
    layout: Layout
    numbers: Mapping[Number, int]
    tops: Mapping[int, int]

    def calls(self, row: int) -> Table:
        """The calls of one row of tiles, in order."""
        passes = self.layout.passes[row]
        if passes.in_one_block:
            (block,) = passes.blocks()
            return self._calls(block, passes)
        counts = [np.count_nonzero(self._when(self._table(b, passes), b)) for b in passes.blocks()]
        calls, at = np.empty(sum(counts), CALL), 0
        for block in passes.blocks():
            made = self._calls(block, passes)
            calls[at : at + len(made)] = made
            at += len(made)
        return calls

    def _calls(self, block: PassBlock, passes: Passes) -> Table:
        """The calls of a block of passes, in order; a pass calls each kernel at most once."""
        table = self._table(block, passes)
        of_pass, of_step = np.nonzero(self._when(table, block))
        kernel, row, stop, *buffers = self._steps
        calls: Table = np.empty(len(of_pass), CALL)
        calls["kernel"] = kernel[of_step]
        calls["row"] = start = table[of_pass, row[of_step]]
        calls["rows"] = table[of_pass, stop[of_step]] - start
        for name, columns in zip(("in_row", "in2_row", "out_row"), buffers, strict=True):
            calls[name] = table[of_pass, columns[of_step]]
        return calls

    def _table(self, block: PassBlock, passes: Passes) -> Rows:
        """All row numbers of calls, a row a pass: the block's tables; from where to where rows of
        the share of each stored output are made; then what is always the same."""
        stored = [self._column[each] for each in self._stored]
        shares = [passes.shares[each] for each in self._stored]
        starts = np.array([each.start for each in shares], np.int32)
        stops = np.array([each.stop for each in shares], np.int32)
        same = np.array([*self.tops.values(), 0], np.int32)
        return np.concatenate(
            (
                *(block.first, block.done, block.reached, block.following),
                np.maximum(block.done[:, stored], starts),
                np.minimum(block.reached[:, stored], stops),
                np.broadcast_to(same, (len(block), len(same))),
            ),
            axis=1,
        )

    def _when(self, table: Rows, block: PassBlock) -> NDArray[np.bool_]:
        """By pass and step whether there is a call: there are rows, and of those that are restored
        or saved something is made or read; otherwise kept rows just stay."""
        _, row, stop, *_ = self._steps
        when: NDArray[np.bool_] = table[:, stop] > table[:, row]
        steps, watched, begins = self._keeping
        if len(steps):
            news = (block.reached > block.done)[:, watched]
            when[:, steps] &= np.logical_or.reduceat(news, begins, axis=1)
        return when

    @cached_property
    def _column(self) -> dict[int, int]:
        return {source: column for column, source in enumerate(self.layout.passes[0].sources)}

    @cached_property
    def _stored(self) -> tuple[int, ...]:
        """The outputs that are copied to their maps."""
        return tuple(each for each in self.group.outputs if ("store", each, 0) in self.numbers)

    @cached_property
    def _steps(self) -> tuple[_Columns, ...]:
        """The fields of every step, in the order of execution."""
        fields = np.fromiter(itertools.chain.from_iterable(self._executed()), np.intp)
        return tuple(fields[at :: len(_Step._fields)] for at in range(len(_Step._fields)))

    @cached_property
    def _keeping(self) -> tuple[_Columns, _Columns, _Columns]:
        """The steps that restore or save rows; for each the columns of the source and its readers,
        one after the other; and where in these its own begin."""
        names = {number: name for name, number in self.numbers.items()}
        steps: list[int] = []
        watched: list[int] = []
        begins: list[int] = []
        for step, number in enumerate(self._steps[0].tolist()):
            kind, source, _ = names[number]
            if kind in ("restore", "save"):
                steps.append(step)
                begins.append(len(watched))
                watched += [self._column[e] for e in (source, *self.group.readers[source])]
        return np.array(steps, np.intp), np.array(watched, np.intp), np.array(begins, np.intp)

    def _at(self, table: int, source: int) -> int:
        return table * len(self._column) + self._column[source]

    @cached_property
    def _tops(self) -> dict[int, int]:
        """The columns of the rows that maps outside begin with."""
        before = 4 * len(self._column) + 2 * len(self._stored)
        return {source: before + number for number, source in enumerate(self.tops)}

    @cached_property
    def _zero(self) -> int:
        """The column, the last, of zeros."""
        return 4 * len(self._column) + 2 * len(self._stored) + len(self.tops)

    def _executed(self) -> Iterator[_Step]:
        """Every step that a pass may have, in the order of execution."""
        layout, number, at = self.layout, self.numbers, self._at
        retired, zero = self._retired(), self._zero
        for source in layout.order:
            if source in layout.kept:
                first, done = at(_FIRST, source), at(_DONE, source)
                yield _Step(number["restore", source, 0], first, done, first, zero, first)
            if source not in self.group.fused_pool and source not in layout.in_place:
                yield from self._made(source)
                if source in self._stored:
                    begin = 4 * len(self._column) + self._stored.index(source)
                    stop = begin + len(self._stored)
                    first, top = at(_FIRST, source), self._tops[source]
                    yield _Step(number["store", source, 0], begin, stop, first, zero, top)
            for ended in retired.get(source, ()):
                first, begin = at(_FIRST, ended), at(_FOLLOWING, ended)
                stop = at(_REACHED, ended)
                yield _Step(number["save", ended, 0], begin, stop, first, zero, begin)

    def _made(self, source: int) -> Iterator[_Step]:
        """The kernel that makes a source, or those that do so input by input."""
        group, layout = self.group, self.layout
        span = self._at(_DONE, source), self._at(_REACHED, source)
        firsts = [self._tops.get(source, self._zero)]
        if source not in group.inputs:
            reads = group.network.reads(group.fused_into.get(source, source))
            firsts = [
                self._tops[each] if each in layout.in_place else self._at(_FIRST, each)
                for each in reads
            ]
        top = self._at(_FIRST, source) if source in layout.buffers else self._tops[source]
        if ("make", source, 1) in self.numbers:
            for part, first in enumerate(firsts):
                yield _Step(self.numbers["make", source, part], *span, first, self._zero, top)
            return
        second = firsts[1] if len(firsts) > 1 else self._zero
        yield _Step(self.numbers["make", source, 0], *span, firsts[0], second, top)

    def _retired(self) -> dict[int, list[int]]:
        """For each source those whose kept rows are saved after it: nobody reads them any more."""
        group, order = self.group, self.layout.order
        position = {source: step for step, source in enumerate(order)}
        found: dict[int, list[int]] = {}
        for source in self.layout.kept:
            last = max(position[group.made_with[reader]] for reader in group.readers[source])
            found.setdefault(order[last], []).append(source)
        return found
