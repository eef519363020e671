"""The format of a program: what lowering writes and every executor reads.

A program is one tile, lowered. It has a table of *kernels* (what stays the same from strip to
strip: operation, sizes, buffers, columns) and a list of *calls* (which rows, strip by strip). Rows
and columns are absolute coordinates of a layer's whole feature map, so a kernel cannot tell in
which tile it runs. The structures are those of ``src/program.hpp``, field for field.

A buffer is a strided view of float32 (or uint8) elements in a *base*: base 0 is the arena, base n
the n-th map that the group reads or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ftdist.network import packing
from ftdist.network.operators import base, functions, pairs, reducing, views

BLOCK, CHUNK_BLOCKS, TOGETHER_BLOCKS, SLICE_CHANNELS = (
    packing.BLOCK,
    packing.CHUNK_BLOCKS,
    packing.TOGETHER_BLOCKS,
    packing.SLICE_CHANNELS,
)

POOL_MOST = 2
"""The most rows or columns of a pool that is fused into a convolution."""

OVERREAD_BYTES = 64
"""Kernels read whole vectors of channels: an arena ends with this many bytes to spare."""

OPERATIONS = tuple(sorted({name for each in base.OPERATIONS.values() for name in each.kernels}))
"""What kernels compute, by name: all that the operators of the network become. A kernel's `op` is
the place of its name here."""


def op(name: str) -> int:
    """The number of an operation."""
    return OPERATIONS.index(name)


ACTIVATIONS: tuple[str, ...] = get_args(base.ActivationKind)
"""Activation kinds by their number in a kernel."""

PICTURE_CHANNELS = 3
"""Channels of a picture that may be seen differently."""

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reductions": get_args(reducing.ReductionKind),
        "pairs": get_args(pairs.PairKind),
        "functions": get_args(functions.FunctionKind),
    }
)
"""The functions of each family that has several, by their number in a kernel's `kind`."""

FLOAT32, UINT8 = 0, 1
"""Element types of a buffer."""

BUFFER = np.dtype(
    [(name, "<i4") for name in ("base", "type", "column", "columns")]
    + [(name, "<i8") for name in ("offset", "row", "pixel", "channel")]
)
"""Where rows of a map lie: `column` is the absolute column stored first (negative: padding is
stored), strides and offset count elements."""

KERNEL = np.dtype(
    [("op", "<i4"), ("activation", "<i4"), ("slope", "<f4"), ("count_padding", "<i4")]
    + [(name, "<f4") for name in ("factor", "kept", "shift", "power")]
    + [("in", BUFFER), ("in2", BUFFER), ("out", BUFFER)]
    + [
        (name, "<i4")
        for name in (
            *("height", "width", "left", "right", "channels", "filters", "groups"),
            *("kernel_height", "kernel_width", "stride_y", "stride_x"),
            *("dilation_y", "dilation_x", "pad_top", "pad_left", "streamed"),
            *("pool_height", "pool_width", "part", "sample", "size"),
            *("in2_height", "in2_width", "in2_channels", "out_height", "out_width"),
            *("view", "kind"),
            *("tiles", "table"),
        )
    ]
    + [(name, "<f4", PICTURE_CHANNELS) for name in ("mean", "deviation")]
    + [
        ("weights", "<i8"),
        ("bias", "<i8"),
        ("window", "<i8"),
        ("scratch", "<i8"),
        ("expanded", "<i8"),
    ]
)
"""One layer's part in a tile. `height`, `width`: of the whole input map; `left`, `right`: output
columns to produce; `weights`, `bias`: offsets in floats into the model's weights. Where `streamed`
is set they are read from the model file, in pieces, to `window`, in floats of the arena.
`pool_height`, `pool_width`, 1 or 2: of a convolution only the maxima over windows of that size,
side by side, are written; rows and columns are then those of the maxima.

What the rest means is said by the operations that have it. `factor`, `shift`: an input is
multiplied and moved by them; `kept`, `part`: of an accumulation, what the sum so far is multiplied
by, and the number of the map that is added (0 begins the sum); `sample`: only every such output
position has something added; `size`, `power`: of a normalization, channels that are looked at and
the exponent; `in2_*`, `out_*`: sizes of the second input and of the whole output map; `view`: the
number of a view of the program, for operations that read by one; `kind`: which function of a
family, and 1 of a convolution that adds the second map to what it makes; `mean`, `deviation`: of a
picture, by channels as they are written, what is subtracted from a pixel and what that is divided
by, and `part`: 1 where channels are written in reverse.

Winograd's kernel makes blocks of `size` x `size` outputs, `tiles` of them at once, and works from
float `scratch` of the arena on; its weights, transformed, and its bias lie in base `table`. Where
that is 0 they are transformed as they are needed, in the arena from float `expanded` on."""

