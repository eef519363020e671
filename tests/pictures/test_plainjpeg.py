"""Small plain JPEGs, decoded at once, are what all other pictures' way makes of them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures import _decoding, fitted
from ftdist.pictures.picture import PictureBytes
from ftdist.pictures.plainjpeg import plain_jpeg


def jpeg(mode: str, size: tuple[int, int], **options: Any) -> bytes:
    chance = np.random.default_rng(size[0])
    small = Image.fromarray(chance.integers(0, 256, (7, 9, 3), np.uint8)).resize(size)
    file = io.BytesIO()
    small.convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def loaded(content: bytes, shape: Shape, fit: Any = "letterbox") -> tuple[str, bytes]:
    """What is told of it, and the pixels."""
    try:
        pixels, box = fitted.load_picture(PictureBytes("photo.jpg", content), shape, fit)
    except InputError as error:
        return str(error), b""
    return str(box), pixels.tobytes()


def both_ways(
    monkeypatch: pytest.MonkeyPatch, content: bytes, shape: Shape, fit: Any = "letterbox"
) -> tuple[str, bytes]:
    """The same, which is also that of pictures which are not plain."""
    found = loaded(content, shape, fit)
    with monkeypatch.context() as patch:
        patch.setattr(fitted, "plain_jpeg", lambda *_: None)
        assert loaded(content, shape, fit) == found
    return found


@pytest.mark.parametrize("size", [(16, 5), (97, 64), (321, 203), (640, 480)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plain_one_is_the_same(monkeypatch, size, subsampling, channels) -> None:
    content = jpeg("RGB", size, subsampling=subsampling)
    plain = plain_jpeg(PictureBytes("photo.jpg", content), "RGB")
    assert plain is not None and plain.rows("RGB") is not None, "else the other way is gone"
    for fit in ("letterbox", "stretch", "crop", "corner", "pad"):
        _, pixels = both_ways(monkeypatch, content, Shape(96, 128, channels), fit)
        assert pixels


def test_a_grey_one_is_decoded_so_for_a_network_that_sees_grey(monkeypatch) -> None:
    content = jpeg("L", (200, 150))
    assert plain_jpeg(PictureBytes("photo.jpg", content), "L") is not None
    assert plain_jpeg(PictureBytes("photo.jpg", content), "RGB") is None
    for channels in (1, 3):
        assert both_ways(monkeypatch, content, Shape(64, 64, channels))[1]


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"progressive": True}),
        ("CMYK", {}),
        ("RGB", {"exif": b"Exif\x00\x00" + b"MM\x00*\x00\x00\x00\x08" + b"\x00" * 6}),
        ("RGB", {"restart_marker_rows": 1}),
    ],
)
def test_others_are_not_plain(monkeypatch, mode, options) -> None:
    content = jpeg(mode, (120, 90), **options)
    assert plain_jpeg(PictureBytes("photo.jpg", content), mode) is None
    assert both_ways(monkeypatch, content, Shape(64, 64, 3))[1]


def test_a_large_file_and_no_file_are_not_plain(tmp_path: Path) -> None:
    assert plain_jpeg(PictureBytes("photo.jpg", jpeg("RGB", (800, 700))), "RGB") is None
    padded = jpeg("RGB", (64, 64)) + bytes(600 << 10)
    assert plain_jpeg(PictureBytes("photo.jpg", padded), "RGB") is None
    assert plain_jpeg(tmp_path, "RGB") is None
    assert plain_jpeg(tmp_path / "missing.jpg", "RGB") is None
    (tmp_path / "none.jpg").write_bytes(b"\xff")
    assert plain_jpeg(tmp_path / "none.jpg", "RGB") is None
    (tmp_path / "photo.jpg").write_bytes(jpeg("RGB", (64, 64)))
    assert plain_jpeg(tmp_path / "photo.jpg", "RGB") is not None


def test_cut_ones_are_told_of_as_others_are(monkeypatch) -> None:
    content = jpeg("RGB", (90, 70))
    told = set()
    for length in (*range(0, len(content), 23), len(content) - 2, len(content) - 1):
        told.add(both_ways(monkeypatch, content[:length], Shape(64, 64, 3))[1] == b"")
    assert told == {True, False}, "the end marker may be missing"


@pytest.mark.parametrize("size", [(40, 30), (97, 64), (321, 203), (300, 17), (1400, 1100)])
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("L", {}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 2}),
        ("RGB", {"subsampling": 2, "restart_marker_rows": 1}),
        ("RGB", {"subsampling": 1, "restart_marker_blocks": 3}),
        ("RGB", {"optimize": True, "quality": 1}),
        ("CMYK", {}),
    ],
)
def test_all_rows_are_there_or_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], mode: str, options: dict[str, Any]
) -> None:
    """Without its end marker it is read, and not without its last blocks, which would be grey.

    The largest is decoded at a quarter of its size.
    """
    content, shape = jpeg(mode, size, **options), Shape(64, 64, 3)
    assert content.endswith(b"\xff\xd9")
    sound = both_ways(monkeypatch, content, shape)
    assert sound[1]
    assert both_ways(monkeypatch, content[:-2], shape) == sound
    scan = len(content) - content.rindex(b"\xff\xda")
    for missing in (24, scan // 3):
        for end in (b"", b"\xff\xd9"):
            told, pixels = both_ways(monkeypatch, content[: -2 - missing] + end, shape)
            assert not pixels
            assert "the file is cut off: " in told


def test_damaged_ones_too(monkeypatch) -> None:
    content, chance = jpeg("RGB", (90, 70)), np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(content)
        for at in chance.integers(0, len(content), chance.integers(1, 4)):
            damaged[at] ^= 1 << int(chance.integers(0, 8))
        both_ways(monkeypatch, bytes(damaged), Shape(64, 64, 3))


def test_a_small_file_is_read_if_it_begins_so(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"\xff\xd8" + bytes(100_000))
    link.symlink_to(path)
    for place in (path, str(path), link):
        assert _decoding.small_file(place, b"\xff\xd8", 100_002) == path.read_bytes()
    assert _decoding.small_file(path, b"\xff\xd8", 100_001) is None
    assert _decoding.small_file(path, b"\xff\xd9", 100_002) is None
    path.write_bytes(b"\xff")
    assert _decoding.small_file(path, b"\xff\xd8", 100) is None
    for nothing in (tmp_path, tmp_path / "none"):
        assert _decoding.small_file(nothing, b"", 100_000) is None


def test_what_waits_in_a_pipe_is_left_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    handle = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(handle, b"\xff\xd8 and more")
        assert _decoding.small_file(tmp_path / "pipe", b"\xff\xd8", 100) is None
        assert os.read(handle, 100) == b"\xff\xd8 and more"
    finally:
        os.close(handle)
