"""A plan, lowered: every program, and one block of memory for them all.

The block holds each group's arenas (one a thread) and the maps between groups, each alive from the
group that makes it to the last one that reads it. Its size is settled by lowering, so the predicted
activations are exact by construction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ftdist.geometry import Region
from ftdist.kernels.program import COUNTERS, OVERREAD_BYTES
from ftdist.network.graph import Network
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.kernel_tables import Offsets, OutsideMap
from ftdist.planning.lowering.placement import Block, place
from ftdist.planning.lowering.programs import GroupProgram, lower_group
from ftdist.planning.lowering.regions import Outside, outside_maps
from ftdist.planning.lowering.whole_maps import lower_whole
from ftdist.planning.plan import GroupPlan, Plan, check
from ftdist.planning.weights import resident_layers


@dataclass(frozen=True)
class Lowered:
    """A plan, lowered: what it reads and makes, by source, how, and where memory lies in a block.

    `picture`: INPUT is a uint8 picture. `inputs` and `outputs` are regions of maps: whole ones, in
    the layout of the user's arrays, of a plan without a region, else (rows, columns, channels).
    `arenas[g]` are the offsets of group g's arenas, one a thread that works on it; `maps` the
    offsets of the maps in the block, by source, `map_bytes` each, of which it holds `map_regions`:
    those that later groups read, unless they are read from an output as it is handed over.
    `weights`: bytes of those that stay in memory, by layer. All offsets are in bytes.
    """

    plan: Plan
    picture: bool
    inputs: dict[int, Region]
    outputs: dict[int, Region]
    weights: dict[int, int]
    programs: tuple[GroupProgram, ...]
    arenas: tuple[tuple[int, ...], ...]
    maps: dict[int, int]
    map_bytes: dict[int, int]
    map_regions: dict[int, Region]
    block_bytes: int

    @cached_property
    def layers(self) -> frozenset[int]:
        """The layers whose weights stay in memory."""
        return frozenset(self.weights)

    @cached_property
    def untouched(self) -> tuple[int, ...]:
        """The sources that programs name and no kernel touches: regions without positions."""
        named = dict.fromkeys(source for program in self.programs for source in program.inputs)
        known = self.maps.keys() | self.inputs.keys() | self.outputs.keys()
        return tuple(source for source in named if source not in known)

    @cached_property
    def transformed(self) -> dict[int, str]:
        """The layers whose weights are transformed before a run, each with its algorithm."""
        algorithms = dict(self.plan.arithmetic)
        layers = sorted(layer for each in self.programs for layer in each.transformed)
        return {layer: algorithms[layer] for layer in layers}

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arenas of the group that needs most, all its threads together."""
        pairs = zip(self.programs, self.arenas, strict=True)
        return max((program.arena_bytes * len(arenas) for program, arenas in pairs), default=0)

    @cached_property
    def program_bytes(self) -> int:
        """Bytes of all kernel tables and calls, and of what the threads count for each kernel."""
        pairs = zip(self.programs, self.arenas, strict=True)
        counters = sum(len(each.made_by) * len(arenas) for each, arenas in pairs)
        tables = sum(program.table_bytes for program in self.programs)
        return tables + COUNTERS.itemsize * counters


def lower(network: Network, plan: Plan, offsets: Offsets, *, picture: bool) -> Lowered:
    """Lowers a plan; `picture` when INPUT is a uint8 picture rather than float32.

    InputError if it is not a plan of the network.
    """
    check(plan, network)
    network = plan.applied_to(network)
    outside = outside_maps(network, plan, picture=picture)
    programs = lower_groups(network, plan.groups, offsets, outside.maps, plan.threads)
    return arrange(network, plan, programs, outside, picture=picture)


def lower_groups(
    network: Network,
    groups: Sequence[GroupPlan],
    offsets: Offsets,
    outside: Mapping[int, OutsideMap],
    threads: int,
) -> tuple[GroupProgram, ...]:
    """The programs of steps that follow one another; those that make nothing have none.

    `outside` are all maps outside the arenas: what groups read and what they make for others.
    """
    programs = []
    for plan in groups:
        frame = {s: each.region for s, each in outside.items() if plan.first <= s < plan.stop}
        group = FusedGroup(network, plan.first, plan.stop, frame)
        if group.members and plan.whole:
            programs.append(lower_whole(group, plan, offsets, outside, threads))
        elif group.members:
            programs.append(lower_group(group, plan, offsets, outside))
    return tuple(programs)


def arrange(
    network: Network,
    plan: Plan,
    programs: tuple[GroupProgram, ...],
    outside: Outside,
    *,
    picture: bool,
) -> Lowered:
    """A plan whose groups are lowered already: places their memory in one block.

    Of an output that later groups read too the block may hold more than is wanted; it stays there
    to the end. All other outputs are written where they are wanted.
    """
    outputs = outside.outputs
    made = [source for program in programs for source in program.outputs]
    held = {s: outside.between[s] for s in made if outside.maps[s].in_block}
    wanted = {source for source, region in outputs.items() if region.size}
    blocks = _blocks(network, plan, programs, held, wanted)
    places, size = place(blocks)
    arenas = tuple(
        tuple(at for (kind, n, _), at in places.items() if (kind, n) == ("arena", number))
        for number in range(len(programs))
    )
    maps = {source: at for (kind, source, _), at in places.items() if kind == "map"}
    weights = resident_layers(network, plan)
    return Lowered(
        plan,
        picture,
        outside.inputs,
        outputs,
        weights,
        programs,
        arenas,
        maps,
        {block.key[1]: block.bytes for block in blocks if block.key[0] == "map"},
        held,
        size,
    )


def _blocks(
    network: Network,
    plan: Plan,
    programs: tuple[GroupProgram, ...],
    held: Mapping[int, Region],
    wanted: Collection[int],
) -> list[Block[tuple[str, int, int]]]:
    """The arenas, and the maps that are held: to their last reader, those `wanted` to the end."""
    blocks: list[Block[tuple[str, int, int]]] = []
    for number, program in enumerate(programs):
        workers = min(plan.threads, program.tiles)
        size = program.arena_bytes
        blocks += [Block(("arena", number, each), size, number, number) for each in range(workers)]
        for source in (each for each in program.outputs if each in held):
            readers = [n for n, each in enumerate(programs) if source in each.inputs]
            last = len(programs) - 1 if source in wanted else max(readers)
            size = held[source].size * network.shape(source).position_bytes + OVERREAD_BYTES
            blocks.append(Block(("map", source, 0), size, number, last))
    return blocks
