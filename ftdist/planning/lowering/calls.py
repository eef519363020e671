"""The calls of one row of tiles: which rows each kernel works on, pass by pass.

Within a pass a source goes through up to four kernels::

    restore (kept rows to the top of its buffer) -> make (load or compute the new rows)
        -> store (copy the tile's own share to a map outside) ... readers ... -> save (rows to keep)

A deep group in low strips has a hundred thousand calls. They are worked out for a block of passes
at a time and written into one array, so that lowering takes hardly more than what it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import CALL, Table
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.layout import Layout
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


def row_calls(
    group: FusedGroup,
    layout: Layout,
    row: int,
    numbers: Mapping[Number, int],
    tops: Mapping[int, int],
) -> Table:
    """The calls of one row of tiles, in order; `tops` are the rows that maps outside begin with."""
    passes = layout.passes[row]
    writer = _Writer(group, layout, passes, numbers, tops)
    if passes.in_one_block:
        (block,) = passes.blocks()
        return writer.calls(block)
    counts = [writer.count(block) for block in passes.blocks()]
    calls, at = np.empty(sum(counts), CALL), 0
    for block in passes.blocks():
        made = writer.calls(block)
        calls[at : at + len(made)] = made
        at += len(made)
    return calls


class _Step(NamedTuple):
    """One kernel's call in each pass of a block, `when` there is one: fields of CALL, an element a
    pass, or a number where all are the same."""

    when: NDArray[np.bool_]
    kernel: int
    row: Any
    rows: Any
    in_row: Any
    in2_row: Any
    out_row: Any


@dataclass(frozen=True)
class _Writer:
    group: FusedGroup
    layout: Layout
    passes: Passes
    numbers: Mapping[Number, int]
    tops: Mapping[int, int]

    def count(self, block: PassBlock) -> int:
        """How many calls a block of passes has."""
        return sum(int(np.count_nonzero(step.when)) for step in self.steps(block))

    def calls(self, block: PassBlock) -> Table:
        """The calls of a block of passes, in order; a pass calls each kernel at most once."""
        table = np.empty((len(block), len(self.numbers)), CALL)
        when = np.zeros(table.shape, bool)
        columns = [table[name] for name in CALL.names or ()]
        for number, step in enumerate(self.steps(block)):
            when[:, number] = step.when
            for column, values in zip(columns, step[1:], strict=True):
                column[:, number] = values
        return table[when]

    def steps(self, block: PassBlock) -> Iterator[_Step]:
        """Every call that a pass may have, in the order of execution."""
        group, layout = self.group, self.layout
        column = {source: index for index, source in enumerate(self.passes.sources)}
        retired = self._retired()
        news = block.reached > block.done
        for source in layout.order:
            own, number = column[source], self.numbers
            first, done, reached = (t[:, own] for t in (block.first, block.done, block.reached))
            if source in layout.kept:
                when = (done > first) & self._active(source, news, column)
                restore = number["restore", source, 0]
                yield _Step(when, restore, first, done - first, first, 0, first)
            if source not in group.fused_pool and source not in layout.in_place:
                yield from self._make(source, block, news[:, own], column)
                if ("store", source, 0) in number:
                    share = self.passes.shares[source]
                    start, stop = np.maximum(done, share.start), np.minimum(reached, share.stop)
                    when = news[:, own] & (stop > start)
                    top, store = self.tops[source], number["store", source, 0]
                    yield _Step(when, store, start, stop - start, first, 0, top)
            for ended in retired.get(source, ()):
                at = column[ended]
                start = block.following[:, at]
                size = block.reached[:, at] - start
                when = (size > 0) & self._active(ended, news, column)
                save = number["save", ended, 0]
                yield _Step(when, save, start, size, block.first[:, at], 0, start)

    def _make(
        self, source: int, block: PassBlock, when: NDArray[np.bool_], column: Mapping[int, int]
    ) -> Iterator[_Step]:
        group, own = self.group, column[source]
        start = block.done[:, own]
        size = block.reached[:, own] - start
        firsts: list[Any] = [self.tops.get(source, 0)]
        if source not in group.inputs:
            reads = group.network.reads(group.fused_into.get(source, source))
            held: dict[int, Any] = {each: self.tops[each] for each in self.layout.in_place}
            firsts = [held.get(each, block.first[:, column[each]]) for each in reads]
        buffered = source in self.layout.buffers
        top: Any = block.first[:, own] if buffered else self.tops[source]
        if ("make", source, 1) in self.numbers:
            for part, first in enumerate(firsts):
                yield _Step(when, self.numbers["make", source, part], start, size, first, 0, top)
            return
        second = firsts[1] if len(firsts) > 1 else 0
        yield _Step(when, self.numbers["make", source, 0], start, size, firsts[0], second, top)

    def _active(
        self, source: int, news: NDArray[np.bool_], column: Mapping[int, int]
    ) -> NDArray[np.bool_]:
        """Whether a pass makes rows of a source or reads them; otherwise kept rows just stay."""
        interested = [column[source], *(column[each] for each in self.group.readers[source])]
        return np.asarray(news[:, interested].any(axis=1))

    def _retired(self) -> dict[int, list[int]]:
        """For each source those whose kept rows are saved after it: nobody reads them any more."""
        group, order = self.group, self.layout.order
        position = {source: step for step, source in enumerate(order)}
        found: dict[int, list[int]] = {}
        for source in self.layout.kept:
            last = max(position[group.made_with[reader]] for reader in group.readers[source])
            found.setdefault(order[last], []).append(source)
        return found
