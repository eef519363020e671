"""What undoing picture files' codings needs a loop over bytes for (src/rows.hpp)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

class Lzw:
    """TIFF's LZW; keeps its state from one piece of data to the next."""

    def decode(self, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> tuple[int, int]:
        """(bytes used, bytes made); ValueError for codes that no encoder writes."""

    @property
    def ended(self) -> bool: ...

class PackBits:
    """TIFF's PackBits, in the same way."""

    def decode(self, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> tuple[int, int]: ...

def unfilter(lines: NDArray[np.uint8], size: int, pixel: int, above: NDArray[np.uint8], /) -> int:
    """Undoes PNG's filters in place; lines have a filter byte and `size` bytes.

    `above` is the row before, and becomes the last one. Gives the rows that have a known filter.
    """

def accumulate(values: NDArray[Any], count: int, step: int, /) -> None:
    """Adds each of `count` values of a row to the one `step` before; uint8, uint16, uint32."""

def resize(
    band: NDArray[np.uint8],
    first: int,
    above: NDArray[np.uint8],
    rows: tuple[int, int, int, int, int],
    columns: tuple[int, int, int, int, int],
    out: NDArray[np.uint8],
    most_lanes: int = 16,
) -> None:
    """Makes those rows of `out` that need nothing below a band (src/mixing.hpp), whose first row is
    number `first` of its picture; `above` is the row before it, if there is one.

    `band`, `above` and `out` are (rows, width, channels), maybe with gaps between pixels and rows.
    Of each axis: source, target, first, length and step, as ``resizing.Axis`` has them.
    Vectors have `most_lanes` values at most.
    """

def small_file(path: str | Path, beginning: bytes, most: int, /) -> bytes | None:
    """The content of a file that begins so and has at most so many bytes; None of any other."""

def marker(data: bytes, start: int, /) -> tuple[int, int]:
    """Where a JPEG's next marker begins and ends; the data's end where there is none."""

def plain_jpeg(data: bytes, /) -> tuple[int, int, tuple[tuple[int, int], ...], int, int] | None:
    """Width, height, each component's sampling factors, begin and end of the data, of a JPEG of the
    plainest kind (src/jpegs.hpp); None of any other file."""

def colour(
    grey: NDArray[np.uint8],
    chroma: NDArray[np.uint8],
    width: int,
    upper: NDArray[np.int32],
    lower: NDArray[np.int32],
    down: NDArray[np.float32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    along: NDArray[np.float32],
    out: NDArray[np.uint8],
    /,
) -> None:
    """Grey rows in the colours, Cb and Cr, of a smaller photo (src/colouring.hpp); all are flat."""
