"""Predicted seconds of a given plan: group after group, with one backward pass for each."""

from __future__ import annotations

from ftdist.network.graph import Network
from ftdist.planning.cost.backward_pass import BackwardPass
from ftdist.planning.cost.group_cost import CostContext, GroupCost
from ftdist.planning.cost.whole_maps import whole_seconds, whole_streamed_s, whole_tiles
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DeviceProfile


def plan_seconds(network: Network, plan: Plan, profile: DeviceProfile) -> float:
    """The predicted seconds of any plan."""
    network = plan.applied_to(network)
    return sum(group_seconds(network, each, plan.threads, profile) for each in plan.groups)


def group_seconds(
    network: Network, group: GroupPlan, threads: int, profile: DeviceProfile
) -> float:
    """The predicted seconds of any step whose tiles are shared by `threads` threads."""
    if group.whole:
        return whole_step_seconds(CostContext.of(network, profile), group, threads)
    tried = (None,) if group.strip is None else (group.strip, None)
    backward = BackwardPass(network, group.stop, group.rows, group.columns, tried)
    cost = GroupCost(CostContext.of(network, profile), backward)
    for number, extent, inputs in backward.members():
        if number < group.first:
            break
        cost.add_layer(number, extent, inputs)
    tiles = group.rows * group.columns
    seconds = cost.seconds() * share_of(tiles, threads, profile)
    seconds = seconds + meeting_s(tiles, threads, profile)
    return float((cost.streamed_s(seconds) if group.streamed else seconds)[0])


def whole_step_seconds(context: CostContext, step: GroupPlan, threads: int) -> float:
    """The cost model's time of a whole-map step, shared by so many threads."""
    tiles, _ = whole_tiles(context.network, step, threads)
    seconds = whole_seconds(context, step) * share_of(tiles, threads, context.profile)
    seconds += meeting_s(tiles, threads, context.profile)
    return whole_streamed_s(context, step, seconds) if step.streamed else seconds


def share_of(tiles: int, threads: int, profile: DeviceProfile) -> float:
    """The part of its tiles' time on one thread that a group takes on `threads` threads."""
    slower = profile.parallel if min(tiles, threads) > 1 else 1.0
    return slower * -(-tiles // threads) / tiles


def meeting_s(tiles: int, threads: int, profile: DeviceProfile) -> float:
    """Seconds that a group costs beside its kernels: several threads wait for each other."""
    return profile.group_s if min(tiles, threads) > 1 else 0.0
