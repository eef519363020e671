"""Reading by bands gives the very pixels that reading as a whole gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.pictures import KINDS, interlaced, saved, scene

from ftdist.errors import InputError
from ftdist.pictures import bands, rowpicture, streaming
from ftdist.pictures.jpegheader import read_header
from ftdist.pictures.reading import PillowPicture, opened

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")


def in_bands(path: Path) -> tuple[Any, list[int]]:
    """The picture's pixels, put together, and how high the bands were."""
    parts: list[Any] = []

    def take(first: int, band: Any) -> None:
        assert first == sum(len(each) for each in parts)
        parts.append(np.asarray(band).copy())

    with opened(path) as picture:
        picture.bands("RGB", take)
    return np.concatenate(parts), [len(each) for each in parts]


def whole(path: Path) -> Any:
    with images.open(path) as picture:
        if picture.mode.startswith("I"):
            eight_bits = images.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            return np.asarray(eight_bits.convert("RGB"))
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (333, 257), (2000, 17)])
def test_bands_are_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, size: tuple[int, int]
) -> None:
    for module in (bands, rowpicture):
        monkeypatch.setattr(module, "BAND_PIXELS", 5000)
    path = saved(tmp_path, kind, *size)
    pixels, heights = in_bands(path)
    assert np.array_equal(pixels, whole(path))
    assert max(heights) * size[0] <= 5000 or max(heights) == 1


def test_an_interlaced_png_is_read(tmp_path: Path) -> None:
    pixels = np.asarray(scene(131, 77))
    found, _ = in_bands(interlaced(tmp_path / "photo.png", pixels))
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize(
    ("kind", "streamed"),
    [("baseline", True), ("restarts", True), ("progressive", False), ("bmp", False)],
)
def test_what_comes_as_its_data_goes_in(tmp_path: Path, kind: str, streamed: bool) -> None:
    with opened(saved(tmp_path, kind, 200, 100)) as picture:
        assert isinstance(picture, PillowPicture)
        assert streaming.streams(picture.image, picture.jpeg) == streamed
        assert bool(bands.raw_stride(picture.image)) == (kind == "bmp")


@pytest.mark.parametrize("flat", [False, True])
@given(
    width=some.integers(16, 700), height=some.integers(1, 700), scale=some.sampled_from([1, 2, 4])
)
def test_jpegs_without_their_end_marker_are_read(
    tmp_path_factory: Any, flat: bool, width: int, height: int, scale: int
) -> None:
    """All rows are there: webcams leave the marker out. In flat ones many rows wait to the end."""
    path = tmp_path_factory.getbasetemp() / "webcam.jpg"
    picture = images.new("RGB", (width, height), (9, 9, 9)) if flat else scene(width, height)
    picture.save(path, optimize=flat)
    with images.open(path) as sound:
        sound.draft("RGB", (max(1, width // scale), max(1, height // scale)))
        expected = np.asarray(sound.convert("RGB"))
    path.write_bytes(path.read_bytes()[:-2])
    parts = []
    with opened(path) as found:
        found.draft("RGB", (max(1, width // scale), max(1, height // scale)))
        found.bands("RGB", lambda _, band: parts.append(np.asarray(band).copy()))
    assert np.array_equal(np.concatenate(parts), expected)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_jpegs_that_lack_rows_are_refused(tmp_path: Path, kept: float, end: bytes) -> None:
    path = saved(tmp_path, "baseline", 600, 800)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)].rstrip(b"\xff") + end)
    with pytest.raises(InputError, match=r"cut off: [0-9]+ of 800 rows are there"):
        in_bands(path)


def test_a_header_says_how_it_will_be_decoded(tmp_path: Path) -> None:
    with saved(tmp_path, "restarts", 200, 100).open("rb") as file:
        header = read_header(file)
    assert header is not None
    assert (header.width, header.height, header.sequential) == (200, 100, True)
    assert (header.mcus_across, header.mcus_down, header.blocks) == (13, 7, 6)
    assert header.restart_interval == 13
    with saved(tmp_path, "progressive", 200, 100).open("rb") as file:
        progressive = read_header(file)
    assert progressive is not None and not progressive.sequential
    assert progressive.coefficients == 64 * 6 * 13 * 7


@given(
    some.lists(some.sampled_from([b"\x00", b"\xff", b"\xd0", b"a"]), max_size=12),
    some.integers(0, 12),
)
def test_markers_are_found(pieces: list[bytes], start: int) -> None:
    from ftdist.pictures._decoding import marker

    data = b"".join(pieces)
    found = re.compile(rb"\xff+[^\x00\xff]").search(data, start)
    assert marker(data, start) == (found.span() if found else (len(data), len(data)))


@pytest.mark.parametrize("kind", ["baseline", "restarts", "grey-jpeg", "progressive", "png"])
@pytest.mark.parametrize("size", [(333, 257), (1400, 700)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_samples_are_the_bands(tmp_path: Path, kind: str, size: tuple[int, int], mode: str) -> None:
    path = saved(tmp_path, kind, *size)
    parts: list[Any] = []
    seen: list[Any] = []
    with opened(path) as picture:
        picture.samples(mode, lambda _, rows: parts.append(rows.copy()))
    with opened(path) as picture:
        picture.bands(mode, lambda _, band: seen.append(np.asarray(band).copy()))
    found = np.concatenate(parts)
    assert np.array_equal(found if mode == "RGB" else found[:, :, 0], np.concatenate(seen))
