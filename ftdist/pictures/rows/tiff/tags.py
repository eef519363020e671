"""Which of a TIFF's tags go over to what is made of its picture, and how its size changes them.

Where a picture lies on the earth is said by a point of it (ModelTiepoint) and the size of its
pixels (ModelPixelScale), or by a matrix (ModelTransformation); keys say in which coordinates. A
picture with twice the pixels on each side has pixels of half the size, and its points lie at twice
the place; one that lost a border begins further in. One that is turned upright is no longer stored
as the tags mean it, and gets a matrix.

Source: OGC GeoTIFF 1.1, annex B; GDAL_NODATA is GDAL's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from ftdist.network.alignment import Alignment
from ftdist.pictures.exif import TURNS, Turn
from ftdist.pictures.rows.protocol import Tags
from ftdist.pictures.rows.tiff.directory import Directory

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, ICC_PROFILE = 282, 283, 296, 34675
PIXEL_SCALE, TIEPOINT, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES, GEO_TEXT, NO_DATA = 34735, 34736, 34737, 42113
ORIENTATION, EXTRA_SAMPLES, GDAL_METADATA = 274, 338, 42112

CARRIED = (ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, EXTRA_SAMPLES, PIXEL_SCALE,
           TIEPOINT, TRANSFORMATION, ICC_PROFILE, GEO_KEYS, GEO_DOUBLES, GEO_TEXT,
           NO_DATA)  # fmt: skip
"""The tags that a source hands out; those of colours and orientation are for who reads it."""

ON_EARTH = (PIXEL_SCALE, TIEPOINT, TRANSFORMATION, GEO_KEYS, GEO_DOUBLES, GEO_TEXT, NO_DATA)
"""Those that say where a picture lies, and where it has nothing."""

_AS_STORED = TURNS[1]
_RASTER_TYPE, _POINT = 1025, 2
_MODEL_TYPE, _GEOGRAPHIC = 1024, 2


def carried(directory: Directory) -> Tags:
    """The tags that go over; a damaged one is left out."""
    found: dict[int, Any] = {}
    for tag in CARRIED:
        if tag in directory and directory.entries[tag].count:
            try:
                found[tag] = directory.value(tag)
            except ValueError:
                continue
    return found


def filling(directory: Directory, dtype: np.dtype[Any]) -> float:
    """What stands for pixels that the file leaves out."""
    try:
        value = float(str(directory.value(NO_DATA)).strip("\x00 "))
    except (KeyError, ValueError):
        return 0
    if dtype.kind == "f":
        return value
    return value if 0 <= value <= np.iinfo(dtype).max and value == int(value) else 0


def laid(tags: Tags, alignment: Alignment) -> Tags:
    """The tags of what is made of a picture, and has that alignment with it."""
    found = dict(tags)
    down, across = (along.by / along.over for along in alignment)
    top, left = (along.start for along in alignment)
    if RESOLUTION_UNIT in found or X_RESOLUTION in found:
        for tag, factor in ((X_RESOLUTION, across), (Y_RESOLUTION, down)):
            if tag in found:
                found[tag] = tuple(each * factor for each in found[tag])
    shift = _shift(tags)
    if PIXEL_SCALE in found and len(found[PIXEL_SCALE]) >= 2:
        east, north, *more = found[PIXEL_SCALE]
        found[PIXEL_SCALE] = (east / across, north / down, *more)
    if TIEPOINT in found:
        sides = (left, across), (top, down)
        found[TIEPOINT] = tuple(
            value if at % 6 > 1 else (value + shift - sides[at % 6][0]) * sides[at % 6][1] - shift
            for at, value in enumerate(found[TIEPOINT])
        )
    if TRANSFORMATION in found and len(found[TRANSFORMATION]) == 16:
        matrix = np.array(found[TRANSFORMATION], float).reshape(4, 4)
        matrix[:, 3] += (left - shift) * matrix[:, 0] + (top - shift) * matrix[:, 1]
        matrix[:, 0], matrix[:, 1] = matrix[:, 0] / across, matrix[:, 1] / down
        matrix[:, 3] += shift * (matrix[:, 0] + matrix[:, 1])
        found[TRANSFORMATION] = tuple(matrix.reshape(-1).tolist())
    return found


Place = Callable[[float, float], tuple[float, float]]
"""From (column, row) of a picture, its corner being (0, 0), to coordinates (x, y)."""

Affine = tuple[float, float, float, float, float, float]
"""x is the first times the column, the second times the row, and the third; y likewise."""

_NO_HEIGHT = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""The rest of such a matrix of 4 x 4."""


