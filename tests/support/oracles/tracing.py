"""Programs run on names instead of numbers: each float of memory holds which value it is.

A name stands for one element of one layer's map. Kernels here compute nothing: they check that the
elements they are about to read are the ones that the layer reads, then write the names of what they
make. So a wrong row, a buffer overwritten too early and a float that nobody wrote all show where
they happen. What a layer reads is taken from ``dependencies``, not from planning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ftdist.kernels.program import BLOCK, op
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.tensors import ConcatenatePositions
from ftdist.network.operators.windows import Convolution
from ftdist.planning.fused_pools import fused_pools
from ftdist.planning.lowering.kernel_tables import MapLayout, OutsideMap
from ftdist.planning.lowering.programs import GroupProgram
from support.oracles.dependencies import columns_read, rows_read

UNWRITTEN, PADDING = -1, -2

CHUNK_BLOCKS = 2
"""Streamed weights come in chunks of at most so many blocks of output channels, with their bias."""


class Trace:
    """Runner all tiles of a group's programs, each in a fresh arena, and keeps what they did.

    `times_made[tile][layer]` counts how often a tile computes (or loads) each position; `stores`
    counts how often each element of an output map was written, `loads` how often each of an input
    was copied into the arena; `touched_bytes` is where the last float of an arena that was read or
    written ends.
    """

    def __init__(
        self, network: Network, program: GroupProgram, outside: dict[int, OutsideMap]
    ) -> None:
        self.network = network
        self.program = program
        self.outside = outside
        self.touched_bytes = 0
        self.maps = {
            source: self.stored(source).ravel()
            if source in program.inputs
            else np.full(self.stored(source).size, UNWRITTEN)
            for source in program.maps
        }
        self.stores = {source: np.zeros(self.maps[source].size, int) for source in program.outputs}
        self.loads = {source: np.zeros(self.maps[source].size, int) for source in program.inputs}
        self.times_made: list[dict[int, np.ndarray]] = []
        for tile in range(program.tiles):
            self._run_tile(tile)

    def names(self, source: int) -> np.ndarray:
        """The names of a map's elements, (height, width, channels)."""
        layer = self.network.layers[source] if source != INPUT else None
        if layer is not None and isinstance(layer.operation, Concatenate):
            parts, part = layer.operation.parts, layer.operation.part
            pieces = [
                np.split(self.names(read), parts, axis=2)[part]
                for read in self.network.reads(source)
            ]
            return np.concatenate(pieces, axis=2)
        shape = self.network.shape(source)
        return (source + 1) * 10**7 + np.arange(shape.elements).reshape(shape)

    def stored(self, source: int) -> np.ndarray:
        """The names of a map outside the arena, in the order of its memory."""
        layout, region = self.outside[source].layout, self.outside[source].region
        names = self.names(source)[region.top : region.bottom, region.left : region.right]
        return names.transpose(2, 0, 1) if layout is MapLayout.PLANAR else names

    def _run_tile(self, tile: int) -> None:
        self._tile = tile
        arena = np.full(self.program.arena_bytes // 4, UNWRITTEN)
        self.memory = [arena, *(self.maps[source] for source in self.program.maps)]
        self.times_made.append(
            {
                source: np.zeros(self.network.shape(source)[:2], int)
                for made_by in dict.fromkeys(self.program.made_by)
                for source in (made_by, *self._only_reader(made_by))
            }
        )
        program = self.program.program(tile)
        for call in program.calls:
            kernel = program.kernels[call["kernel"]]
            self._run_call(kernel, call, self.program.made_by[call["kernel"]])

    def _run_call(self, kernel: Any, call: Any, layer: int) -> None:
        rows = np.arange(call["row"], call["row"] + call["rows"])
        columns = np.arange(kernel["left"], kernel["right"])
        high, wide = int(kernel["pool_height"]), int(kernel["pool_width"])
        assert rows.size * columns.size, f"layer {layer}: a call that makes nothing"
        places = kernel["op"] == op("place")  # a map of several that together are the output
        if places:
            rows = _within(rows, kernel["pad_top"], kernel["height"])
            columns = _within(columns, kernel["pad_left"], kernel["width"])
            if not rows.size * columns.size:
                return
        first = self._first_channel(kernel, call["kernel"])
        finished = True  # whether the map has all that belongs there
        if kernel["op"] == op("copy"):
            index = self._index(kernel["in"], call["in_row"], rows, columns, kernel["channels"])
            made = self.memory[kernel["in"]["base"]][index]
            assert (made != UNWRITTEN).all(), f"layer {layer}: copies what nobody wrote"
            counted = kernel["in"]["base"] != 0 and layer in self.program.inputs
            if counted:
                np.add.at(self.loads[layer], index, 1)
        else:
            self._stream_weights(kernel)
            computed = np.arange(rows[0] * high, (rows[-1] + 1) * high)
            across = np.arange(columns[0] * wide, (columns[-1] + 1) * wide)
            reads = self.network.reads(layer)
            joins = self.network.layers[layer].operation.joins
            part = self._placed(kernel, layer) if places else kernel["part"]
            for name, source in zip(
                ("in", "in2"), reads[part:][:1] if joins else reads, strict=False
            ):
                row = call[f"{name}_row"]
                own = self._read_channels(kernel, name, first, layer, source)
                self._check_read(kernel[name], row, layer, source, computed, across, own)
            if self._has_fused_pool(layer):
                self.times_made[-1][layer][np.ix_(computed, across)] += 1
                (layer,) = self._only_reader(layer)
            made = self.names(layer)[rows][:, columns]
            made = made[..., first : first + kernel["filters"]]
            counted = finished = places or not joins or kernel["part"] == len(reads) - 1
            if joins and kernel["part"] and not places:
                self._check_sum(kernel, call, rows, columns, made)
        if counted:
            self.times_made[-1][layer][np.ix_(rows, columns)] += 1
        out = kernel["out"]
        memory = self.memory[out["base"]]
        stored = np.arange(out["column"], out["column"] + out["columns"])
        beside = stored[(stored < kernel["left"]) | (stored >= kernel["right"])]
        channels = kernel["filters"]
        for where, value in ((beside, PADDING), (columns, made)):
            index = self._index(out, call["out_row"], rows, where, channels)
            memory[index] = value
            if out["base"] and finished:
                source = self.program.maps[out["base"] - 1]
                np.add.at(self.stores[source], index, 1)
        self._stream_weights(kernel)

    def _first_channel(self, kernel: Any, number: int) -> int:
        """The first output channel that a kernel makes: not 0 in later slices."""
        slices = self.program.plan.slices
        if self.program.plan.whole:
            slices = len(self.program.kernels)
        column = self._tile % len(self.program.kernels) // slices * slices
        whole = self.program.kernels[column][number]["out"]
        return int(kernel["out"]["offset"] - whole["offset"]) // int(kernel["out"]["channel"])

    def _placed(self, kernel: Any, layer: int) -> int:
        """Which of the maps that lie beside each other a kernel moves."""
        operation = self.network.layers[layer].operation
        assert isinstance(operation, ConcatenatePositions)
        axis = ("rows", "columns").index(operation.axis)
        sizes = [self.network.shape(source)[axis] for source in self.network.reads(layer)]
        first = kernel["pad_left" if axis else "pad_top"]
        return next(number for number in range(len(sizes)) if sum(sizes[:number]) == first)

    def _check_sum(
        self, kernel: Any, call: Any, rows: np.ndarray, columns: np.ndarray, made: np.ndarray
    ) -> None:
        """What a sum adds to must be what its earlier kernels wrote."""
        out = kernel["out"]
        index = self._index(out, call["out_row"], rows, columns, kernel["filters"])
        assert (self.memory[out["base"]][index] == made).all(), "a sum that was not begun"

    def _stream_weights(self, kernel: Any) -> None:
        """Overwrites the staging of weights, as happens before, during and after a call."""
        if not kernel["streamed"]:
            return
        depth = int(kernel["channels"] // kernel["groups"])
        block = BLOCK * (depth * int(kernel["kernel_height"]) * int(kernel["kernel_width"]) + 1)
        stop = int(kernel["window"]) + CHUNK_BLOCKS * block
        assert stop <= len(self.memory[0]), "the staging lies beyond the arena"
        self.memory[0][kernel["window"] : stop] = UNWRITTEN
        self.touched_bytes = max(self.touched_bytes, 4 * stop)

    def _has_fused_pool(self, layer: int) -> bool:
        pool = fused_pools(self.network).get(layer, self.program.plan.stop)
        return pool < self.program.plan.stop

    def _only_reader(self, layer: int) -> list[int]:
        """The layer that reads another, where there is just one."""
        readers = [n for n in range(len(self.network.layers)) if layer in self.network.reads(n)]
        return readers if len(readers) == 1 else []

    def _read_channels(self, kernel: Any, name: str, first: int, layer: int, source: int) -> slice:
        """The channels of a source that a kernel reads: those that it makes, of a map that is added
        or made of the same channels, else all."""
        added = name == "in2" and isinstance(self.network.layers[layer].operation, Convolution)
        if added or kernel["channels"] < self.network.shape(source).channels:
            return slice(first, first + int(kernel["filters"]))
        return slice(0, self.network.shape(source).channels)

    def _check_read(
        self,
        buffer: Any,
        first_row: int,
        layer: int,
        source: int,
        made_rows: np.ndarray,
        made_columns: np.ndarray,
        own: slice,
    ) -> None:
        network = self.network
        shape = network.shape(source)
        rows = {read for row in made_rows for read in rows_read(network, layer, source, row)}
        columns = {
            read for column in made_columns for read in columns_read(network, layer, source, column)
        }
        if not rows or not columns:
            return
        row_list, column_list = np.array(sorted(rows)), np.array(sorted(columns))
        index = self._index(buffer, first_row, row_list, column_list, own.stop - own.start)
        found = self.memory[buffer["base"]][index]
        expected = self.names(source)[row_list][:, column_list.clip(0, shape.width - 1), own]
        expected[:, (column_list < 0) | (column_list >= shape.width)] = PADDING
        wrong = np.argwhere(found != expected)
        assert not wrong.size, (
            f"layer {layer} reads rows {row_list} and columns {column_list} of layer {source}: "
            f"{len(wrong)} elements are not there, the first at {wrong[0]}"
        )

    def _index(
        self, buffer: Any, first_row: int, rows: np.ndarray, columns: np.ndarray, channels: int
    ) -> np.ndarray:
        """Where the elements lie in the memory of the buffer's base."""
        index = (
            int(buffer["offset"])
            + (rows - first_row)[:, None, None] * buffer["row"]
            + (columns - buffer["column"])[None, :, None] * buffer["pixel"]
            + np.arange(channels)[None, None, :] * buffer["channel"]
        )
        assert (rows >= first_row).all(), "a row before the buffer's first"
        assert (columns >= buffer["column"]).all(), "a column before the buffer's first"
        assert (columns < buffer["column"] + buffer["columns"]).all(), "a column after the last"
        if index.size:
            assert index.min() >= 0
            assert index.max() < self.memory[buffer["base"]].size, "beyond the memory"
            if not buffer["base"]:
                self.touched_bytes = max(self.touched_bytes, 4 * (int(index.max()) + 1))
        return index


def _within(positions: np.ndarray, first: int, count: int) -> np.ndarray:
    return positions[(positions >= first) & (positions < first + count)]
