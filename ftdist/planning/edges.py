"""Every candidate group of a network with its time and memory: the edges that the search walks.

For each grid and each last layer one ``Walk`` yields all first layers; here its extents become
seconds and bytes. The memory of an edge is a lower bound, the most that is in use at one moment:
placing buffers exactly costs more, so the search does it only for edges that it wants to use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import INPUT, Network, is_alias
from ftdist.planning.cost import LayerCost, copy_row_s, layer_cost
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.predictor import live_maps
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.walk import STRIPS, Extent, Walk
from ftdist.planning.weights import LayerWeights, layer_weights

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Option:
    """A grid and a strip height that any group may have."""

    rows: int
    columns: int
    strip: int | None

    def plan(self, first: int, stop: int, *, streamed: bool = False) -> GroupPlan:
        return GroupPlan(first, stop, self.rows, self.columns, self.strip, streamed)


@dataclass(frozen=True)
class Edges:
    """All groups between two cuts with all options; arrays are indexed [cut, later cut, option].

    `cuts` are the layers that may begin a group, then the number of layers. `seconds` are with
    resident weights, `streamed_s` with streamed ones; infinite where an option does not exist.
    `bytes` bounds the arenas and maps in memory while the group runs from below, until ``exact``
    says that a layout has settled it. By [cut, later cut]: `weights`, bytes of the group's
    weights; `rest` and `window`, bytes that stay and that are held in pieces when they are
    streamed. `maps`: for each cut the maps alive there, by source.
    """

    cuts: tuple[int, ...]
    options: tuple[Option, ...]
    seconds: NDArray[np.float32]
    streamed_s: NDArray[np.float32]
    bytes: NDArray[np.float64]
    weights: NDArray[np.float64]
    rest: NDArray[np.float64]
    window: NDArray[np.float64]
    maps: list[dict[int, int]]
    exact: set[tuple[int, int, int]] = field(default_factory=set)

    @property
    def streamed_bytes(self) -> NDArray[np.float64]:
        """As `bytes`, with the pieces of streamed weights."""
        return self.bytes + self.window[..., None]

    @property
    def total_weights(self) -> float:
        return float(self.weights[0, -1])


def grids(threads: int) -> tuple[tuple[int, int], ...]:
    """Grids that are tried: one tile a thread, by rows or by columns.

    More tiles would only recompute more halos: strips save memory without.
    """
    return tuple(dict.fromkeys([(threads, 1), (1, threads)]))


def all_edges(network: Network, threads: int, profile: DeviceProfile) -> Edges:
    """Every group that the network allows, in every grid of ``grids`` and every strip height."""
    cuts = _cuts(network)
    shapes = grids(threads)
    options = tuple(Option(*grid, strip) for grid in shapes for strip in STRIPS)
    shape = len(cuts), len(cuts), len(options)
    edges = Edges(
        cuts,
        options,
        np.full(shape, np.inf, np.float32),
        np.full(shape, np.inf, np.float32),
        np.full(shape, np.inf),
        *_weights(network, cuts, threads),
        _map_bytes(network, cuts),
    )
    for index, grid in enumerate(shapes):
        for later in range(1, len(cuts)):
            _fill(edges, index * len(STRIPS), later, grid, threads, network, profile)
    return edges


def plan_seconds(network: Network, plan: Plan, profile: DeviceProfile) -> float:
    """The cost model's time of any plan."""
    return sum(group_seconds(network, each, plan.threads, profile) for each in plan.groups)


def group_seconds(
    network: Network, group: GroupPlan, threads: int, profile: DeviceProfile
) -> float:
    """The cost model's time of any group, its tiles shared by so many threads."""
    tried = (None,) if group.strip is None else (group.strip, None)
    walk = Walk(network, group.stop, group.rows, group.columns, tried)
    account = Account(network, walk, profile)
    for number, extent, inputs in walk.members():
        if number < group.first:
            break
        account.take_in(number, extent, inputs)
    tiles = group.rows * group.columns
    seconds = account.seconds() * _share(tiles, threads, profile) + profile.group_s
    return float((account.streamed_s(seconds) if group.streamed else seconds)[0])


