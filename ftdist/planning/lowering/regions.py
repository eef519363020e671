"""Which regions of maps exist outside the arenas of a plan: what it reads, makes and holds.

A plan without a region makes whole maps and reads and holds whole ones. A plan with a region is a
*part*, what a remote task is: of the last output of its layers (the *primary* one) it makes the
region, of the others the proportional rectangle, so that parts whose regions partition the primary
output partition all outputs. It sees of its inputs only the receptive regions, and of the maps
between its groups it holds no more than later groups need. Rows and columns stay those of the whole
maps, so the same kernels give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.group import FusedGroup, whole_map
from ftdist.planning.lowering.kernel_tables import MapLayout, OutsideMap, whole_maps
from ftdist.planning.plan import GroupPlan, Plan

NOTHING = Region(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Outside:
    """The maps of a plan outside its arenas: all, and the regions that it reads and makes.

    `between` are the regions of all maps that its groups make: those in `outputs` too.
    """

    maps: dict[int, OutsideMap]
    inputs: dict[int, Region]
    outputs: dict[int, Region]
    between: dict[int, Region]


def outside_maps(network: Network, plan: Plan, *, picture: bool) -> Outside:
    """What exists outside the arenas of a plan; `picture` when INPUT is a uint8 picture."""
    if plan.region is None:
        return _of_the_whole(network, plan, picture=picture)
    inputs, outputs = region_needs(network, plan.first, plan.stop, plan.region)
    between = _regions_between(network, plan.groups, outputs)
    maps = {
        source: OutsideMap(
            MapLayout.INTERLEAVED,
            region,
            in_block=source not in inputs and region != outputs.get(source),
        )
        for source, region in (between | inputs).items()
    }
    if INPUT in inputs and picture:
        maps[INPUT] = OutsideMap(MapLayout.PICTURE, inputs[INPUT])
    return Outside(maps, inputs, outputs, between)


def region_needs(
    network: Network, first: int, stop: int, region: Region
) -> tuple[dict[int, Region], dict[int, Region]]:
    """What layers [first, stop) read and make for a region of their primary output.

    (inputs, outputs): for every source that the layers read from outside the receptive region on
    its map, and for every output of theirs its share. Either may be empty.
    """
    whole = FusedGroup(network, first, stop)
    outputs = _shares(network, whole.outputs, region)
    group = FusedGroup(network, first, stop, outputs)
    return dict.fromkeys(whole.inputs, NOTHING) | group.needed(group.inputs), outputs


def region_bytes(network: Network, regions: Mapping[int, Region], *, picture: bool = False) -> int:
    """Bytes of these regions of maps; `picture` when INPUT is a uint8 picture."""
    total = 0
    for source, region in regions.items():
        shape = network.shape(source)
        is_picture = picture and source == INPUT
        total += region.size * (shape.channels if is_picture else shape.position_bytes)
    return total


def _of_the_whole(network: Network, plan: Plan, *, picture: bool) -> Outside:
    sources = {
        source
        for group in plan.groups
        for source in FusedGroup(network, group.first, group.stop).outputs
    }
    between = {source: whole_map(network, source) for source in sources}
    outputs = {s: region for s, region in between.items() if s in network.output_sources}
    inputs = network.input_numbers
    maps = whole_maps(network, (*inputs, *sources), picture=picture)
    return Outside(maps, {n: whole_map(network, n) for n in inputs}, outputs, between)


def _shares(network: Network, outputs: tuple[int, ...], region: Region) -> dict[int, Region]:
    """For each output the rectangle that is to its map what `region` is to the last one's."""
    if not outputs:
        return {}
    height, width, _ = network.shape(outputs[-1])
    top, bottom, left, right = region
    found = {}
    for output in outputs:
        h, w, _ = network.shape(output)
        rows = top * h // height, bottom * h // height
        found[output] = Region(*rows, left * w // width, right * w // width)
    return found


def _regions_between(
    network: Network, groups: tuple[GroupPlan, ...], outputs: dict[int, Region]
) -> dict[int, Region]:
    """The region of each map that outside or some group needs: what must exist of it."""
    regions = dict(outputs)
    for plan in reversed(groups):
        frame = {s: region for s, region in regions.items() if plan.first <= s < plan.stop}
        group = FusedGroup(network, plan.first, plan.stop, frame)
        for source, region in group.needed(group.inputs).items():
            regions[source] = regions.get(source, NOTHING).hull(region)
    return regions
