"""Costs and memory of every group that ends at one layer, for all strip heights at once.

What a tile needs of a layer depends only on the layers behind it. So one backward pass from a
group's last layer serves every possible first layer: after each layer the group that begins there
is complete, and what it reads from outside are its inputs. The passes of all tiles and all strip
heights lie side by side in one vector, so a layer takes a few vector operations. The formulas are
those of ``strips.passes``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Span, partition
from ftdist.network.graph import Network, is_alias
from ftdist.planning.fused_pools import row_blocks
from ftdist.planning.group import columns_read

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

STRIPS = (None, 64, 32, 16, 8, 4, 2, 1)
"""Strip heights that are tried; None is the whole tile. Chosen, not measured: heights in between
would make more candidates for a few percent of time or memory."""

_FAR = 1 << 40


@dataclass(frozen=True, slots=True)
class LayerExtent:
    """What a group does with one source, for each strip height.

    `held`: the most rows in memory in a pass; `kept`: the most rows kept from one pass to the next;
    `moved`: the sum of rows kept over all passes. `calls`: passes that make rows. `rows`: the rows
    made in all tiles. `stored`: the most columns stored; `columns`: those made in each tile column.
    """

    held: Rows
    kept: Rows
    calls: Rows
    moved: Rows
    rows: int
    stored: int
    columns: tuple[int, ...]


@dataclass(slots=True)
class _Need:
    """What the readers seen so far need of a source: rows by pass, first rows by tile, columns."""

    reach: Rows
    first: Rows
    start: Rows
    columns: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Passes:
    """All passes: for each its target row, its tile, and whether it is the tile's last.

    `begins` are the indices where a tile's passes of one strip height begin, tile by tile.
    """

    strips: tuple[int | None, ...]
    target: Rows
    tile: Rows
    last: NDArray[np.bool_]
    begins: Rows


class BackwardPass:
    """A walk back from layer `stop` - 1 over tiles in a grid of `rows` x `columns`.

    `strips`: those of the strip heights `tried` that are lower than a tile, and None; empty where
    the grid does not fit the group's outputs.
    """

    def __init__(
        self,
        network: Network,
        stop: int,
        rows: int,
        columns: int,
        tried: tuple[int | None, ...] = STRIPS,
    ) -> None:
        self._network = network
        self._stop = stop
        self._tiles = rows, columns
        self._needs: dict[int, _Need] = {}
        self._blocks = row_blocks(network)
        self._known: dict[int, tuple[_Need, tuple[Rows, Rows, LayerExtent]]] = {}
        self.outputs = [
            number
            for number in range(stop)
            if not is_alias(network.layers[number]) and network.last_use.get(number, -1) >= stop
        ]
        self.primary = self.outputs[-1]
        shapes = [network.shape(output) for output in self.outputs]
        self.strips: tuple[int | None, ...] = ()
        if all(rows <= shape.height and columns <= shape.width for shape in shapes):
            self.passes = self._lay_out_passes(tried)
            self.strips = self.passes.strips

    def members(self) -> Iterator[tuple[int, LayerExtent, dict[int, LayerExtent]]]:
        """Yields the layers that compute something, from the last to the first.

        (layer, its extent, the extents of what it reads if the group begins at this layer)
        """
        for number in range(self._stop - 1, -1, -1):
            if is_alias(self._network.layers[number]) or number > self.primary:
                continue
            need = self._needs.pop(number, None)
            if number in self.outputs:
                need = self._with_share(number, need)
            if need is None:
                continue
            made, before, extent = self._extent(number, need)
            self._known.pop(number, None)  # not needed again: deep groups would hold many
            reads = dict.fromkeys(self._network.reads(number))
            for source in reads:
                self._add_reader(source, number, need, made, before)
            inputs = {each: self._extent(each, self._needs[each])[2] for each in reads}
            yield number, extent, inputs

    def _lay_out_passes(self, tried: tuple[int | None, ...]) -> Passes:
        height = self._network.shape(self.primary).height
        tiles = partition(height, self._tiles[0])
        longest = max(tile.size for tile in tiles)
        strips = tuple(s for s in tried if s is None or s < longest)
        warm_up = self._warm_up()
        target: list[int] = []
        tile_of: list[int] = []
        last: list[bool] = []
        begins: list[int] = []
        for index, tile in enumerate(tiles):
            for strip in strips:
                begins.append(len(target))
                step = tile.size if strip is None else strip
                early = 0 if strip is None else -(-warm_up // step)
                rows = list(range(tile.start - early * step, tile.stop, step))
                rows = [row for row in rows if strip is not None and row < tile.stop]
                rows.append(tile.stop)
                target += rows
                tile_of += [index] * len(rows)
                last += [False] * (len(rows) - 1) + [True]
        return Passes(strips, np.array(target), np.array(tile_of), np.array(last), np.array(begins))

    def _warm_up(self) -> int:
        """Rows ahead of a tile's first at which nothing is needed yet: enough, a power of two.

        Targets of -1, -2, -4, ... are walked back beside the first row of a tile that begins at row
        0, both unclipped, so that what holds at row 0 holds at the first row of any tile. A layer
        that reads a whole map needs it from row 0 on, so passes of later tiles begin earlier.
        """
        network = self._network
        height = network.shape(self.primary).height
        ahead = -(1 << np.arange(2 + (4 * height).bit_length()))
        reach: dict[int, Rows] = {}
        first: dict[int, int] = {}
        whole = False
        for number in range(self.primary, -1, -1):
            if number in self.outputs:
                own = ahead * network.shape(number).height // height
                reach[number] = np.maximum(reach.get(number, own), own)
                first[number] = min(first.get(number, 0), 0)
            if number not in reach or is_alias(network.layers[number]):
                continue
            for source in network.reads(number):
                axis = network.axes(number, source).rows
                whole |= any(term.whole for term in axis.terms())
                stop = np.asarray(axis.receptive(_before(reach[number])).stop)
                start = axis.receptive(Span(first[number], first[number] + 1)).start
                reach[source] = np.maximum(reach.get(source, stop), stop)
                first[source] = min(first.get(source, start), start)
        settled = np.all([reach[source] <= first[source] for source in reach], axis=0)
        enough = int(-ahead[np.argmax(settled)]) if settled.any() else int(-ahead[-1])
        if self._blocks:
            enough *= 2  # tiles begin between blocks too
        return enough + partition(height, self._tiles[0])[-1].start if whole else enough

    def _with_share(self, number: int, need: _Need | None) -> _Need:
        """A need, with the tiles' own shares of an output added."""
        shape = self._network.shape(number)
        shares = partition(shape.height, self._tiles[0])
        stop = np.array([share.stop for share in shares])[self.passes.tile]
        height = self._network.shape(self.primary).height
        own = np.where(self.passes.last, stop, self.passes.target * shape.height // height)
        start = np.array([share.start for share in shares])
        columns = partition(shape.width, self._tiles[1])
        if need is None:
            return _Need(own, np.full(len(own), _FAR), start, columns)
        hulls = tuple(a.hull(b) for a, b in zip(need.columns, columns, strict=True))
        return _Need(np.maximum(need.reach, own), need.first, np.minimum(need.start, start), hulls)

    def _extent(self, source: int, need: _Need) -> tuple[Rows, Rows, LayerExtent]:
        """(rows made by the end of each pass, rows made before it, the source's extent).

        What one group reads the next longer group makes, so the last result is kept.
        """
        known = self._known.get(source)
        if known is None or known[0] is not need:
            known = self._known[source] = need, self._new_extent(source, need)
        return known[1]

    def _new_extent(self, source: int, need: _Need) -> tuple[Rows, Rows, LayerExtent]:
        shape = self._network.shape(source)
        begins = self.passes.begins
        start = need.start[self.passes.tile]
        made = np.maximum(np.minimum(self._reach(source, need), shape.height), start)
        before = np.empty_like(made)
        before[1:] = made[:-1]
        before[begins] = start[begins]
        first = np.minimum(need.first, before)
        tiles = len(need.start), len(self.strips)
        held = np.maximum.reduceat(made - first, begins).reshape(tiles)
        kept = np.maximum.reduceat(before - first, begins).reshape(tiles)
        calls = np.add.reduceat(made > before, begins, dtype=np.int64).reshape(tiles)
        moved = np.add.reduceat((before - first) * (made > before), begins).reshape(tiles)
        rows = int((made[self.passes.last] - start[self.passes.last]).sum()) // len(self.strips)
        on_map = tuple(span.clipped(shape.width).size for span in need.columns)
        extent = LayerExtent(
            held.max(axis=0),
            kept.max(axis=0),
            calls.sum(axis=0),
            moved.sum(axis=0),
            rows,
            max(span.size for span in need.columns),
            on_map,
        )
        return made, before, extent

    def _reach(self, source: int, need: _Need) -> Rows:
        """The rows up to which a source is needed; begun blocks of rows are made to their end."""
        block = self._blocks.get(source)
        if block is None:
            return need.reach
        ends = np.append(self.passes.begins[1:], len(need.reach)) - 1
        stop = need.reach[ends].reshape(len(need.start), -1)[:, 0][self.passes.tile]
        rounded = np.minimum(-(-need.reach // block) * block, stop)
        return np.where(need.reach > need.start[self.passes.tile], rounded, need.reach)

    def _add_reader(self, source: int, reader: int, need: _Need, made: Rows, before: Rows) -> None:
        """Adds what `reader` needs of `source` to make rows up to `made` in each pass."""
        rows = self._network.axes(reader, source).rows
        height = self._network.shape(reader).height
        reached = np.minimum(self._reach(reader, need), height)
        reach = np.asarray(rows.receptive(_before(reached)).stop)
        begins = self.passes.begins
        ends = np.append(begins[1:], len(made)) - 1
        stop = made[ends].reshape(len(need.start), -1)[:, 0]
        window = np.maximum(rows.receptive(Span(before, before + 1)).start, 0)  # type: ignore[arg-type]
        first = np.where(before < stop[self.passes.tile], window, _FAR)
        start = np.maximum(rows.receptive(Span(need.start, stop)).start, 0 * stop)  # type: ignore[arg-type]
        columns = tuple(columns_read(self._network, reader, source, s) for s in need.columns)
        known = self._needs.get(source)
        if known is not None:
            reach, first = np.maximum(known.reach, reach), np.minimum(known.first, first)
            start = np.minimum(known.start, start)
            columns = tuple(a.hull(b) for a, b in zip(known.columns, columns, strict=True))
        self._needs[source] = _Need(reach, first, start, columns)


def _before(stop: Rows) -> Span:
    """The spans of one row that end at each of `stop`; axes take arrays as they take numbers."""
    return Span(stop - 1, stop)  # type: ignore[arg-type]
