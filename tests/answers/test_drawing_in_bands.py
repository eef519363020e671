"""What is drawn by bands is what is drawn on the whole, in every format, turned or not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pictures import saved, scene

from ftdist.answers.decode import Detection
from ftdist.answers.drawing import fonts
from ftdist.answers.drawing.draw import draw, drawing_bytes
from ftdist.answers.drawing.labels import MOST_DRAWN
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures import bands
from ftdist.pictures.fitting import Box, Letterbox
from ftdist.pictures.rows import strips

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

NETWORK = Shape(320, 320, 3)
NAMES = ("person", "gypsy moth", "a", "traffic light")


def seen(count: int = 12) -> list[Detection]:
    chance = np.random.default_rng(3)
    sides = [[sorted(pair) for pair in chance.random((2, 2)).tolist()] for _ in range(count)]
    return [
        Detection(number % 5, float(chance.random()), Box(x[0], y[0], x[1], y[1]))
        for number, (x, y) in enumerate(sides)
    ]


def drawn(path: Path, out: Path, size: tuple[int, int], **more: Any) -> Any:
    draw(path, seen(), NAMES, out, Letterbox.fit(*size, NETWORK), **more)
    with images.open(out) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("extension", ["png", "bmp", "ppm", "tif", "jpg"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
def test_bands_make_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, orientation: int
) -> None:
    exif = images.Exif()
    exif[0x0112] = orientation
    scene(401, 303).save(tmp_path / "photo.png", exif=exif)
    size = (303, 401) if orientation > 4 else (401, 303)
    found = []
    for pixels in (170_000, 9000):
        monkeypatch.setattr(bands, "BAND_PIXELS", pixels)
        monkeypatch.setattr(strips, "STRIP_PIXELS", pixels)
        found.append(drawn(tmp_path / "photo.png", tmp_path / f"out.{extension}", size))
    assert np.array_equal(*found)
    if extension == "jpg":  # as if it had been encoded in one go
        whole = drawn(tmp_path / "photo.png", tmp_path / "out.png", size)
        once = io.BytesIO()
        images.fromarray(whole).save(once, "JPEG", quality=92, subsampling=0)
        assert np.array_equal(found[0], np.asarray(images.open(once)))


def test_no_file_is_left_beside_a_photo_that_is_turned(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "baseline", 300, 200, exif=exif)
    drawn(path, tmp_path / "out.jpg", (200, 300))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["baseline.jpg", "out.jpg"]


def test_a_photo_is_drawn_smaller_where_only_that_fits(tmp_path: Path) -> None:
    path = saved(tmp_path, "progressive", 2000, 1504)
    full = drawing_bytes(path, NAMES, "out.png")
    less = full - (6 << 20)
    assert drawing_bytes(path, NAMES, "out.png", full) == full
    assert drawing_bytes(path, NAMES, "out.png", less) <= less
    out, letterbox = tmp_path / "out.png", Letterbox.fit(2000, 1504, NETWORK)
    assert draw(path, seen(), NAMES, out, letterbox, full) == []
    (said,) = draw(path, seen(), NAMES, out, letterbox, less)
    assert said.startswith("at 1000x752: the full size would need ")
    with images.open(out) as picture:
        assert picture.size == (1000, 752)
    whole = [Detection(0, 0.9, Box(0, 40 / 320, 1, 280 / 320))]
    draw(path, whole, NAMES, out, letterbox, less)
    with images.open(out) as picture:  # the frame still runs along the edges
        pixels = np.asarray(picture)
        assert (pixels[-1, :] == pixels[-1, 0]).all() and (pixels[:, -1] == pixels[-1, -1]).all()


def test_of_very_many_objects_the_likeliest_are_drawn(tmp_path: Path) -> None:
    path = saved(tmp_path, "png", 200, 150)
    letterbox = Letterbox.fit(200, 150, NETWORK)
    likely = [Detection(n % 3, 0.9, Box(0.2, 0.2, 0.8, 0.8)) for n in range(MOST_DRAWN)]
    unlikely = Detection(0, 0.1, Box(0, 0.3, 1, 0.6))
    (said,) = draw(path, [unlikely, *likely], NAMES, tmp_path / "all.png", letterbox)
    assert said == f"the {MOST_DRAWN} likeliest of {MOST_DRAWN + 1} objects"
    assert draw(path, likely, NAMES, tmp_path / "likely.png", letterbox) == []
    assert (tmp_path / "all.png").read_bytes() == (tmp_path / "likely.png").read_bytes()


def test_a_box_without_a_size_or_with_an_edge_that_is_no_number_is_empty() -> None:
    nan = float("nan")
    assert not Box(0, 0, 1, 1).is_empty
    assert all(Box(*sides).is_empty for sides in [(1, 0, 1, 1), (0, 2, 1, 1), (nan, 0, 1, 1)])
    assert Box(0, 0, 1, nan).is_empty


def test_objects_beside_the_picture_take_the_place_of_none(tmp_path: Path) -> None:
    path, out = saved(tmp_path, "png", 200, 150), tmp_path / "one.png"
    beside = [Detection(0, 0.9, Box(1.2, 0.2, 1.5, 0.8)) for _ in range(MOST_DRAWN)]
    one = [Detection(1, 0.5, Box(0.2, 0.3, 0.8, 0.6))]
    pictures = []
    for found in (beside + one, one):
        assert draw(path, found, NAMES, out, Letterbox.fit(200, 150, NETWORK)) == []
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1]


def test_a_damaged_photo_is_not_called_a_failure_to_write(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "baseline", 300, 200, exif=exif)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match=r"baseline\.jpg: cannot read the picture: .* cut off"):
        drawn(path, tmp_path / "out.jpg", (200, 300))


def test_a_jpeg_too_wide_is_said(tmp_path: Path) -> None:
    images.new("RGB", (65501, 1)).save(tmp_path / "line.png")
    with pytest.raises(InputError, match=r"cannot write .*at most 65500.*write a \.png"):
        drawn(tmp_path / "line.png", tmp_path / "out.jpg", (65501, 1))


def test_names_that_no_font_has_are_drawn_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, "png", 200, 150)
    monkeypatch.setattr(fonts, "_PROGRAMS", ())
    fonts._systems.cache_clear()
    one = [Detection(0, 0.9, Box(0.2, 0.2, 0.8, 0.8))]
    letterbox = Letterbox.fit(200, 150, NETWORK)
    (said,) = draw(path, one, ["\u72d7"], tmp_path / "named.png", letterbox)
    assert said.startswith("by class number: no font here has the letters of \u72d7; install one")
    assert draw(path, one, [], tmp_path / "numbered.png", letterbox) == []
    assert (tmp_path / "named.png").read_bytes() == (tmp_path / "numbered.png").read_bytes()
    fonts._systems.cache_clear()


def test_a_font_of_the_system_is_used_where_it_has_the_letters() -> None:
    name = "\u0441\u043e\u0431\u0430\u043a\u0430"
    assert not fonts.OWN.has(name)
    fonts._systems.cache_clear()
    found = fonts.font_for(name)
    if found is None:
        pytest.skip("no font with Cyrillic letters, or no fontconfig, on this machine")
    assert found.file and found.has(name)
    assert fonts.font_for(name, may_ask=False) is None
    assert fonts.font_for("dog") is fonts.OWN
