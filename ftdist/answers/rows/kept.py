"""Rows of a photo that rows of the result will want: its colours, or itself below a layer of them.

They come in the pieces in which the photo is read, and go when no row that is still to be made
wants them. What is wanted and was not read yet is read ahead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ftdist.pictures.rows.protocol import Rows


class KeptRows:
    """Rows of a photo of that height, each as `turned` makes it of the file's.

    `reach` reads the photo up to a row, which is then the last that was taken.
    """

    def __init__(self, height: int, turned: Callable[[Rows], Rows]) -> None:
        self.height = height
        self.reach: Callable[[int], None] | None = None
        self._turned = turned
        self._pieces: list[tuple[int, Rows]] = []
        self._bottom = 0

    def take(self, first: int, rows: Rows) -> None:
        """The photo's next rows, from row `first` on."""
        if first != self._bottom:
            self._pieces.clear()
        self._pieces.append((first, np.ascontiguousarray(self._turned(rows))))
        self._bottom = first + len(rows)

    def rows(self, top: int, bottom: int) -> Rows:
        """Rows [top, bottom) of the photo."""
        bottom = min(bottom, self.height)
        if bottom > self._bottom and self.reach is not None:
            self.reach(bottom)
        found = [
            rows[max(0, top - first) : bottom - first]
            for first, rows in self._pieces
            if first < bottom and first + len(rows) > top
        ]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def rehearse(self, row: Rows) -> None:
        """Turns a row that nobody wants: the code for it is in memory then."""
        self._turned(row)

    def forget(self, top: int) -> None:
        """Lets go what lies above a row."""
        self._pieces = [each for each in self._pieces if each[0] + len(each[1]) > top]
