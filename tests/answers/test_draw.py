"""What is drawn, where, and that it can be read; and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftdist.answers.decode import Detection
from ftdist.answers.drawing.draw import class_colour, draw
from ftdist.answers.drawing.formats import FORMATS
from ftdist.answers.names import COCO
from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.fitted import Letterbox
from ftdist.pictures.fitting import Box

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

NETWORK = Shape(320, 320, 3)
BACKGROUND = (90, 100, 110)


def photo(folder: Path, width: int, height: int) -> tuple[Path, Letterbox]:
    path = folder / "photo.png"
    images.new("RGB", (width, height), BACKGROUND).save(path)
    return path, Letterbox.fit(width, height, NETWORK)


def seen_at(letterbox: Letterbox, label: int, score: float, *pixels: float) -> Detection:
    """A detection at left, top, right, bottom in the photo's pixels."""
    x, y = (
        [
            (value * letterbox.content_width / letterbox.picture_width + letterbox.left) / 320
            for value in pixels[::2]
        ],
        [
            (value * letterbox.content_height / letterbox.picture_height + letterbox.top) / 320
            for value in pixels[1::2]
        ],
    )
    return Detection(label, score, Box(x[0], y[0], x[1], y[1]))


def drawn(path: Path, detections: list[Detection], letterbox: Letterbox) -> Any:
    """The picture after drawing, (height, width, 3)."""
    draw(path, detections, COCO, path.parent / "out.png", letterbox)
    return opened(path.parent / "out.png")


def opened(path: Path) -> Any:
    """The pixels of a picture file, (height, width, 3)."""
    with images.open(path) as picture:
        return np.asarray(picture)


def is_colour(pixels: Any, colour: tuple[int, int, int]) -> Any:
    return (pixels == np.array(colour)).all(axis=-1)


