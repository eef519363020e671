"""Passes one by one, by source, as tests look at them."""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.geometry import Span
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.row_walk import RowWalk
from ftdist.planning.lowering.strips import Passes


@dataclass(frozen=True)
class Pass:
    """For each source the rows in memory during the pass, and those that are made in it."""

    held: dict[int, Span]
    new: dict[int, Span]

    def kept(self, source: int) -> Span:
        """The rows of a source that came from earlier passes."""
        return Span(self.held[source].start, self.new[source].start)


def passes(group: FusedGroup, parts: int, index: int, strip: int | None) -> list[Pass]:
    """The passes of a tile row; that each says what the next one keeps is asserted."""
    every = Passes(RowWalk(group), parts, index, strip)
    sources, found = every.sources, []
    expected = None
    for block in every.blocks():
        tables = (block.first, block.done, block.reached, block.following)
        for first, done, reached, following in zip(*(t.tolist() for t in tables), strict=True):
            assert expected in (None, first)
            expected = following
            held = dict(zip(sources, map(Span, first, reached), strict=True))
            found.append(Pass(held, dict(zip(sources, map(Span, done, reached), strict=True))))
    return found
