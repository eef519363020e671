"""The picture that a network makes, row by row, as ``answers.drawing.made`` writes a whole one.

The same samples come out to the bit, from bands of the network's map: the part that shows the
photo, brought to 8 bits (16 where the photo has them and the file can), and, of a network for grey
pictures that was given colours, with the photo's colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.drawing.made import chroma, coloured, shown_until
from ftdist.answers.rows.kept import KeptRows
from ftdist.answers.tasks.images import Range, brightness, value_range
from ftdist.geometry import Region, Shape
from ftdist.network.alignment import Alignment
from ftdist.pictures.rows.feed import as_colours
from ftdist.pictures.rows.protocol import Rows, Tags

_COLUMN_BYTES = 64
"""Of a column while grey rows get their colours: where these lie, in several kinds of numbers."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of a network's map shows the photo: the top left one, `height` x `width`.

    Networks that want whole strides are larger than the photo.
    """

    height: int
    width: int

    @classmethod
    def of(cls, made: Shape, network_input: Shape, photo: Shape, alignment: Alignment) -> Shown:
        """`alignment` is the map's with the input."""
        height = shown_until(made.height, network_input.height - photo.height, alignment.rows)
        width = shown_until(made.width, network_input.width - photo.width, alignment.columns)
        return cls(max(1, height), max(1, width))


class Colours:
    """Cb and Cr of a photo's rows, as long as rows that are made may want them."""

    def __init__(self, photo: Shape, shown: Shown, alignment: Alignment, tags: Tags) -> None:
        self._photo, self._shown, self._alignment = photo, shown, alignment
        self.kept = KeptRows(photo.height, lambda rows: chroma(as_colours(rows, tags)))

    def over(self, luma: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        """Grey rows from row `top` of the picture on, with the photo's colours."""
        photo = Region(0, self._photo.height, 0, self._photo.width)
        first = self.first_row(top)
        near = self.kept.rows(first, self.first_row(top + len(luma)) + 3)
        return coloured(luma, near, (top, 0), self._alignment, photo, first)

    def mixing_bytes(self, rows: int) -> int:
        """What so many rows take beside themselves while they get their colours: the photo's, put
        together, and what is made."""
        near = self.first_row(rows) + 4
        return 2 * near * self._photo.width + (3 * rows + _COLUMN_BYTES) * self._shown.width

    def rehearse(self) -> None:
        """Gives a few pixels colours: the code for it is in memory then."""
        self.kept.rehearse(np.zeros((1, 16, 3), np.uint8))
        near = np.zeros((2, 16, 2), np.uint8)
        coloured(np.zeros((2, 16), np.uint8), near, (0, 0), self._alignment, Region(0, 2, 0, 16))

    def first_row(self, top: int) -> int:
        """The first row of the photo that rows of the picture from `top` on want."""
        along = self._alignment.rows
        return max(0, int((top + 0.5) * along.over / along.by + along.start - 0.5) - 1)


class MadeRows:
    """Turns rows of a network's map into rows of a picture file."""

    def __init__(
        self, shown: Shown, channels: int, values: Range, colours: Colours | None, *,
        blue_first: bool, deep: bool,
    ) -> None:  # fmt: skip
        self._shown, self._values, self._colours = shown, values, colours
        self._blue_first, self._channels = blue_first, channels
        self._most = 65535 if deep and colours is None else 255
        self.shape = Shape(shown.height, shown.width, 3 if channels >= 3 or colours else 1)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8 if self._most == 255 else np.uint16)

    def making_bytes(self, rows: int) -> int:
        """What is held beside so many rows of the map while they are turned: scaled, as samples,
        and with colours."""
        values = rows * self._shown.width * self._channels
        taken = (4 + self.dtype.itemsize) * values
        if self._colours is None:
            return taken
        return max(taken, values + self._colours.mixing_bytes(rows))

    def rehearse(self) -> None:
        """Turns a few values: the code for it is in memory then."""
        values = np.zeros((1, 16, self._channels), np.float32)
        brightness(values, value_range(values), self._most)
        if self._colours is not None:
            self._colours.rehearse()

    def rows(self, top: int, made: NDArray[np.float32]) -> Rows:
        """What rows of the map from row `top` on become; none where they show no photo."""
        made = made[: max(0, self._shown.height - top), : self._shown.width]
        samples: Rows = brightness(made, self._values, self._most)
        if made.shape[2] >= 3:
            return samples[:, :, 2::-1] if self._blue_first else samples[:, :, :3]
        if self._colours is None or not len(made):
            return samples[:, :, :1]
        return self._colours.over(samples[:, :, 0], top)
