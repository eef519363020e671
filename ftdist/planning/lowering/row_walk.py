"""The walk over rows: how far maps must exist, and which of their rows readers still need.

Both questions are asked for many passes at a time, so the answers are tables with a row a pass and
a column a source of the group, and the geometry is taken as numbers (``AxisTerms``). How far a map
must exist depends on its readers, so sources are walked back one after the other. Which rows are
still needed depends on what was made alone: there all readers of the same geometry are one step.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import AxisTerms, Span
from ftdist.planning.group import FusedGroup

Rows = NDArray[np.int32]
"""Row numbers by [pass, source]."""

Ends = NDArray[np.int32]
"""Where the rows of a tile begin, or end, by source."""

Targets = NDArray[np.int64]
"""Rows of a group's last output to aim at."""

_Terms = tuple[AxisTerms, ...]


class _Readings(NamedTuple):
    """Pairs of a source and a reader of the same geometry: their columns; no source twice."""

    terms: _Terms
    sources: NDArray[np.intp]
    readers: NDArray[np.intp]


@dataclass(frozen=True)
class RowWalk:
    """The rows of a group's maps, walked back; its tables have a column for each of `sources`."""

    group: FusedGroup

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """The inputs and members, in the order in which ``needed_rows`` names them."""
        return (*self.group.inputs, *self.group.members)

    @cached_property
    def _column(self) -> dict[int, int]:
        return {source: column for column, source in enumerate(self.sources)}

    @cached_property
    def _read_by(self) -> tuple[tuple[tuple[int, _Terms], ...], ...]:
        """For each source its readers' columns, and what these read of it: a geometry is held
        once."""
        group = self.group
        known: dict[_Terms, _Terms] = {}
        found = []
        for source in self.sources:
            readers = group.readers[source]
            terms = (group.rows(reader, source).terms() for reader in readers)
            same = (known.setdefault(each, each) for each in terms)
            found.append(tuple(zip(map(self._column.__getitem__, readers), same, strict=True)))
        return tuple(found)

    @cached_property
    def _alike(self) -> tuple[_Readings, ...]:
        """All readings: those of the same geometry together, a source's second one apart."""
        found: dict[tuple[_Terms, int], list[tuple[int, int]]] = {}
        for source, readers in enumerate(self._read_by):
            met: dict[_Terms, int] = {}
            for reader, terms in readers:
                met[terms] = number = met.get(terms, -1) + 1
                found.setdefault((terms, number), []).append((source, reader))
        return tuple(
            _Readings(terms, *(np.array(columns, np.intp) for columns in zip(*pairs, strict=True)))
            for (terms, _), pairs in found.items()
        )

    def reach(
        self, targets: Targets, shares: Mapping[int, Span], starts: Ends, stops: Ends
    ) -> Rows:
        """For each source the row up to which it must exist for the last output to reach a target.

        Of a tile with these shares, and with the rows [start, stop) of each source. Other outputs
        reach the proportional row of their maps. Readers are walked back unclipped below their
        first row, so that virtual targets stay affine; the result is clipped to the tile's rows.
        What is made in blocks of rows is made to the end of one.
        """
        unclipped = np.empty((len(self.sources), len(targets)), np.int64)
        blocks = self.group.row_blocks
        for column in reversed(range(len(self.sources))):
            source, own = self.sources[column], unclipped[column]
            reaches: Iterable[Any] = (
                term.stop(unclipped[reader])
                for reader, terms in self._read_by[column]
                for term in terms
            )
            if source in shares:
                reaches = itertools.chain(self._shared(targets, source, shares), reaches)
            _largest(reaches, own)
            if block := blocks.get(source):
                begun = own > starts[column]
                np.copyto(own, -(-own // block) * block, where=begun)
            np.minimum(own, stops[column], out=own)
        found = np.empty((len(targets), len(self.sources)), np.int32)
        found[:] = np.maximum(unclipped, starts[:, np.newaxis], out=unclipped).T
        return found

    def _shared(
        self, targets: Targets, source: int, shares: Mapping[int, Span]
    ) -> Iterator[Targets]:
        """How far an output must exist for its own sake."""
        network, last = self.group.network, self.group.outputs[-1]
        own = targets * network.shape(source).height // network.shape(last).height
        own[targets >= shares[last].stop] = shares[source].stop
        yield np.minimum(own, shares[source].stop)

    def first_held(self, done: Rows, starts: Ends, stops: Ends) -> Rows:
        """The first row of each source that some reader still needs, given what has been made."""
        first = done.copy()
        for each in self._alike:
            made, held = done[:, each.readers], first[:, each.sources]
            read = reduce(np.minimum, (term.start(made) for term in each.terms))
            needed = np.maximum(read, starts[each.sources])
            np.minimum(held, needed, out=held, where=made < stops[each.readers])
            first[:, each.sources] = held
        return first


def _largest(numbers: Iterable[Any], out: NDArray[Any]) -> None:
    """The largest of some arrays, element by element."""
    each = iter(numbers)
    out[:] = next(each)
    for other in each:
        np.maximum(out, other, out=out)
