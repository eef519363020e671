"""What tiles need of every layer before them: all tiles of a stage together, in one walk back.

What tiles need of a layer depends only on the layers behind it. So one walk back from layer `stop`
serves every first layer: the stage [first, stop) is the part of the walk that ends at `first`.

Regions of all tiles are one array of shape (4, tiles): top, left, bottom, right, half-open. They
are those of ``lowering.regions.region_needs``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Region, Shape, Span
from ftdist.network.graph import Network, is_alias

Regions = NDArray[np.int64]

_FAR = 1 << 40


def regions_of(regions: Sequence[Region]) -> Regions:
    """Regions as one array."""
    return np.array([(top, left, bottom, right) for top, bottom, left, right in regions]).T


def sizes(regions: Regions) -> NDArray[np.int64]:
    """Positions in each region; 0 where it is empty."""
    sides = np.maximum(regions[2:] - regions[:2], 0)
    return np.asarray(sides[0] * sides[1])


def proportional(regions: Regions, shape: Shape, of: Shape) -> Regions:
    """The regions of a map of `shape` in the same proportion as `regions` of a map of shape
    `of`."""
    return np.asarray(regions * _limits(shape) // _limits(of))


def outputs(network: Network, first: int, stop: int) -> list[int]:
    """The layers of a stage that later layers read or that are outputs of the network, in order.

    The last one is the primary output: tiles are regions of it.
    """
    return sorted(n for n, last in network.last_use.items() if first <= n < stop <= last)


@dataclass(frozen=True, slots=True)
class LayerRegions:
    """What all tiles do with one layer: the regions `made`, and the positions in each (`sizes`).

    `reads`: the regions, not clipped to the map, that tiles read of each source outside the stage
    when the stage begins with this layer.
    """

    number: int
    made: Regions
    sizes: NDArray[np.int64]
    reads: dict[int, Regions]


class TileRegions:
    """What tiles, `regions` of the last output before layer `stop`, need of the layers before
    it."""

    def __init__(self, network: Network, stop: int, regions: Regions) -> None:
        self._network = network
        self._outputs = outputs(network, 0, stop)
        self._regions = regions
        self._layers: list[LayerRegions] = []
        self._walk = self._back()

    def layers(self, first: int) -> list[LayerRegions]:
        """What tiles do with the layers of stage [first, stop), from the last layer to the
        first."""
        while not self._layers or self._layers[-1].number > first:
            layer = next(self._walk, None)
            if layer is None:
                break
            self._layers.append(layer)
        return [layer for layer in self._layers if layer.number >= first]

    def inputs(self, first: int) -> dict[int, Regions]:
        """The regions that the tiles of stage [first, stop) need of each source outside."""
        reads = self.layers(first)[-1].reads
        return {each: _clipped(read, self._network.shape(each)) for each, read in reads.items()}

    def _back(self) -> Iterator[LayerRegions]:
        network, primary = self._network, self._outputs[-1]
        wanted = set(self._outputs)
        reads: dict[int, Regions] = {}
        for number in range(primary, -1, -1):
            if is_alias(network.layers[number]):
                continue
            need = reads.pop(number, None)
            shape = network.shape(number)
            if number in wanted:
                own = proportional(self._regions, shape, network.shape(primary))
                own = _with_empty(own, np.stack(2 * [sizes(own) > 0]))
                need = own if need is None else _hull(need, own)
            if need is None:
                continue
            made = _clipped(need, shape)
            for source in dict.fromkeys(network.reads(number)):
                read = _read(network, number, source, made)
                reads[source] = _hull(reads[source], read) if source in reads else read
            yield LayerRegions(number, made, sizes(made), dict(reads))


def _read(network: Network, reader: int, source: int, made: Regions) -> Regions:
    """The regions of a source, not clipped to the map, that a layer reads to make its own."""
    axes, width = network.axes(reader, source), network.shape(source).width
    starts, stops = made[:2], made[2:]
    read = np.empty_like(made)
    read[0], read[2] = axes.rows.receptive(Span(starts[0], stops[0]))
    columns = Span(starts[1], stops[1])
    read[1], read[3] = axes.stored_columns(columns, width)
    return _with_empty(read, stops > starts)


def _with_empty(regions: Regions, full: NDArray[np.bool_]) -> Regions:
    """The regions; sides that are not `full` lie where a hull with other regions ignores them."""
    if full.all():
        return regions
    return np.concatenate([np.where(full, regions[:2], _FAR), np.where(full, regions[2:], -_FAR)])


def _hull(one: Regions, other: Regions) -> Regions:
    return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])


def _clipped(regions: Regions, shape: Shape) -> Regions:
    """The parts that lie on a map; an empty region stops at its start, or before."""
    return np.minimum(np.maximum(regions, 0), _limits(shape))


@cache
def _limits(shape: Shape) -> NDArray[np.int64]:
    height, width, _ = shape
    return np.array([[height], [width], [height], [width]])
