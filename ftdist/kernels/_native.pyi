"""Native kernels of ftdist (src/module.cpp)."""

from collections.abc import Sequence
from typing import Any

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
GOES_ON: int

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
    isa: str, file: int, start: int, blocks: int, channels: int, size: int, to: NDArray[np.uint8]
) -> int:
    """Transforms 3x3 weights from a float on in a file; returns 0 or an error number."""

def file_bytes(file: int) -> int:
    """The size of an open file, -1 where it has none; the interpreter is kept meanwhile."""

def touch(bytes: NDArray[np.uint8], start: int, stop: int) -> bool:
    """Reads every page of a span; False when a mapped file gave no more."""

class Steps:
    """The steps of a plan, gone through by several threads; whoever makes it keeps all arrays.

    Maps are arrays of any numbers, each in one piece.
    """

    def __init__(
        self, isa: str, weights: NDArray[np.uint8], file: int, inside: Sequence[NDArray[Any]]
    ) -> None: ...
    def add(
        self,
        kernels: Sequence[NDArray[np.uint8]],
        calls: Sequence[NDArray[np.uint8]],
        views: NDArray[np.uint8],
        maps: Sequence[int],
        arenas: Sequence[NDArray[np.uint8]],
        counters: Sequence[NDArray[np.uint8]],
    ) -> None:
        """Adds a step: kernels by column, calls by row, numbers of its maps, an arena and counters
        for each thread or tile."""

    def begin(self, maps: Sequence[NDArray[Any]], workers: int, look_ns: int) -> None:
        """Begins a run on these maps, which follow those inside, while no thread works.

        ValueError when a call would leave its buffers.
        """

    def work(self, worker: int, most_ns: int, made: NDArray[np.uint8]) -> tuple[int, int]:
        """Takes part in a run, without the GIL.

        Returns 0 when it is over, GOES_ON after a while or where `made` is full, else what ``run``
        returns; and how many tiles are in `made`.
        """
