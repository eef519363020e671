"""Writes the picture that a network has made, band by band, and only what the photo is shown on.

A network of one channel that enlarges makes a grey picture of a colour photo; its colours are then
those of the photo, enlarged (YCbCr, ITU-T T.871), as such networks are meant to be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.drawing.formats import output_format
from ftdist.answers.tasks.images import Range, picture
from ftdist.answers.tasks.segments import planar
from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.geometry import Region, Span
from ftdist.network.alignment import Alignment, AxisAlignment
from ftdist.pictures._decoding import colour
from ftdist.pictures.encoding import encoding_memory, writer
from ftdist.pictures.fitting import Letterbox

Colours = NDArray[np.uint8]
"""(height, width, 2): Cb and Cr of the network's input."""

_MIDDLE_ROUNDED = (128 << 16) + (1 << 15) - 1

_BAND_COPIES = 24
"""Bytes a pixel of a band while it is made: planes in float32, scaled, rounded, mixed."""


def chroma(rows: NDArray[np.uint8]) -> Colours:
    """Cb and Cr of samples red, green and blue (ITU-T T.871), in 65536ths as libjpeg reckons."""
    wide = rows.astype(np.int32)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    found = np.empty((*rows.shape[:-1], 2), np.uint8)
    found[..., 0] = (-11059 * red - 21709 * green + 32768 * blue + _MIDDLE_ROUNDED) >> 16
    found[..., 1] = (32768 * red - 27439 * green - 5329 * blue + _MIDDLE_ROUNDED) >> 16
    return found


def write_made(
    array: NDArray[Any],
    source: tuple[int, int],
    values: Range,
    path: Path,
    box: Letterbox | None,
    alignment: Alignment,
    *,
    blue_first: bool = False,
    colours: Colours | None = None,
) -> tuple[int, int]:
    """Writes what a network of (height, width) `source` made as a picture; gives (width, height).

    `box` says which part of the input the photo took; the same part of what was made, by its
    `alignment` with the input, is written.
    """
    planes = planar(array, source)
    left, top, right, bottom = _shown(planes.shape[1:], box, alignment)
    planes = planes[:, top:bottom, left:right]
    photo = _photo(source, box)
    height, width = planes.shape[1:]
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        try:
            sink = writer(file, output_format(path), width, height)
            for first in range(0, height, sink.rows):
                rows = slice(first, min(first + sink.rows, height))
                band = picture(planes[:, rows], (rows.stop - first, width), values,
                               blue_first=blue_first)  # fmt: skip
                if band.ndim == 2:
                    band = _in_colours(band, colours, (top + first, left), alignment, photo)
                sink.take(_image(band))
            sink.end()
            file.flush()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.errno else str(error)
            raise InputError(f"cannot write {path}: {reason}") from error
    return width, height


def making_bytes(path: Path, width: int, height: int) -> int:
    """What ``write_made`` holds at most beside what was made."""
    from ftdist.pictures.encoding import band_rows

    band = min(band_rows(width), height) * width
    return encoding_memory(output_format(path), width, height).most + _BAND_COPIES * band


def shown_until(made: int, beside: int, alignment: AxisAlignment) -> int:
    """The end of the part of a map's axis that shows the photo, behind which the network's input
    has so much `beside` it."""
    return min(made, round(made - beside * alignment.by / alignment.over))


def _shown(
    made: tuple[int, ...], box: Letterbox | None, alignment: Alignment
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of a map that shows the photo."""
    height, width = made
    if box is None:
        return 0, 0, width, height
    left = max(0, round(box.left * alignment.columns.by / alignment.columns.over))
    top = max(0, round(box.top * alignment.rows.by / alignment.rows.over))
    right = shown_until(width, box.network_width - box.left - box.content_width, alignment.columns)
    bottom = shown_until(height, box.network_height - box.top - box.content_height, alignment.rows)
    return left, top, max(left + 1, right), max(top + 1, bottom)


def _photo(source: tuple[int, int], box: Letterbox | None) -> Region:
    """The part of the network's input that the photo takes."""
    if box is None:
        return Region(0, source[0], 0, source[1])
    top, left = max(0, box.top), max(0, box.left)
    bottom = min(box.network_height, box.top + box.content_height)
    return Region(top, bottom, left, min(box.network_width, box.left + box.content_width))


def _image(band: NDArray[np.uint8]) -> Any:
    from PIL.Image import fromarray

    return fromarray(band)


def _in_colours(
    luma: NDArray[np.uint8],
    colours: Colours | None,
    at: tuple[int, int],
    alignment: Alignment,
    photo: Region,
) -> NDArray[np.uint8]:
    """A grey band with the photo's colours, or as it is in three equal channels."""
    if colours is None:
        return np.repeat(luma[:, :, None], 3, axis=2)
    return coloured(luma, colours, at, alignment, photo)


def coloured(
    luma: NDArray[np.uint8],
    colours: Colours,
    at: tuple[int, int],
    alignment: Alignment,
    photo: Region,
    top: int = 0,
) -> NDArray[np.uint8]:
    """Grey pixels of a map with the colours of the photo that it was made of.

    They are those from the row and column `at` on. `alignment` is the map's with an input of which
    the photo takes a part, and of whose rows `colours` has those from `top` on.
    """
    height, width = luma.shape
    y = _places(at[0], height, alignment.rows, photo.rows)
    x = _places(at[1], width, alignment.columns, photo.columns)
    mixed = np.empty((*luma.shape, 3), np.uint8)
    chosen = np.ascontiguousarray(colours).reshape(-1)
    flat = np.ascontiguousarray(luma).reshape(-1)
    rows_of, columns_of = (_places32(each) for each in ((y[0] - top, y[1] - top, y[2]), x))
    colour(flat, chosen, colours.shape[1], *rows_of, *columns_of, mixed.reshape(-1))
    return mixed


def _places(
    first: int, count: int, alignment: AxisAlignment, photo: Span
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    wanted, last = np.arange(first, first + count), photo.stop - 1
    at = np.clip(
        (wanted + 0.5) * alignment.over / alignment.by + alignment.start - 0.5, photo.start, last
    )
    before = at.astype(np.intp)
    return before, np.minimum(before + 1, last), (at - before).astype(np.float32)


def _places32(
    places: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    before, after, share = places
    return before.astype(np.int32), after.astype(np.int32), share
