"""Heat maps, masks, pictures and points out of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ftdist.answers.drawing.overlays import Tint, placed
from ftdist.answers.tasks.centres import centred
from ftdist.answers.tasks.images import picture, value_range
from ftdist.answers.tasks.points import points
from ftdist.answers.tasks.segments import labels, palette, shares, shown
from ftdist.geometry import Shape
from ftdist.network.alignment import AxisAlignment, stretched
from ftdist.network.task import Task
from ftdist.pictures.fitting import Letterbox


@pytest.mark.parametrize("sides", [2, 4])
def test_peaks_of_a_heat_map_are_centres(sides) -> None:
    heat = np.zeros((1, 2, 10, 20), np.float32)
    heat[0, 1, 4, 6], heat[0, 1, 4, 7], heat[0, 0, 8, 2] = 0.9, 0.7, 0.2
    size = np.zeros((1, sides, 10, 20), np.float32)
    size[0, :, 4, 6] = [4, 2] if sides == 2 else [2, 1, 2, 1]
    offset = np.zeros((1, 2, 10, 20), np.float32)
    offset[0, :, 4, 6] = 0.5
    task = Task("detect", "centres", 2, ("heat", "wh", "offset"))
    (found,) = centred(task, {"heat": heat, "wh": size, "offset": offset}, 0.3, 9)
    assert found.label == 1 and found.score == pytest.approx(0.9)
    assert found.box == pytest.approx((4.5 / 20, 3.5 / 10, 8.5 / 20, 5.5 / 10))


def test_a_mask_is_a_probability_or_a_logit() -> None:
    wanted = [[0, 1], [1, 0]]
    assert labels(np.array([[[0.1, 0.6], [0.9, 0.5]]], np.float32), (2, 2)).tolist() == wanted
    assert labels(np.array([[[-3, 0.2], [7, 0]]], np.float32), (2, 2)).tolist() == wanted


def test_the_largest_score_wins_wherever_the_channels_are() -> None:
    scores = np.zeros((5, 8, 4), np.float32)
    scores[3, 2, 1] = scores[4, 7, 3] = 1
    found = labels(scores, (16, 8))
    assert found.shape == (8, 4) and found[2, 1] == 3 and found[7, 3] == 4
    assert (labels(np.moveaxis(scores, 0, -1)[np.newaxis], (16, 8)) == found).all()
    assert shares(found) == {0: 30 / 32, 3: 1 / 32, 4: 1 / 32}


def test_classes_have_colours_of_their_own() -> None:
    colours = palette()
    assert len({tuple(colour) for colour in colours.tolist()}) == 256
    assert colours[1].tolist() == [128, 0, 0], "as in PASCAL VOC"


def _tint(pixels, found, box, tops) -> None:
    """Paints bands that begin at `tops`."""
    alignment = stretched(
        Shape(found.shape[0], found.shape[1], 1), Shape(box.network_height, box.network_width, 3)
    )
    tint = Tint(found, alignment, box, (pixels.shape[1], pixels.shape[0]), plain=False)
    for top, stop in zip(tops, [*tops[1:], len(pixels)], strict=True):
        band = Image.fromarray(pixels[top:stop])
        tint.paint(band, top)
        pixels[top:stop] = np.asarray(band)


def test_a_border_that_a_network_has_lost_is_as_what_is_beside_it() -> None:
    assert placed(4, AxisAlignment(2.0), 8, 0, 8, 8).tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    assert placed(4, AxisAlignment(0.0, 2, 1), 4, -2, 12, 8).tolist() == [-1, 1, 2, -1]


def test_classes_lie_where_the_photo_lies_in_the_input() -> None:
    found = np.zeros((20, 20), np.uint8)
    found[5:15, :10] = 1  # the left half of a photo twice as wide as high, letterboxed
    box = Letterbox.fit(40, 20, Shape(20, 20, 3), "letterbox")
    pixels = np.full((20, 40, 3), 100, np.uint8)
    _tint(pixels, found, box, [0])
    assert (pixels[:, 20:] == 100).all() and (pixels[:, :20] != 100).any(axis=2).all()
    assert shares(shown(found, box)) == {0: 0.5, 1: 0.5}


def test_bands_are_overlaid_as_the_whole_is() -> None:
    generator = np.random.default_rng(0)
    found = generator.integers(0, 3, (7, 5), dtype=np.uint8)
    whole = generator.integers(0, 256, (30, 22, 3), dtype=np.uint8)
    bands = whole.copy()
    before = whole.copy()
    box = Letterbox.fit(22, 30, Shape(14, 10, 3), "stretch")
    _tint(whole, found, box, [0])
    _tint(bands, found, box, range(0, 30, 4))
    assert (bands == whole).all()
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in ((30, 7), (22, 5)))
    clear = found[rows.astype(int)][:, columns.astype(int)] == 0
    assert (whole[clear] == before[clear]).all() and (whole[~clear] != before[~clear]).any()


@pytest.mark.parametrize(("low", "high"), [(0.4, 9.7), (-3.0, 2.0), (12.0, 41.0)])
def test_what_is_measured_goes_from_its_smallest_to_its_largest(low, high) -> None:
    """Metres, say; the same of three channels is a picture whose values are cut."""
    array = np.random.default_rng(1).uniform(low, high, (1, 40, 50)).astype(np.float32)
    assert value_range(array, alone=True) == (array.min(), array.max())
    assert value_range(np.repeat(array, 3, 0)) != (array.min(), array.max())
    for values in (array / 50, (array + 3) / 50 * 255 + 100):
        assert value_range(values, alone=True) == value_range(values)


@pytest.mark.parametrize("values", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_a_picture_in_any_range_comes_back(values) -> None:
    wanted = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    black, white = values
    array = (wanted.astype(np.float32) / 255 * (white - black) + black).transpose(2, 0, 1)
    assert value_range(array) == values
    assert (picture(array, (3, 4), values) == wanted).all()
    assert (picture(array[::-1], (3, 4), values, blue_first=True) == wanted).all()
    assert (picture(wanted[np.newaxis] / np.float32(255), (6, 9), (0.0, 1.0)) == wanted).all()
    assert picture(array[:1], (3, 4), values).shape == (6, 9)


def test_points_have_two_numbers_or_three() -> None:
    flat = np.random.default_rng(0).uniform(20, 170, (468, 2)).astype(np.float32)
    deep = np.concatenate([flat, np.random.default_rng(1).normal(0, 9, (468, 1))], axis=1)
    wanted = flat / [192, 192]
    deep = deep.astype(np.float32).reshape(1, -1, 1, 1)
    task = Task("points", outputs=("o",))
    for each in (flat.reshape(1, -1), deep, (flat / 192).reshape(-1)):
        assert np.allclose(points(task, {"o": each}, (192, 192)), wanted)
