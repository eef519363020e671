"""Resizing against Darknet's own loops, written down as they are; bands against the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.pictures import scene

from ftdist.geometry import Shape
from ftdist.network.about import Fit
from ftdist.pictures import _decoding, bands
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.resizing import Axis, Resizer

pytest.importorskip("PIL.Image", reason="pictures need Pillow")


def resize_image(picture: Any, width: int, height: int) -> Any:
    """image.c, in float32; rows of the result that rounding would make black are the last one."""
    rows, columns, channels = picture.shape
    across = np.float32(columns - 1) / np.float32(max(width - 1, 1))
    down = np.float32(rows - 1) / np.float32(max(height - 1, 1))
    part = np.zeros((rows, width, channels), np.float32)
    for c in range(width):
        if c == width - 1 or columns == 1:
            part[:, c] = picture[:, columns - 1]
            continue
        at = np.float32(c) * across
        left, share = int(at), at - np.float32(int(at))
        part[:, c] = (1 - share) * picture[:, left] + share * picture[:, left + 1]
    found = np.zeros((height, width, channels), np.float32)
    for r in range(height):
        if r == height - 1 or rows == 1:
            found[r] = part[rows - 1]
            continue
        at = np.float32(r) * down
        above, share = int(at), at - np.float32(int(at))
        found[r] = (1 - share) * part[above] + share * part[above + 1]
    return found


def crop_image(picture: Any, left: int, top: int, width: int, height: int) -> Any:
    """image.c: what lies outside repeats the edge."""
    rows = np.clip(np.arange(height) + top, 0, len(picture) - 1)
    return picture[rows][:, np.clip(np.arange(width) + left, 0, picture.shape[1] - 1)]


def as_darknet(picture: Any, width: int, height: int, fit: Fit) -> Any:
    """The network's input by Darknet, 0..255 in float32."""
    rows, columns = picture.shape[:2]
    if fit == "stretch":
        return resize_image(picture, width, height)
    if fit == "crop":
        if columns < rows:
            size = width, rows * width // columns
        else:
            size = columns * width // rows, width
        resized = resize_image(picture, *size)
        left, top = (int((a - b) / 2) for a, b in zip(size, (width, height), strict=True))
        return crop_image(resized, left, top, width, height)
    box = Letterbox.fit(columns, rows, Shape(height, width, 3))
    found = np.full((height, width, 3), 128, np.float32)
    content = resize_image(picture, box.content_width, box.content_height)
    found[box.top :, box.left :][: box.content_height, : box.content_width] = content
    return found


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
@given(
    size=some.tuples(some.integers(1, 90), some.integers(1, 90)),
    network=some.tuples(some.integers(1, 40), some.integers(1, 40)),
    band=some.sampled_from([1, 100, 10_000]),
)
def test_a_picture_enters_as_darknet_has_it(
    tmp_path_factory: Any, fit: Fit, size: tuple[int, int], network: tuple[int, int], band: int
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "resized.png"
    picture = scene(*size)
    picture.save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "BAND_PIXELS", band)
        found, _ = load_picture(path, Shape(network[1], network[0], 3), fit)
    expected = as_darknet(np.asarray(picture).astype(np.float32), *network, fit)
    assert np.abs(found - expected).max() <= 0.5 + 1e-4


def test_bands_of_any_height_give_the_same(tmp_path: Path) -> None:
    picture = np.asarray(scene(97, 61))
    results = []
    for step in (1, 7, 61):
        out = np.zeros((40, 50, 3), np.uint8)
        resizer = Resizer(Axis(61, 40, 0, 40), Axis(97, 50, 0, 50), out)
        for first in range(0, 61, step):
            resizer.take(first, picture[first : first + step])
        results.append(out)
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert np.array_equal(results[0][-1, -1], picture[-1, -1])


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("letterbox", (0, 52, 416, 312)),
        ("stretch", (0, 0, 416, 416)),
        ("crop", (-69, 0, 554, 416)),
    ],
)
def test_where_the_picture_lies(fit: Fit, expected: tuple[int, ...]) -> None:
    """A photo of 768x576, worked out by hand; its corners come back from where they lie."""
    box = Letterbox.fit(768, 576, Shape(416, 416, 3), fit)
    assert (box.left, box.top, box.content_width, box.content_height) == expected
    ends = [edge / 416 for edge in (box.left, box.top)]
    ends += [(box.left + box.content_width) / 416, (box.top + box.content_height) / 416]
    seen = box.to_picture(type_of_box(*ends))
    assert seen == pytest.approx((0, 0, 768, 576))


def type_of_box(*edges: float) -> Any:
    from ftdist.pictures.fitting import Box

    return Box(*edges)


def test_a_picture_of_the_wanted_size_is_not_touched() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (13, 9, 3), dtype=np.uint8)
    out = np.zeros((10, 9, 3), np.uint8)
    resizer = Resizer(Axis(13, 13, 2, 10), Axis(9, 9, 0, 9), out)
    for first in range(0, 13, 4):
        resizer.take(first, picture[first : first + 4])
    assert (out == picture[2:12]).all()