FACTORS = views.MOST_FACTORS
"""The most factors of a view."""

VIEW = np.dtype(
    [("first", "<i8"), ("first2", "<i8")]
    + [(name, "<i4") for name in ("rows", "columns", "channels", "terms")]
    + [("counts", "<i4", (FACTORS,)), ("steps", "<i8", (FACTORS,)), ("steps2", "<i8", (FACTORS,))]
)
"""Dense maps read as arrays of any rank. An output position is numbers, one a factor: those of its
row (outermost first), of its column, of its channel; then those of the terms that are put together
for it. `rows`, `columns`, `channels`, `terms` count factors, which follow one another. An element
lies at `first` plus the sum of each number times its step, counted in floats of the whole map;
`first2` and `steps2` say the same of the second map."""

CALL = np.dtype([(n, "<i4") for n in ("kernel", "row", "rows", "in_row", "in2_row", "out_row")])
"""One kernel over output rows [row, row + rows); the other rows say which absolute row is stored
first in each buffer."""

COUNTERS = np.dtype([("nanoseconds", "<i8"), ("macs", "<i8")])
"""What executors count for each kernel: time spent, multiply-accumulates done."""

Table = NDArray[np.void]
Bytes = NDArray[np.uint8]
Map = NDArray[Any]


NO_VIEWS: Table = np.zeros(0, VIEW)


@dataclass(frozen=True, slots=True)
class Program:
    """One tile, lowered: `kernels` of dtype KERNEL, `calls` of CALL, `views` of VIEW."""

    kernels: Table
    calls: Table
    views: Table = field(default_factory=lambda: NO_VIEWS)


def tile_program(
    kernels: tuple[Table, ...], calls: tuple[Table, ...], views: Table, tile: int
) -> Program:
    """The program of a tile, counted row by row: kernels are one for each column of tiles, calls
    one for each row."""
    row, column = divmod(tile, len(kernels))
    return Program(kernels[column], calls[row], views)


@dataclass(frozen=True, slots=True)
class Step:
    """The tiles of a plan's step, row by row, with the memory that they need.

    A tile's program is the `kernels` of its column with the `calls` of its row; its bases are an
    arena, then maps, by their numbers among those of the plan. `arenas` and `counters` (dtype
    COUNTERS, one a kernel): one for each tile, or for each thread where tiles are more.
    """

    kernels: tuple[Table, ...]
    calls: tuple[Table, ...]
    views: Table
    maps: tuple[int, ...]
    arenas: tuple[Bytes, ...]
    counters: tuple[Table, ...]

    @property
    def tiles(self) -> int:
        return len(self.calls) * len(self.kernels)

    def program(self, tile: int) -> Program:
        """The program of a tile."""
        return tile_program(self.kernels, self.calls, self.views, tile)


Stopped = Callable[[], bool]
"""Whether a run is to stop."""

Watch = Callable[[int, int, int, float, float], None]
"""Hears of each tile: worker, step, tile, and when it began and ended, in seconds."""
