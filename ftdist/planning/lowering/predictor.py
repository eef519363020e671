"""What a plan needs: every program, one block of memory for them all, and the peak by part.

The block holds each group's arenas (one a thread) and the maps between groups, each alive from the
group that makes it to the last one that reads it. Its size is settled by lowering, so the predicted
activations are exact by construction; the rest of the peak is what the caller measured (baseline),
the weights and the arrays that the user gives and gets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from ftdist.geometry import Region
from ftdist.kernels.program import COUNTERS
from ftdist.network.graph import INPUT, Network
from ftdist.planning.group import FusedGroup, whole_map
from ftdist.planning.lowering.kernel_tables import Blobs, OutsideMap, whole_maps
from ftdist.planning.lowering.placement import Block, place
from ftdist.planning.lowering.programs import GroupProgram, lower_group
from ftdist.planning.plan import GroupPlan, Plan
from ftdist.planning.weights import resident_layers

SLACK_BYTES = 576 << 10
"""Room for what the interpreter allocates during a run: frames, small arrays, the report."""

THREAD_BYTES = 96 << 10
"""Resident memory of one more thread: its stack and its heap."""

_LOWERING_BYTES, _LOWERING_LAYER_BYTES = 288 << 10, 2 << 10
"""Seen in many runs: scattered pages of small objects, more of them for a deep network; and what a
process may hold more than another one in which the plan was found."""


@dataclass(frozen=True)
class Arrangement:
    """Programs of groups that run one after another, and where their memory lies in one block.

    `arenas[g]` are the offsets of group g's arenas, one a thread that works on it; `maps` the
    offsets of the maps between groups, by source, of which the block holds `map_regions`. All
    offsets are in bytes.
    """

    programs: tuple[GroupProgram, ...]
    arenas: tuple[tuple[int, ...], ...]
    maps: dict[int, int]
    map_regions: dict[int, Region]
    block_bytes: int

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arenas of the group that needs most, all its threads together."""
        pairs = zip(self.programs, self.arenas, strict=True)
        return max(program.arena_bytes * len(arenas) for program, arenas in pairs)

    @cached_property
    def program_bytes(self) -> int:
        """Bytes of all kernel tables and calls, and of what the threads count for each kernel."""
        pairs = zip(self.programs, self.arenas, strict=True)
        counters = sum(len(each.made_by) * len(arenas) for each, arenas in pairs)
        tables = sum(program.table_bytes for program in self.programs)
        return tables + COUNTERS.itemsize * counters


