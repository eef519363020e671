"""How long a worker takes for tiles: the time of its own plan, spread over the layers' positions.

A worker computes every tile by the groups of one plan of the whole network, cut to the stage. The
time of a group, without its weights, is spread over its layers in proportion to their arithmetic,
and within a layer evenly over the positions. So a tile takes as long as all positions that it
makes, halos included. Times that do not shrink with the tile are kept apart: resident weights are
fetched once for each tile, streamed weights are read for each strip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost.group_cost import CostContext
from ftdist.planning.cost.kernels import layer_cost
from ftdist.planning.cost.latency import group_seconds
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.sharing.tile_regions import LayerRegions

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LayerTimes:
    """Seconds of a plan on a machine of relative time 1, by layer.

    `position_s`: for one position of the layer's map. `tile_s`: for fetching the layer's weights,
    once for each tile. `strip_s`, `disk_s`: for copying streamed weights, and for reading them from
    the disk, once for each strip. `group_s`: for each group, once for each tile.
    """

    plan: Plan
    position_s: Numbers
    tile_s: Numbers
    strip_s: Numbers
    disk_s: Numbers
    group_s: float

    def seconds(self, layers: list[LayerRegions], first: int, stop: int) -> Numbers:
        """Seconds of each tile of stage [first, stop); `layers` say what its tiles need of them."""
        sizes = np.array([layer.sizes for layer in layers])
        numbers = [layer.number for layer in layers]
        groups = [each for each in self.plan.groups if each.first < stop and first < each.stop]
        wait = self._threads_wait(layers[0])
        seconds = self.position_s[numbers] @ sizes * wait
        seconds = seconds + float(self.tile_s[numbers].sum()) + len(groups) * self.group_s
        for group in groups:
            if group.streamed:
                seconds = seconds + self._reading_s(group, layers, wait)
        return np.asarray(seconds)

    def _reading_s(self, group: GroupPlan, layers: list[LayerRegions], wait: Numbers) -> Numbers:
        """Seconds that streamed weights add: for copying them, or for waiting for the disk."""
        inside = [layer for layer in layers if group.first <= layer.number < group.stop]
        if not inside:
            return np.zeros(len(wait))
        rows = np.maximum(inside[0].made[2] - inside[0].made[0], 1)
        strips = np.ones(len(rows)) if group.strip is None else -(-rows // group.strip)
        computing_s = sum(self.position_s[layer.number] * layer.sizes for layer in inside) * wait
        numbers = [layer.number for layer in inside]
        copying_s = strips * float(self.strip_s[numbers].sum())
        waiting_s = strips * float(self.disk_s[numbers].sum()) - computing_s
        return np.asarray(np.maximum(copying_s, waiting_s))

    def _threads_wait(self, last: LayerRegions) -> Numbers:
        """How many times longer a tile takes because threads get unequal parts of its longer
        side."""
        threads = self.plan.threads
        longer = np.maximum(last.made[2:] - last.made[:2], 1).max(axis=0)
        return np.asarray(-(-longer // threads) * threads / longer)


def layer_times(network: Network, plan: Plan, profile: DeviceProfile) -> LayerTimes:
    """The layer times of a plan on a machine with this profile."""
    position_s, tile_s, strip_s, disk_s = np.zeros((4, len(network.layers)))
    once_s = CostContext.of(network, profile).weights_once_s
    for group in plan.groups:
        costs = {
            n: layer_cost(network, n, network.shape(n).width, profile)
            for n in range(group.first, group.stop)
            if not is_alias(network.layers[n])
        }
        for n, cost in costs.items():
            tile_s[n] = cost.weight_bytes * once_s + cost.expand_s
            strip_s[n] = cost.file_bytes * profile.reading_s_per_byte + cost.transform_s
            strip_s[n] += cost.weight_chunks * profile.reading_s_per_piece
            disk_s[n] = cost.file_bytes / profile.disk_bytes_per_s
        resident = replace(group, streamed=False)
        seconds = group_seconds(network, resident, plan.threads, profile) - profile.group_s
        left_s = max(0.0, seconds - float(tile_s[group.first : group.stop].sum()))
        rows_s = {n: cost.row_s * network.shape(n).height for n, cost in costs.items()}
        scale = left_s / (sum(rows_s.values()) or 1.0)
        for n, cost in costs.items():
            position_s[n] = scale * cost.row_s / network.shape(n).width
    return LayerTimes(plan, position_s, tile_s, strip_s, disk_s, profile.group_s)


def cut_groups(groups: tuple[GroupPlan, ...], first: int, stop: int) -> tuple[GroupPlan, ...]:
    """Groups that follow one another, cut to layers [first, stop).

    Of a whole-map step the first layer computes, the others do nothing.
    """
    return tuple(
        replace(
            group,
            first=max(group.first, first),
            stop=min(group.stop, stop),
            whole=group.whole and group.first >= first,
        )
        for group in groups
        if group.first < stop and first < group.stop
    )
