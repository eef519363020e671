"""The native executor: programs and plans run by the C++ kernels, without the interpreter lock.

A thread stays in native code for a whole run of a plan, but for a look at the interpreter now and
then: signals are seen, a run that is to stop stops, and whoever watches hears of the tiles that
were made.

The instruction set is the best that the machine has; the environment variable FTDIST_ISA names
another (avx512, avx2, sse2, neon, scalar).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

import numpy as np

from ftdist.errors import FtdistError, InputError
from ftdist.kernels import program as declared
from ftdist.kernels.program import Bytes, Map, Program, Step, Stopped, Table, Watch

try:
    from ftdist.kernels import _native
except ImportError as error:  # pragma: no cover - a broken installation
    raise FtdistError(
        f"the native kernels cannot be loaded ({error}); reinstall ftdist, "
        "or use --kernels reference"
    ) from error


def _layout(dtype: np.dtype[np.void]) -> tuple[tuple[str, int, int], ...]:
    """(name, offset, bytes) of each field; the last has no name and says how long the whole is."""
    fields = (dtype.fields or {}).items()
    return (
        *((name, at, kind.itemsize) for name, (kind, at, *_) in fields),
        ("", dtype.itemsize, 0),
    )


def _compare(what: str, ours: Sequence[object], compiled: Sequence[object]) -> None:
    """FtdistError that names the first difference between Python's copy and C++'s, if any."""
    if tuple(ours) == tuple(compiled):
        return
    pairs = zip_longest(ours, compiled, fillvalue="nothing")
    mine, theirs = next((mine, theirs) for mine, theirs in pairs if mine != theirs)
    raise FtdistError(
        f"the native kernels are of another version: their {what} have {theirs} where this "
        f"ftdist has {mine}; reinstall ftdist"
    )


def check_agreement(compiled: Any) -> None:
    """FtdistError unless a compiled module has the format of programs that Python declares."""
    _compare("operations", declared.OPERATIONS, compiled.OPERATIONS)
    _compare("activations", declared.ACTIVATIONS, compiled.ACTIVATIONS)
    for name, kinds in declared.KINDS.items():
        _compare(name, kinds, compiled.KINDS.get(name, ()))
    for name in ("BUFFER", "KERNEL", "CALL", "VIEW", "COUNTERS"):
        _compare(f"fields of {name}", _layout(getattr(declared, name)), compiled.STRUCTS[name])
    for name in (
        "BLOCK",
        "CHUNK_BLOCKS",
        "TOGETHER_BLOCKS",
        "SLICE_CHANNELS",
        "POOL_MOST",
        "FACTORS",
        "OVERREAD_BYTES",
        "PICTURE_CHANNELS",
        "FLOAT32",
        "UINT8",
    ):
        _compare(name, [getattr(declared, name)], [compiled.CONSTANTS.get(name)])


check_agreement(_native)


LOST = "the model file was cut short while it was in use, or its disk fails; import the model again"
"""What to say when the weights are no longer there."""


_STAY_NS = 20_000_000
"""How long a thread stays away from the interpreter, if a tile does not take longer."""

_LOOK_NS = 50_000
"""How long a thread that waits looks before it sleeps: to be woken takes as long."""

_TOLD = 64
"""Tiles that a thread remembers for those who watch."""

_MADE = np.dtype([(name, "<i8") for name in ("step", "tile", "began", "ended")])
_NOTHING = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """`lanes` float32 lanes in a vector; `fused` when it has fused multiply-add.

    All fused instruction sets compute the same bits. The convolution works on up to `pixels` pixels
    for 16 output channels at a time, and on up to `wide_pixels` for 32 (0: never).
    """

    name: str
    lanes: int
    fused: bool
    pixels: int
    wide_pixels: int


def available() -> tuple[InstructionSet, ...]:
    """The instruction sets that this build and this machine have, best first."""
    return tuple(InstructionSet(*each) for each in _native.instruction_sets())


@cache
def chosen() -> InstructionSet:
    """The instruction set in use; InputError when FTDIST_ISA names one that is not there."""
    sets = {each.name: each for each in available()}
    wanted = os.environ.get("FTDIST_ISA")
    if wanted is None:
        return next(iter(sets.values()))
    if wanted not in sets:
        raise InputError(f"FTDIST_ISA={wanted}: this machine has {', '.join(sets)}")
    return sets[wanted]


def run(
    program: Program,
    arena: Bytes,
    weights: Bytes,
    maps: Sequence[Map],
    counters: Table,
    file: int = -1,
) -> None:
    """Runs a program. Arrays must be contiguous; `counters` (dtype COUNTERS, one a kernel) grow.

    `file` is the descriptor of the model file, which `weights` maps; streamed weights are read from
    it. ValueError when a call would leave its buffers: nothing has run then. FtdistError when a
    file, mapped or read, no longer gives what it held.
    """
    bases = [(array.ctypes.data, array.nbytes) for array in (arena, *maps)]
    failure = _native.run(
        chosen().name,
        program.kernels.view(np.uint8),
        program.calls.view(np.uint8),
        program.views.view(np.uint8),
        weights,
        bases,
        counters.view(np.uint8),
        file,
    )
    refuse_lost(failure)


def refuse_lost(failure: int) -> None:
    """FtdistError that says which file no longer gives what it held; nothing where that is 0."""
    if failure == _native.LOST_MAP:
        raise FtdistError("the input file was cut short, or its disk fails")
    if failure == _native.LOST_WEIGHTS:
        raise FtdistError(LOST)
    if failure:
        raise FtdistError(f"{LOST} ({os.strerror(failure)})")


class NativeSteps:
    """The steps of a plan, whose first maps are `inside`: the same in every run.

    `weights` map the model file, of which `file` is the descriptor.
    """

    def __init__(
        self, steps: Sequence[Step], inside: Sequence[Map], weights: Bytes, file: int
    ) -> None:
        self._held = (*steps, *inside)  # native code points to their arrays
        self._native = _native.Steps(chosen().name, weights, file, inside)
        for step in steps:
            self._native.add(
                [table.view(np.uint8) for table in step.kernels],
                [table.view(np.uint8) for table in step.calls],
                step.views.view(np.uint8),
                step.maps,
                step.arenas,
                [table.view(np.uint8) for table in step.counters],
            )

    def begin(self, maps: Sequence[Map], workers: int) -> None:
        """Begins a run of so many threads, while none is at work; `maps`, contiguous, follow those
        inside.

        ValueError when a call would leave its buffers: nothing will have run then.
        """
        # where threads have to share processors, one that looks holds up one that works
        alone = workers > 1 and workers <= len(os.sched_getaffinity(0))
        self._native.begin(maps, workers, _LOOK_NS if alone else 0)

    def work(self, worker: int, stopped: Stopped, watch: Watch | None = None) -> None:
        """Takes part in a run as thread number `worker`, until it is over or `stopped`.

        `watch` hears of the tiles that this thread made. FtdistError when a file, mapped or read,
        no longer gives what it held.
        """
        made = np.zeros(_TOLD, _MADE) if watch else None
        room = _NOTHING if made is None else made.view(np.uint8)
        status = _native.GOES_ON
        while status == _native.GOES_ON and not stopped():
            status, count = self._native.work(worker, _STAY_NS, room)
            if watch is not None and made is not None:
                for step, tile, began, ended in made[:count].tolist():
                    watch(worker, step, tile, began / 1e9, ended / 1e9)
        if status != _native.GOES_ON:
            refuse_lost(status)


def transform(file: int, start: int, blocks: int, channels: int, size: int, to: Bytes) -> None:
    """Writes 3x3 weights of a model file, transformed for blocks of outputs of a `size`, to `to`.

    They begin at float `start` of the file, and lie there in `blocks` of 16 outputs.
    """
    failure = _native.transform(chosen().name, file, start, blocks, channels, size, to)
    if failure:
        raise FtdistError(f"{LOST} ({os.strerror(failure)})")


def file_bytes(file: int) -> int:
    """The size of an open file. ``os.fstat`` says it too, yet gives the interpreter away meanwhile:
    before each run of a batch that takes longer than all else that is checked."""
    return _native.file_bytes(file)


def touch(mapped: Bytes, start: int, stop: int) -> None:
    """Reads every page of a span of a mapped file; FtdistError when it no longer has them."""
    if not _native.touch(mapped, start, stop):
        raise FtdistError(LOST)