@dataclass(frozen=True)
class Lowered(Arrangement):
    """A plan, lowered."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Footprint:
    """The predicted peak of the whole process, by part, in bytes."""

    baseline: int
    planning: int
    weights: int
    arenas: int
    boundary_maps: int
    programs: int
    input: int
    output: int
    slack: int

    @property
    def parts(self) -> dict[str, int]:
        return asdict(self)

    @property
    def peak_bytes(self) -> int:
        return sum(self.parts.values())

    @property
    def fixed_bytes(self) -> int:
        """The parts that are the same for every plan."""
        return self.baseline + self.planning + self.input + self.output + self.slack

    @property
    def plan_bytes(self) -> int:
        """The parts that the plan decides."""
        return self.peak_bytes - self.fixed_bytes


def lower(network: Network, plan: Plan, blobs: Blobs, *, picture: bool) -> Lowered:
    """Lowers a plan; `picture` when the input is a uint8 picture rather than a float32 array."""
    sources = {INPUT}
    for group in plan.groups:
        sources.update(FusedGroup(network, group.first, group.stop).outputs)
    outside = whole_maps(network, sources, picture=picture)
    return arrange_plan(network, plan, lower_groups(network, plan.groups, blobs, outside))


def lower_groups(
    network: Network,
    groups: Sequence[GroupPlan],
    blobs: Blobs,
    outside: Mapping[int, OutsideMap],
) -> tuple[GroupProgram, ...]:
    """The programs of groups that follow one another; those that make nothing have none.

    `outside` are all maps outside the arenas: what groups read and what they make for others.
    """
    programs = []
    for plan in groups:
        frame = {s: each.region for s, each in outside.items() if plan.first <= s < plan.stop}
        group = FusedGroup(network, plan.first, plan.stop, frame)
        if group.members:
            programs.append(lower_group(group, plan, blobs, outside))
    return tuple(programs)


def arrange_plan(network: Network, plan: Plan, programs: tuple[GroupProgram, ...]) -> Lowered:
    """A plan of which the groups are lowered already."""
    made = {source for program in programs for source in program.outputs}
    regions = {source: whole_map(network, source) for source in made - network.output_sources}
    found = arrange(network, programs, plan.threads, regions)
    return Lowered(
        found.programs, found.arenas, found.maps, found.map_regions, found.block_bytes, plan
    )


def arrange(
    network: Network,
    programs: tuple[GroupProgram, ...],
    threads: int,
    regions: dict[int, Region],
    lasting: Collection[int] = (),
) -> Arrangement:
    """Places the arenas of programs and the `regions` of maps that they make in one block.

    A map is there until the last group that reads it is done; `lasting` ones to the end.
    """
    blocks: list[Block[tuple[str, int, int]]] = []
    for number, program in enumerate(programs):
        workers = min(threads, program.tiles)
        size = program.arena_bytes
        blocks += [Block(("arena", number, each), size, number, number) for each in range(workers)]
        for source in (each for each in program.outputs if each in regions):
            readers = [n for n, each in enumerate(programs) if source in each.inputs]
            last = len(programs) - 1 if source in lasting else max(readers)
            size = 4 * regions[source].size * network.shape(source).channels
            blocks.append(Block(("map", source, 0), size, number, last))
    offsets, size = place(blocks)
    arenas = tuple(
        tuple(at for (kind, n, _), at in offsets.items() if (kind, n) == ("arena", number))
        for number in range(len(programs))
    )
    maps = {source: at for (kind, source, _), at in offsets.items() if kind == "map"}
    return Arrangement(programs, arenas, maps, regions, size)


def footprint(
    lowered: Lowered, network: Network, baseline: int, input_bytes: int, planning: int = 0
) -> Footprint:
    """The predicted peak of a process that holds `baseline` bytes before it plans.

    `planning` are those that planning and lowering leave behind beside the programs.
    """
    return Footprint(
        baseline=baseline,
        planning=planning,
        weights=sum(resident_layers(network, lowered.plan).values()),
        arenas=lowered.arena_bytes,
        boundary_maps=lowered.block_bytes - lowered.arena_bytes,
        programs=lowered.program_bytes,
        input=input_bytes,
        output=output_bytes(network),
        slack=slack_bytes(lowered.plan.threads),
    )


def slack_bytes(threads: int) -> int:
    """Room for what is allocated while so many threads run a plan."""
    return SLACK_BYTES + (threads - 1) * THREAD_BYTES


def lowering_bytes(network: Network) -> int:
    """What lowering a plan leaves behind beside its programs, at most, once the heap is trimmed."""
    return _LOWERING_BYTES + _LOWERING_LAYER_BYTES * len(network.layers)


def input_bytes(network: Network, *, picture: bool) -> int:
    """Bytes of the input array: one a value for a picture, four for float32."""
    return network.input.elements if picture else network.input.bytes


def output_bytes(network: Network) -> int:
    """Bytes of all output arrays, as the user gets them."""
    return sum(network.shape(number).bytes for number in network.outputs)


def live_maps(network: Network, cut: int) -> Mapping[int, int]:
    """Bytes of each map, by source, that must exist when layers before `cut` are done."""
    return {
        source: network.shape(source).bytes
        for source, last in network.last_use.items()
        if source != INPUT and source < cut <= last
    }
