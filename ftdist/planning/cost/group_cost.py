"""Time and memory of one group, layer after layer from the last to the first.

A ``BackwardPass`` says which rows of each layer a group makes and keeps, for all strip heights at
once; here that becomes seconds, by a device profile, and bytes. The bytes are a lower bound, the
most that is in use at one moment: placing buffers exactly costs more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network.graph import Network
from ftdist.network.implementations import DIRECT
from ftdist.planning.cost.backward_pass import BackwardPass, LayerExtent
from ftdist.planning.cost.kernels import LayerCost, copy_row_s, layer_cost, transformed_input_s
from ftdist.planning.fused_pools import fused_pools
from ftdist.planning.group import read_as_it_lies
from ftdist.planning.lowering.placement import ALIGNMENT_BYTES
from ftdist.planning.profile import DeviceProfile

Numbers = NDArray[np.float64]

_UNHIDDEN = 2 / 3
"""How much of the time of moving so many bytes of maps fetching Winograd's weights adds: 0.6 to 0.7
in layers of 7x7 to 28x28 positions, 128 to 512 channels, on a processor with AVX-512."""


@dataclass(frozen=True)
class CostContext:
    """What all groups of a network on a device have in common.

    `frame_bytes`: the weights that a frame reads. `weights_once_s`: seconds for each of these bytes
    when it is read once for each frame. `fused_pools`: for each convolution with a fused pool that
    pool.
    """

    network: Network
    profile: DeviceProfile
    frame_bytes: float
    weights_once_s: float
    fused_pools: dict[int, int]

    @classmethod
    def of(cls, network: Network, profile: DeviceProfile) -> CostContext:
        frame_bytes = sum(4.0 * network.macs(n) for n in range(len(network.layers)))
        for number, _ in network.arithmetic:
            whole = layer_cost(network, number, 1, profile).weight_bytes
            frame_bytes += whole - 4.0 * network.macs(number)
        once = profile.weights_s_per_byte(np.array([frame_bytes]))
        return cls(network, profile, frame_bytes, float(once[0]), fused_pools(network))

    def map_traffic_s(self, source: int) -> float:
        """Seconds of moving a whole map in or out: other groups run before the map is used again.

        Each byte moves twice, because a cache fetches a line before it is written.
        """
        size = float(self.network.shape(source).bytes)
        beside = self.profile.traffic_s_per_byte(np.array([size + self.frame_bytes]))
        return 2 * size * float(beside[0])

    def fetching_s(self, number: int, weight_bytes: float) -> float:
        """Seconds of fetching a layer's weights, of so many bytes, that Winograd's products do not
        hide.

        They do less with each than direct kernels, whose time is hardly longer for it.
        """
        if self.network.layers[number].algorithm == DIRECT.name:
            return 0.0
        beside = self.profile.traffic_s_per_byte(np.array([self.frame_bytes]))
        return _UNHIDDEN * weight_bytes * float(beside[0])

    def input_s(self, number: int) -> float:
        """Seconds in which one thread prepares all that a layer reads: copies it where it cannot
        be read as it lies, and transforms it for Winograd's kernel."""
        network, profile = self.network, self.profile
        seconds = transformed_input_s(network, number, profile)
        for source in network.reads(number):
            if not read_as_it_lies(network, number, source):
                shape, planar = network.shape(source), source in network.planar_sources
                seconds += shape.height * copy_row_s(shape, shape.width, planar, profile)
        return seconds


