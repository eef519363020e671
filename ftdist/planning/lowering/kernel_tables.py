"""Kernel tables: what stays the same from strip to strip, for one column of tiles.

Here each map becomes a buffer with strides; what an operation is to a kernel says
``descriptors``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from ftdist.geometry import Region, Span
from ftdist.kernels.program import BUFFER, FLOAT32, NO_VIEWS, UINT8, VIEW, Table, op
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelheader import ArrayName
from ftdist.network.operators.views import View
from ftdist.network.packing import BLOCKS
from ftdist.network.ports import Pixels
from ftdist.planning.group import FusedGroup, lies_between, whole_map
from ftdist.planning.lowering.descriptors import NEUTRAL, describe
from ftdist.planning.lowering.layout import Layout, Slot

Offsets = Mapping[ArrayName, int]
"""Where arrays of weights lie in the model file, in floats."""


class MapLayout(Enum):
    """How a map outside the arena lies in memory, and its element type."""

    INTERLEAVED = "float32 (height, width, channels)"
    PLANAR = "float32 (channels, height, width)"
    PICTURE = "uint8 (height, width, channels)"


@dataclass(frozen=True, slots=True)
class OutsideMap:
    """The region of a map that exists outside the arenas, and how it lies there.

    `in_block`: in the block of memory, where kernels may read it as it lies.
    """

    layout: MapLayout
    region: Region
    in_block: bool = False

    @property
    def interleaved(self) -> bool:
        """Whether it lies as kernels read and write: a single position does in any case."""
        if self.layout is MapLayout.PLANAR:
            return self.region.size == 1
        return self.layout is MapLayout.INTERLEAVED

    def buffer(self, base: int, channels: int) -> Any:
        """The region as a buffer of base number `base`; its first row is the region's top."""
        record = np.zeros((), BUFFER)
        height, width = self.region.rows.size, self.region.columns.size
        record["base"], record["column"], record["columns"] = base, self.region.left, width
        record["type"] = UINT8 if self.layout is MapLayout.PICTURE else FLOAT32
        if not self.interleaved and self.layout is MapLayout.PLANAR:
            strides = (width, 1, height * width)
        else:
            strides = (width * channels, channels, 1)
        record["row"], record["pixel"], record["channel"] = strides
        return record


def whole_maps(network: Network, sources: Iterable[int], *, picture: bool) -> dict[int, OutsideMap]:
    """Maps of a whole network: planar where the user gives or gets them as an array."""
    found = {}
    for source in sources:
        planar = source in network.planar_sources
        layout = MapLayout.PLANAR if planar else MapLayout.INTERLEAVED
        if source == INPUT and picture:
            layout = MapLayout.PICTURE
        found[source] = OutsideMap(
            layout, whole_map(network, source), in_block=lies_between(network, source)
        )
    return found


def group_views(group: FusedGroup) -> dict[tuple[int, int], View]:
    """The views by which members of a group read, by (member, part), in the order of the table."""
    found = {}
    for member in sorted(group.network.whole_layers.intersection(group.members)):
        layer = group.network.layers[member]
        shapes = tuple(map(group.network.shape, group.network.reads(member)))
        for part in range(len(shapes) if layer.operation.joins else 1):
            record = layer.implementation.record(layer.operation, shapes, layer.shape, part)
            if record.view is not None:
                found[member, part] = record.view
    return found


def view_table(group: FusedGroup) -> Table:
    """The views of a group as kernels read them."""
    views = group_views(group).values()
    if not views:
        return NO_VIEWS
    table = np.zeros(len(views), VIEW)
    for row, view in zip(table, views, strict=True):
        row["first"], row["first2"] = view.first, view.first2
        for name in ("rows", "columns", "channels", "terms"):
            row[name] = len(getattr(view, name))
        for name, field in (("counts", "count"), ("steps", "step"), ("steps2", "step2")):
            row[name][: len(view.factors)] = [getattr(each, field) for each in view.factors]
    return table


