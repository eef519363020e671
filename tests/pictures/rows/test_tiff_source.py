"""TIFFs of every kind are read by rows to the very numbers that were written."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiffs import DEFLATE, LZW, NONE, PACKBITS, Kind, write_tiff

from ftdist.errors import InputError
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.tiff.source import TiffSource

SHAPE = 35, 43


def smooth(dtype: str, bands: int) -> Any:
    """Numbers that use the whole range, with little from one pixel to the next."""
    chance = np.random.default_rng(5)
    ramp = chance.random((*SHAPE, bands)).cumsum(0).cumsum(1)
    ramp /= ramp.max()
    if np.dtype(dtype).kind == "f":
        return ((ramp - 0.4) * 7).astype(dtype)
    low = np.iinfo(dtype).min
    return (ramp * (np.iinfo(dtype).max - low) + low).astype(dtype)


def all_rows(source: Any, step: int = 23) -> Any:
    height = source.shape.height
    return np.concatenate(
        [source.rows(top, min(top + step, height)) for top in range(0, height, step)]
    )


def kinds() -> list[tuple[str, int, Kind]]:
    """A seeded part of all combinations, each value of each among them many times."""
    blocks: tuple[tuple[int, int] | int, ...] = (7, 100, (16, 32), (32, 16))
    every = [
        (dtype, bands, Kind(order, big, compression, predictor, planes, block))
        for dtype, bands, order, big, compression, predictor, planes, block in itertools.product(
            ("u1", "u2", "i2", "f2", "f4", "f8", "u4"), (1, 3, 5), "<>", (False, True),
            (NONE, LZW, DEFLATE, PACKBITS), (1, 2, 3), (False, True), blocks,
        )
        if not (predictor == 3 and dtype[0] != "f")
        and not (predictor == 2 and dtype in ("f2", "f8"))
        and not (predictor > 1 and compression in (NONE, PACKBITS))
        and not (planes and bands == 1)
    ]  # fmt: skip
    chosen = np.random.default_rng(1).choice(len(every), 90, replace=False)
    return [every[n] for n in chosen]


def test_every_kind_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether blocks beside each other are decoded side by side, or one row of blocks whole."""
    for dtype, bands, kind in kinds():
        pixels = smooth(dtype, bands)
        path = write_tiff(tmp_path / "a.tif", pixels, kind)
        for whole_blocks in (False, True):
            monkeypatch.setattr(TiffSource, "_by_block_rows", whole_blocks)
            source = TiffSource(path)
            assert source.shape == (*SHAPE, bands)
            assert source.dtype == (dtype if dtype in ("u1", "u2") else "f4")
            expected = pixels.astype(source.dtype)
            assert np.array_equal(all_rows(source), expected), (dtype, bands, kind)
            source.rewind()
            assert np.array_equal(source.rows(27, 35), expected[27:35]), (dtype, bands, kind)
            source.close()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_pillows_files_are_read(tmp_path: Path, mode: str, compression: str | None) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    from support.pictures import scene

    picture = scene(75, 61)
    if mode == "I;16":
        picture = images.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "a.tif", compression=compression)
    expected = picture.convert("RGB") if mode in ("P", "CMYK") else picture
    numbers = np.asarray(expected.convert("L") if mode == "1" else expected)
    source = TiffSource(tmp_path / "a.tif")
    assert np.array_equal(all_rows(source), numbers.reshape(61, 75, -1))
    assert source.tags.get(338) == ((2,) if mode == "RGBA" else None)


def test_white_may_be_zero(tmp_path: Path) -> None:
    pixels = smooth("u1", 1)
    source = TiffSource(write_tiff(tmp_path / "a.tif", pixels, Kind(), photometric=0))
    assert np.array_equal(all_rows(source), 255 - pixels)


