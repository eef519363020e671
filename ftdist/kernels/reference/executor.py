"""The reference executor: programs run by NumPy, the definition of every kernel.

Simple before fast. Each kernel is a few lines on whole views; the native kernels must agree with it
to rounding (their sums have a fixed order, these have NumPy's).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ftdist.errors import FtdistError
from ftdist.kernels.program import (
    ACTIVATIONS,
    OPERATIONS,
    Bytes,
    Map,
    Program,
    Step,
    Stopped,
    Table,
    Watch,
)
from ftdist.kernels.reference.activations import activate
from ftdist.kernels.reference.channels import Channels
from ftdist.kernels.reference.functions import Functions
from ftdist.kernels.reference.joining import Joining
from ftdist.kernels.reference.lists import Lists
from ftdist.kernels.reference.moving import Moving
from ftdist.kernels.reference.placing import Placing
from ftdist.kernels.reference.recurrent import Recurrent
from ftdist.kernels.reference.selecting import Selecting
from ftdist.kernels.reference.tensors import Tensors
from ftdist.kernels.reference.unpooling import Unpooling
from ftdist.kernels.reference.views import Array
from ftdist.kernels.reference.windows import Windows
from ftdist.kernels.reference.winograd import Winograd


def run(
    program: Program,
    arena: Bytes,
    weights: Bytes,
    maps: Sequence[Map],
    counters: Table,
    file: int = -1,
) -> None:
    """Runs a program; arguments as for ``native.run``, all weights being taken from `weights`."""
    bases = [arena, *(each.reshape(-1).view(np.uint8) for each in maps)]
    floats = weights.view(np.float32)
    for call in program.calls:
        started = time.monotonic_ns()
        _Call(program.kernels[call["kernel"]], call, bases, floats, program.views).run()
        counters["nanoseconds"][call["kernel"]] += time.monotonic_ns() - started


class ReferenceSteps:
    """The steps of a plan, as for ``NativeSteps``; threads beside the first do nothing."""

    def __init__(self, steps: Sequence[Step], inside: Sequence[Map], weights: Bytes) -> None:
        self._steps = tuple(steps)
        self._inside = tuple(inside)
        self._weights = weights
        self._maps: tuple[Map, ...] = ()

    def begin(self, maps: Sequence[Map], workers: int) -> None:
        """Begins a run on these maps, which follow those inside."""
        self._maps = (*self._inside, *maps)

    def work(self, worker: int, stopped: Stopped, watch: Watch | None = None) -> None:
        """Runs all tiles, unless `stopped`; `watch` hears of each."""
        for number, step in enumerate(() if worker else self._steps):
            maps = [self._maps[each] for each in step.maps]
            for tile in range(step.tiles):
                if stopped():
                    return
                began_s = time.perf_counter()
                run(step.program(tile), step.arenas[0], self._weights, maps, step.counters[0])
                if watch is not None:
                    watch(worker, number, tile, began_s, time.perf_counter())


class _Call(
    Windows,
    Winograd,
    Joining,
    Moving,
    Channels,
    Functions,
    Tensors,
    Unpooling,
    Selecting,
    Placing,
    Lists,
    Recurrent,
):
    """One call with its kernel and memory; the method named as an operation is its definition."""

    def run(self) -> None:
        k = self.k
        result = getattr(self, OPERATIONS[k["op"]])()
        out = k["out"]
        rows = self.written_rows
        stored = (int(out["column"]), int(out["column"]) + int(out["columns"]))
        self.view("out", rows, stored, k["filters"])[...] = 0
        made = activate(ACTIVATIONS[int(k["activation"])], k["slope"], result)
        columns = (int(k["left"]), int(k["right"]))
        self.view("out", rows, columns, k["filters"])[...] = self.maxima(made)

    def maxima(self, made: Array) -> Array:
        """The maximum of each window of the kernel's own pool."""
        (high, wide), (rows, columns, channels) = self.pool, made.shape
        windows = made.reshape(rows // high, high, columns // wide, wide, channels)
        return np.asarray(windows.max(axis=(1, 3)))


for _name in OPERATIONS:
    if not callable(getattr(_Call, _name, None)):
        raise FtdistError(f"the operation '{_name}' has no reference")