def _share(tiles: int, threads: int, profile: DeviceProfile) -> float:
    """What a group takes of the time that all its tiles take on one thread."""
    slower = profile.parallel if min(tiles, threads) > 1 else 1.0
    return slower * -(-tiles // threads) / tiles


def _cuts(network: Network) -> tuple[int, ...]:
    """0, every other layer that computes something, and the number of layers."""
    members = [n for n, layer in enumerate(network.layers) if not is_alias(layer)]
    return (0, *members[1:], len(network.layers))


def _weights(
    network: Network, cuts: tuple[int, ...], threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Bytes of weights by [cut, later cut]: all, what stays when streamed, the pieces in memory."""
    layers = layer_weights(network)
    none = LayerWeights(0, 0, 0)
    each = [layers.get(number, none) for number in range(len(network.layers))]
    whole, rest, window = (np.zeros((len(cuts), len(cuts))) for _ in range(3))
    for first in range(len(cuts)):
        for later in range(first + 1, len(cuts)):
            own = each[cuts[later - 1] : cuts[later]]
            whole[first, later] = whole[first, later - 1] + sum(x.whole for x in own)
            rest[first, later] = rest[first, later - 1] + sum(x.rest for x in own)
            pieces = [threads * x.piece for x in own]
            window[first, later] = max([window[first, later - 1], *pieces])
    return whole, rest, window


def _map_bytes(network: Network, cuts: tuple[int, ...]) -> list[dict[int, int]]:
    """For each cut the maps alive there, by source; the user's own arrays are none of ours."""
    outputs = network.output_sources
    return [
        {source: size for source, size in live_maps(network, cut).items() if source not in outputs}
        for cut in cuts
    ]


def _fill(
    edges: Edges,
    at: int,
    later: int,
    grid: tuple[int, int],
    threads: int,
    network: Network,
    profile: DeviceProfile,
) -> None:
    """Fills in the edges of one grid that end at cut number `later`."""
    rows, columns = grid
    tiles = rows * columns
    walk = Walk(network, edges.cuts[later], rows, columns)
    if not walk.strips:
        return
    account = Account(network, walk, profile)
    places = [at + STRIPS.index(strip) for strip in walk.strips]
    share = _share(tiles, threads, profile)
    workers = min(threads, tiles)
    earlier = later
    for number, extent, inputs in walk.members():
        earlier -= 1
        account.take_in(number, extent, inputs)
        seconds = account.seconds() * share + profile.group_s
        held = sum({**edges.maps[earlier], **edges.maps[later]}.values())
        edges.seconds[earlier, later, places] = seconds
        edges.streamed_s[earlier, later, places] = account.streamed_s(seconds)
        edges.bytes[earlier, later, places] = account.arena_bytes() * workers + held


class Account:
    """Time and memory of the group taken in so far, for each strip height of a walk."""

    def __init__(self, network: Network, walk: Walk, profile: DeviceProfile) -> None:
        self.weight_bytes = 0
        self._network = network
        self._walk = walk
        self._profile = profile
        self._outputs = network.output_sources
        strips = len(walk.strips)
        self._member_s = np.zeros(strips)
        self._weights_read = np.zeros(strips)
        self._pieces_read = np.zeros(strips)
        self._kept = np.zeros(strips)
        self._inputs: dict[int, tuple[Numbers, Numbers]] = {}
        self._last_reader: dict[int, int] = {}
        self._buffers: dict[int, tuple[int, int, Numbers]] = {}
        self._live = np.zeros((walk.primary + 1, strips))
        self._traffic_bytes = 0
        self._made: set[int] = set()
        self._frame_bytes = sum(4.0 * network.macs(n) for n in range(len(network.layers)))
        once = profile.weights_s_per_byte(np.array([self._frame_bytes]))
        self._weights_once_s = float(once[0])

    def take_in(self, number: int, extent: Extent, inputs: dict[int, Extent]) -> None:
        """Adds a layer in front of the group; `inputs` are what it reads, as the group needs it."""
        network, profile = self._network, self._profile
        self._inputs.pop(number, None)
        self._made.add(number)
        costs = [layer_cost(network, number, width, profile) for width in extent.columns]
        self._member_s += self._make_s(number, extent, costs)
        self._weights_read += extent.calls * len(costs) * costs[0].weight_bytes
        self._pieces_read += extent.calls * len(costs) * costs[0].pieces
        self.weight_bytes += costs[0].weight_bytes
        for source, needed in ((number, extent), *inputs.items()):
            self._traffic_bytes += (
                4 * needed.rows * sum(needed.columns) * network.shape(source).channels
            )
        self._kept += self._kept_bytes(number, extent)
        read_inside = number in self._last_reader
        if read_inside or number in self._outputs:
            self._occupy(number, number, extent)
        if number in self._walk.outputs and (read_inside or number in self._outputs):
            self._member_s += self._copy_s(number, extent)
        for source, needed in inputs.items():
            self._last_reader.setdefault(source, number)
            self._occupy(source, number, needed)
            self._inputs[source] = self._load_s(source, needed), self._kept_bytes(source, needed)

    def arena_bytes(self) -> Numbers:
        """The most bytes in use at one step, with all line buffers: a lower bound of the arena."""
        kept = self._kept + sum(each for _, each in self._inputs.values())
        return np.asarray(self._live.max(axis=0) + kept)

    def seconds(self) -> Numbers:
        """Seconds of all tiles on one thread, weights resident.

        Weights are read once from wherever a frame leaves them, and again for every other strip
        from wherever the rest of the group leaves them.
        """
        loads = sum(each for each, _ in self._inputs.values())
        again = np.maximum(self._weights_read - self.weight_bytes, 0)
        working_set = self.weight_bytes + self.arena_bytes()
        once = self.weight_bytes * self._weights_once_s
        weights = once + again * self._profile.weights_s_per_byte(working_set)
        traffic = self._traffic_bytes * self._profile.traffic_s_per_byte(working_set)
        traffic = traffic + self._map_traffic_s()
        return np.asarray(self._member_s + loads + weights + traffic)

    def _map_traffic_s(self) -> float:
        """Seconds that moving whole maps in and out costs: other groups run before they return.

        Each byte moves twice, for a cache fetches a line before it is written.
        """
        network = self._network
        outside = [*self._inputs, *(n for n in self._walk.outputs if n in self._made)]
        sizes = np.array([float(network.shape(each).bytes) for each in outside])
        return float(
            (2 * sizes * self._profile.traffic_s_per_byte(sizes + self._frame_bytes)).sum()
        )

    def streamed_s(self, resident_s: Numbers) -> Numbers:
        """Seconds with streamed weights, from those with resident ones.

        The disk reads ahead while we compute; copying from the page cache takes our own time.
        """
        disk_s = self._weights_read / self._profile.disk_bytes_per_s
        reading_s = self._weights_read * self._profile.reading_s_per_byte
        reading_s = reading_s + self._pieces_read * self._profile.reading_s_per_piece
        return np.asarray(np.maximum(resident_s + reading_s, disk_s))

    def _make_s(self, number: int, extent: Extent, costs: list[LayerCost]) -> Numbers:
        row_s = sum(cost.row_s for cost in costs)
        calls = extent.calls * len(costs) * self._profile.call_s
        return np.asarray(extent.rows * row_s + calls + self._keep_s(number, extent))

    def _load_s(self, source: int, extent: Extent) -> Numbers:
        calls = extent.calls * len(extent.columns) * self._profile.call_s
        return np.asarray(self._copy_s(source, extent) + calls + self._keep_s(source, extent))

    def _copy_s(self, source: int, extent: Extent) -> float:
        """Seconds of copying a source's rows between the arena and its map outside."""
        planar = source == INPUT or source in self._outputs
        shape = self._network.shape(source)
        widths = extent.columns
        row_s = sum(copy_row_s(shape, width, planar, self._profile) for width in widths)
        return extent.rows * row_s

    def _keep_s(self, source: int, extent: Extent) -> Numbers:
        """Seconds of saving and restoring rows."""
        row_bytes = 4 * extent.stored * self._network.shape(source).channels
        copies = 2 * 2 * row_bytes / self._profile.copy_bytes_per_s
        return np.asarray(extent.moved * len(extent.columns) * copies)

    def _kept_bytes(self, source: int, extent: Extent) -> Numbers:
        channels = self._network.shape(source).channels
        return np.asarray(4.0 * extent.kept * extent.stored * channels)

    def _occupy(self, source: int, first: int, extent: Extent) -> None:
        """Marks a source's buffer as in use from step `first` to its last reader."""
        known = self._buffers.pop(source, None)
        if known is not None:
            self._live[known[0] : known[1] + 1] -= known[2]
        last = max(self._last_reader.get(source, first), first)
        size = np.asarray(4.0 * extent.held * extent.stored * self._network.shape(source).channels)
        self._live[first : last + 1] += size
        self._buffers[source] = (first, last, size)
