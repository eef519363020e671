"""What Pillow decodes comes by rows too, and of a JPEG no more than a few rows at a time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.pictures import saved, scene

from ftdist.errors import InputError
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.viewed import ViewedSource

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
TiffImagePlugin = pytest.importorskip("PIL.TiffImagePlugin", reason="pictures need Pillow")


@pytest.mark.parametrize(
    ("kind", "streamed"),
    [("baseline", True), ("baseline-444", True), ("restarts", True), ("progressive", False),
     ("grey-jpeg", True), ("cmyk", True), ("bmp", True), ("gif", False), ("webp", False)],
)  # fmt: skip
def test_rows_are_those_that_pillow_reads(tmp_path: Path, kind: str, streamed: bool) -> None:
    path = saved(tmp_path, kind, 333, 157)
    with images.open(path) as picture:
        shown = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
        expected = np.asarray(shown).reshape(157, 333, -1)
    source = ViewedSource(path)
    assert source.streams == streamed and source.shape == expected.shape
    found = [source.rows(top, min(top + 23, 157)) for top in range(0, 157, 23)]
    assert np.array_equal(np.concatenate(found), expected)
    source.rewind()
    assert np.array_equal(source.rows(90, 157), expected[90:])
    source.close()


def test_transparency_is_a_channel(tmp_path: Path) -> None:
    picture = scene(40, 20)
    picture.putalpha(100)
    picture.save(tmp_path / "a.webp", lossless=True)
    with closing(ViewedSource(tmp_path / "a.webp")) as source:
        assert source.shape == (20, 40, 4)


def test_a_jpeg_says_its_resolution_and_orientation(tmp_path: Path) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    scene(40, 20).save(tmp_path / "a.jpg", dpi=(72, 72), exif=exif)
    with closing(ViewedSource(tmp_path / "a.jpg")) as source:
        assert source.shape == (20, 40, 3)
        assert source.tags == {282: (72.0,), 283: (72.0,), 296: (2,), 274: (6,)}


@pytest.mark.parametrize("packed", ["tiff_lzw", "zstd"])
def test_a_tiff_says_where_it_lies_whoever_decodes_it(tmp_path: Path, packed: str) -> None:
    """Zstandard is left to Pillow."""
    place: dict[int, tuple[float, ...]] = {
        33550: (0.5, 0.25, 0.0),
        33922: (0.0, 0.0, 0.0, 500_000.0, 4_600_000.0, 0.0),
        34735: (1, 1, 0, 1, 3072, 0, 1, 32633),
    }
    kinds, tags = {33550: 12, 33922: 12, 34735: 3}, TiffImagePlugin.ImageFileDirectory_v2()
    for tag, values in place.items():
        tags.tagtype[tag] = kinds[tag]
        tags[tag] = values
    scene(40, 20).save(tmp_path / "a.tif", compression=packed, tiffinfo=tags)
    with closing(open_rows(tmp_path / "a.tif")) as source:
        assert isinstance(source, ViewedSource) == (packed == "zstd")
        assert {tag: source.tags[tag] for tag in place} == place


def test_a_jpeg_that_ends_early_is_refused_where_it_ends(tmp_path: Path) -> None:
    path = saved(tmp_path, "baseline", 333, 400)
    path.write_bytes(path.read_bytes()[:-3000])
    with closing(ViewedSource(path)) as source:
        source.rows(0, 100)
        with pytest.raises(InputError, match=r"cut off: [0-9]+ of 400 rows are there"):
            source.rows(100, 400)
