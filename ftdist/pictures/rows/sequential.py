"""What all sources have in common whose rows come in order: steps, skipping, errors.

A source decodes a few rows at a time into the array that it gives, so that what it holds beside
that array does not grow with the number of rows asked for.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import FtdistError, InputError
from ftdist.geometry import Shape
from ftdist.pictures.damage import reason_of
from ftdist.pictures.rows.protocol import RowMemory, Rows, Tags

STEP_SAMPLES = 1 << 16
"""How many samples are decoded at a time, about; no less than a row."""


class Sequential(ABC):
    """A source that decodes its rows in order; subclasses say how the next ones are made."""

    shape: Shape
    dtype: np.dtype[Any]
    tags: Tags

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0

    @property
    def step_rows(self) -> int:
        """Rows that are decoded at a time."""
        return max(1, min(self.shape.height, STEP_SAMPLES // (self.shape.width * self.channels)))

    @property
    def channels(self) -> int:
        return self.shape.channels

    def rows(self, top: int, bottom: int) -> Rows:
        """Rows [top, bottom); `top` is no less than the last `bottom` since the last rewind."""
        if not self._next <= top <= bottom <= self.shape.height:
            raise ValueError(f"rows {top} to {bottom}, where row {self._next} comes next")
        with reading(self.path):
            self._pass_over(top)
            found = self._empty(bottom - top)
            while self._next < bottom:
                done = self._next - top
                self._take(found[done : done + self.step_rows])
        return found

    def _empty(self, rows: int) -> Rows:
        return np.empty((rows, self.shape.width, self.channels), self.dtype)

    def _pass_over(self, top: int) -> None:
        """Makes `top` the next row."""
        passed = self._empty(min(self.step_rows, top - self._next))
        while self._next < top:
            self._take(passed[: top - self._next])

    def _take(self, out: Rows) -> None:
        self._fill(out)
        self._next += len(out)

    def rewind(self) -> None:
        """Begins again with the first row."""
        self._next = 0
        with reading(self.path):
            self._begin()

    def rehearse(self) -> None:
        """Reads a row and begins again, where that takes no more than reading others."""
        if self._begins_small:
            self.rows(0, 1)
            self.rewind()

    @property
    def _begins_small(self) -> bool:
        """Whether the first row comes without most of the picture."""
        return True

    @abstractmethod
    def memory(self) -> RowMemory:
        """What it holds beside the rows that it gives; known from the header."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _begin(self) -> None:
        """Is to make the first row the next one."""

    @abstractmethod
    def _fill(self, out: Rows) -> None:
        """Decodes the next rows into `out`, no more than ``step_rows``; raises for damage."""


@contextmanager
def reading(path: object) -> Iterator[None]:
    """What a damaged file brings up becomes one line of ours; decoders raise nearly anything."""
    try:
        yield
    except (MemoryError, FtdistError):
        raise
    except zlib.error:
        raise refusal(path, "its compressed data are damaged") from None
    except Exception as error:
        raise refusal(path, reason_of(error)) from error


def refusal(path: object, reason: str) -> InputError:
    return InputError(f"{path}: cannot read the picture: {' '.join(reason.split())}")


def cut_off(there: int, height: int) -> ValueError:
    """What is raised where rows are missing."""
    return ValueError(f"the file is cut off: {there} of {height} rows are there")
