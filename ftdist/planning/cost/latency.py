"""Predicted seconds of a given plan: group after group, with one backward pass for each."""

from __future__ import annotations

import numpy as np

from ftdist.network.graph import Network
from ftdist.planning.cost.backward_pass import BackwardPass
from ftdist.planning.cost.group_cost import CostContext, GroupCost, Numbers
from ftdist.planning.cost.whole_maps import whole_seconds, whole_streamed_s, whole_tiles
from ftdist.planning.group import FusedGroup
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.steps import SHARED_CHANNELS


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
    seconds = shared_s(cost.context, group, threads, cost.seconds())
    return float((cost.streamed_s(seconds) if group.streamed else seconds)[0])


def shared_s(context: CostContext, group: GroupPlan, threads: int, seconds: Numbers) -> Numbers:
    """The time of a group whose tiles threads share, from that of its layers on one thread.

    Tiles are as large as the largest of them. Each slice prepares all of its input.
    """
    tiles, (height, width, channels) = group.tiles, context.network.shape(group.stop - 1)
    seconds = seconds * share_of(tiles, threads, context.profile)
    if 1 < tiles <= threads:
        seconds = seconds * (_excess(height, group.rows) * _excess(width, group.columns))
    if group.slices > 1:
        (member,) = FusedGroup(context.network, group.first, group.stop).members
        seconds = seconds * _excess(-(-channels // SHARED_CHANNELS), group.slices)
        seconds = seconds + (1 - 1 / group.slices) * context.input_s(member)
    return np.asarray(seconds + meeting_s(tiles, threads, context.profile))


def _excess(size: int, parts: int) -> float:
    """How many times the largest of so many parts is as large as they are on average."""
    return -(-size // parts) * parts / size


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
