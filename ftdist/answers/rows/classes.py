"""The classes of pixels, row by row, as ``answers.tasks.segments`` finds those of a whole map.

How values of one channel are read is decided by all of them: the extent of those that came by
stands for the time being. Beside it is counted how much of the picture each class has.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.drawing.overlays import placed
from ftdist.answers.tasks.segments import (
    LOGITS,
    MOST_CLASSES,
    NUMBERS,
    PROBABILITIES,
    Labels,
    Reading,
    ValueSpan,
    classes,
    overlaid,
    palette,
    shares_of,
)
from ftdist.geometry import Shape
from ftdist.network.alignment import Alignment
from ftdist.pictures.rows.protocol import Rows

_READINGS = (PROBABILITIES, LOGITS, NUMBERS)


def classes_of_rows(values: NDArray[np.float32], reading: Reading) -> Labels:
    """Of rows of a map, (rows, columns, channels)."""
    return classes(np.moveaxis(values, -1, 0), reading)


class Counted:
    """What is decided by all values, and how many positions of the photo's part have each class.

    `shown` are the rows and columns of the map that show the photo.
    """

    def __init__(self, shown: tuple[int, int], channels: int) -> None:
        self._shown, self._channels = shown, channels
        self._extent = ValueSpan()
        self._next = 0
        self._counts: dict[Reading, NDArray[np.intp]] = {}

    @property
    def reading(self) -> Reading:
        """How values are to be read, as far as is known."""
        return self._extent.reading if self._channels == 1 else PROBABILITIES

    @property
    def shares(self) -> dict[int, float]:
        """How much of the picture each class has, the largest share first."""
        return shares_of(self._counts.get(self.reading, np.zeros(1, np.intp)))

    def take(self, top: int, rows: NDArray[np.float32]) -> None:
        """Looks at rows (rows, columns, channels) from row `top` of the map on; those that were
        looked at before are passed over."""
        rows = rows[max(0, self._next - top) :]
        top = max(self._next, top)
        if not len(rows):
            return
        self._next = top + len(rows)
        if self._channels == 1:
            self._extent = self._extent.beside(ValueSpan.of(rows))
        height, width = self._shown
        seen = rows[: max(0, height - top), :width]
        for reading in self._possible:
            found = np.bincount(classes_of_rows(seen, reading).reshape(-1), minlength=MOST_CLASSES)
            self._counts[reading] = self._counts.get(reading, 0) + found

    @property
    def _possible(self) -> tuple[Reading, ...]:
        """How values may have to be read in the end."""
        if self._channels > 1:
            return (PROBABILITIES,)
        return _READINGS if self._extent.may_be_numbers else _READINGS[:2]

    def encoded(self) -> str:
        """As text, for a journal."""
        extent = self._extent
        counts = [[*reading, *found.tolist()] for reading, found in self._counts.items()]
        return json.dumps([self._next, extent.low, extent.high, extent.whole, counts])

    def restore(self, text: str) -> None:
        """Takes over what ``encoded`` gave; ValueError when it is something else."""
        try:
            self._next, low, high, whole, counts = json.loads(text)
            self._extent = ValueSpan(float(low), float(high), bool(whole))
            self._counts = {
                (float(a), float(b)): np.array(found, np.intp) for a, b, *found in counts
            }
        except (TypeError, OverflowError) as error:
            raise ValueError("no counts of classes") from error


class ClassRows:
    """Turns rows of a map into rows of a picture of the photo's size: numbers of classes, one
    channel, or their colours over the photo's rows.

    `size` is that of the network's input, in whose top left corner the photo lies; `alignment` is
    the map's with it.
    """

    def __init__(self, made: Shape, photo: Shape, size: Shape, alignment: Alignment) -> None:
        high, wide = photo.height, photo.width
        self._rows = placed(made.height, alignment.rows, high, 0, high, size.height)
        self._columns = placed(made.width, alignment.columns, wide, 0, wide, size.width)
        self._colours = palette()

    def first(self, map_row: int) -> int:
        """The first row of the picture that is made of a row of the map or of one below it."""
        return int(np.searchsorted(self._rows, map_row))

    def map_row(self, row: int) -> int:
        """The row of the map of which a row of the picture is made; for rows below it, the last."""
        return int(self._rows[min(row, len(self._rows) - 1)])

    def numbers(self, top: int, values: NDArray[np.float32], reading: Reading) -> Rows:
        """Rows of the picture, one channel, that rows of the map from `top` on are."""
        wanted = self._rows[self.first(top) : self.first(top + len(values))] - top
        found = classes_of_rows(values, reading)
        return found[wanted][:, self._columns][:, :, np.newaxis]

    def rehearse(self, channels: int) -> None:
        """Finds the classes of a few pixels, and colours them: the code for it is in memory
        then."""
        found = classes_of_rows(np.zeros((1, 16, channels), np.float32), PROBABILITIES)
        self.over(np.zeros((1, 16, 3), np.uint8), found[:, :, np.newaxis])

    def over(self, photo: Rows, numbers: Rows) -> Rows:
        """The photo's rows, below their classes' colours."""
        made = photo.copy()
        overlaid(made, numbers[:, :, 0], self._colours)
        return made
