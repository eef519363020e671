"""PNGs are read by rows to the numbers that are in them, in all depths and colours."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pictures import interlaced, saved, scene

from ftdist.errors import InputError
from ftdist.pictures.rows.png import PngSource

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")


def all_rows(path: Path, step: int = 23) -> Any:
    source = PngSource(path)
    height = source.shape.height
    found = [source.rows(top, min(top + step, height)) for top in range(0, height, step)]
    source.rewind()
    assert np.array_equal(source.rows(height // 2, height)[0], np.concatenate(found)[height // 2])
    source.close()
    return np.concatenate(found)


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def stored(header: tuple[int, ...], lines: bytes, *more: bytes) -> bytes:
    """A PNG of rows as they are stored, each with its filter."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    content = head + b"".join(more) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.mark.parametrize(
    "kind", ["png", "grey-png", "bits", "palette", "alpha", "grey-alpha", "16-bit"]
)
def test_rows_are_those_that_pillow_reads(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, kind, 333, 157)
    with images.open(path) as picture:
        shown = {"P": "RGB", "1": "L"}.get(picture.mode, picture.mode)
        expected = np.asarray(picture if shown == picture.mode else picture.convert(shown))
    assert np.array_equal(all_rows(path), expected.reshape(157, 333, -1))


def filtered(rows: Any, pixel: int) -> bytes:
    """Rows of bytes with every filter in turn, as the standard defines them."""
    height, size = rows.shape
    made = bytearray()
    for y in range(height):
        kind = y % 5
        made.append(kind)
        for x in range(size):
            left = int(rows[y, x - pixel]) if x >= pixel else 0
            above = int(rows[y - 1, x]) if y else 0
            corner = int(rows[y - 1, x - pixel]) if y and x >= pixel else 0
            guess = left + above - corner
            near = min((left, above, corner), key=lambda each: abs(guess - each))
            by = (0, left, above, (left + above) // 2, near)[kind]
            made.append((int(rows[y, x]) - by) & 255)
    return bytes(made)


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_stay_sixteen_under_every_filter(
    tmp_path: Path, colour: int, samples: int
) -> None:
    """Paeth's ties go to the left, then to what is above: min() keeps the first of equals."""
    pixels = np.random.default_rng(2).integers(0, 1 << 16, (31, 17, samples)).astype(np.uint16)
    lines = pixels.astype(">u2").view(np.uint8).reshape(31, -1)
    header = (17, 31, 16, colour, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(stored(header, filtered(lines, 2 * samples)))
    assert np.array_equal(all_rows(tmp_path / "a.png", 4), pixels)


def test_fewer_bits_are_spread_over_eight(tmp_path: Path) -> None:
    for bits, width in itertools.product((1, 2, 4), (1, 7, 16, 33)):
        values = np.random.default_rng(bits).integers(0, 1 << bits, (5, width))
        text = ["".join(f"{each:0{bits}b}" for each in row) for row in values]
        size = -(-width * bits // 8)
        lines = b"".join(
            b"\0" + int(row.ljust(8 * size, "0"), 2).to_bytes(size, "big") for row in text
        )
        (tmp_path / "a.png").write_bytes(stored((width, 5, bits, 0, 0, 0, 0), lines))
        expected = values * 255 // ((1 << bits) - 1)
        assert np.array_equal(all_rows(tmp_path / "a.png")[:, :, 0], expected)


def test_transparency_is_a_channel_however_it_is_said(tmp_path: Path) -> None:
    lines = b"\0" + bytes([0, 1, 2, 1])
    colours, opacity = chunk(b"PLTE", bytes(range(9))), chunk(b"tRNS", bytes([0, 128]))
    (tmp_path / "a.png").write_bytes(stored((4, 1, 8, 3, 0, 0, 0), lines, colours, opacity))
    assert all_rows(tmp_path / "a.png")[0].tolist() == [
        [0, 1, 2, 0], [3, 4, 5, 128], [6, 7, 8, 255], [3, 4, 5, 128]]  # fmt: skip
    key = chunk(b"tRNS", struct.pack(">H", 2))
    (tmp_path / "b.png").write_bytes(stored((4, 1, 8, 0, 0, 0, 0), lines, key))
    assert all_rows(tmp_path / "b.png")[0].tolist() == [[0, 255], [1, 255], [2, 0], [1, 255]]


def test_an_interlaced_one_is_put_in_order_on_the_disk(tmp_path: Path) -> None:
    for width, height in ((131, 77), (1, 1), (3, 9)):
        pixels = np.asarray(scene(width, height))
        path = interlaced(tmp_path / "photo.png", pixels)
        assert np.array_equal(all_rows(path), pixels)
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


def test_what_it_says_of_resolution_and_colours_goes_over(tmp_path: Path) -> None:
    scene(20, 10).save(tmp_path / "a.png", dpi=(300, 300), icc_profile=b"profile" * 9)
    tags = PngSource(tmp_path / "a.png").tags
    assert tags[296] == (3,) and tags[282] == pytest.approx((300 / 2.54,), rel=1e-3)
    assert tags[34675] == b"profile" * 9


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ((100_000, 100_000, 8, 2, 0, 0, 0), "bytes cannot hold 100000x100000 pixels"),
        ((0, 5, 8, 2, 0, 0, 0), "it claims 0x5 pixels"),
        ((4, 1, 3, 2, 0, 0, 0), "a kind of PNG that does not exist"),
        ((4, 1, 8, 3, 0, 0, 0), "its palette is missing"),
        ((4, 9, 8, 0, 0, 0, 0), "the file is cut off: 1 of 9 rows are there"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, header: tuple[int, ...], words: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(stored(header, b"\0" + bytes(4)))
    with pytest.raises(InputError) as refused:
        all_rows(path)
    assert str(refused.value).startswith(f"{path}: cannot read the picture: ")
    assert words in str(refused.value)


def test_a_wrong_checksum_and_a_cut_are_said(tmp_path: Path) -> None:
    path = saved(tmp_path, "png", 333, 157)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut off: [0-9]+ of 157 rows are there"):
        all_rows(path)
    damaged = bytearray(content)
    damaged[-20] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"damaged"):
        all_rows(path)
