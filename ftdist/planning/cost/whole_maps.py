"""What a whole-map step costs: seconds by a device profile, and bytes beside the maps.

The step makes all rows in one pass; it reads its weights once, and moves nothing but its maps,
which it reads and writes where they lie.
"""

from __future__ import annotations

from ftdist.network.graph import Network
from ftdist.planning.cost.group_cost import CostContext
from ftdist.planning.cost.kernels import layer_cost
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.whole_maps import channel_shares, lay_out_whole
from ftdist.planning.steps import GroupPlan, whole_layer


def whole_seconds(context: CostContext, step: GroupPlan) -> float:
    """The cost model's time of a whole-map step on one thread, with resident weights."""
    network, profile = context.network, context.profile
    layer = whole_layer(network, step)
    shape = network.shape(layer)
    cost = layer_cost(network, layer, shape.width, profile)
    seconds = cost.row_s * shape.height + profile.call_s
    seconds += cost.weight_bytes * context.weights_once_s
    return seconds + sum(map(context.map_traffic_s, {layer, *network.reads(layer)}))


def whole_streamed_s(context: CostContext, step: GroupPlan, resident_s: float) -> float:
    """The time of a whole-map step with streamed weights, from that with resident ones."""
    profile, layer = context.profile, whole_layer(context.network, step)
    cost = layer_cost(context.network, layer, context.network.shape(layer).width, profile)
    reading_s = cost.file_bytes * profile.reading_s_per_byte
    reading_s += cost.weight_chunks * profile.reading_s_per_piece
    return max(resident_s + reading_s, cost.file_bytes / profile.disk_bytes_per_s)


def whole_tiles(network: Network, step: GroupPlan, threads: int) -> tuple[int, int]:
    """(tiles that threads share, bytes of all their arenas) of a whole-map step of a plan."""
    group = FusedGroup(network, step.first, step.stop)
    outside = whole_maps(network, (*group.inputs, *group.outputs), picture=False)
    layout = lay_out_whole(group, step, outside, threads)
    tiles = max(len(layout.passes), channel_shares(group, layout, threads))
    return tiles, min(threads, tiles) * layout.arena_bytes