def plate_of(pixels: Any, label: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all that has the class's colour."""
    rows, columns = np.nonzero(is_colour(pixels, class_colour(label)))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_an_outline_lies_along_the_box_and_nothing_else_changes(tmp_path: Path) -> None:
    path, letterbox = photo(tmp_path, 640, 480)
    pixels = drawn(path, [seen_at(letterbox, 16, 0.9, 200, 150, 400, 300)], letterbox)
    assert pixels.shape == (480, 640, 3)
    colour = class_colour(16)
    for edge in (
        pixels[150:152, 200:400],
        pixels[298:300, 200:400],
        pixels[150:300, 200:202],
        pixels[150:300, 398:400],
    ):
        assert is_colour(edge, colour).all()
    assert is_colour(pixels[156:294, 206:394], BACKGROUND).all()
    assert is_colour(pixels[300:], BACKGROUND).all()
    assert is_colour(pixels[:, :200], BACKGROUND).all()
    assert is_colour(pixels[:, 400:], BACKGROUND).all()
    plate = pixels[130:150, 200:240]
    assert is_colour(plate[-4:, :3], colour).all()
    ink = ~is_colour(plate, colour) & ~is_colour(plate, BACKGROUND)
    assert 0.05 < ink.mean() < 0.5


def test_letters_contrast_with_their_plate(tmp_path: Path) -> None:
    path, letterbox = photo(tmp_path, 640, 480)
    for label in range(80):
        pixels = drawn(path, [seen_at(letterbox, label, 0.9, 200, 150, 400, 300)], letterbox)
        plate = pixels[132:148, 203:240].astype(float) @ (0.299, 0.587, 0.114)
        assert np.ptp(plate) > 100, f"class {label}"


def test_each_class_has_a_colour_of_its_own() -> None:
    colours = np.array([class_colour(label) for label in range(80)], dtype=int)
    distances = np.abs(colours[:, None] - colours).sum(axis=2) + 999 * np.eye(80, dtype=int)
    assert distances.min() > 8
    assert distances[:8, :8].min() > 100


@pytest.mark.parametrize("size", [(4000, 300), (640, 480), (64, 48), (40, 700)])
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_labels_stay_inside_the_picture(
    tmp_path: Path, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    """A plate would be cut by the picture's edge if it began or ended outside."""
    path, letterbox = photo(tmp_path, *size)
    left, top = (int(0.7 * side * where) for side, where in zip(size, corner, strict=True))
    box = (left, top, left + 0.3 * size[0], top + 0.3 * size[1])
    pixels = drawn(path, [seen_at(letterbox, 5, 0.5, *box)], letterbox)
    assert not is_colour(pixels, BACKGROUND).all()
    plate = plate_of(pixels, 5)
    letters = ~is_colour(pixels, class_colour(5)) & ~is_colour(pixels, BACKGROUND)
    rows, columns = np.nonzero(letters)
    assert len(rows) > 20, "no letters"
    assert plate[0] < columns.min() <= columns.max() < plate[2] - 1
    assert plate[1] < rows.min() <= rows.max() < plate[3] - 1


def test_labels_of_one_box_do_not_cover_each_other(tmp_path: Path) -> None:
    """The better one's label lies above the box in both pictures, unharmed by the other."""
    path, letterbox = photo(tmp_path, 640, 480)
    both = [
        seen_at(letterbox, label, score, 200, 150, 400, 300)
        for label, score in ((7, 0.4), (2, 0.9), (5, 0.3), (6, 0.35), (9, 0.2), (11, 0.1))
    ]
    alone = drawn(path, both[1:2], letterbox)
    together = drawn(path, both, letterbox)
    assert np.array_equal(alone[:150], together[:150])
    for label in (7, 5, 6, 9, 11):
        assert is_colour(together, class_colour(label)).sum() > 300


def test_a_small_box_is_not_hidden_by_its_own_label(tmp_path: Path) -> None:
    """Where another label lies above it, its own goes below."""
    path, letterbox = photo(tmp_path, 640, 480)
    small = seen_at(letterbox, 5, 0.4, 300, 200, 316, 216)
    above = drawn(path, [small], letterbox)
    assert plate_of(above, 5)[3] <= 216
    beside = seen_at(letterbox, 2, 0.9, 300, 200, 460, 440)
    pixels = drawn(path, [small, beside], letterbox)
    inner = pixels[204:212, 304:312]
    assert is_colour(inner, BACKGROUND).all()
    assert is_colour(pixels[216:250, 300:340], class_colour(5)).sum() > 100


def test_the_better_outline_lies_on_top(tmp_path: Path) -> None:
    path, letterbox = photo(tmp_path, 640, 480)
    both = [
        seen_at(letterbox, 2, 0.9, 300, 150, 500, 300),
        seen_at(letterbox, 7, 0.4, 200, 220, 400, 400),
    ]
    for detections in (both, both[::-1]):
        pixels = drawn(path, detections, letterbox)
        assert is_colour(pixels[220:222, 300:302], class_colour(2)).all()


def test_boxes_in_the_padding_or_beyond_are_cut(tmp_path: Path) -> None:
    path, letterbox = photo(tmp_path, 640, 320)
    outside = Detection(3, 0.9, Box(0.2, 0.01, 0.4, 0.2))
    assert is_colour(drawn(path, [outside], letterbox), BACKGROUND).all()
    beyond = Detection(3, 0.9, Box(-1e30, -1e30, 1e30, 1e30))
    pixels = drawn(path, [beyond], letterbox)
    assert plate_of(pixels, 3) == (0, 0, 640, 320)
    thin = Detection(3, 0.9, Box(0.5, 0.5, 0.5 + 1e-9, 0.9))
    assert is_colour(drawn(path, [thin], letterbox), class_colour(3)).any()


def test_tiny_pictures_and_odd_names_are_drawn_without_failing(tmp_path: Path) -> None:
    for size in ((1, 1), (3, 2), (12, 9), (30, 200)):
        path, letterbox = photo(tmp_path, *size)
        whole = seen_at(letterbox, 0, 0.5, 0, 0, *size)
        for name in ("", "x" * 5000, "two\nlines\x00", "Vögel 鳥"):
            draw(path, [whole], [name], tmp_path / "out.png", letterbox)
            assert opened(tmp_path / "out.png").shape == (size[1], size[0], 3)
    draw(path, [seen_at(letterbox, 7, 0.5, 0, 0, *size)], [], tmp_path / "out.png", letterbox)


def test_thousands_of_boxes_end_soon(tmp_path: Path) -> None:
    """What random weights see: every box gets its outline, none hangs the placing of labels."""
    path, letterbox = photo(tmp_path, 640, 480)
    random = np.random.default_rng(4)
    corners = random.random((2000, 2)) * 0.8
    seen = [
        Detection(int(label), float(score), Box(x, y, x + 0.2, y + 0.2))
        for (x, y), label, score in zip(
            corners, random.integers(0, 80, 2000), random.random(2000), strict=True
        )
    ]
    assert not is_colour(drawn(path, seen, letterbox), BACKGROUND).all()


@pytest.mark.parametrize("extension", [*FORMATS, ".JPG"])
def test_the_extension_decides_the_format(tmp_path: Path, extension: str) -> None:
    path, letterbox = photo(tmp_path, 64, 48)
    out = tmp_path / f"out{extension}"
    draw(path, [], COCO, out, letterbox)
    with images.open(out) as picture:
        assert picture.format == FORMATS[extension.lower()]
        assert picture.size == (64, 48)


def test_a_photo_turned_by_exif_is_drawn_upright(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    images.new("RGB", (100, 300), BACKGROUND).save(tmp_path / "photo.jpg", exif=exif)
    letterbox = Letterbox.fit(300, 100, NETWORK)
    draw(tmp_path / "photo.jpg", [], COCO, tmp_path / "out.jpg", letterbox)
    with images.open(tmp_path / "out.jpg") as picture:
        assert picture.size == (300, 100)
        assert 0x0112 not in picture.getexif()


@pytest.mark.parametrize("name", ["out.npy", "out", "out.gif", ".png"])
def test_an_unknown_extension_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    _, letterbox = photo(tmp_path, 64, 48)
    with pytest.raises(InputError, match=r"must end in \.jpg, "):
        draw(tmp_path / "absent.png", [], COCO, tmp_path / name, letterbox)


def test_errors_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, letterbox = photo(tmp_path, 64, 48)
    (tmp_path / "out.jpg").write_text("old")

    def fails(*_: object, **__: object) -> None:
        raise OSError("encoder error")

    monkeypatch.setattr(images.Image, "save", fails)
    with pytest.raises(InputError, match=r"cannot write .*out\.jpg: encoder error"):
        draw(path, [], COCO, tmp_path / "out.jpg", letterbox)
    assert (tmp_path / "out.jpg").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["out.jpg", "photo.png"]


def test_another_photo_than_the_one_looked_at_is_refused(tmp_path: Path) -> None:
    path, _ = photo(tmp_path, 64, 48)
    with pytest.raises(InputError, match="no longer the picture"):
        draw(path, [], COCO, tmp_path / "out.png", Letterbox.fit(48, 64, NETWORK))