def test_what_leaves_a_band_or_the_result_is_refused_before_anything_is_read() -> None:
    band, none = np.zeros((4, 5, 3), np.uint8), np.zeros((0, 1, 1), np.uint8)
    rows, columns, out = Axis(4, 2, 0, 2), Axis(5, 2, 0, 2), np.zeros((2, 2, 3), np.uint8)
    _decoding.resize(band, 0, none, rows, columns, out)
    for bad in (rows._replace(source=3), rows._replace(length=3), rows._replace(step=2)):
        with pytest.raises(ValueError, match="another size"):
            _decoding.resize(band, 0, none, bad, columns, out)
    for bad in (rows._replace(source=0), rows._replace(target=0), rows._replace(first=1 << 40)):
        with pytest.raises(ValueError, match="no such axis"):
            _decoding.resize(band, 0, none, bad, columns, out)
    for first in (-1, 1, 4):
        with pytest.raises(ValueError, match="another size"):
            _decoding.resize(band, first, none, rows, columns, out)
    for bad in (columns._replace(source=6), columns._replace(length=1)):
        with pytest.raises(ValueError, match="another size"):
            _decoding.resize(band, 0, none, rows, bad, out)
    with pytest.raises(ValueError, match="rows of another size"):
        _decoding.resize(band, 4, none, Axis(8, 2, 0, 2), columns, out)
    with pytest.raises(ValueError, match="another size"):
        _decoding.resize(band, 0, none, rows, columns, out[:, :-1])
    for turned in (band.transpose(1, 0, 2), band[:, :, ::-1], band[:, ::-1]):
        axes = Axis(len(turned), 2, 0, 2), Axis(turned.shape[1], 2, 0, 2)
        with pytest.raises(ValueError, match="lie otherwise"):
            _decoding.resize(turned, 0, none, *axes, out)


@pytest.mark.parametrize("size", [(23, 19), (31, 34)])
@pytest.mark.parametrize("step", [7, 40])
def test_a_result_may_be_turned_and_cut(size: tuple[int, int], step: int) -> None:
    """As of a photo that EXIF turns, and of one whose edges are repeated; mixed or as it is."""
    picture = np.random.default_rng(8).integers(0, 256, (*size, 3), dtype=np.uint8)
    upright = np.zeros((31, 34, 3), np.uint8)
    Resizer(Axis(size[0], 31, 0, 31), Axis(size[1], 34, 0, 34), upright).take(0, picture)
    found = np.zeros((40, 37, 3), np.uint8)
    rows, columns = Axis(size[0], 31, 30 + 2, 37, -1), Axis(size[1], 34, -3, 40)
    resizer = Resizer(rows, columns, found.transpose(1, 0, 2))
    for first in range(0, size[0], step):
        resizer.take(first, picture[first : first + step])
    expected = crop_image(upright[::-1], -3, -2, 40, 37).transpose(1, 0, 2)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("pixel", [0, 1, 2])
def test_rows_may_lie_apart(channels: int, pixel: int) -> None:
    """As a decoder has them, and as they lie in a wider network's input."""
    chance = np.random.default_rng(6)
    held = chance.integers(0, 256, (23, 19, channels + pixel), dtype=np.uint8)
    wide = np.full((31, 40, channels), 7, np.uint8)
    beside = wide[:, 3:37], np.zeros((31, 34, channels), np.uint8)
    for out, picture in zip(
        beside, (held[:, :, :channels], held[:, :, :channels].copy()), strict=True
    ):
        resizer = Resizer(Axis(23, 31, 0, 31), Axis(19, 34, 0, 34), out)
        for first in range(0, 23, 5):
            resizer.take(first, picture[first : first + 5])
    assert np.array_equal(*beside)
    assert (wide[:, :3] == 7).all() and (wide[:, 37:] == 7).all()


@given(
    size=some.tuples(some.integers(1, 90), some.integers(1, 12)),
    wanted=some.tuples(some.integers(1, 90), some.integers(1, 12)),
    channels=some.sampled_from([1, 3]),
    apart=some.integers(0, 1),
    turned=some.booleans(),
    seed=some.integers(0, 99),
)
def test_vectors_of_any_width_give_the_same(
    size: tuple[int, int],
    wanted: tuple[int, int],
    channels: int,
    apart: int,
    turned: bool,
    seed: int,
) -> None:
    """Of machines with narrower ones, too; in the middle of a row, at its end, cut and turned."""
    (width, height), (columns, rows) = size, wanted
    held = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    band = held[:, :, : channels + apart].copy()[:, :, :channels]
    along = Axis(width, columns, columns + 1, columns + 3, -1) if turned else None
    along = along or Axis(width, columns, 0, columns)
    found = [np.zeros((rows, along.length, channels), np.uint8) for _ in range(3)]
    for out, lanes in zip(found, (16, 8, 1), strict=True):
        none = np.zeros((0, 1, 1), np.uint8)
        _decoding.resize(band, 0, none, Axis(height, rows, 0, rows), along, out, lanes)
    assert np.array_equal(found[0], found[2]) and np.array_equal(found[1], found[2])
