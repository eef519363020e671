"""A fused group from inside: who makes what, who reads it, and which part of it a tile needs.

A group is layers [first, stop). Its *members* are the layers that compute something; its *inputs*
are the maps it reads from outside, its *outputs* those of its members that outside needs. Aliases
are resolved, so numbers here are sources: each names the map that a layer makes, or INPUT.

Outside may need only a region of each output: the group's *frame*. Grids then cut the frame, and
layers that nothing in the frame needs are not members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ftdist.geometry import Axis, Region, Span
from ftdist.network.graph import Network, is_alias
from ftdist.network.implementations import DIRECT
from ftdist.planning.fused_pools import fused_pools, row_blocks


@dataclass(frozen=True)
class FusedGroup:
    """Layers [first, stop) of a network, for the regions of its outputs in `frame`.

    Without a frame outside needs the whole maps. An output that is not in the frame, or whose
    region is empty, is made as far as others need it and not for its own sake.
    """

    network: Network
    first: int
    stop: int
    frame: Mapping[int, Region] | None = None

    @cached_property
    def members(self) -> tuple[int, ...]:
        layers = self.network.layers
        if self.frame is None:
            return tuple(n for n in range(self.first, self.stop) if not is_alias(layers[n]))
        needed = set(self.outputs)
        for number in range(self.stop - 1, self.first - 1, -1):
            if number in needed:
                needed.update(self.network.reads(number))
        return tuple(sorted(number for number in needed if number >= self.first))

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Sources outside the group that it reads, in ascending order."""
        read = {source for member in self.members for source in self.network.reads(member)}
        return tuple(sorted(source for source in read if source < self.first))

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Members that later layers read or that are outputs of the network, if in the frame."""
        if self.frame is not None:
            return tuple(sorted(o for o, region in self.frame.items() if region.size))
        return tuple(m for m in self.members if self.network.last_use[m] >= self.stop)

    @cached_property
    def readers(self) -> dict[int, tuple[int, ...]]:
        """For each input and member the members that read it, in order."""
        found: dict[int, list[int]] = {source: [] for source in (*self.inputs, *self.members)}
        for member in self.members:
            for source in dict.fromkeys(self.network.reads(member)):
                found[source].append(member)
        return {source: tuple(members) for source, members in found.items()}

    @cached_property
    def fused_pool(self) -> dict[int, int]:
        """For each convolution with a fused pool that pool: one kernel makes both."""
        pairs = fused_pools(self.network).items()
        return {each: pool for each, pool in pairs if each in self.members and pool in self.members}

    @cached_property
    def fused_into(self) -> dict[int, int]:
        """The inverse of `fused_pool`: for each fused pool its convolution."""
        return {pool: each for each, pool in self.fused_pool.items()}

    @cached_property
    def made_with(self) -> dict[int, int]:
        """For each input and member the member in whose step it is made: itself, or its pool."""
        return {each: self.fused_pool.get(each, each) for each in (*self.inputs, *self.members)}

    @cached_property
    def transformed(self) -> tuple[int, ...]:
        """Members whose weights are transformed first: each lies in a base behind those of maps."""
        found = []
        for number in self.members:
            layer = self.network.layers[number]
            if layer.algorithm != DIRECT.name:
                operation, (source, *_) = self.network.asked(number)
                if not layer.implementation.form(operation, source).stored:
                    found.append(number)
        return tuple(found)

    @cached_property
    def row_blocks(self) -> dict[int, int]:
        """Rows that are made at one time, by source, where these are more than one."""
        return row_blocks(self.network)

    def wanted(self, output: int) -> Region:
        """The region of an output that is needed outside the group."""
        if self.frame is not None:
            return self.frame[output]
        return whole_map(self.network, output)

    def grid(self, rows: int, columns: int) -> tuple[int, int]:
        """The grid that really cuts the frame: every tile has a part of every output."""
        for output in self.outputs:
            region = self.wanted(output)
            rows, columns = min(rows, region.rows.size), min(columns, region.columns.size)
        return rows, columns

    def rows(self, reader: int, source: int) -> Axis:
        """How rows of `reader` depend on rows of `source`."""
        return self.network.axes(reader, source).rows

    def row_shares(self, parts: int, index: int) -> dict[int, Span]:
        """The rows of each output that tile row `index` of `parts` owns."""
        return {o: _share(self.wanted(o).rows, parts, index) for o in self.outputs}

    def column_shares(self, parts: int, index: int) -> dict[int, Span]:
        """The columns of each output that tile column `index` of `parts` owns."""
        return {o: _share(self.wanted(o).columns, parts, index) for o in self.outputs}

    def needed_rows(self, shares: Mapping[int, Span]) -> dict[int, Span]:
        """For each input and member the rows, on its map, that a tile with these shares needs."""
        needed: dict[int, Span] = {}
        for source in reversed((*self.inputs, *self.members)):
            span = shares.get(source, Span(0, 0))
            for reader in self.readers[source]:
                if needed[reader].size:
                    span = span.hull(self.rows(reader, source).receptive(needed[reader]))
            needed[source] = span.clipped(self.network.shape(source).height)
        return dict(reversed(needed.items()))

    def needed_columns(self, shares: Mapping[int, Span]) -> dict[int, Span]:
        """For each input and member the columns that a tile with these shares stores.

        Columns off the map are the zero padding that convolutions read; only those on the map are
        computed.
        """
        stored: dict[int, Span] = {}
        for source in reversed((*self.inputs, *self.members)):
            span = shares.get(source, Span(0, 0))
            for reader in self.readers[source]:
                span = span.hull(columns_read(self.network, reader, source, stored[reader]))
            stored[source] = span
        return dict(reversed(stored.items()))

    def needed(self, sources: Iterable[int]) -> dict[int, Region]:
        """The regions of these sources, on their maps, that the whole frame needs."""
        rows = self.needed_rows(self.row_shares(1, 0))
        columns = self.needed_columns(self.column_shares(1, 0))
        found = {}
        for source in sources:
            width = self.network.shape(source).width
            found[source] = Region(*rows[source], *columns[source].clipped(width))
        return found


def whole_map(network: Network, source: int) -> Region:
    """The region that is a whole map."""
    height, width, _ = network.shape(source)
    return Region(0, height, 0, width)


def lies_between(network: Network, source: int) -> bool:
    """Whether a map lies in the block, once groups make and read it: it is nobody else's array."""
    return source >= 0 and source not in network.output_sources


def stays_on_map(network: Network, reader: int, source: int) -> bool:
    """Whether `reader` reads no columns beside the map of `source`: it can read it as it lies."""
    read = columns_read(network, reader, source, Span(0, network.shape(reader).width))
    return read.start >= 0 and read.stop <= network.shape(source).width


def read_as_it_lies(network: Network, reader: int, source: int) -> bool:
    """Whether a group with `reader` can read a map where it lies, as far as that layer goes."""
    return lies_between(network, source) and stays_on_map(network, reader, source)


def columns_read(network: Network, reader: int, source: int, stored: Span) -> Span:
    """The columns of `source` that must be stored for `reader` to make the columns it stores."""
    axes, width = network.axes(reader, source), network.shape(source).width
    read = axes.stored_columns(stored.clipped(network.shape(reader).width), width)
    return read if axes.padded else read.clipped(width)


def _share(span: Span, parts: int, index: int) -> Span:
    """Number `index` of the `parts` spans of about the same size that a span is cut into."""
    size = span.size
    return Span(span.start + index * size // parts, span.start + (index + 1) * size // parts)
