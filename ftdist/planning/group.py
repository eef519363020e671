"""A fused group seen from inside: who makes what, who reads it, and which part of it a tile needs.

A group is layers [first, stop). Its *members* are the layers that compute something; its *inputs*
are the maps it reads from outside, its *outputs* those of its members that outside needs. Aliases
are resolved, so everything here speaks of sources: a number names the map that layer makes, INPUT
the network's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ftdist.geometry import Axis, Span, partition
from ftdist.network.graph import Network, is_alias
from ftdist.network.layers import Convolution
from ftdist.planning.pools import pools_taken_along


@dataclass(frozen=True)
class FusedGroup:
    """Layers [first, stop) of a network."""

    network: Network
    first: int
    stop: int

    @cached_property
    def members(self) -> tuple[int, ...]:
        layers = self.network.layers
        return tuple(n for n in range(self.first, self.stop) if not is_alias(layers[n]))

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Sources outside the group that it reads, in ascending order."""
        read = {source for member in self.members for source in self.network.reads(member)}
        return tuple(sorted(source for source in read if source < self.first))

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Members that later layers read or that are outputs of the network."""
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
    def pooled(self) -> dict[int, int]:
        """Convolutions that take their pool along, and the pool: one kernel, no map between."""
        pairs = pools_taken_along(self.network).items()
        return {each: pool for each, pool in pairs if each in self.members and pool in self.members}

    @cached_property
    def taken_along(self) -> dict[int, int]:
        """The inverse of `pooled`: for such a pool its convolution."""
        return {pool: each for each, pool in self.pooled.items()}

    @cached_property
    def made_with(self) -> dict[int, int]:
        """For each input and member the member in whose step it is made: itself, or its pool."""
        return {each: self.pooled.get(each, each) for each in (*self.inputs, *self.members)}

    def rows(self, reader: int, source: int) -> Axis:
        """How rows of `reader` depend on rows of `source`."""
        return self.network.layers[reader].operation.rows(self.network.shape(source))

    def row_shares(self, parts: int, index: int) -> dict[int, Span]:
        """The rows of each output that tile row `index` of `parts` owns."""
        return {o: partition(self.network.shape(o).height, parts)[index] for o in self.outputs}

    def column_shares(self, parts: int, index: int) -> dict[int, Span]:
        """The columns of each output that tile column `index` of `parts` owns."""
        return {o: partition(self.network.shape(o).width, parts)[index] for o in self.outputs}

    def needed_rows(self, shares: dict[int, Span]) -> dict[int, Span]:
        """For each input and member the rows, on its map, that a tile with these shares needs."""
        needed: dict[int, Span] = {}
        for source in reversed((*self.inputs, *self.members)):
            span = shares.get(source, Span(0, 0))
            for reader in self.readers[source]:
                if needed[reader].size:
                    span = span.hull(self.rows(reader, source).receptive(needed[reader]))
            needed[source] = span.clipped(self.network.shape(source).height)
        return dict(reversed(needed.items()))

    def needed_columns(self, parts: int, index: int) -> dict[int, Span]:
        """For each input and member the columns that tile column `index` of `parts` stores.

        Columns off the map are the zero padding that convolutions read; only those on the map are
        computed.
        """
        shares = self.column_shares(parts, index)
        stored: dict[int, Span] = {}
        for source in reversed((*self.inputs, *self.members)):
            span = shares.get(source, Span(0, 0))
            for reader in self.readers[source]:
                span = span.hull(columns_read(self.network, reader, source, stored[reader]))
            stored[source] = span
        return dict(reversed(stored.items()))


def columns_read(network: Network, reader: int, source: int, stored: Span) -> Span:
    """The columns of `source` that must be stored for `reader` to make the columns it stores.

    Off the map lies the zero padding that convolutions read. Who reads nothing else still gets the
    column beside it, so that every kernel has columns to compute.
    """
    layer, width = network.layers[reader], network.shape(source).width
    axis = layer.operation.columns(network.shape(source))
    read = axis.receptive(stored.clipped(layer.shape.width))
    if not isinstance(layer.operation, Convolution):
        return read.clipped(width)
    beside = min(max(read.start, 0), width - 1)
    return read.hull(Span(beside, beside + 1))
