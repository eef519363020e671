"""Strips: which rows of every layer one tile computes in each pass, and which it keeps.

A pass aims at a row of the group's output: everything needed up to there is computed, nothing more.
Walking that target back gives each layer's *reach*, the row up to which it must exist. Reaches are
affine in the target, so targets before the tile's first row make sense too: the first passes only
warm the line buffers up, and no pass computes more than its steady share.

YOLOv2's layers 0..7, one tile, strips of 2 rows; reach of each layer for targets 2, 4, 6::

    7 pool   6 3x3   5 1x1   4 3x3   3 pool   2 3x3   1 pool   0 3x3   input
         2       4       5       5        6      12       13      26      27
         4       8       9       9       10      20       21      42      43
         6      12      13      13       14      28       29      58      59

From one pass to the next, layer 0 makes 16 rows, layer 7 makes 2. Between passes a layer keeps the
rows that some reader's next window starts in: two rows of the inputs of layers 0, 2, 4 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Span
from ftdist.planning.group import FusedGroup

Rows = NDArray[np.int32]
"""Row numbers by [pass, source]."""

_BLOCK_NUMBERS = 1 << 13
"""Numbers in one table of a block of passes: tables of 32 KiB, however many passes there are."""

_FEW_PARTS = 8
"""So many parts keep their only blocks: four tables each, 1 MiB at most."""


@dataclass(frozen=True, slots=True)
class PassBlock:
    """Some passes that follow one another: tables of row numbers, a row a pass, a column a source.

    `done` are the rows up to which a source existed before the pass, `reached` up to which it does
    after it: between them lie those that the pass computes or loads. The rows in memory during the
    pass begin with `first`, those that the pass after it needs of them with `following`; the rows
    before `done` were kept from the pass before.
    """

    first: Rows
    done: Rows
    reached: Rows
    following: Rows

    def __len__(self) -> int:
        return len(self.done)

    @property
    def held_sizes(self) -> Rows:
        """How many rows are in memory during each pass."""
        return self.reached - self.first

    @property
    def kept_sizes(self) -> Rows:
        """How many of them came from earlier passes."""
        return self.done - self.first


@dataclass(frozen=True)
class Passes:
    """The passes of tile row `index` of `parts`, with strips of `strip` output rows.

    They are worked out in blocks whenever they are asked for, and kept only where one block of a
    group in few parts is all: a deep group in low strips has hundreds of passes of hundreds of
    layers. `sources` are the columns of their tables.
    """

    group: FusedGroup
    parts: int
    index: int
    strip: int | None

    @cached_property
    def shares(self) -> dict[int, Span]:
        return self.group.row_shares(self.parts, self.index)

    @cached_property
    def tile(self) -> dict[int, Span]:
        """The rows of each source that the whole tile needs."""
        return self.group.needed_rows(self.shares)

    @property
    def sources(self) -> tuple[int, ...]:
        return tuple(self.tile)

    def blocks(self) -> Iterator[PassBlock]:
        """All passes, in order; those that would make nothing are left out."""
        if self._kept:
            yield from self._kept
            return
        made: list[PassBlock] = []
        for block in self._worked_out():
            made = [*made[:1], block]
            yield block
        if len(made) == 1 and self.parts <= _FEW_PARTS:
            self._kept.extend(made)

    @property
    def in_one_block(self) -> bool:
        """Whether they are known to be one block, from having been worked out before."""
        return len(self._kept) == 1

    @cached_property
    def _kept(self) -> list[PassBlock]:
        return []

    def _worked_out(self) -> Iterator[PassBlock]:
        begin = self._starts
        first = begin
        for targets in self._targets():
            reached = self._reach(targets)
            before = np.concatenate((begin, reached[:-1]))
            busy = (reached != before).any(axis=1)
            if busy.any():
                done, reached = before[busy], reached[busy]
                following = self._first_held(reached)
                yield PassBlock(np.concatenate((first, following[:-1])), done, reached, following)
                begin, first = reached[-1:], following[-1:]

    @property
    def _starts(self) -> Rows:
        """A table of one pass: the first row of each source."""
        return np.array([[span.start for span in self.tile.values()]], np.int32)

    @property
    def _at_once(self) -> int:
        return max(1, _BLOCK_NUMBERS // max(1, len(self.tile)))

    def _targets(self) -> Iterator[NDArray[np.int64]]:
        """Rows of the last output to aim at, from where nothing is needed yet to the share's end.

        In blocks of a bounded size.
        """
        last, strip = self.group.outputs[-1], self.strip
        share = self.shares[last]
        longest = -(-self.group.wanted(last).rows.size // self.parts)
        if strip is None or strip >= longest:
            yield np.array([share.stop])
            return
        count, target = self._at_once, self._first_target(share.start, strip)
        while target < share.stop:
            block = target + strip * np.arange(count)
            yield block[block < share.stop]
            target += strip * count
        yield np.array([share.stop])

    def _first_target(self, start: int, strip: int) -> int:
        """The last of `start`, `start` - `strip`, ... for which no source needs a row."""
        count = self._at_once
        while True:
            block = start - strip * np.arange(count)
            idle = (self._reach(block) == self._starts).all(axis=1)
            if idle.any():
                return int(block[np.argmax(idle)])
            start = int(block[-1]) - strip

    def _reach(self, targets: NDArray[np.int64]) -> Rows:
        """For each source the row up to which it must exist for the last output to reach a target.

        Other outputs reach the proportional row of their maps. Readers are walked back unclipped
        below their first row, so that virtual targets stay affine; the result is clipped to the
        tile's rows. What is made in blocks of rows is made to the end of one.
        """
        group, shares, tile = self.group, self.shares, self.tile
        last = group.outputs[-1]
        height = group.network.shape(last).height
        unclipped: dict[int, NDArray[np.int64]] = {}
        found = np.empty((len(targets), len(tile)), np.int32)
        for column, source in reversed(tuple(enumerate(tile))):
            reach = np.full(len(targets), _NOWHERE)
            for reader in group.readers[source]:
                read = unclipped[reader]
                window = group.rows(reader, source).receptive(_span(read - 1, read))
                np.maximum(reach, window.stop, out=reach)
            if source in shares:
                own = targets * group.network.shape(source).height // height
                own[targets >= shares[last].stop] = shares[source].stop
                np.maximum(reach, np.minimum(own, shares[source].stop), out=reach)
            if block := group.row_blocks.get(source):
                begun = reach > tile[source].start
                np.copyto(reach, -(-reach // block) * block, where=begun)
            unclipped[source] = np.minimum(reach, tile[source].stop, out=reach)
            found[:, column] = np.maximum(reach, tile[source].start)
        return found

    def _first_held(self, done: Rows) -> Rows:
        """The first row of each source that some reader still needs, given what has been made."""
        group, tile = self.group, self.tile
        column = {source: index for index, source in enumerate(tile)}
        first = done.copy()
        for source, index in column.items():
            for reader in group.readers[source]:
                made = done[:, column[reader]]
                window = group.rows(reader, source).receptive(_span(made, made + 1))
                start = np.maximum(window.start, tile[source].start)
                needed = np.where(made < tile[reader].stop, start, first[:, index])
                np.minimum(first[:, index], needed, out=first[:, index])
        return first


_NOWHERE = np.int64(-(1 << 40))
"""Before any row that a target can be walked back to."""


def _span(start: NDArray[np.integer], stop: NDArray[np.integer]) -> Span:
    """Spans by the elements of arrays: an axis takes them as it takes numbers."""
    return Span(start, stop)  # type: ignore[arg-type]
