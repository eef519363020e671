"""What `ftdist run` reads and writes: inputs and outputs of a network as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.detection import is_detector
from ftdist.detection.draw import drawing_bytes, output_format
from ftdist.detection.picture import Letterbox, load_picture, loading_bytes
from ftdist.errors import BudgetError, InputError
from ftdist.network.graph import Network
from ftdist.runtime.limits import Budget
from ftdist.runtime.memory import ceil_size, format_size, resident_bytes


@dataclass(frozen=True, slots=True)
class Input:
    """A network's input: an array, and for a photo where it lies in it.

    `resident`: whether the array is in memory already; arrays from .npy files are mapped.
    """

    path: Path
    array: NDArray[Any]
    letterbox: Letterbox | None

    @property
    def is_picture(self) -> bool:
        return self.array.dtype == np.uint8

    @property
    def resident(self) -> bool:
        return not isinstance(self.array, np.memmap)


def read_input(path: Path, network: Network, limit: Budget) -> Input:
    """The array in a .npy file, or a picture fitted into the network's input."""
    if path.suffix == ".npy":
        try:
            return Input(path, np.load(path, mmap_mode="r"), None)
        except (OSError, ValueError, EOFError) as error:
            reason = getattr(error, "strerror", None) or "no .npy array"
            raise InputError(f"{path}: cannot be read: {reason}") from None
    _refuse_above(
        resident_bytes() + loading_bytes(path, network.input), limit, f"reading {path}"
    )
    array, letterbox = load_picture(path, network.input)
    return Input(path, array, letterbox)


def check_output(
    path: Path | None, network: Network, given: Input, limit: Budget
) -> int:
    """InputError when the outputs cannot be written there; the bytes that drawing will take."""
    if path is None or path.suffix in (".npy", ".npz"):
        if path is not None and path.suffix == ".npy" and len(network.outputs) > 1:
            raise InputError(
                f"{path}: {network.name} has several outputs; write a .npz file"
            )
        return 0
    output_format(path)
    if not is_detector(network):
        raise InputError(
            f"{path}: {network.name} is no detector; write a .npy or .npz file"
        )
    if given.letterbox is None:
        raise InputError(f"{path}: boxes are drawn on a picture, {given.path} is none")
    peak = resident_bytes() + drawing_bytes(given.path)
    _refuse_above(peak, limit, f"drawing on {given.path}")
    return peak


def write_arrays(path: Path, outputs: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes one output as .npy or all by name as .npz."""
    with atomic_write(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, allow_pickle=False, **outputs)
        else:
            (array,) = outputs.values()
            np.save(temporary, array)


def _refuse_above(peak: int, limit: Budget, what: str) -> None:
    if peak > limit.bytes:
        raise BudgetError(
            f"{what} takes {ceil_size(peak)} of memory, more than {format_size(limit.bytes)} "
            f"({limit.origin}); use a smaller picture or a larger budget",
            peak,
        )
