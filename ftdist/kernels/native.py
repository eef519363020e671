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
from ftdist.kernels.program import CALL, COUNTERS, KERNEL, Bytes, Map, Program, Table

try:
    from ftdist.kernels import _native
except ImportError as error:  # pragma: no cover - a broken installation
    raise FtdistError(
        f"the native kernels cannot be loaded ({error}); reinstall ftdist, "
        "or use --kernels reference"
    ) from error

if (_native.KERNEL_BYTES, _native.CALL_BYTES, _native.COUNTERS_BYTES) != (
    KERNEL.itemsize,
    CALL.itemsize,
    COUNTERS.itemsize,
):  # pragma: no cover - a stale build
    raise FtdistError("the native kernels are of another version; reinstall ftdist")


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """`lanes` float32 lanes in a vector; `fused` when it has fused multiply-add.

    All fused instruction sets compute the same bits.
    """

    name: str
    lanes: int
    fused: bool


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
    program: Program, arena: Bytes, weights: Bytes, maps: Sequence[Map], counters: Table
) -> None:
    """Runs a program. Arrays must be contiguous; `counters` (dtype COUNTERS, one a kernel) grow.

    ValueError when a call would leave its buffers: nothing has run then.
    """
    bases = [(array.ctypes.data, array.nbytes) for array in (arena, *maps)]
    _native.run(
        chosen().name,
        program.kernels.view(np.uint8),
        program.calls.view(np.uint8),
        weights,
        bases,
        counters.view(np.uint8),
    )