@dataclass(frozen=True, slots=True)
class KernelWriter:
    """Fills in the kernels of one column of tiles.

    `columns` are what the tiles hold of each map, `shares` what they own of each output.
    """

    group: FusedGroup
    layout: Layout
    offsets: Offsets
    outside: Mapping[int, OutsideMap]
    columns: dict[int, Span]
    shares: dict[int, Span]
    streamed: bool

    def write(self, k: Any, kind: str, source: int, part: int) -> None:
        """Fills `k`, an array of one KERNEL."""
        k[...] = NEUTRAL
        group = self.group
        shape = group.network.shape(source)
        produced = self.columns[source].clipped(shape.width)
        k["height"], k["width"], k["channels"] = shape
        k["filters"] = shape.channels
        k["left"], k["right"] = produced
        if kind == "make" and source not in group.inputs:
            self.make(k, source, part)
            return
        k["op"] = op("copy")
        if kind == "make":
            k["in"], k["out"] = self.map(source), self.buffer(source)
            if k["in"]["type"] == UINT8:
                self.see(k, group.network.inputs[-1 - source].pixels)
        elif kind == "store":
            k["left"], k["right"] = self.shares[source]
            k["in"], k["out"] = self.buffer(source), self.destination(source)
        else:
            k["left"], k["right"] = self.columns[source]
            kept = self.slot(self.layout.kept[source], self.columns[source])
            buffer = self.buffer(source)
            k["in"], k["out"] = (kept, buffer) if kind == "restore" else (buffer, kept)

    def see(self, k: Any, pixels: Pixels) -> None:
        """How the network sees a picture."""
        k["mean"], k["deviation"], k["part"] = pixels.mean, pixels.deviation, pixels.blue_first

    def make(self, k: Any, number: int, part: int) -> None:
        network = self.group.network
        pool = number
        number = self.group.fused_into.get(pool, pool)
        operation = network.layers[number].operation
        reads = network.reads(number)
        k["height"], k["width"], k["channels"] = network.shape(reads[part])
        k["in"] = self.buffer(reads[part])
        if pool in self.layout.buffers:
            k["out"] = self.buffer(pool)
        else:
            k["out"] = self.destination(pool)
        if len(reads) > 1 and not operation.joins:
            k["in2"] = self.buffer(reads[1])
        shapes = tuple(map(network.shape, reads))
        implementation = network.layers[number].implementation
        record = implementation.record(operation, shapes, network.shape(number), part)
        describe(k, record)
        if record.view is not None:
            k["view"] = list(group_views(self.group)).index((number, part))
        if record.weights:
            streamed = self.streamed and implementation.streams(operation, shapes[0])
            transformed = () if streamed else self.group.transformed
            for field, array in record.weights.items():
                if number in transformed:
                    k[field] = self.place_transformed(number, array)
                else:
                    form = BLOCKS.name if streamed else record.form
                    k[field] = self.offsets[ArrayName(number, form, array)]
            if number in transformed:
                bases = 1 + len(self.group.inputs) + len(self.group.outputs)
                k["table"] = bases + transformed.index(number)
            k["streamed"] = streamed
        self.place_work(k, number)
        if pool != number and (windows := network.layers[pool].operation.maxima()):
            k["pool_height"], k["pool_width"] = windows

    def place_work(self, k: Any, number: int) -> None:
        """Where in the arena its kernel works: what is read, what is made of it, the rest."""
        implementation = self.group.network.layers[number].implementation
        operation, (source, *_) = self.group.network.asked(number)
        expanded = implementation.expanded_floats(operation, source)
        k["window"], k["scratch"] = self.layout.staging, self.layout.scratch.get(number, 0)
        place = "scratch" if implementation.expands(operation, source) else "window"
        k["expanded"] = k[place]
        k[place] += expanded

    def place_transformed(self, number: int, array: str) -> int:
        """Where transformed weights lie in the base that they have of their own."""
        layer, network = self.group.network.layers[number], self.group.network
        source = network.shape(network.reads(number)[0])
        sizes = layer.implementation.form(layer.operation, source).sizes(layer.operation, source)
        names = list(sizes)
        return sum(sizes[each] for each in names[: names.index(array)])

    def buffer(self, source: int) -> Any:
        """Where a kernel finds a map that the group reads or makes."""
        if source in self.layout.in_place:
            return self.map(source)
        return self.slot(self.layout.buffers[source], self.columns[source])

    def slot(self, slot: Slot, columns: Span) -> Any:
        record = np.zeros((), BUFFER)
        record["column"], record["columns"] = columns.start, columns.size
        record["offset"], record["row"] = slot.offset, slot.row_floats
        record["pixel"], record["channel"] = slot.channels, 1
        return record

    def map(self, source: int) -> Any:
        """The buffer of a map outside the arena."""
        base = 1 + (*self.group.inputs, *self.group.outputs).index(source)
        return self.outside[source].buffer(base, self.group.network.shape(source).channels)

    def destination(self, source: int) -> Any:
        """The tile's own columns of an output's map: no kernel may touch a neighbour's."""
        record, own = self.map(source), self.shares[source]
        record["offset"] = (own.start - record["column"]) * record["pixel"]
        record["column"], record["columns"] = own.start, own.size
        return record
