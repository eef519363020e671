"""A feed gives a network the picture's rows, each read once, whatever bands are asked for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.tiffs import Kind, write_tiff

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.ports import Pixels
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.rows.feed import Feed, with_channels
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import RowMemory, Rows, Tags


class Held:
    """A source that has its picture in memory, and refuses to give a row twice."""

    def __init__(self, picture: Rows) -> None:
        self.shape, self.dtype, self._picture = Shape(*picture.shape), picture.dtype, picture
        self.tags: Tags = {}
        self._next = 0

    def rows(self, top: int, bottom: int) -> Rows:
        assert self._next <= top <= bottom <= self.shape.height
        self._next = bottom
        return self._picture[top:bottom].copy()

    def memory(self) -> RowMemory:
        return RowMemory(0, 0)

    def rehearse(self) -> None:
        pass

    def rewind(self) -> None:
        self._next = 0

    def close(self) -> None:
        pass


def noise(*shape: int, dtype: str = "uint8") -> Rows:
    most = 256 if dtype == "uint8" else 65536
    return np.random.default_rng(1).integers(0, most, shape).astype(dtype)


@given(st.data())
def test_bands_are_the_rows_of_the_picture_with_its_edges_repeated(data: Any) -> None:
    picture = noise(9, 5, 3)
    wide = np.pad(picture, ((0, 4), (0, 2), (0, 0)), mode="edge")
    feed = Feed(Held(picture), Shape(13, 7, 3), Pixels())
    for _ in range(2):
        top = 0
        for _ in range(data.draw(st.integers(1, 6))):
            top = data.draw(st.integers(top, 12))
            bottom = data.draw(st.integers(top + 1, 13))
            np.testing.assert_array_equal(feed.band(top, bottom), wide[top:bottom])
        feed.rewind()


def test_a_band_that_is_no_transparency_is_left_out() -> None:
    """Aerial pictures have near infrared beside their colours, and say that it is unspecified."""
    picture = noise(9, 5, 4)
    source = Held(picture)
    source.tags = {338: (0,)}
    feed = Feed(source, Shape(9, 5, 3), Pixels())
    np.testing.assert_array_equal(feed.band(0, 9), picture[:, :, :3])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_become_grey_or_coloured_as_pillow_has_them(channels: int) -> None:
    rows = noise(6, 7, channels)
    image = Image.fromarray(rows.squeeze(), {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    shown = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    tolerance = 1 if channels in (2, 4) else 0
    for mode, wanted in (("RGB", 3), ("L", 1)):
        expected = np.asarray(shown.convert(mode), np.int16).reshape(6, 7, wanted)
        found = with_channels(rows, wanted).astype(np.int16)
        assert np.abs(found - expected).max() <= tolerance


def test_sixteen_bits_become_the_networks_numbers_in_full() -> None:
    picture = noise(4, 5, 3, dtype="uint16")
    pixels = Pixels((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), blue_first=True)
    band = Feed(Held(picture), Shape(4, 5, 3), pixels).band(0, 4)
    expected = (picture[:, :, ::-1] / 257 - [1, 2, 3]) / [4, 5, 6]
    assert band.dtype == np.float32
    np.testing.assert_allclose(band, expected, rtol=1e-6, atol=1e-5)


def test_what_the_network_cannot_read_is_one_line() -> None:
    with pytest.raises(InputError, match="2 channels, and the network reads 5"):
        Feed(Held(noise(4, 4, 2)), Shape(4, 4, 5), Pixels())
    with pytest.raises(InputError, match="does not fit"):
        Feed(Held(noise(5, 4, 3)), Shape(4, 4, 3), Pixels())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("colours", [1, 3])
def test_colours_that_are_multiplied_by_their_opacity_lie_on_white_too(
    tmp_path: Path, bits: int, colours: int
) -> None:
    """As the same picture with colours of its own does, but for rounding."""
    most = (1 << bits) - 1
    picture = noise(20, 30, colours + 1, dtype=f"uint{bits}")
    opacity = picture[:, :, -1:].astype(np.float64) / most
    multiplied = picture.copy()
    multiplied[:, :, :-1] = np.rint(picture[:, :, :-1] * opacity)
    white = picture[:, :, :-1] * opacity + most * (1 - opacity)
    for rows, meaning in ((picture, 2), (multiplied, 1)):
        kind = Kind(more={338: (3, (meaning,))})
        write_tiff(tmp_path / "a.tif", rows, kind, 2 if colours == 3 else 1)
        with closing(open_rows(tmp_path / "a.tif")) as source:
            shape = Shape(20, 30, colours)
            found = Feed(source, shape, Pixels()).band(0, 20)
            if bits == 8:
                assert np.abs(found.astype(np.float64) - white).max() <= 0.51
            seen = load_picture(tmp_path / "a.tif", shape)[0].astype(np.float64)
            np.testing.assert_allclose(seen, white * (255 / most), atol=1)