@pytest.mark.parametrize("photometric", [2, 6])
def test_tiles_may_be_jpegs(tmp_path: Path, photometric: int) -> None:
    """Each tile as Pillow reads it alone, its colours being those that the directory says."""
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    import io

    from support import tiffs
    from support.pictures import scene

    picture = scene(64, 32)
    parts, expected = [], []
    for left in (0, 32):
        file = io.BytesIO()
        tile = picture.crop((left, 0, left + 32, 32))
        tile.save(file, "JPEG", keep_rgb=photometric == 2, subsampling=0, quality=95)
        parts.append(file.getvalue())
        expected.append(np.asarray(images.open(file)))
    content = iter(parts)
    real = tiffs._packed
    try:
        tiffs._packed = lambda *_: next(content)
        kind = Kind(compression=7, block=(32, 32))
        path = write_tiff(tmp_path / "a.tif", np.asarray(picture), kind, photometric)
    finally:
        tiffs._packed = real
    assert np.array_equal(all_rows(TiffSource(path)), np.concatenate(expected, axis=1))


def test_blocks_that_are_left_out_have_the_value_for_no_data(tmp_path: Path) -> None:
    kind = Kind(block=20, more={42113: (2, ("77",)), 273: (4, (8, 0)), 279: (4, (860, 0))})
    pixels = smooth("u1", 1)
    found = all_rows(TiffSource(write_tiff(tmp_path / "a.tif", pixels, kind)))
    assert np.array_equal(found[:20], pixels[:20]) and (found[20:] == 77).all()


def test_a_strip_of_any_length_takes_few_bytes(tmp_path: Path) -> None:
    pixels = np.zeros((4000, 50, 1), np.uint8)
    for compression in (NONE, DEFLATE, LZW):
        path = write_tiff(tmp_path / "a.tif", pixels, Kind(compression=compression, block=4000))
        assert TiffSource(path).memory().most < 500_000


def across_bytes(path: Path, values: Any, bits: int, more: dict[int, Any] | None = None) -> Path:
    """A TIFF of samples of so many bits, each row of which begins with a byte of its own."""
    height, width, bands = values.shape
    rows = ["".join(f"{each:0{bits}b}" for each in row.reshape(-1)) for row in values]
    room = -(-len(rows[0]) // 8)
    content = b"".join(int(row.ljust(8 * room, "0"), 2).to_bytes(room, "big") for row in rows)
    told = {256: (4, (width,)), 258: (3, (bits,) * bands), 262: (3, (2 if bands == 3 else 1,)),
            277: (3, (bands,)), 339: (3, (1,) * bands)}  # fmt: skip
    packed = np.frombuffer(content, np.uint8).reshape(height, room, 1)
    return write_tiff(path, packed, Kind(compression=DEFLATE, more=told | (more or {})))


@pytest.mark.parametrize("bits", [*range(1, 8), *range(9, 16)])
@pytest.mark.parametrize("bands", [1, 3])
def test_any_number_of_bits_is_spread_to_the_nearest(tmp_path: Path, bits: int, bands: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (*SHAPE, bands))
    values[0, 0], values[0, 1] = 0, (1 << bits) - 1
    source = TiffSource(across_bytes(tmp_path / "a.tif", values, bits))
    white = 255 if bits < 8 else 65535
    assert source.dtype == (np.uint8 if bits < 8 else np.uint16)
    assert np.array_equal(all_rows(source), np.rint(values * white / ((1 << bits) - 1)))


@pytest.mark.parametrize("bits", [1, 3, 4, 7])
def test_a_palette_of_any_number_of_bits_is_its_colours(tmp_path: Path, bits: int) -> None:
    chance = np.random.default_rng(bits)
    values = chance.integers(0, 1 << bits, (*SHAPE, 1))
    colours = chance.integers(0, 256, (1 << bits, 3))
    listed = tuple(int(each) for each in (colours.T * 257).reshape(-1))
    more = {262: (3, (3,)), 320: (3, listed)}
    source = TiffSource(across_bytes(tmp_path / "a.tif", values, bits, more))
    assert np.array_equal(all_rows(source), colours[values[:, :, 0]])


@pytest.mark.parametrize("dtype", ["u8", "i8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_of_64_bits_are_rounded(tmp_path: Path, dtype: str, order: str) -> None:
    ends = np.iinfo(dtype)
    pixels = np.random.default_rng(3).integers(ends.min, ends.max, (*SHAPE, 2), np.dtype(dtype))
    kind = Kind(order=order, compression=LZW, block=(16, 16))
    found = all_rows(TiffSource(write_tiff(tmp_path / "a.tif", pixels, kind)))
    assert found.dtype == np.float32
    assert np.array_equal(found, pixels.astype(np.float32))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {339: (3, (6,)), 258: (3, (64,))},
            "its samples are complex numbers of 64 bits, which are",
        ),
        ({259: (3, (50000,))}, "its compression is ZSTD, which is not read; convert it: tiffcp"),
        ({258: (3, (17,))}, "its samples are numbers of 17 bits"),
        ({262: (3, (8,))}, "its colours are CIE"),
        ({257: (4, (100_000,)), 256: (4, (100_000,))}, "14286 strips or tiles make 100000x100000"),
        ({256: (4, (0,))}, "it claims 0x35 pixels of 1 bands"),
        ({277: (3, (60_000,))}, "of 60000 bands"),
        ({322: (4, (16,)), 323: (4, (16,)), 324: (4, (8,)), 325: (4, (8,))}, "it lists 1"),
    ],
)
def test_what_is_not_read_is_said(
    tmp_path: Path, more: dict[int, tuple[int, tuple[int, ...]]], words: str
) -> None:
    path = write_tiff(tmp_path / "a.tif", smooth("u1", 1), Kind(more=more))
    with pytest.raises(InputError, match=r"a.tif: cannot read the picture: ") as refused:
        TiffSource(path)
    assert words in str(refused.value)