class GroupCost:
    """Time and memory of the group so far, for each strip height of a backward pass."""

    def __init__(self, context: CostContext, backward: BackwardPass) -> None:
        self.weight_bytes = 0
        self.context = context
        self._network = context.network
        self._backward = backward
        self._profile = context.profile
        self._planar = context.network.planar_sources
        strips = len(backward.strips)
        self._member_s = np.zeros(strips)
        self._weights_read = np.zeros(strips)
        self._chunks_read = np.zeros(strips)
        self._file_read = np.zeros(strips)
        self._transform_s = np.zeros(strips)
        self._kept = np.zeros(strips)
        self._inputs: dict[int, tuple[Numbers, Numbers]] = {}
        self._last_reader: dict[int, int] = {}
        self._buffers: dict[int, tuple[int, int, Numbers]] = {}
        self._live = np.zeros((backward.primary + 1, strips))
        self._traffic_bytes = 0
        self._made: set[int] = set()
        self._copied: set[int] = set()

    def add_layer(self, number: int, extent: LayerExtent, inputs: dict[int, LayerExtent]) -> None:
        """Adds a layer in front of the group; `inputs`: what the group needs of the maps it
        reads."""
        network, profile = self._network, self._profile
        self._inputs.pop(number, None)
        self._made.add(number)
        costs = [layer_cost(network, number, width, profile) for width in extent.columns]
        self._member_s += self._make_s(number, extent, costs)
        reads = extent.calls * len(costs)
        reads = np.maximum(reads, extent.rows * sum(extent.columns) / costs[0].batch)
        self._weights_read += reads * costs[0].weight_bytes
        self._chunks_read += reads * costs[0].weight_chunks
        self._file_read += reads * costs[0].file_bytes
        self._transform_s += reads * costs[0].transform_s
        self._member_s += reads * costs[0].expand_s
        self._member_s += self.context.fetching_s(number, costs[0].weight_bytes)
        self.weight_bytes += costs[0].weight_bytes
        pool = self.context.fused_pools.get(number, number)
        is_fused = pool in self._made and pool != number
        for source, needed in inputs.items():
            self._traffic_bytes += self._map_bytes(source, needed)
        if is_fused:
            self._forget(number, extent)
        else:
            self._add_output(number, extent)
        scratch = 4 * network.layers[number].implementation.scratch_floats(*network.asked(number))
        self._live[pool if is_fused else number] += _aligned(np.array([scratch]))
        for source, needed in inputs.items():
            self._last_reader.setdefault(source, pool if is_fused else number)
            self._read(source, number, needed)

    def _read(self, source: int, reader: int, needed: LayerExtent) -> None:
        """Adds loading an input into a buffer, unless all readers so far read it as it lies."""
        if not read_as_it_lies(self._network, reader, source):
            self._copied.add(source)
        if source in self._copied:
            self._occupy(source, reader, needed)
            self._inputs[source] = self._load_s(source, needed), self._kept_bytes(source, needed)
        else:
            none = np.zeros(len(self._member_s))
            self._inputs[source] = none, none

    def _add_output(self, number: int, extent: LayerExtent) -> None:
        """Adds the buffer of a layer's output, and the moves into it and out of the group."""
        self._traffic_bytes += self._map_bytes(number, extent)
        self._kept += self._kept_bytes(number, extent)
        read_inside = number in self._last_reader
        if read_inside or number in self._planar:
            self._occupy(number, number, extent)
        if number in self._backward.outputs and (read_inside or number in self._planar):
            self._member_s += self._copy_s(number, extent)

    def _forget(self, number: int, extent: LayerExtent) -> None:
        """Removes the input of a pool that turns out to be fused into this convolution."""
        first, last, size = self._buffers.pop(number, (0, -1, np.zeros(1)))
        self._live[first : last + 1] -= size
        self._traffic_bytes -= self._map_bytes(number, extent)

    def _map_bytes(self, source: int, extent: LayerExtent) -> int:
        return 4 * extent.rows * sum(extent.columns) * self._network.shape(source).channels

    def arena_bytes(self) -> Numbers:
        """The most bytes in use at one layer, with all line buffers: a lower bound of the arena."""
        kept = self._kept + sum(each for _, each in self._inputs.values())
        return np.asarray(self._live.max(axis=0) + kept + OVERREAD_BYTES)

    def seconds(self) -> Numbers:
        """Seconds of all tiles on one thread, weights resident.

        Weights are read once from the cache or memory where a frame leaves them, and for every
        further strip from where the rest of the group leaves them.
        """
        loads = sum(each for each, _ in self._inputs.values())
        again = np.maximum(self._weights_read - self.weight_bytes, 0)
        working_set = self.weight_bytes + self.arena_bytes()
        once = self.weight_bytes * self.context.weights_once_s
        weights = once + again * self._profile.weights_s_per_byte(working_set)
        traffic = self._traffic_bytes * self._profile.traffic_s_per_byte(working_set)
        traffic = traffic + self._map_traffic_s()
        return np.asarray(self._member_s + loads + weights + traffic)

    def _map_traffic_s(self) -> float:
        """Seconds of moving whole maps in and out."""
        outside = [*self._inputs, *(n for n in self._backward.outputs if n in self._made)]
        return sum(map(self.context.map_traffic_s, outside))

    def streamed_s(self, resident_s: Numbers) -> Numbers:
        """Seconds with streamed weights, from those with resident ones.

        The disk reads ahead during computation; copying from the page cache takes processor time.
        """
        disk_s = self._file_read / self._profile.disk_bytes_per_s
        reading_s = self._file_read * self._profile.reading_s_per_byte + self._transform_s
        reading_s = reading_s + self._chunks_read * self._profile.reading_s_per_piece
        return np.asarray(np.maximum(resident_s + reading_s, disk_s))

    def _make_s(self, number: int, extent: LayerExtent, costs: list[LayerCost]) -> Numbers:
        row_s = sum(cost.row_s for cost in costs)
        calls = extent.calls * len(costs) * self._profile.call_s
        return np.asarray(extent.rows * row_s + calls + self._keep_s(number, extent))

    def _load_s(self, source: int, extent: LayerExtent) -> Numbers:
        calls = extent.calls * len(extent.columns) * self._profile.call_s
        return np.asarray(self._copy_s(source, extent) + calls + self._keep_s(source, extent))

    def _copy_s(self, source: int, extent: LayerExtent) -> float:
        """Seconds of copying a source's rows between the arena and its map outside."""
        planar = source in self._planar
        shape = self._network.shape(source)
        widths = extent.columns
        row_s = sum(copy_row_s(shape, width, planar, self._profile) for width in widths)
        return extent.rows * row_s

    def _keep_s(self, source: int, extent: LayerExtent) -> Numbers:
        """Seconds of saving and restoring rows."""
        row_bytes = 4 * extent.stored * self._network.shape(source).channels
        copies = 2 * 2 * row_bytes / self._profile.copy_bytes_per_s
        return np.asarray(extent.moved * len(extent.columns) * copies)

    def _kept_bytes(self, source: int, extent: LayerExtent) -> Numbers:
        channels = self._network.shape(source).channels
        return _aligned(4.0 * extent.kept * extent.stored * channels)

    def _occupy(self, source: int, first: int, extent: LayerExtent) -> None:
        """Marks a source's buffer as in use from layer `first` to its last reader."""
        known = self._buffers.pop(source, None)
        if known is not None:
            self._live[known[0] : known[1] + 1] -= known[2]
        last = max(self._last_reader.get(source, first), first)
        size = _aligned(4.0 * extent.held * extent.stored * self._network.shape(source).channels)
        self._live[first : last + 1] += size
        self._buffers[source] = (first, last, size)


def _aligned(sizes: NDArray[Any]) -> Numbers:
    """The bytes that blocks of these sizes take when they are placed."""
    return np.asarray(np.ceil(sizes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES)
