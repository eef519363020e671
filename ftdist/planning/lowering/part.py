"""A part of a network's work: consecutive groups, computed for one region of their last output.

This is what a remote task is. Where a plan covers a network, a part covers layers [first, stop) and
makes a rectangle of every map that is needed outside: of the last output (the *primary* one) the
`region`, of the others the proportional rectangle. Parts whose regions partition the primary output
partition all outputs.

A part sees of its inputs only the receptive regions, and of the maps between its groups it holds no
more than later groups need. Rows and columns stay those of the whole maps, so the same kernels give
the same bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import Blobs, MapLayout, OutsideMap
from ftdist.planning.lowering.predictor import Arrangement, arrange, lower_groups
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.weights import resident_layers

NOTHING = Region(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Groups that follow one another, the region of their primary output, and threads.

    The grid of each group cuts what the part needs of it, not the whole map; a grid with more rows
    (columns) than there are to cut counts as one with as many as there are.
    """

    groups: tuple[GroupPlan, ...]
    region: Region
    threads: int = 1

    @property
    def first(self) -> int:
        return self.groups[0].first

    @property
    def stop(self) -> int:
        return self.groups[-1].stop


@dataclass(frozen=True)
class LoweredPart(Arrangement):
    """A part, lowered: what it reads and makes, by source, and how that is done.

    All lies (rows, columns, channels) in memory, float32; a picture, which only INPUT can be,
    uint8. Of an output that later groups read too, the block may hold more than is wanted: those
    are in `maps`, all others are written where they are wanted. `weights`: bytes of those that stay
    in memory, by layer.
    """

    part: Part
    picture: bool
    inputs: dict[int, Region]
    outputs: dict[int, Region]
    weights: dict[int, int]


def part_needs(
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


def lower_part(network: Network, part: Part, blobs: Blobs, *, picture: bool) -> LoweredPart:
    """Lowers a part; `picture` when INPUT is a uint8 picture. InputError if it is no part of it."""
    check_part(part, network)
    inputs, outputs = part_needs(network, part.first, part.stop, part.region)
    regions = _regions_between(network, part.groups, outputs)
    outside = {
        source: OutsideMap(MapLayout.INTERLEAVED, region)
        for source, region in (regions | inputs).items()
    }
    if INPUT in inputs and picture:
        outside[INPUT] = OutsideMap(MapLayout.PICTURE, inputs[INPUT])
    programs = lower_groups(network, part.groups, blobs, outside)
    made = {source for program in programs for source in program.outputs}
    held = {source: regions[source] for source in made if regions[source] != outputs.get(source)}
    wanted = {source for source, region in outputs.items() if region.size}
    found = arrange(network, programs, part.threads, held, wanted)
    return LoweredPart(
        found.programs,
        found.arenas,
        found.maps,
        found.map_regions,
        found.block_bytes,
        part,
        picture,
        inputs,
        outputs,
        resident_layers(network, Plan(part.groups)),
    )


def check_part(part: Part, network: Network) -> None:
    """InputError when the network has no such part."""
    count = len(network.layers)
    stops = [part.first, *(group.stop for group in part.groups)]
    ascends = all(a < b for a, b in itertools.pairwise(stops))
    if [group.first for group in part.groups] != stops[:-1] or not ascends or stops[-1] > count:
        raise InputError(f"a part of groups that are no run of layers of 0..{count - 1}")
    if part.first < 0 or part.threads < 1:
        raise InputError(f"a part from layer {part.first} for {part.threads} threads")
    for group in part.groups:
        if min(group.rows, group.columns, group.strip or 1) < 1 or group.strip == 0:
            raise InputError(f"a part with a group in the grid {group}")
    outputs = FusedGroup(network, part.first, part.stop).outputs
    if not outputs:
        raise InputError(f"layers {part.first}..{part.stop - 1} make no map that is needed")
    height, width, _ = network.shape(outputs[-1])
    top, bottom, left, right = part.region
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(f"a part for {part.region} of a map of {network.shape(outputs[-1])}")


def part_footprint(network: Network, lowered: LoweredPart) -> dict[str, int]:
    """Bytes that a part takes on top of what its process holds, by what they are for."""
    return {
        "weights": sum(lowered.weights.values()),
        "block": lowered.block_bytes,
        "programs": lowered.program_bytes,
        "inputs": map_bytes(network, lowered.inputs, picture=lowered.picture),
        "outputs": map_bytes(network, lowered.outputs),
    }


def map_bytes(network: Network, regions: Mapping[int, Region], *, picture: bool = False) -> int:
    """Bytes of these regions of maps; `picture` when INPUT is a uint8 picture."""
    total = 0
    for source, region in regions.items():
        element = 1 if picture and source == INPUT else 4
        total += element * region.size * network.shape(source).channels
    return total


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