@pytest.mark.parametrize("compression", [NONE, DEFLATE, LZW, PACKBITS])
def test_what_is_cut_off_is_said(tmp_path: Path, compression: int) -> None:
    """The directory of these is in front, as of many programs."""
    kind = Kind(compression=compression, block=61, more={279: (4, (300,))})
    path = write_tiff(
        tmp_path / "a.tif", np.random.default_rng(1).integers(0, 255, (61, 75, 1), np.uint8), kind
    )
    source = TiffSource(path)
    with pytest.raises(InputError, match=r"the file is cut off: [0-9] of 61 rows are there"):
        all_rows(source)


@pytest.mark.parametrize(("mode", "compression"), [("1", "group4"), ("LAB", None), ("YCbCr", None)])
def test_a_kind_that_is_not_read_by_rows_is_decoded_whole(
    tmp_path: Path, mode: str, compression: str | None
) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    from support.pictures import scene

    scene(75, 61).convert(mode).save(tmp_path / "a.tif", compression=compression)
    with images.open(tmp_path / "a.tif") as whole:
        expected = np.asarray(whole.convert("L" if mode == "1" else "RGB"))
    with closing(open_rows(tmp_path / "a.tif")) as source:
        assert np.array_equal(all_rows(source), expected.reshape(61, 75, -1))


def test_what_is_no_photo_is_not_taken_for_one(tmp_path: Path) -> None:
    """Fitted into a network's input, signed numbers and fractions would be black, or anything."""
    pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    from ftdist.geometry import Shape
    from ftdist.pictures.fitted import load_picture

    for dtype, bands, words in (
        ("i2", 1, "a TIFF of 35x43x1 in float32"), ("u4", 1, "a TIFF of 35x43x1 in float32"),
        ("f4", 3, "a TIFF of 35x43x3 in float32"), ("u1", 5, "a TIFF of 35x43x5 in uint8"),
    ):  # fmt: skip
        path = write_tiff(tmp_path / "a.tif", smooth(dtype, bands), Kind())
        with pytest.raises(InputError, match=words):
            load_picture(path, Shape(32, 32, 3))
