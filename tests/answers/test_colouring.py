"""A grey picture in its photo's colours: what is computed natively is what T.871 says."""

from __future__ import annotations

import numpy as np
import pytest

from ftdist.answers.drawing.made import chroma, coloured
from ftdist.geometry import Region, Shape
from ftdist.network.alignment import Alignment, AxisAlignment, stretched
from ftdist.pictures._decoding import colour

HIGH, WIDE = 7, 9
SAME = Alignment(AxisAlignment(0.0), AxisAlignment(0.0))


def expected(luma: np.ndarray, colours: np.ndarray, alignment: Alignment) -> np.ndarray:
    """Each pixel between the four around its middle, every operation in float32."""
    places = []
    for large, small, along in zip(luma.shape, colours.shape, alignment, strict=False):
        at = (np.arange(large) + 0.5) * along.step + along.start - 0.5
        at = np.clip(at, 0, small - 1)
        before = at.astype(int)
        places.append((before, np.minimum(before + 1, small - 1), (at - before).astype(np.float32)))
    (upper, lower, down), (left, right, along) = places
    small = colours.astype(np.float32)
    mixed = small[upper] * (1 - down)[:, None, None] + small[lower] * down[:, None, None]
    near = mixed[:, left] * (1 - along)[:, None] + mixed[:, right] * along[:, None]
    blue, red = near[:, :, 0] - np.float32(128), near[:, :, 1] - np.float32(128)
    grey = luma.astype(np.float32)
    planes = (
        grey + np.float32(1.402) * red,
        grey + np.float32(-0.344136) * blue + np.float32(-0.714136) * red,
        grey + np.float32(1.772) * blue,
    )
    return np.rint(np.clip(np.stack(planes, axis=2), 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("size", [(7, 9), (21, 27), (20, 13), (3, 4)])
def test_a_grey_picture_has_its_photos_colours(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    luma = generator.integers(0, 256, size, np.uint8)
    colours = generator.integers(0, 256, (HIGH, WIDE, 2), np.uint8)
    alignment = stretched(Shape(*size, 1), Shape(HIGH, WIDE, 2))
    made = coloured(luma, colours, (0, 0), alignment, Region(0, HIGH, 0, WIDE))
    assert np.array_equal(made, expected(luma, colours, alignment))


def test_colours_are_those_of_where_a_map_lies() -> None:
    """It has lost a border of two, and is as large as what is left of it, twice."""
    generator = np.random.default_rng(0)
    alignment = Alignment(AxisAlignment(2.0, 1, 2), AxisAlignment(2.0, 1, 2))
    luma = generator.integers(0, 256, (2 * HIGH - 8, 2 * WIDE - 8), np.uint8)
    colours = generator.integers(0, 256, (HIGH, WIDE, 2), np.uint8)
    whole = expected(luma, colours, alignment)
    photo = Region(0, HIGH, 0, WIDE)
    assert np.array_equal(coloured(luma, colours, (0, 0), alignment, photo), whole)
    part = coloured(luma[3:5, 4:], colours[1:], (3, 4), alignment, photo, 1)
    assert np.array_equal(part, whole[3:5, 4:])


def test_colours_come_back() -> None:
    photo = np.random.default_rng(0).integers(60, 200, (11, 6, 3), np.uint8)
    luma = np.rint(photo @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    made = coloured(luma, chroma(photo), (0, 0), SAME, Region(0, 11, 0, 6))
    assert np.abs(made.astype(int) - photo).max() <= 2


def test_rows_that_are_not_there_are_refused() -> None:
    one, half = np.zeros(1, np.int32), np.zeros(1, np.float32)
    pair, out = np.zeros(2, np.uint8), np.zeros(3, np.uint8)
    grey = np.zeros(1, np.uint8)
    colour(grey, pair, 1, one, one, half, one, one, half, out)
    with pytest.raises(ValueError, match="beside"):
        colour(grey, pair, 1, one, one + 1, half, one, one, half, out)
    with pytest.raises(ValueError, match="size"):
        colour(grey, pair, 1, one, one, half, one, one, half, out[:2])
