"""Where a point of a picture lies on the earth, reckoned by hand from the tags of its file."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.tiffs import Kind, write_tiff

from ftdist.answers.geojson import geojson
from ftdist.answers.seen import Found, Seen
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.tiff.tags import place

images = pytest.importorskip("PIL.Image", reason="pictures are turned by Pillow")

HEIGHT, WIDTH = 5, 7
SCALE, TIEPOINT, MATRIX, KEYS, ORIENTATION, X_RESOLUTION, Y_RESOLUTION = (
    *(33550, 33922, 34264, 34735, 274, 282, 283),
)
_SHORT, _RATIONAL, _DOUBLE = 3, 5, 12
Reckoned = Callable[[float, float], tuple[float, float]]
"""The coordinates of a point of the raster, by the formulas of OGC GeoTIFF 1.1, annex B."""

PLACES: dict[str, tuple[dict[int, tuple[float, ...]], Reckoned]] = {
    "north up": (
        {SCALE: (0.5, 0.25, 0.0), TIEPOINT: (2.0, 1.0, 0.0, 500.0, 4000.0, 0.0)},
        lambda i, j: (500 + (i - 2) * 0.5, 4000 - (j - 1) * 0.25),
    ),
    "south up": (
        {SCALE: (0.5, -0.25, 0.0), TIEPOINT: (0.0, 0.0, 0.0, 500.0, 4000.0, 0.0)},
        lambda i, j: (500 + i * 0.5, 4000 + j * 0.25),
    ),
    "turned": (
        {MATRIX: (0.4, -0.3, 0, 500.0, -0.3, -0.4, 0, 4e6, 0, 0, 0, 0, 0, 0, 0, 1.0)},
        lambda i, j: (500 + 0.4 * i - 0.3 * j, 4e6 - 0.3 * i - 0.4 * j),
    ),
}
TRANSPOSED = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
              6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
"""What Pillow calls the turns that EXIF's numbers stand for (``ImageOps.exif_transpose``)."""


def written(
    path: Path, pixels: np.ndarray, which: str, *, points: bool, orientation: int = 1
) -> tuple[Path, Reckoned]:
    """A GeoTIFF, and where a point of its stored pixels lies, the first one's corner being 0, 0."""
    tags, reckoned = PLACES[which]
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2 if points else 1, 3072, 0, 1, 32632)
    more: dict[int, tuple[int, tuple[float, ...]]] = {
        tag: (_DOUBLE, value) for tag, value in tags.items()
    }
    more |= {KEYS: (_SHORT, keys), ORIENTATION: (_SHORT, (orientation,))}
    write_tiff(path, pixels, Kind(more=more))
    shift = 0.5 if points else 0.0  # its numbers mean a pixel's middle
    return path, lambda i, j: reckoned(i - shift, j - shift)


@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("which", PLACES)
def test_each_pixel_lies_where_the_tags_say_whichever_way_it_is_stored(
    tmp_path: Path, which: str, orientation: int, points: bool
) -> None:
    numbers = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    path, reckoned = written(
        tmp_path / "map.tif", numbers[:, :, None], which, points=points, orientation=orientation
    )
    upright = images.fromarray(numbers)
    if orientation > 1:
        upright = upright.transpose(getattr(images.Transpose, TRANSPOSED[orientation]))
    with closing(open_rows(path)) as rows:
        seen, where = rows.rows(0, rows.shape.height)[:, :, 0], place(rows.tags)
    np.testing.assert_array_equal(seen, np.asarray(upright))
    assert where is not None
    for (row, column), number in np.ndenumerate(seen):
        stored_row, stored_column = divmod(int(number), WIDTH)
        wanted = reckoned(stored_column + 0.5, stored_row + 0.5)
        assert where(column + 0.5, row + 0.5) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("orientation", [1, 2, 6])
@pytest.mark.parametrize("which", PLACES)
def test_boxes_and_outlines_go_against_the_clock(
    tmp_path: Path, which: str, orientation: int
) -> None:
    """RFC 7946, 3.1.6; also where the picture is mirrored, or small beside its coordinates."""
    import json

    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    path, _ = written(tmp_path / "m.tif", pixels, which, points=False, orientation=orientation)
    line = array("f", [1.0, 1.0, 1.001, 1.0, 1.001, 1.001, 1.0, 1.001])
    box = Found("hut", 0, 0.5, 1.0, 1.0, 0.001, 0.001)
    outlined = Found("hut", 0, 0.5, 1.0, 1.0, 0.001, 0.001, outlines=(line,))
    with closing(open_rows(path)) as rows:
        text = geojson(Seen("m.tif", WIDTH, HEIGHT, (box, outlined)), rows.tags)
    boxed, around = (each["geometry"]["coordinates"] for each in json.loads(text)["features"])
    for ring in (boxed[0], around[0][0]):
        assert ring[0] == ring[-1] and len(ring) == 5
        x, y = (np.array(each) - each[0] for each in zip(*ring, strict=True))
        assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0


@pytest.mark.parametrize("scale", [(float("nan"), 1.0, 0.0), (0.0, 0.0, 0.0), (1.0,)])
def test_what_is_no_place_is_none(scale: tuple[float, ...]) -> None:
    assert place({SCALE: scale, TIEPOINT: (0.0, 0.0, 0.0, 5.0, 6.0, 0.0)}) is None


def test_a_picture_that_is_turned_has_its_resolutions_turned(tmp_path: Path) -> None:
    more = {X_RESOLUTION: (_RATIONAL, ((300, 1),)), Y_RESOLUTION: (_RATIONAL, ((150, 1),))}
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    tags: dict[int, tuple[int, tuple[object, ...]]] = {**more, ORIENTATION: (_SHORT, (6,))}
    write_tiff(tmp_path / "a.tif", pixels, Kind(more=tags))
    with closing(open_rows(tmp_path / "a.tif")) as rows:
        found = rows.tags[X_RESOLUTION], rows.tags[Y_RESOLUTION]
    assert [float(each[0]) for each in found] == [150, 300]
