"""Every candidate group of a network with its time and memory: the edges that the search walks.

For each grid and each last layer one ``Walk`` yields all first layers; here its extents become
seconds and bytes. The memory of an edge is a lower bound, the most that is in use at one moment:
placing buffers exactly costs more, so the search does it only for edges that it wants to use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network, is_alias
from ftdist.planning.account import Account, Terms
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.predictor import live_maps
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.walk import STRIPS, Walk
from ftdist.planning.weights import LayerWeights, layer_weights


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


def grids(network: Network, threads: int) -> tuple[tuple[int, int], ...]:
    """Grids that are tried: one tile a thread, by rows or by columns.

    More tiles would only recompute more halos: strips save memory without. Where a map is too small
    for that, one tile too.
    """
    tried = [(threads, 1), (1, threads)]
    if any(min(layer.shape.height, layer.shape.width) < threads for layer in network.layers):
        tried.append((1, 1))
    return tuple(dict.fromkeys(tried))


def all_edges(network: Network, threads: int, profile: DeviceProfile) -> Edges:
    """Every group that the network allows, in every grid of ``grids`` and every strip height."""
    cuts = _cuts(network)
    shapes = grids(network, threads)
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
    terms = Terms.of(network, profile)
    for index, grid in enumerate(shapes):
        for later in range(1, len(cuts)):
            _fill(edges, index * len(STRIPS), later, grid, threads, terms)
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
    account = Account(Terms.of(network, profile), walk)
    for number, extent, inputs in walk.members():
        if number < group.first:
            break
        account.take_in(number, extent, inputs)
    tiles = group.rows * group.columns
    seconds = account.seconds() * _share(tiles, threads, profile)
    seconds = seconds + waking_s(tiles, threads, profile)
    return float((account.streamed_s(seconds) if group.streamed else seconds)[0])


def _share(tiles: int, threads: int, profile: DeviceProfile) -> float:
    """What a group takes of the time that all its tiles take on one thread."""
    slower = profile.parallel if min(tiles, threads) > 1 else 1.0
    return slower * -(-tiles // threads) / tiles


def waking_s(tiles: int, threads: int, profile: DeviceProfile) -> float:
    """What a group costs beside its kernels: nothing on one thread, else waking the others."""
    return profile.group_s if min(tiles, threads) > 1 else 0.0


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
    terms: Terms,
) -> None:
    """Fills in the edges of one grid that end at cut number `later`."""
    rows, columns = grid
    tiles = rows * columns
    walk = Walk(terms.network, edges.cuts[later], rows, columns)
    if not walk.strips:
        return
    account = Account(terms, walk)
    places = [at + STRIPS.index(strip) for strip in walk.strips]
    share = _share(tiles, threads, terms.profile)
    waking = waking_s(tiles, threads, terms.profile)
    workers = min(threads, tiles)
    earlier = later
    for number, extent, inputs in walk.members():
        earlier -= 1
        account.take_in(number, extent, inputs)
        seconds = account.seconds() * share + waking
        held = sum({**edges.maps[earlier], **edges.maps[later]}.values())
        edges.seconds[earlier, later, places] = seconds
        edges.streamed_s[earlier, later, places] = account.streamed_s(seconds)
        edges.bytes[earlier, later, places] = account.arena_bytes() * workers + held
