"""What a client submits: arrays and paths, loaded when their turn comes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ftdist.errors import InputError
from ftdist.network.modelheader import Header
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.runtime.local import as_array, check_input

Image = NDArray[Any] | str | os.PathLike[str]
"""An input as ``Session.run`` takes it."""


@runtime_checkable
class Inputs(Protocol):
    """A job's inputs, all of them pictures (uint8) or none."""

    are_pictures: bool

    def __len__(self) -> int: ...

    def load(self, header: Header, frame: int) -> NDArray[Any]:
        """An input, for the network that a model's header describes: uint8 (height, width,
        channels) for a picture, else float32 (channels, height, width)."""


@runtime_checkable
class RowInputs(Inputs, Protocol):
    """Inputs that can be sent in bands, too."""

    def load_rows(self, header: Header, bands: NumberedBands, frame: int) -> NDArray[Any]:
        """What comes with a band of an input: (rows, columns, channels)."""


class GivenInputs:
    """Arrays and paths as they are given; InputError for none, or for pictures among others."""

    def __init__(self, given: Sequence[Image]) -> None:
        kinds = {_is_picture(each) for each in given}
        if len(kinds) != 1:
            some = "pictures (uint8) and float32 arrays: submit them apart" if kinds else "no input"
            raise InputError(f"a job of {some}")
        (self.are_pictures,) = kinds
        self._given = given
        self._latest: tuple[int, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return len(self._given)

    def load(self, header: Header, frame: int) -> NDArray[Any]:
        array = as_array(self._given[frame], header.network, header.about)
        if check_input(array, header.network):
            array = array[0]
        if (array.dtype == np.uint8) != self.are_pictures:
            raise InputError(f"{self._given[frame]}: is no longer what it was")
        return array

    def load_rows(self, header: Header, bands: NumberedBands, frame: int) -> NDArray[Any]:
        number, wanted = bands.picture(frame), header.network.inputs[0]
        if self._latest is None or self._latest[0] != number:
            array = self.load(header, number)
            if array.dtype == np.float32:
                array = array.reshape(wanted.layout.memory(wanted.shape))
                array = array.transpose(1, 2, 0) if wanted.layout.planar else array
            self._latest = number, array
        top, bottom, left, right = bands.input(frame)
        return np.ascontiguousarray(self._latest[1][top:bottom, left:right])


def _is_picture(given: Image) -> bool:
    """Whether an input travels as bytes; of a .npy file only the header is read."""
    if isinstance(given, np.ndarray | np.generic):
        return bool(given.dtype == np.uint8)
    path = Path(given)
    if path.suffix.lower() != ".npy":
        return True
    try:
        mapped: Any = npy.open_memmap(path, mode="r")
    except Exception:  # numpy raises nearly anything on damaged headers
        raise InputError(f"{path}: cannot be read as a .npy file") from None
    return bool(mapped.dtype == np.uint8)
