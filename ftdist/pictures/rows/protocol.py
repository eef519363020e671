"""What reads a picture by rows, and what writes one: the seam between networks and file formats.

Whoever runs a network by bands sees these two protocols only. Rows are (rows, width, channels) in
the file's own numbers, uint8, uint16 or float32; a picture in grey has one channel.

A sink writes a *partial file* beside its output, hidden, with a name that another process finds
again; finishing gives it the output's name in one step. How many of its rows would survive a crash
is the sink's to know (`position`), because only it knows what its format can go on from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ftdist.geometry import Shape

Rows = NDArray[Any]
"""(rows, width, channels) in the numbers of the file."""

Tags = Mapping[int, Any]
"""TIFF's tags by number, those that a picture made of this one keeps: where it lies on the earth,
its resolution and colours. Empty for formats and files that have none."""


class RowMemory(NamedTuple):
    """Bytes that a source or a sink holds beside the rows that it gives or is given: `kept` from
    call to call, and at most so many more `at_work`, until a call returns."""

    kept: int
    at_work: int

    @property
    def most(self) -> int:
        return self.kept + self.at_work


class RowSource(Protocol):
    """A picture read from the top down."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16 or float32."""
        ...

    @property
    def tags(self) -> Tags: ...

    def rows(self, top: int, bottom: int) -> Rows:
        """Rows [top, bottom), of which none was given since the last rewind.

        `top` is never below the last `bottom`; it may be above, and what is between is passed over.
        The array is the caller's until the next call. InputError when the file ends too early or is
        damaged.
        """
        ...

    def rewind(self) -> None:
        """Begins again with the first row."""
        ...

    def memory(self) -> RowMemory:
        """What it holds beside the rows that it gives; known from the file's header.

        Its code is none of it where ``rehearse`` runs that.
        """
        ...

    def rehearse(self) -> None:
        """Reads little and begins again: the code for reading is in memory then, and counts among
        what the process holds. What takes as much as all rows do is left out, and its code is among
        what ``memory`` says."""
        ...

    def close(self) -> None: ...


class RowSink(Protocol):
    """A picture or an array written from the top down."""

    @property
    def position(self) -> int:
        """The next row that is to be written; at the beginning, the first that is not durable."""
        ...

    def write(self, rows: Rows) -> None:
        """The next rows. InputError when the disk is full or the file cannot be written."""
        ...

    def finish(self) -> None:
        """Makes the output appear, whole; all rows were written."""
        ...

    def abandon(self, *, keep: bool) -> None:
        """Ends without an output: keeps what `resume` goes on from, or leaves nothing.

        After ``finish`` it does nothing.
        """
        ...


def partial_file(path: Path) -> Path:
    """Where the rows of `path` are written until it is whole; with its suffix, as writers need."""
    return path.with_name(f".{path.stem}.ftdist-partial{path.suffix}")


def progress_file(path: Path) -> Path:
    """Where a sink notes how far its partial file is durable."""
    return path.with_name(f".{path.name}.ftdist-rows")
