"""Inputs and outputs of a network as files: a picture or arrays read, arrays written.

An input that the network does not take is refused by one line that names the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.many.listing import ARRAYS
from ftdist.network.about import GREY, Fit
from ftdist.network.graph import Network
from ftdist.pictures.fitting import Letterbox
from ftdist.runtime.local import check_input, check_inputs

if TYPE_CHECKING:
    from ftdist.pictures.reading import PictureBytes

Place: TypeAlias = "str | Path | PictureBytes"
"""Where an input is read."""


@dataclass(frozen=True, slots=True)
class Input:
    """A network's input: an array, or several by name, and for a photo where it lies in it.

    `resident`: whether the array is in memory already; arrays from .npy files are mapped.
    """

    path: Place
    array: NDArray[Any] | dict[str, NDArray[Any]]
    letterbox: Letterbox | None

    @property
    def is_picture(self) -> bool:
        return not isinstance(self.array, dict) and self.array.dtype == np.uint8

    @property
    def resident(self) -> bool:
        return not isinstance(self.array, np.memmap)


def read_input(
    path: Place,
    network: Network,
    *,
    fit: Fit = "letterbox",
    fill: int = GREY,
    is_array: bool | None = None,
    most_bytes: int | None = None,
    ask: Callable[[int], None] | None = None,
    others: Sequence[Path] = (),
) -> Input:
    """The array in a .npy file, mapped, or a picture fitted into the network's input.

    What is not said to be one or the other is an array by its name. InputError for a picture that
    takes more than `most_bytes` to read. `ask` is that of ``load_picture``; `others` are
    pictures for the inputs after the first.
    """
    if others:
        assert isinstance(path, str | Path)
        from ftdist.many.pictures_apart import read_pictures  # few networks need it

        return Input(path, *read_pictures((Path(path), *others), network, fit, fill))
    if is_array is None:
        is_array = isinstance(path, str | Path) and Path(path).suffix.lower() in ARRAYS
    if not isinstance(path, str | Path) or not is_array:
        pixels, box = _picture_loader()(path, network.input, fit, most_bytes, fill, ask)
        return Input(path, pixels, box)
    if len(network.inputs) > 1:
        return Input(path, _read_named(path, network), None)
    return Input(path, _mapped(path, network), None)


@cache
def _picture_loader() -> Callable[..., tuple[NDArray[np.uint8], Letterbox]]:
    """``load_picture``, with all that it brings: only pictures need it."""
    from ftdist.pictures.fitted import load_picture

    return load_picture


def _mapped(path: str | Path, network: Network) -> NDArray[Any]:
    """The array of a .npy file, where it lies; a copy if it does not lie as the kernels read it, or
    is of other numbers."""
    array: NDArray[Any]
    try:
        array = npy.open_memmap(path, mode="r")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception:  # numpy raises nearly anything on damaged headers
        raise InputError(f"{path}: is not a .npy file, or is damaged") from None
    array = _as_taken(array, network)
    try:
        check_input(array, network)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, order="C")


def _as_taken(array: NDArray[Any], network: Network) -> NDArray[Any]:
    """An array as programs save it: numbers of other types are made float32, pixels lose an axis of
    1 that is before them."""
    shape, layout = network.inputs[0].shape, network.inputs[0].layout
    is_pixels = array.dtype == np.uint8
    if is_pixels and array.shape == (1, *shape):
        return array.reshape(shape)
    if is_pixels and array.shape == shape:
        return array
    is_number = array.dtype.kind in "biuf" and array.dtype != np.float32
    if is_number and array.shape in (layout.of(shape), layout.inner(shape)):
        return array.astype(np.float32)
    return array


def _read_named(path: str | Path, network: Network) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file that are the network's inputs; others are not looked at."""
    found: dict[str, NDArray[Any]] = {}
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            for each in network.inputs:
                if each.name in archive:
                    found[each.name] = archive[each.name]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception:  # numpy and zipfile raise nearly anything on damaged files
        raise InputError(f"{path}: is not a .npz file of numbers, or is damaged") from None
    try:
        check_inputs(found, network)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return found


def write_arrays(path: Path, outputs: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes one output as .npy or all by name as .npz."""
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".npy":
            (array,) = outputs.values()
            with temporary.open("wb") as file:
                _write_npy(file, array)
            return
        import zipfile  # brings bz2, lzma and shutil: only for those who want it

        with zipfile.ZipFile(temporary, "w") as archive:
            for name, array in outputs.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    _write_npy(member, array)


def _write_npy(file: IO[bytes], array: NDArray[np.float32]) -> None:
    """As np.save does it, without a copy of what lies in one piece, and with the system's word for
    a full disk. Lists of what was found may be empty."""
    array = np.ascontiguousarray(array)
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
    file.write(array.reshape(-1).view(np.uint8).data)
