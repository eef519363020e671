"""The native executor: programs run by the C++ kernels, without the interpreter lock.

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
from ftdist.kernels.program import Bytes, Map, Program, Table

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
    if failure == _native.LOST_MAP:
        raise FtdistError("the input file was cut short, or its disk fails")
    if failure == _native.LOST_WEIGHTS:
        raise FtdistError(LOST)
    if failure:
        raise FtdistError(f"{LOST} ({os.strerror(failure)})")


def transform(file: int, start: int, blocks: int, channels: int, size: int, to: Bytes) -> None:
    """Writes 3x3 weights of a model file, transformed for blocks of outputs of a `size`, to `to`.

    They begin at float `start` of the file, and lie there in `blocks` of 16 outputs.
    """
    failure = _native.transform(file, start, blocks, channels, size, to)
    if failure:
        raise FtdistError(f"{LOST} ({os.strerror(failure)})")


def touch(mapped: Bytes, start: int, stop: int) -> None:
    """Reads every page of a span of a mapped file; FtdistError when it no longer has them."""
    if not _native.touch(mapped, start, stop):
        raise FtdistError(LOST)
