"""Pictures written by strips are read by others as they were, however many attempts it took."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pictures import scene
from support.tiffs import Kind, write_tiff

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.alignment import Alignment, AxisAlignment
from ftdist.pictures.encoding import writer
from ftdist.pictures.rows import partial, strips
from ftdist.pictures.rows.opening import create_rows, open_rows

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

HEIGHT, WIDTH = 137, 91
CASES = [
    (suffix, channels, dtype)
    for suffix, some_channels, dtypes in (
        (".png", (1, 2, 3, 4), ("u1", "u2")),
        (".jpg", (1, 3), ("u1",)),
        (".tif", (1, 2, 3, 4, 7), ("u1", "u2", "f4")),
    )
    for channels in some_channels
    for dtype in dtypes
]


def picture(channels: int, dtype: str) -> Any:
    rows = np.asarray(scene(WIDTH, HEIGHT).convert("RGB")).astype(np.uint16)
    rows = np.concatenate([rows, rows[:, ::-1], rows[::-1]], axis=2)[:, :, :channels]
    found: Any = {"u1": rows, "u2": rows * 251, "f4": (rows - 99.5) / 7}[dtype]
    return found.astype(dtype)


def written(path: Path, pixels: Any, pieces: int, **options: Any) -> Path:
    sink = create_rows(path, Shape(*pixels.shape), pixels.dtype, None, resume=False, **options)
    for first in range(0, len(pixels), pieces):
        sink.write(pixels[first : first + pieces])
    sink.finish()
    return path


def read(path: Path) -> Any:
    with closing(open_rows(path)) as source:
        return source.rows(0, source.shape.height)


@pytest.fixture(autouse=True)
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_PIXELS", 16 * WIDTH)
    monkeypatch.setattr(partial, "DURABLE_BYTES", 1)


@pytest.mark.parametrize(("suffix", "channels", "dtype"), CASES)
def test_what_is_written_is_read_again(
    tmp_path: Path, suffix: str, channels: int, dtype: str
) -> None:
    pixels = picture(channels, dtype)
    path = written(tmp_path / f"a{suffix}", pixels, 13)
    found = read(path)
    assert found.dtype == dtype and found.shape == pixels.shape
    if suffix == ".jpg":
        assert np.abs(found.astype(int) - pixels).mean() < 3
    else:
        assert np.array_equal(found, pixels)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("case", [(".png", 3), (".jpg", 3), (".tif", 3), (".tif", 1)])
def test_others_read_it_too(tmp_path: Path, case: tuple[str, int]) -> None:
    suffix, channels = case
    path = written(tmp_path / f"a{suffix}", picture(channels, "u1"), 50)
    with images.open(path) as found:
        found.load()
        assert np.array_equal(np.asarray(found).reshape(HEIGHT, WIDTH, channels), read(path))


def test_a_jpeg_of_strips_is_the_one_that_pillow_writes(tmp_path: Path) -> None:
    pixels = picture(3, "u1")
    images.fromarray(pixels).save(tmp_path / "whole.jpg", quality=92, subsampling=0)
    with images.open(tmp_path / "whole.jpg") as whole:
        assert np.array_equal(read(written(tmp_path / "a.jpg", pixels, 50)), np.asarray(whole))


def test_bands_that_are_pictures_already_make_the_same_jpeg(tmp_path: Path) -> None:
    pixels = picture(3, "u1")
    with (tmp_path / "bands.jpg").open("wb") as file:
        sink = writer(file, "JPEG", WIDTH, HEIGHT)
        for first in range(0, HEIGHT, sink.rows):
            sink.take(images.fromarray(pixels[first : first + sink.rows]))
        sink.end()
    whole = written(tmp_path / "a.jpg", pixels, 50).read_bytes()
    assert (tmp_path / "bands.jpg").read_bytes() == whole


@pytest.mark.parametrize(("suffix", "channels", "dtype"), CASES[::2])
def test_a_file_that_was_resumed_is_the_one_that_was_not(
    tmp_path: Path, suffix: str, channels: int, dtype: str
) -> None:
    """Whatever an attempt leaves: notes cut anywhere, and a file that runs ahead of them."""
    pixels = picture(channels, dtype)
    whole = written(tmp_path / f"whole{suffix}", pixels, HEIGHT).read_bytes()
    path = tmp_path / f"a{suffix}"
    chance = np.random.default_rng(3)
    for attempt in range(4):
        shape = Shape(*pixels.shape)
        sink = create_rows(path, shape, pixels.dtype, None, resume=attempt > 0)
        begun = sink.position
        assert begun % 16 in (0, HEIGHT % 16)
        stop = min(HEIGHT, begun + int(chance.integers(20, 60)))
        for row in range(begun, stop):
            sink.write(pixels[row : row + 1])
        sink.abandon(keep=True)
        notes = partial.progress_file(path)
        content = notes.read_bytes()
        notes.write_bytes(content[: len(content) - int(chance.integers(0, 30)) * (attempt < 3)])
        with partial.partial_file(path).open("ab") as file:
            file.write(b"what was not noted")
    sink = create_rows(path, shape, pixels.dtype, None, resume=True)
    assert 0 < sink.position < HEIGHT
    sink.write(pixels[sink.position :])
    sink.finish()
    assert path.read_bytes() == whole


def test_what_remains_of_another_picture_is_not_gone_on_with(tmp_path: Path) -> None:
    pixels = picture(3, "u1")
    for shape, dtype in ((Shape(HEIGHT, WIDTH, 3), "u1"), (Shape(HEIGHT, WIDTH, 3), "u2")):
        sink = create_rows(tmp_path / "a.png", shape, np.dtype(dtype), None, resume=True)
        assert sink.position == 0
        sink.write(pixels[:100].astype(dtype))
        sink.abandon(keep=True)
    assert len(list(tmp_path.iterdir())) == 2
    create_rows(tmp_path / "a.png", shape, np.dtype("u2"), None, resume=False).abandon(keep=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "words"),
    [
        ("a.png", (9, 9, 5), "u1", "a PNG has 1 to 4 channels"),
        ("a.png", (9, 9, 3), "f4", "write a .tif"),
        ("a.jpg", (9, 9, 3), "u2", "a JPEG has 1 or 3 channels of 8 bits"),
        ("a.jpg", (70_000, 9, 3), "u1", "at most 65500 rows and columns"),
        ("none/a.png", (9, 9, 3), "u1", "none is not a folder"),
    ],
)
def test_what_cannot_be_written_is_said_before(
    tmp_path: Path, name: str, shape: tuple[int, int, int], dtype: str, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        create_rows(tmp_path / name, Shape(*shape), np.dtype(dtype), None, resume=False)
    assert words in str(refused.value) and str(tmp_path / name) in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_more_than_4_gib_are_a_bigtiff(tmp_path: Path) -> None:
    """Told by its head; and a small one is read by others."""
    big, small = Shape(50_000, 50_000, 3), Shape(HEIGHT, WIDTH, 3)
    heads = []
    for shape in (big, small):
        sink = create_rows(tmp_path / "a.tif", shape, np.dtype("u1"), None, resume=False)
        heads.append(partial.partial_file(tmp_path / "a.tif").read_bytes()[:4])
        sink.abandon(keep=False)
    assert heads == [b"II\x2b\0", b"II*\0"]


def test_a_bigtiff_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ftdist.pictures.rows.tiff import writer

    monkeypatch.setattr(writer, "_CLASSIC_BYTES", 0)
    pixels = picture(3, "u1")
    path = written(tmp_path / "a.tif", pixels, 50)
    assert path.read_bytes()[:4] == b"II\x2b\0" and np.array_equal(read(path), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_read_upright(tmp_path: Path, orientation: int) -> None:
    exif = images.Exif()
    exif[0x0112] = orientation
    for name, options in (("a.png", {}), ("a.jpg", {"quality": 95}), ("a.tif", {})):
        scene(WIDTH, HEIGHT).save(tmp_path / name, exif=exif, **options)
        with images.open(tmp_path / name) as stored:
            from PIL.ImageOps import exif_transpose

            expected = np.asarray(exif_transpose(stored))
        with closing(open_rows(tmp_path / name)) as source:
            assert source.shape == expected.shape and source.tags.get(274, (1,)) == (1,)
            middle = source.rows(20, 70)
            source.rewind()
            assert np.array_equal(middle, expected[20:70])
            assert np.array_equal(source.rows(0, source.shape.height), expected)


LOST = Alignment(AxisAlignment(4.0, 1, 3), AxisAlignment(7.5, 1, 3))


@pytest.mark.parametrize("alignment", [None, LOST])
def test_where_it_lies_goes_over_and_is_scaled(tmp_path: Path, alignment: Alignment | None) -> None:
    """Three times the pixels are pixels of a third; corners stay where they are, unless a border
    is lost."""
    top, left = (0.0, 0.0) if alignment is None else (along.start for along in alignment)
    from ftdist.pictures.rows.tiff.tags import coordinate_system, place

    keys = (1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326)
    for more in (
        {33550: (12, (0.5, 0.25, 0.0)), 33922: (12, (2.0, 1.0, 0.0, 7.0, 47.0, 0.0))},
        {34264: (12, (0.5, 0.1, 0, 6.0, 0.1, -0.25, 0, 47.5, 0, 0, 0, 0, 0, 0, 0, 1))},
    ):
        for raster in (1, 2):
            own = (*keys, 1025, 0, 1, raster)
            kind = Kind(more={**more, 34735: (3, own), 42113: (2, ("-9999",))})
            write_tiff(tmp_path / "a.tif", picture(1, "f4"), kind)
            with closing(open_rows(tmp_path / "a.tif")) as source:
                before = place(source.tags)
                sink = create_rows(
                    tmp_path / "b.tif", Shape(3 * HEIGHT, 3 * WIDTH, 1), np.dtype("f4"), source,
                    alignment, resume=False)  # fmt: skip
                sink.write(np.zeros((3 * HEIGHT, 3 * WIDTH, 1), np.float32))
                sink.finish()
            with closing(open_rows(tmp_path / "b.tif")) as made:
                after = place(made.tags)
                assert coordinate_system(made.tags) == 4326 and made.tags[42113] == "-9999"
            assert before is not None and after is not None
            for column, row in ((0, 0), (WIDTH, 0), (0, HEIGHT), (33.25, 50)):
                inside = 3 * (column - left), 3 * (row - top)
                assert after(*inside) == pytest.approx(before(column, row))
            if raster == 1 and 33550 in more:
                assert before(0, 0) == (6.0, 47.25)
