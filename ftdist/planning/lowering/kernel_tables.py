"""Kernels: what stays the same from strip to strip, for one column of tiles.

Here each map becomes a buffer with strides; what an operation is to a kernel says
``descriptors``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, count
from typing import NamedTuple

import numpy as np

from ftdist.geometry import Region, Shape, Span
from ftdist.kernels.program import FLOAT32, NO_VIEWS, PICTURE_CHANNELS, UINT8, VIEW, Table, op
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelheader import ArrayName
from ftdist.network.operators.base import KernelRecord
from ftdist.network.operators.views import View
from ftdist.network.packing import BLOCKS
from ftdist.network.ports import Pixels
from ftdist.planning.group import FusedGroup, lies_between, whole_map
from ftdist.planning.lowering.descriptors import Buffer, Kernel, described
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

    def buffer(self, base: int, channels: int) -> Buffer:
        """The region as a buffer of base number `base`; its first row is the region's top."""
        height, width = self.region.rows.size, self.region.columns.size
        kind = UINT8 if self.layout is MapLayout.PICTURE else FLOAT32
        if not self.interleaved and self.layout is MapLayout.PLANAR:
            strides = (width, 1, height * width)
        else:
            strides = (width * channels, channels, 1)
        return Buffer(base, kind, self.region.left, width, 0, *strides)


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


def view_table(views: Collection[View]) -> Table:
    """Views as kernels read them."""
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


class Bases(NamedTuple):
    """The numbers of a group's bases: of `maps` by source, of `transformed` weights by layer."""

    maps: Mapping[int, int]
    transformed: Mapping[int, int]


def group_bases(group: FusedGroup) -> Bases:
    """Base 0 is the arena; then come inputs, outputs, and transformed weights."""
    numbers = count(1)
    maps = {source: next(numbers) for source in (*group.inputs, *group.outputs)}
    return Bases(maps, {layer: next(numbers) for layer in group.transformed})


@dataclass(frozen=True, slots=True)
class KernelWriter:
    """Says what the kernels of one column of tiles are.

    `columns` are what the tiles hold of each map, `shares` what they own of each output; `bases`
    are the numbers of the bases in which maps outside the arena lie, and after them transformed
    weights, by source and by layer; `views` the numbers of the group's views.
    """

    group: FusedGroup
    layout: Layout
    offsets: Offsets
    outside: Mapping[int, OutsideMap]
    columns: dict[int, Span]
    shares: dict[int, Span]
    streamed: bool
    bases: Bases
    views: Mapping[tuple[int, int], int]

    def kernel(self, kind: str, source: int, part: int) -> Kernel:
        """The kernel of that name (``calls.Number``)."""
        group = self.group
        if kind == "make" and source not in group.inputs:
            return self.make(source, part)
        shape = group.network.shape(source)
        left, right = self.columns[source]
        if kind == "make":
            left, right = self.columns[source].clipped(shape.width)
            there, back = self.map(source), self.buffer(source)
        elif kind == "store":
            left, right = self.shares[source]
            there, back = self.buffer(source), self.destination(source)
        else:
            there = self.slot(self.layout.kept[source], self.columns[source])
            back = self.buffer(source)
            if kind == "save":
                there, back = back, there
        kernel = {
            **_sizes(shape),
            "op": op("copy"),
            "filters": shape.channels,
            "left": left,
            "right": right,
            "in": there,
            "out": back,
        }
        if kind == "make" and there.type == UINT8:
            kernel.update(_seen(group.network.inputs[-1 - source].pixels))
        return kernel

    def make(self, pool: int, part: int) -> Kernel:
        """What makes a member, or its part for one input; with a fused pool that is the pool."""
        network = self.group.network
        number = self.group.fused_into.get(pool, pool)
        layer, reads = network.layers[number], network.reads(number)
        shapes = tuple(map(network.shape, reads))
        record = layer.implementation.record(layer.operation, shapes, layer.shape, part)
        shape = network.shape(pool)
        left, right = self.columns[pool].clipped(shape.width)
        out = self.buffer(pool) if pool in self.layout.buffers else self.destination(pool)
        kernel = {
            **_sizes(shapes[part]),
            "filters": shape.channels,
            "left": left,
            "right": right,
            "in": self.buffer(reads[part]).moved(record.reads_from),
            "out": out.moved(record.writes_to),
            **described(record),
            **self.work(number, shapes[0]),
        }
        if len(reads) > 1 and not layer.operation.joins:
            kernel["in2"] = self.buffer(reads[1])
        if record.view is not None:
            kernel["view"] = self.views[number, part]
        if record.weights:
            kernel.update(self.weights(number, shapes[0], record))
        if pool != number and (windows := network.layers[pool].operation.maxima()):
            kernel["pool_height"], kernel["pool_width"] = windows
        return kernel

    def weights(self, number: int, source: Shape, record: KernelRecord) -> Kernel:
        """Where the weights of a layer lie: in the model's file, or transformed in a base."""
        layer = self.group.network.layers[number]
        operation, implementation = layer.operation, layer.implementation
        streamed = self.streamed and implementation.streams(operation, source)
        if not streamed and number in self.bases.transformed:
            sizes = implementation.form(operation, source).sizes(operation, source)
            ends = accumulate(sizes.values(), initial=0)
            places = dict(zip(sizes, ends, strict=False))
            found = {field: places[array] for field, array in record.weights.items()}
            return {**found, "table": self.bases.transformed[number]}
        form = BLOCKS.name if streamed else record.form
        arrays = record.weights.items()
        found = {field: self.offsets[ArrayName(number, form, array)] for field, array in arrays}
        return {**found, "streamed": streamed}

    def work(self, number: int, source: Shape) -> Kernel:
        """Where in the arena a layer's kernel works: what is read, what is made of it, the rest."""
        layer = self.group.network.layers[number]
        operation, implementation = layer.operation, layer.implementation
        places = {"window": self.layout.staging, "scratch": self.layout.scratch.get(number, 0)}
        place = "scratch" if implementation.expands(operation, source) else "window"
        begin = places[place]
        places[place] += implementation.expanded_floats(operation, source)
        return {**places, "expanded": begin}

    def buffer(self, source: int) -> Buffer:
        """Where a kernel finds a map that the group reads or makes."""
        if source in self.layout.in_place:
            return self.map(source)
        return self.slot(self.layout.buffers[source], self.columns[source])

    def slot(self, slot: Slot, columns: Span) -> Buffer:
        channels = slot.channels
        rest = slot.offset, slot.row_floats, channels, 1
        return Buffer(0, FLOAT32, columns.start, columns.size, *rest)

    def map(self, source: int) -> Buffer:
        """The buffer of a map outside the arena."""
        channels = self.group.network.shape(source).channels
        return self.outside[source].buffer(self.bases.maps[source], channels)

    def destination(self, source: int) -> Buffer:
        """The tile's own columns of an output's map: no kernel may touch a neighbour's."""
        whole, own = self.map(source), self.shares[source]
        begin = whole.moved((own.start - whole.column) * whole.pixel)
        return begin._replace(column=own.start, columns=own.size)


def _sizes(shape: Shape) -> Kernel:
    """A kernel's input map."""
    return {"height": shape.height, "width": shape.width, "channels": shape.channels}


def _seen(pixels: Pixels) -> Kernel:
    """How the network sees a picture: of each channel, where it does not say the same of all."""
    mean, deviation = (
        values * (PICTURE_CHANNELS // len(values)) for values in (pixels.mean, pixels.deviation)
    )
    return {"mean": mean, "deviation": deviation, "part": pixels.blue_first}
