"""Files that are something else than pictures, and photos as programs and telephones write them."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pictures import scene
from support.tiffs import Kind, write_tiff

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.jpegheader import read_header
from ftdist.pictures.reading import PictureBytes
from ftdist.pictures.rows.opening import open_rows

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")

WIDTH, HEIGHT = 61, 47
SHAPE = Shape(HEIGHT, WIDTH, 3)

OTHERS: dict[str, tuple[bytes, str]] = {
    "heic": (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a photo in HEIC; convert it"),
    "avif": (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif", "a photo in AVIF; convert it"),
    "mp4": (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41", "a video; 'ftdist batch'"),
    "cr3": (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "a camera's raw data"),
    "avi": (b"RIFF\x00\x00\x00\x00AVI LIST", "a video; 'ftdist batch'"),
    "svg": (b'\n<?xml version="1.0"?><svg xmlns="x"/>', "SVG"),
    "html": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "text": ("größe\n".encode() * 99, "a text file"),
    "empty": (b"", "the file is empty"),
    "gif": (b"GIF89a", "a GIF that is damaged or cut off"),
    "webp": (b"RIFF\x00\x00\x00\x00WEBP", "a WebP that is damaged or cut off"),
    "bmp": (b"BM", "a BMP that is damaged or cut off"),
    "pnm": (b"P6\n0 0\n255\n", "a PNM that is damaged or cut off"),
    "letters": (b"Paris, BM and GIF89a\n", "a text file"),
    "zeros": (bytes(99), "nothing but zeros"),
    "npy": (b"\x93NUMPY\x01\x00", "a name that ends in .npy"),
    "12 bits": (b"\xff\xd8\xff\xc1\x00\x11\x0c\x00\x10\x00\x10\x03" + bytes(9), "12 bits"),
    "jpeg-ls": (b"\xff\xd8\xff\xf7\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00", "JPEG-LS"),
    "no height": (b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00", "its height"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_picture_is_called_by_its_name(tmp_path: Path, name: str) -> None:
    content, words = OTHERS[name]
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    for source in (path, PictureBytes("-", content)):
        with pytest.raises(InputError, match=r"not a picture \(.*\): ") as refused:
            load_picture(source, SHAPE)
        assert words in str(refused.value)
    with pytest.raises(InputError):
        open_rows(path)


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("a.png")
    with pytest.raises(InputError, match="no such file"):
        open_rows(tmp_path / "a.png")


def jpeg_with(segments: bytes, **options: Any) -> tuple[bytes, bytes]:
    """A JPEG, and the same with more behind its first marker."""
    import io

    file = io.BytesIO()
    scene(WIDTH, HEIGHT).save(file, "JPEG", **options)
    plain = file.getvalue()
    return plain, plain[:2] + segments + plain[2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize("progressive", [False, True])
def test_what_stands_before_a_jpegs_pixels_is_passed_over(
    tmp_path: Path, progressive: bool
) -> None:
    exif = images.Exif()
    exif[0x0112] = 6
    more = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + bytes(60_000))
    more += b"".join(segment(0xE2 + each % 9, bytes(65_000)) for each in range(40))
    plain, fat = jpeg_with(more, exif=exif, progressive=progressive)
    expected, box = load_picture(PictureBytes("-", plain), Shape(WIDTH, HEIGHT, 3))
    path = tmp_path / "fat.jpg"
    path.write_bytes(fat)
    for source in (path, PictureBytes("-", fat)):
        found, placed = load_picture(source, Shape(WIDTH, HEIGHT, 3))
        assert np.array_equal(found, expected) and placed == box
    assert open_rows(path).shape == Shape(WIDTH, HEIGHT, 3)


MEASURED = """
import sys
from ftdist.geometry import Shape
from ftdist.pictures.fitted import load_picture
for path in sys.argv[1:]:
    load_picture(path, Shape(47, 61, 3))
    with open("/proc/self/status") as lines:
        print(next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")))
"""


def test_nor_does_it_take_memory(tmp_path: Path) -> None:
    plain, fat = jpeg_with(b"".join(segment(0xED, bytes(65_000)) for _ in range(400)))
    (tmp_path / "plain.jpg").write_bytes(plain)
    (tmp_path / "fat.jpg").write_bytes(fat)
    (tmp_path / "fat.png").write_bytes(png_with(b"tEXt", b"a\x00" + bytes(20 << 20)))
    scene(WIDTH, HEIGHT).save(tmp_path / "plain.png")
    names = ("plain.jpg", "plain.png", "fat.jpg", "fat.png")
    command = [sys.executable, "-c", MEASURED, *(str(tmp_path / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peaks = [int(each) for each in done.stdout.split()]
    assert peaks[-1] - peaks[1] < 2 << 20


def test_a_header_of_rubbish_and_fill_is_walked(tmp_path: Path) -> None:
    plain, filled = jpeg_with(b"\xff\xff\xff" + segment(0xFE, b"rubbish") + b"xyz")
    headers = []
    for content in (plain, filled):
        (tmp_path / "a.jpg").write_bytes(content)
        with (tmp_path / "a.jpg").open("rb") as file:
            headers.append(read_header(file))
    assert headers[0] is not None and headers[1] is not None
    assert headers[1].data_offset - headers[0].data_offset == len(filled) - len(plain)
    assert headers[1].sampling == headers[0].sampling


def png_with(name: bytes, content: bytes) -> bytes:
    """A PNG with another chunk before its pixels."""
    rows = b"".join(b"\x00" + row.tobytes() for row in np.asarray(scene(WIDTH, HEIGHT)))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    found = b"\x89PNG\r\n\x1a\n"
    parts = ((b"IHDR", header), (name, content), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    for each, part in parts:
        check = zlib.crc32(part, zlib.crc32(each))
        found += struct.pack(">I", len(part)) + each + part + struct.pack(">I", check)
    return found


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP"])
def test_a_pngs_bombs_of_text_are_passed_over(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_with(name, b"a\x00\x00" + zlib.compress(bytes(50 << 20))))
    found, _ = load_picture(path, SHAPE)
    assert np.array_equal(found, np.asarray(scene(WIDTH, HEIGHT)))


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
@pytest.mark.parametrize("bands", [1, 3])
def test_bits_of_any_number_are_spread(tmp_path: Path, bits: int, bands: int) -> None:
    """Bits lie one after the other, and a row begins with a byte."""
    values = np.random.default_rng(1).integers(0, 1 << bits, (HEIGHT, WIDTH, bands))
    shifts = np.arange(bits - 1, -1, -1)
    single = (values.reshape(HEIGHT, -1, 1) >> shifts & 1).astype(np.uint8)
    lines = np.packbits(single.reshape(HEIGHT, -1), axis=1)
    sizes = {256: (4, (WIDTH,)), 258: (3, (bits,) * bands), 277: (3, (bands,))}
    sizes[262] = (3, (2 if bands == 3 else 1,))
    path = write_tiff(tmp_path / "a.tif", lines[:, :, None], Kind(block=HEIGHT, more=sizes))
    found = open_rows(path).rows(0, HEIGHT)
    most = 255 if bits < 8 else 65535
    assert np.array_equal(found, (values * most + ((1 << bits) - 1) // 2) // ((1 << bits) - 1))
    seen, _ = load_picture(path, SHAPE)
    assert np.array_equal(seen, np.broadcast_to(found >> (8 if bits > 8 else 0), seen.shape))


@pytest.mark.parametrize(
    ("depth", "kind", "most"),
    [(1, "GRAYSCALE", 255), (3, "RGB", 255), (3, "RGB", 65535), (4, "RGB_ALPHA", 255)],
)
def test_a_pam_is_read(tmp_path: Path, depth: int, kind: str, most: int) -> None:
    dtype = np.dtype("u1" if most < 256 else ">u2")
    pixels = np.random.default_rng(1).integers(0, most + 1, (HEIGHT, WIDTH, depth)).astype(dtype)
    if depth == 4:
        pixels[:, :, 3] = most
    head = f"P7\n# us\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH {depth}\nMAXVAL {most}\n"
    head += f"TUPLTYPE {kind}\nENDHDR\n"
    path = tmp_path / "a.pam"
    path.write_bytes(head.encode() + pixels.tobytes())
    assert np.array_equal(open_rows(path).rows(0, HEIGHT), pixels)
    seen, _ = load_picture(path, SHAPE)
    expected = pixels[:, :, :3] if most == 255 else pixels >> 8
    assert np.array_equal(seen, np.broadcast_to(expected, seen.shape))


@pytest.mark.parametrize(
    "header", ["P7\n", "P7\nWIDTH 9\nENDHDR\n", "P7\nWIDTH x\nHEIGHT 1\nENDHDR\n"]
)
def test_a_pam_without_a_size_is_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.pam").write_text(header)
    with pytest.raises(InputError, match="its header is damaged"):
        load_picture(tmp_path / "a.pam", SHAPE)


def test_a_small_version_that_comes_first_is_passed_over(tmp_path: Path) -> None:
    """And a camera's raw data, which have nothing but that, are refused."""
    pixels = np.asarray(scene(WIDTH, HEIGHT))
    first = write_tiff(tmp_path / "a.tif", pixels[::4, ::4], Kind(more={254: (4, (1,))}))
    with pytest.raises(InputError, match="it may be a camera's raw data; develop it"):
        load_picture(first, SHAPE)
    (tmp_path / "a.cr2").write_bytes(b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(99))
    with pytest.raises(InputError, match="it is a camera's raw data; develop it"):
        load_picture(tmp_path / "a.cr2", SHAPE)


def test_a_transparent_shade_of_16_bits_is_white(tmp_path: Path) -> None:
    grey = np.full((HEIGHT, WIDTH), 0x1234, np.uint16)
    grey[:, 9:] = 0x1200
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in grey)
    found = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 0, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"tRNS", b"\x12\x34"),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    for each, part in parts:
        check = zlib.crc32(part, zlib.crc32(each))
        found += struct.pack(">I", len(part)) + each + part + struct.pack(">I", check)
    seen, _ = load_picture(PictureBytes("-", found), SHAPE)
    assert seen[3, 3].tolist() == [255] * 3 and seen[3, 20].tolist() == [0x12] * 3
