"""A prediction by parts: the memory and time of each group of a plan, and what sets the peak.

The activations of a plan are largest at one moment: at some layer of some tile of the group that
holds most. Reports name this moment, because a smaller grid or a lower strip helps there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftdist.network.graph import Network, weighted_layers
from ftdist.planning.cost.latency import group_seconds
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import whole_maps
from ftdist.planning.lowering.layout import Layout
from ftdist.planning.lowering.lowered import Lowered
from ftdist.planning.lowering.programs import lay_out_group
from ftdist.planning.plan import GroupPlan
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.steps import whole_layer
from ftdist.planning.weights import layer_weights


@dataclass(frozen=True, slots=True)
class GroupBreakdown:
    """The part of one group in a plan's memory and time.

    `algorithm`: those of its layers with weights, if it has any. `weights_bytes`: all its weights,
    resident or not; `held_bytes`: the arenas of its threads and the maps that are alive while it
    runs.
    """

    plan: GroupPlan
    algorithm: str | None
    weights_bytes: int
    held_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PeakMoment:
    """The moment at which a plan's activations are largest.

    Group number `group` makes rows of `layer` (or loads it, where it is one of the group's inputs)
    in the tile at this row and column of the grid.
    """

    group: int
    layer: int
    tile: tuple[int, int]


def group_breakdowns(
    network: Network, lowered: Lowered, profile: DeviceProfile
) -> tuple[GroupBreakdown, ...]:
    """The parts of all groups of a plan, in order."""
    network = lowered.plan.applied_to(network)
    plans = (each.plan for each in lowered.programs)
    held = dict(zip(plans, _held_bytes(network, lowered), strict=True))
    weights = layer_weights(network)
    with_weights = {number for number, _, _ in weighted_layers(network)}
    shares = []
    for group in lowered.plan.groups:
        layers = with_weights.intersection(range(group.first, group.stop))
        shares.append(
            GroupBreakdown(
                group,
                _algorithms(network, layers),
                sum(weights[number].whole for number in layers),
                held.get(group, 0),
                group_seconds(network, group, lowered.plan.threads, profile),
            )
        )
    return tuple(shares)


def _algorithms(network: Network, layers: Collection[int]) -> str | None:
    """The algorithms of these layers, as `direct+winograd4`."""
    return "+".join(sorted({network.layers[number].algorithm for number in layers})) or None


def peak_moment(network: Network, lowered: Lowered) -> PeakMoment:
    """The first moment at which the activations of a plan are largest."""
    network = lowered.plan.applied_to(network)
    number = int(np.argmax(_held_bytes(network, lowered)))
    plan = lowered.programs[number].plan
    if plan.whole:
        return PeakMoment(lowered.plan.groups.index(plan), whole_layer(network, plan), (0, 0))
    group = FusedGroup(network, plan.first, plan.stop)
    outside = whole_maps(network, (*group.inputs, *group.outputs), picture=False)
    layout = lay_out_group(group, plan, outside)
    most, found = -1.0, (0, 0, 0)
    for row in range(plan.rows):
        for column in range(plan.columns):
            live = _live_bytes(group, layout, row, column)
            if live.max() > most:
                most, found = live.max(), (int(np.argmax(live)), row, column)
    step, row, column = found
    return PeakMoment(lowered.plan.groups.index(plan), layout.order[step], (row, column))


def _held_bytes(network: Network, lowered: Lowered) -> list[int]:
    """For each program the arenas of its threads and the maps alive while it runs."""
    made = {source: n for n, each in enumerate(lowered.programs) for source in each.outputs}
    last = {source: n for n, each in enumerate(lowered.programs) for source in each.inputs}
    held = []
    for number, (program, arenas) in enumerate(zip(lowered.programs, lowered.arenas, strict=True)):
        alive = [source for source in lowered.maps if made[source] <= number <= last[source]]
        maps = sum(lowered.map_bytes[source] for source in alive)
        held.append(program.arena_bytes * len(arenas) + maps)
    return held


def _live_bytes(group: FusedGroup, layout: Layout, row: int, column: int) -> NDArray[np.float64]:
    """For each layer of a tile, in order, the most bytes of buffers in use, over all passes."""
    position = {source: step for step, source in enumerate(layout.order)}
    passes = layout.passes[row]
    index = {source: number for number, source in enumerate(passes.sources)}
    most: NDArray[np.float64] = np.zeros(len(layout.order))
    for block in passes.blocks():
        live = np.zeros((len(block), len(layout.order)))
        for member in layout.scratch:
            asked = group.network.asked(member)
            floats = group.network.layers[member].implementation.scratch_floats(*asked)
            live[:, position[group.made_with[member]]] += 4.0 * floats
        for source in layout.buffers:
            width = layout.columns[column][source].size
            rows = block.held_sizes[:, index[source]]
            readers = [position[group.made_with[reader]] for reader in group.readers[source]]
            until = max(readers, default=position[source])
            size = 4.0 * rows * width * group.network.shape(source).channels
            live[:, position[source] : until + 1] += size[:, None]
        np.maximum(most, live.max(axis=0), out=most)
    return most
