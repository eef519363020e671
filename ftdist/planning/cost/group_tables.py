"""What the native backward pass knows of a network and a device: plain numbers (src/tables.hpp).

The first indices are the network's inputs, with its first input last; then comes what each layer
makes. Seconds of a row are tabled by its columns; layers that are alike share a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import FtdistError
from ftdist.kernels.program import OVERREAD_BYTES
from ftdist.network.graph import Network, is_alias
from ftdist.planning.cost.group_cost import CostContext
from ftdist.planning.cost.kernels import copy_row_s, layer_cost, row_seconds
from ftdist.planning.fused_pools import row_blocks
from ftdist.planning.group import read_as_it_lies
from ftdist.planning.lowering.placement import ALIGNMENT_BYTES
from ftdist.planning.profile import DeviceProfile

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]

Ending = tuple[list[int], Integers, Numbers, Numbers, Numbers, Numbers]
"""The groups that end at one layer: the strips that are possible (0: the whole tile), the groups'
first layers (by index), and by first layer and strip the seconds on one thread, those of copying
streamed weights, those of their disk, and the bytes of an arena."""


class NativeGroups(Protocol):
    """All groups of a network, with time and memory."""

    def ending_at(
        self, stop: int, first: int, rows: int, columns: int, strips: Sequence[int]
    ) -> Ending:
        """The groups before map index `stop` that begin at `first` or later."""
        ...

    def arena_bytes(self, first: int, stop: int, rows: int, columns: int, strip: int) -> int:
        """Bytes of an arena of the group of map indices [first, stop), as it will be laid out."""
        ...


@cache
def native() -> Any:
    """The planner's native module; FtdistError where it cannot be loaded."""
    try:
        from ftdist.planning import _groups  # type: ignore[attr-defined]
    except ImportError as error:  # pragma: no cover - a broken installation
        raise FtdistError(f"the planner cannot be loaded ({error}); reinstall ftdist") from error
    return _groups


def native_groups(context: CostContext) -> NativeGroups:
    """The native backward passes over a network on a device."""
    row_s, row_at = _row_seconds(context.network, context.profile)
    found: NativeGroups = native().Groups(
        _sizes(context),
        _costs(context),
        _readings(context.network),
        row_s,
        row_at,
        _device(context),
        _curve(context.profile.traffic_s),
        _curve(context.profile.weights_s),
    )
    return found


def _sizes(context: CostContext) -> Integers:
    """Of each map: height, width, channels, computed, planar, last use, fused pool, the rows that
    are made at one time, bytes of its kernel's scratch."""
    network = context.network
    last, inputs = network.last_use, len(network.inputs)
    rows, blocks = [], row_blocks(network)
    for number in range(-inputs, len(network.layers)):
        scratch = 0
        if number >= 0:
            implementation = network.layers[number].implementation
            scratch = 4 * implementation.scratch_floats(*network.asked(number))
        computed = number >= 0 and not is_alias(network.layers[number])
        planar = number in network.planar_sources
        pool = context.fused_pools.get(number, number) + inputs
        shape = network.shape(number)
        made = blocks.get(number, 1), scratch
        rows.append((*shape, computed, planar, last.get(number, -inputs) + inputs, pool, *made))
    return np.array(rows, np.int64)


def _costs(context: CostContext) -> Numbers:
    """Of each map: what reading its weights once takes (weight bytes, chunks, bytes of the file,
    seconds of transforming, positions for which they are read once), copying a column, moving the
    whole map, transforming weights wherever they are, fetching them."""
    network, profile = context.network, context.profile
    inputs = len(network.inputs)
    costs = np.zeros((len(network.layers) + inputs, 9))
    costs[:, 4] = np.inf
    for number in range(-inputs, len(network.layers)):
        shape, at = network.shape(number), costs[number + inputs]
        if number >= 0 and not is_alias(network.layers[number]):
            cost = layer_cost(network, number, shape.width, profile)
            at[7] = cost.expand_s
            at[8] = context.fetching_s(number, cost.weight_bytes)
            at[:5] = (
                cost.weight_bytes,
                cost.weight_chunks,
                cost.file_bytes,
                cost.transform_s,
                cost.batch,
            )
        planar = number in network.planar_sources
        at[5] = copy_row_s(shape, 1, planar, profile)
        at[6] = context.map_traffic_s(number)
    return costs


def _readings(network: Network) -> Integers:
    """For each map that a layer reads: reader, source, padded, whether it can be read as it lies,
    a term of the rows and one of the columns, as often as either has terms."""
    rows = []
    inputs = len(network.inputs)
    for number, layer in enumerate(network.layers):
        if is_alias(layer):
            continue
        for source in dict.fromkeys(network.reads(number)):
            axes = network.axes(number, source)
            as_it_lies = read_as_it_lies(network, number, source)
            both = axes.rows.terms(), axes.columns.terms()
            head = number + inputs, source + inputs, int(axes.padded), int(as_it_lies)
            for each in range(max(map(len, both))):
                terms = (axis[min(each, len(axis) - 1)] for axis in both)
                rows.append((*head, *itertools.chain(*terms)))
    return np.array(rows, np.int64).reshape(-1, 20)


def _row_seconds(network: Network, profile: DeviceProfile) -> tuple[Numbers, Integers]:
    """(seconds of rows of 0, 1, ... columns, table after table; by map where its table begins)."""
    tables: list[Numbers] = [np.zeros(1)]
    known: dict[object, tuple[int, int]] = {}
    places = [(0, 1)] * len(network.inputs)
    length = 1
    for number, layer in enumerate(network.layers):
        if is_alias(layer):
            places.append((0, 1))
            continue
        shapes = tuple(map(network.shape, network.reads(number)))
        key = layer.operation, layer.shape, shapes, layer.algorithm
        if key not in known:
            widths = np.arange(layer.shape.width + 1, dtype=np.float64)
            tables.append(row_seconds(network, number, widths, profile))
            known[key] = length, length + len(widths)
            length += len(widths)
        places.append(known[key])
    return np.concatenate(tables), np.array(places, np.int64)


def _device(context: CostContext) -> Numbers:
    profile = context.profile
    return np.array(
        (
            profile.call_s,
            profile.copy_bytes_per_s,
            profile.disk_bytes_per_s,
            profile.reading_s_per_byte,
            profile.reading_s_per_piece,
            context.weights_once_s,
            ALIGNMENT_BYTES,
            OVERREAD_BYTES,
        )
    )


def _curve(points: tuple[tuple[float, float], ...]) -> Numbers:
    return np.array([(np.log(size), cost) for size, cost in points])
