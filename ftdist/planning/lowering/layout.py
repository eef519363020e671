"""The arena of a fused group: where every layer's rows lie, and how many bytes that takes.

One layout serves all tiles of a group: each buffer is as large as the worst tile and pass make it.
Buffers share memory where they are not alive at the same time within a pass. What must survive from
pass to pass (line buffers) has a small place of its own: rows are saved there after their last
reader and restored before the layer makes its next rows, so the large buffers need not stay apart.

The layout *is* the memory prediction: the arena has `arena_bytes`, nothing is ever added to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ftdist.geometry import Span
from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network.graph import INPUT
from ftdist.planning.group import FusedGroup
from ftdist.planning.lowering.placement import Block, place
from ftdist.planning.lowering.row_walk import RowWalk
from ftdist.planning.lowering.strips import Passes
from ftdist.planning.plan import GroupPlan
from ftdist.planning.weights import staging_bytes

_Key = tuple[str, int]
"""What a block holds ("buffer", "kept", "scratch" or "staging"), and of which layer."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the arena: `rows` x `columns` x `channels` floats from `offset` (in floats)."""

    offset: int
    rows: int
    columns: int
    channels: int

    @property
    def row_floats(self) -> int:
        return self.columns * self.channels


@dataclass(frozen=True)
class Layout:
    """The arena of a group, and the geometry of its tiles that led to it.

    `order` are the group's inputs and members in the order of execution, each input just before its
    first reader. `passes` and `columns` say, for each tile row and each tile column, what is
    computed. `buffers` have no entry for maps that are written straight to their destination, and
    for inputs that are read `in_place`.
    `staging` is the offset in floats of the bytes into which streamed weights are read, `scratch`
    by layer that of the floats in which its kernel works.
    """

    order: tuple[int, ...]
    in_place: frozenset[int]
    passes: tuple[Passes, ...]
    columns: tuple[dict[int, Span], ...]
    buffers: dict[int, Slot]
    kept: dict[int, Slot]
    staging: int
    scratch: dict[int, int]
    arena_bytes: int


def lay_out(
    group: FusedGroup,
    plan: GroupPlan,
    direct: frozenset[int],
    in_place: frozenset[int] = frozenset(),
) -> Layout:
    """The layout of a group cut by `plan`.

    The outputs in `direct` and the inputs read `in_place` need no buffer in the arena.
    """
    down, across = group.grid(plan.rows, plan.columns)
    walk = RowWalk(group)
    rows = tuple(Passes(walk, down, index, plan.strip) for index in range(down))
    shares = (group.column_shares(across, index) for index in range(across))
    columns = tuple(group.needed_columns(each) for each in shares)
    order = execution_order(group)
    step = {source: number for number, source in enumerate(order)}
    unread = (source for source in direct if not group.readers[source])
    without = {*group.fused_pool, *in_place, *unread}
    buffered = [each for each in order if each not in without]
    shapes, blocks = _map_blocks(group, step, buffered, rows, columns)
    blocks += _working_blocks(group, plan, step)
    offsets, size = place(blocks)
    slots = {key: Slot(offsets[key] // 4, *shape) for key, shape in shapes.items()}
    return Layout(
        order,
        in_place,
        rows,
        columns,
        {source: slot for (kind, source), slot in slots.items() if kind == "buffer"},
        {source: slot for (kind, source), slot in slots.items() if kind == "kept"},
        offsets.get(("staging", INPUT), 0) // 4,
        {member: at // 4 for (kind, member), at in offsets.items() if kind == "scratch"},
        size + OVERREAD_BYTES,
    )


def _map_blocks(
    group: FusedGroup,
    step: dict[int, int],
    sources: list[int],
    rows: tuple[Passes, ...],
    columns: tuple[dict[int, Span], ...],
) -> tuple[dict[_Key, tuple[int, int, int]], list[Block[_Key]]]:
    """The rows of each source during a pass, until its last reader, and those kept between
    passes."""
    most_held, most_kept = _most_rows(rows)
    blocks: list[Block[_Key]] = []
    shapes: dict[_Key, tuple[int, int, int]] = {}
    for source in sources:
        width = max(stored[source].size for stored in columns)
        channels = group.network.shape(source).channels
        readers = [step[group.made_with[reader]] for reader in group.readers[source]]
        for kind, height, first, until in (
            ("buffer", max(1, most_held[source]), step[source], max(readers, default=step[source])),
            ("kept", most_kept[source], 0, len(step) - 1),
        ):
            if height:
                shapes[kind, source] = (height, width, channels)
                size = 4 * height * width * channels
                blocks.append(Block((kind, source), size, first, until))
    return shapes, blocks


def _working_blocks(group: FusedGroup, plan: GroupPlan, step: dict[int, int]) -> list[Block[_Key]]:
    """What kernels work in, each during its own step, and where streamed weights are read to."""
    blocks: list[Block[_Key]] = []
    for member in group.members:
        layer = group.network.layers[member]
        floats = layer.implementation.scratch_floats(*group.network.asked(member))
        if floats:
            at = step[group.made_with[member]]
            blocks.append(Block(("scratch", member), 4 * floats, at, at))
    staging = staging_bytes(group.network, plan)
    if staging:
        blocks.append(Block(("staging", INPUT), staging, 0, len(step) - 1))
    return blocks


def _most_rows(tiles: tuple[Passes, ...]) -> tuple[dict[int, int], dict[int, int]]:
    """For each source the most rows in memory during a pass, and the most kept for one."""
    sources = tiles[0].sources
    held, kept = (np.zeros(len(sources), np.int32) for _ in range(2))
    for tile in tiles:
        for block in tile.blocks():
            np.maximum(held, block.held_sizes.max(axis=0), out=held)
            np.maximum(kept, block.kept_sizes.max(axis=0), out=kept)
    return (
        dict(zip(sources, held.tolist(), strict=True)),
        dict(zip(sources, kept.tolist(), strict=True)),
    )


def execution_order(group: FusedGroup) -> tuple[int, ...]:
    """Inputs and members in the order of execution: each input just before its first reader."""
    order: list[int] = []
    for member in group.members:
        for source in group.network.reads(member):
            if source in group.inputs and source not in order:
                order.append(source)
        order.append(member)
    return tuple(order)
