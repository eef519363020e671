"""Photos of every kind, shape and state of health, fitted into a network's input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.fitted import Letterbox, load_picture
from ftdist.pictures.fitting import Box

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

RED, BLUE = (250, 10, 20), (10, 20, 250)


def halves(width: int, height: int) -> Any:
    """A picture, red on the left and blue on the right; neither half is symmetric to the other."""
    picture = images.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def near(pixel: Any, colour: tuple[int, ...], tolerance: int = 12) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - colour).max() <= tolerance)


@pytest.mark.parametrize(
    ("picture", "network", "expected"),
    [
        ((768, 576), (608, 608), (0, 76, 608, 456)),
        ((576, 768), (608, 608), (76, 0, 456, 608)),
        ((100, 50), (416, 320), (0, 56, 416, 208)),
        ((640, 424), (320, 320), (0, 54, 320, 212)),
        ((1, 5000), (32, 64), (15, 0, 1, 64)),
    ],
)
def test_the_fit_is_darknets(
    picture: tuple[int, int], network: tuple[int, int], expected: tuple[int, ...]
) -> None:
    """Goldens worked out by hand after letterbox_image; sizes are (width, height)."""
    box = Letterbox.fit(*picture, Shape(network[1], network[0], 3))
    assert (box.left, box.top, box.content_width, box.content_height) == expected


SIZES = some.integers(1, 3000)


@given(SIZES, SIZES, some.integers(1, 700), some.integers(1, 700))
def test_the_content_is_inside_and_maps_back_to_the_whole_picture(
    width: int, height: int, network_width: int, network_height: int
) -> None:
    box = Letterbox.fit(width, height, Shape(network_height, network_width, 3))
    assert 0 <= box.left <= box.left + box.content_width <= network_width
    assert 0 <= box.top <= box.top + box.content_height <= network_height
    assert network_width in (box.content_width, 1) or network_height in (box.content_height, 1)
    right, bottom = box.left + box.content_width, box.top + box.content_height
    content = Box(
        box.left / network_width,
        box.top / network_height,
        right / network_width,
        bottom / network_height,
    )
    assert box.to_picture(content) == pytest.approx((0, 0, width, height), abs=1e-6)
    assert box.to_picture(Box(-9, -9, 9, 9)) == (0, 0, width, height)


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("size", [(900, 500), (500, 900), (60, 45), (3000, 1200)])
def test_what_the_network_sees_maps_back_to_where_it_was(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    """A red patch on a black photo, found again in the input, then mapped back to the photo."""
    left, top, right, bottom = (size[i % 2] * part // 10 for i, part in enumerate((2, 3, 6, 8)))
    picture = images.new("RGB", size)
    picture.paste((255, 0, 0), (left, top, right, bottom))
    picture.save(tmp_path / f"photo.{kind}")
    pixels, letterbox = load_picture(tmp_path / f"photo.{kind}", Shape(160, 224, 3))
    rows, columns = np.nonzero((pixels[:, :, 0] > 127) & (pixels[:, :, 1] < 90))
    seen = Box(
        columns.min() / 224, rows.min() / 160, (columns.max() + 1) / 224, (rows.max() + 1) / 160
    )
    allowed = 1 + letterbox.picture_width / letterbox.content_width
    assert letterbox.to_picture(seen) == pytest.approx((left, top, right, bottom), abs=allowed)


def test_the_rest_is_grey(tmp_path: Path) -> None:
    halves(200, 100).save(tmp_path / "photo.png")
    pixels, letterbox = load_picture(tmp_path / "photo.png", Shape(96, 96, 3))
    assert (letterbox.top, letterbox.content_height) == (24, 48)
    assert (pixels[:24] == 128).all()
    assert (pixels[72:] == 128).all()
    assert near(pixels[24:72, :40].reshape(-1, 3), RED, 2)
    assert near(pixels[24:72, 56:].reshape(-1, 3), BLUE, 2)


def test_a_picture_of_the_networks_size_is_not_touched(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    images.fromarray(noise).save(tmp_path / "photo.png")
    pixels, _ = load_picture(tmp_path / "photo.png", Shape(48, 80, 3))
    assert np.array_equal(pixels, noise)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    images.fromarray(noise).save(tmp_path / "photo.jpg")
    pixels, _ = load_picture(tmp_path / "photo.jpg", Shape(48, 80, 3))
    with images.open(tmp_path / "photo.jpg") as decoded:
        assert np.array_equal(pixels, np.asarray(decoded))


def test_networks_of_other_channels_take_no_pictures(tmp_path: Path) -> None:
    halves(20, 10).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match=r"1 or 3 input channels, this one has 4.*npy"):
        load_picture(tmp_path / "photo.png", Shape(10, 20, 4))