def place(tags: Tags) -> Place | None:
    """Where a point of the picture lies, in the coordinates that its keys say; None if unsaid."""
    affine = _affine(tags)
    if affine is None:
        return None
    a, b, d, e, f, h = affine
    return lambda column, row: (a * column + b * row + d, e * column + f * row + h)


def turned(tags: Tags, turn: Turn, width: int, height: int) -> Tags:
    """The tags of a picture that is turned upright, which has that size as it is stored: places are
    of stored pixels. Points that say no more than where they themselves lie are left out."""
    found = {tag: each for tag, each in tags.items() if tag != ORIENTATION}
    if turn == _AS_STORED:
        return found
    if turn.sideways:
        swapped = {X_RESOLUTION: Y_RESOLUTION, Y_RESOLUTION: X_RESOLUTION}
        found = {swapped.get(tag, tag): each for tag, each in found.items()}
    affine = _affine(tags)
    for tag in (PIXEL_SCALE, TIEPOINT, TRANSFORMATION):
        found.pop(tag, None)
    if affine is None:
        return found
    rows = (_turned_row(each, turn, width, height) for each in (affine[:3], affine[3:]))
    shift = _shift(tags)
    matrix = ((a, b, 0.0, start + shift * (a + b)) for a, b, start in rows)
    found[TRANSFORMATION] = (*chain.from_iterable(matrix), *_NO_HEIGHT)
    return found


def _turned_row(
    row: tuple[float, ...], turn: Turn, width: int, height: int
) -> tuple[float, float, float]:
    """Of x or y what a column and a row are worth, and where it begins, once it is turned."""
    across, down, start = row
    if turn.columns_reversed:
        across, start = -across, start + across * width
    if turn.rows_reversed:
        down, start = -down, start + down * height
    return (down, across, start) if turn.sideways else (across, down, start)


def _affine(tags: Tags) -> Affine | None:
    """Where a picture lies, its corner being (0, 0); None if unsaid, or if it is no place."""
    matrix = tags.get(TRANSFORMATION)
    scale, point = tags.get(PIXEL_SCALE), tags.get(TIEPOINT)
    if matrix is not None and len(matrix) == 16:
        a, b, _, d, e, f, _, h = map(float, matrix[:8])
    elif scale is not None and point is not None and len(scale) >= 2 and len(point) >= 6:
        a, f = float(scale[0]), -float(scale[1])
        b = e = 0.0
        d, h = point[3] - point[0] * a, point[4] - point[1] * f
    else:
        return None
    shift = _shift(tags)
    affine = a, b, d - shift * (a + b), e, f, h - shift * (e + f)
    return affine if all(map(math.isfinite, affine)) and a * f != b * e else None


def _shift(tags: Tags) -> float:
    """How far from a pixel's corner the point is that is meant by its numbers."""
    return 0.5 if _says(tags, _RASTER_TYPE) == _POINT else 0.0


def coordinate_system(tags: Tags) -> int | None:
    """The EPSG number of the coordinates (GeoJSON's own are 4326), None where it is not said."""
    geographic = _says(tags, _MODEL_TYPE) == _GEOGRAPHIC
    number = _says(tags, 2048 if geographic else 3072)
    return number if number is not None and 0 < number < 32767 else None


def _says(tags: Tags, wanted: int) -> int | None:
    """The value of a geographic key that is a short number."""
    keys = tags.get(GEO_KEYS, ())
    for at in range(4, len(keys) - 3, 4):
        key, where, _, value = keys[at : at + 4]
        if key == wanted and where == 0:
            return int(value)
    return None
