"""The native executor: programs run by the C++ kernels, without the interpreter lock.

The instruction set is the best that the machine has; the environment variable FTDIST_ISA names
another (avx512, avx2, sse2, neon, scalar).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ftdist.errors import FtdistError, InputError
from ftdist.kernels.program import (
    ACTIVATIONS,
    BLOCK,
    CALL,
    COUNTERS,
    KERNEL,
    POOL_MOST,
    Bytes,
    Map,
    Op,
    Program,
    Table,
)

try:
    from ftdist.kernels import _native
except ImportError as error:  # pragma: no cover - a broken installation
    raise FtdistError(
        f"the native kernels cannot be loaded ({error}); reinstall ftdist, "
        "or use --kernels reference"
    ) from error

_DECLARED = (
    (KERNEL.itemsize, CALL.itemsize, COUNTERS.itemsize),
    tuple((name, at) for name, (_, at, *_) in (KERNEL.fields or {}).items()),
    tuple(op.name.lower() for op in Op),
    ACTIVATIONS,
    (BLOCK, POOL_MOST),
)
_COMPILED = (
    (_native.KERNEL_BYTES, _native.CALL_BYTES, _native.COUNTERS_BYTES),
    _native.KERNEL_FIELDS,
    _native.OPERATIONS,
    _native.ACTIVATIONS,
    _native.CONSTANTS,
)
if _DECLARED != _COMPILED:
    raise FtdistError("the native kernels are of another version; reinstall ftdist")


LOST = "the model file was cut short while it was in use, or its disk fails; import the model again"
"""What to say when the weights are no longer there."""


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
        weights,
        bases,
        counters.view(np.uint8),
        file,
    )
    if failure == _native.LOST_MAP:
        raise FtdistError("the input file was cut short, or its disk fails")
    if failure == _native.LOST_WEIGHTS:
        raise FtdistError(LOST)
    if failure:
        raise FtdistError(f"{LOST} ({os.strerror(failure)})")


def touch(mapped: Bytes, start: int, stop: int) -> None:
    """Reads every page of a span of a mapped file; FtdistError when it no longer has them."""
    if not _native.touch(mapped, start, stop):
        raise FtdistError(LOST)
