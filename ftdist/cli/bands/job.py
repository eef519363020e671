"""The bands of a submitted job whose pictures its coordinator cannot hold whole.

Which bands are done is the journal's to know; what they made is in files beside the results.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cli.bands.submitted import BandedPictures
from ftdist.cli.console import say
from ftdist.cli.files.job_files import JobFiles
from ftdist.cli.files.journal import Journal
from ftdist.cli.files.sources import Source
from ftdist.cli.progress import Progress
from ftdist.cluster.client.client import FrameOutputs
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.modelheader import Header
from ftdist.planning.bands.numbering import NumberedBands


class JobBands:
    """The pictures of a job that go out and come back in bands; none where it has no such.

    `done` are the bands that were written before, by their frames' numbers.
    """

    def __init__(
        self, inputs: tuple[Source, ...], files: JobFiles, progress: Progress, *, drawn: bool
    ) -> None:
        self._inputs, self._files, self._progress, self._drawn = inputs, files, progress, drawn
        self._pictures: BandedPictures | None = None
        self.done: set[int] = set()

    def rows(
        self, header: Header, bands: NumberedBands, frame: int, *, as_bytes: bool
    ) -> NDArray[Any]:
        """The rows of an input that come with a band; InputError when they cannot be read."""
        return self._opened(header, bands).rows(frame, as_bytes=as_bytes)

    def deliver(
        self,
        header: Header,
        result: FrameOutputs,
        region: Region,
        journal: Journal | None,
        *,
        wanted: bool,
    ) -> None:
        """Writes what came of a band, if its input is still `wanted`."""
        pictures = self._opened(header, NumberedBands(header.network, result.band_rows))
        (values,) = result.outputs.values()
        last = wanted and pictures.write(result.frame, region, values)
        if journal is not None and wanted:
            journal.add(result.frame)
        if last:
            self._progress.clear()
            self._finish(pictures, result.input)

    def end(self, header: Header, bands: NumberedBands, wanted: Iterable[int]) -> None:
        """Gives what is whole of the wanted inputs its names."""
        pictures = self._opened(header, bands)
        for number in wanted:
            self._finish(pictures, number)

    def close(self, *, keep: bool) -> None:
        """Ends: what is not whole is kept, to be gone on with, or nothing of it is left."""
        if self._pictures is not None:
            self._pictures.close(keep=keep)

    def _opened(self, header: Header, bands: NumberedBands) -> BandedPictures:
        if self._pictures is None:
            targets = [self._files.of(number, ".npy") for number in range(len(self._inputs))]
            self._pictures = BandedPictures(header, bands, self._inputs, targets, self.done)
        return self._pictures

    def _finish(self, pictures: BandedPictures, number: int) -> None:
        """All bands of an input are written: its files get their names, unless they have them."""
        written = pictures.finish(number)
        if written is not None:
            say(f"wrote      {written}")
        drawn = self._files.made(number)
        if self._drawn and (written is not None or not drawn.exists()):
            pictures.draw(number, drawn)
            say(f"wrote      {drawn}")


def blank_rows(bands: NumberedBands, frame: int, *, as_bytes: bool) -> NDArray[Any]:
    """What goes out in the place of rows that cannot be read."""
    rows = bands.input(frame).rows.size
    _, width, channels = bands.network.input
    return np.zeros((rows, width, channels), np.uint8 if as_bytes else np.float32)


def refuse_bands(arguments: argparse.Namespace, bands: NumberedBands, *, is_told: bool) -> None:
    """What is not done in bands is refused before any work; `is_told`: the network finds what is
    told of a whole picture."""
    if is_told and not arguments.raw:
        raise InputError(
            f"{bands.network.name} is too large for this coordinator in one, and computed in "
            "bands; of these come raw outputs only: say --raw"
        )
    if arguments.format is not None or arguments.repeat > 1:
        raise InputError("--format and --repeat: not of a network that is computed in bands")
