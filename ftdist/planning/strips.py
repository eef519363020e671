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

from ftdist.geometry import Span
from ftdist.planning.group import FusedGroup


@dataclass(frozen=True, slots=True)
class Pass:
    """One strip of one tile: for each input and member of the group, by number.

    `held` are the rows in memory during the pass (kept ones and new ones), `new` those that are
    computed or loaded in it. Rows of `held` before `new` were kept from the pass before.
    """

    held: dict[int, Span]
    new: dict[int, Span]

    def kept(self, source: int) -> Span:
        """The rows of a source that came from earlier passes."""
        return Span(self.held[source].start, self.new[source].start)


def passes(group: FusedGroup, parts: int, index: int, strip: int | None) -> list[Pass]:
    """The passes of tile row `index` of `parts`, with strips of `strip` output rows."""
    shares = group.row_shares(parts, index)
    tile = group.needed_rows(shares)
    done = {source: span.start for source, span in tile.items()}
    found = []
    for target in _targets(group, shares, tile, parts, strip):
        reached = _reach(group, shares, tile, target)
        if reached == done:
            continue
        new = {source: Span(done[source], reached[source]) for source in tile}
        held = {
            source: Span(_first_held(group, source, tile, done), reached[source]) for source in tile
        }
        found.append(Pass(held, new))
        done = reached
    return found


def _targets(
    group: FusedGroup,
    shares: dict[int, Span],
    tile: dict[int, Span],
    parts: int,
    strip: int | None,
) -> Iterator[int]:
    """Rows of the last output to aim at, from where nothing is needed yet up to the share's end."""
    share = shares[group.outputs[-1]]
    longest = -(-group.wanted(group.outputs[-1]).rows.size // parts)
    if strip is None or strip >= longest:
        yield share.stop
        return
    nothing = {source: span.start for source, span in tile.items()}
    target = share.start
    while _reach(group, shares, tile, target) != nothing:
        target -= strip
    while target < share.stop:
        yield target
        target += strip
    yield share.stop


def _reach(
    group: FusedGroup, shares: dict[int, Span], tile: dict[int, Span], target: int
) -> dict[int, int]:
    """For each source the row up to which it must exist for the last output to reach `target`.

    Other outputs reach the proportional row of their maps. Readers are walked back unclipped below
    their first row, so that virtual targets stay affine; the result is clipped to the tile's rows.
    """
    last = group.outputs[-1]
    height = group.network.shape(last).height
    unclipped: dict[int, int] = {}
    for source in reversed(tuple(tile)):
        reaches = [
            group.rows(reader, source)
            .receptive(Span(unclipped[reader] - 1, unclipped[reader]))
            .stop
            for reader in group.readers[source]
        ]
        if source in shares:
            own = shares[source].stop
            if target < shares[last].stop:
                own = min(own, target * group.network.shape(source).height // height)
            reaches.append(own)
        unclipped[source] = min(max(reaches), tile[source].stop)
    return {source: max(tile[source].start, reach) for source, reach in sorted(unclipped.items())}


def _first_held(group: FusedGroup, source: int, tile: dict[int, Span], done: dict[int, int]) -> int:
    """The first row of a source that some reader still needs, given what has been computed."""
    first = done[source]
    for reader in group.readers[source]:
        if done[reader] < tile[reader].stop:
            window = group.rows(reader, source).receptive(Span(done[reader], done[reader] + 1))
            first = min(first, max(window.start, tile[source].start))
    return first
