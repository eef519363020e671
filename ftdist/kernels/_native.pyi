"""Native kernels of ftdist (src/module.cpp)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

KERNEL_BYTES: int
CALL_BYTES: int
COUNTERS_BYTES: int
KERNEL_FIELDS: tuple[tuple[str, int], ...]
OPERATIONS: tuple[str, ...]
ACTIVATIONS: tuple[str, ...]
KINDS: dict[str, tuple[str, ...]]
STRUCTS: dict[str, tuple[tuple[str, int, int], ...]]
CONSTANTS: dict[str, int]
LOST_WEIGHTS: int
LOST_MAP: int

def instruction_sets() -> list[tuple[str, int, bool, int, int]]:
    """(name, lanes, fused, pixels, wide_pixels) of each set that runs here, best first."""

def run(
    isa: str,
    kernels: NDArray[np.uint8],
    calls: NDArray[np.uint8],
    views: NDArray[np.uint8],
    weights: NDArray[np.uint8],
    bases: Sequence[tuple[int, int]],
    counters: NDArray[np.uint8],
    file: int,
) -> int:
    """Runs a program; bases are (address, bytes), the arena first. Releases the GIL.

    Returns 0, or the error number with which reading streamed weights failed, or LOST_WEIGHTS or
    LOST_MAP when a mapped file gave no more.
    """

def transform(
    file: int, start: int, blocks: int, channels: int, size: int, to: NDArray[np.uint8]
) -> int:
    """Transforms 3x3 weights from a float on in a file; returns 0 or an error number."""

def touch(bytes: NDArray[np.uint8], start: int, stop: int) -> bool:
    """Reads every page of a span; False when a mapped file gave no more."""
