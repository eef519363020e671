"""The files of a submitted job: what its inputs are, and where the results of each go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ftdist.atomic import make_folder, refuse_overwriting, refuse_unwritable
from ftdist.cli.files.outputs import PLACE, targets
from ftdist.cli.files.sources import Source
from ftdist.errors import InputError

ALL = "detections"
"""The file of all results."""

DRAWN = "-found.jpg"
_MADE = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".ppm")
_ENDINGS = (".npy", ".npz", ".json", ".txt")


class JobFiles:
    """Where the results of inputs go: a folder, which is made."""

    def __init__(self, output: Path, inputs: tuple[Source, ...], *, drawn: bool) -> None:
        self._output, self._inputs, self._drawn = output, inputs, drawn
        self._stems = [path.name for path in targets(inputs, PLACE)]
        if ALL in self._stems:
            raise InputError(f"an input is called {ALL}, as the file of all results: rename it")
        self._make_folder()

    def of(self, number: int, ending: str) -> Path:
        """A file of an input's results."""
        return self._output / f"{self._stems[number]}{ending}"

    def made(self, number: int) -> Path:
        """The file of a picture that a network has made: of the input's kind, if that is written
        by rows."""
        suffix = self._inputs[number].path.suffix.lower()
        return self.of(number, f"-made{suffix if suffix in _MADE else '.png'}")

    def _make_folder(self) -> None:
        make_folder(self._output)
        refuse_unwritable(self._output / "results.npy")
        endings = [*_ENDINGS, *[DRAWN] * self._drawn]
        numbers = range(len(self._stems))
        made = [self.made(number) for number in numbers] if self._drawn else []
        written = made + [self.of(number, each) for number in numbers for each in endings]
        refuse_overwriting(written, [(each.name, each.path) for each in self._inputs])


def are_pictures(inputs: tuple[Source, ...]) -> bool:
    """Whether the inputs travel as bytes; InputError when some do and some do not.

    What cannot be read is left out when its turn comes, unless it is all there is.
    """
    kinds: dict[bool, Source] = {}
    problem: InputError | None = None
    for source in inputs:
        try:
            kinds.setdefault(_is_picture(source), source)
        except InputError as error:
            problem = problem or source.named(error)
    if len(kinds) > 1:
        names = kinds[True].name, kinds[False].name
        raise InputError(f"{names[0]} is a picture, {names[1]} is not: submit them apart")
    if not kinds and problem is not None:
        raise problem
    return next(iter(kinds))


def _is_picture(source: Source) -> bool:
    if source.path.suffix.lower() == ".npz":
        raise InputError(f"{source.path}: an input is one array; write it as a .npy file")
    if not source.path.is_file():
        raise InputError(f"{source.path}: cannot be read: no such file")
    if not source.is_array:
        return True
    try:
        mapped: Any = npy.open_memmap(source.path, mode="r")
    except Exception:  # numpy raises nearly anything on damaged headers
        raise InputError(f"{source.path}: is not a .npy file, or is damaged") from None
    return bool(mapped.dtype == np.uint8)
