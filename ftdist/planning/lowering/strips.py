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

from ftdist.geometry import Span
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.row_walk import Ends, Rows, RowWalk, Targets

_BLOCK_NUMBERS = 1 << 13
"""Numbers in one table of a block of passes: tables of 32 KiB, however many passes there are."""

_FEW_PASSES = 16
"""In most groups line buffers are warm after so many passes: the first ones are sought there."""

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

    walk: RowWalk
    parts: int
    index: int
    strip: int | None

    @property
    def group(self) -> FusedGroup:
        return self.walk.group

    @property
    def sources(self) -> tuple[int, ...]:
        return self.walk.sources

    @cached_property
    def shares(self) -> dict[int, Span]:
        return self.group.row_shares(self.parts, self.index)

    @cached_property
    def _tile(self) -> tuple[Ends, Ends]:
        """The first row of each source that the whole tile needs, and one past the last."""
        needed = self.group.needed_rows(self.shares).values()
        starts = np.array([each.start for each in needed], np.int32)
        return starts, np.array([each.stop for each in needed], np.int32)

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
        starts, stops = self._tile
        begin = first = starts[np.newaxis]
        if self._is_one_pass:
            if (starts < stops).any():
                end = stops[np.newaxis]
                yield PassBlock(begin, begin, end, end)
            return
        for targets in self._targets():
            reached = self.walk.reach(targets, self.shares, starts, stops)
            before = np.concatenate((begin, reached[:-1]))
            busy = (reached != before).any(axis=1)
            if busy.any():
                done, reached = before[busy], reached[busy]
                following = self.walk.first_held(reached, starts, stops)
                yield PassBlock(np.concatenate((first, following[:-1])), done, reached, following)
                begin, first = reached[-1:], following[-1:]

    @property
    def _is_one_pass(self) -> bool:
        """Whether one pass makes the tile: then it makes all rows that are needed, keeping none."""
        longest = -(-self.group.wanted(self.group.outputs[-1]).rows.size // self.parts)
        return self.strip is None or self.strip >= longest

    @property
    def _block_passes(self) -> int:
        return max(1, _BLOCK_NUMBERS // max(1, len(self.sources)))

    def _targets(self) -> Iterator[Targets]:
        """Rows of the last output to aim at, from where nothing is needed yet to the share's end.

        In blocks of a bounded size.
        """
        strip, share = self.strip or 1, self.shares[self.group.outputs[-1]]
        first = self._first_target(share.start, strip)
        last = -(-(share.stop - first) // strip)
        for begin in range(0, last + 1, self._block_passes):
            numbers = np.arange(begin, min(begin + self._block_passes, last + 1))
            yield np.minimum(first + strip * numbers, share.stop)

    def _first_target(self, start: int, strip: int) -> int:
        """The last of `start`, `start` - `strip`, ... for which no source needs a row."""
        starts, stops = self._tile
        count = min(_FEW_PASSES, self._block_passes)
        while True:
            block = start - strip * np.arange(count)
            reached = self.walk.reach(block, self.shares, starts, stops)
            idle = (reached == starts).all(axis=1)
            if idle.any():
                return int(block[np.argmax(idle)])
            start = int(block[-1]) - strip
            count = min(2 * count, self._block_passes)
