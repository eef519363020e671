"""Pictures that mean harm or have come to it: flipped bits, cuts, sizes that are not so, bombs.

One small picture of each kind that is read, and what is done to it; ``read_by_rows`` reads one as
`ftdist run` reads large pictures, within a number of bytes, into a file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.pictures.rows.opening import create_rows, open_rows, row_memory
from support.pictures import interlaced, saved, scene
from support.tiffs import DEFLATE, LZW, PACKBITS, Kind, write_tiff

WIDTH, HEIGHT = 61, 47
ROWS_AT_ONCE = 16
MOST_ROWS = 4096
HUGE = 100_000

_VIEWED = ("baseline", "progressive", "restarts", "cmyk", "bmp", "gif", "webp")
_PNGS = ("png", "palette", "alpha", "16-bit", "bits")
_TIFFS = {
    "plain": Kind(), "lzw": Kind(compression=LZW, predictor=2),
    "deflate": Kind(compression=DEFLATE, predictor=2, order=">"),
    "packbits": Kind(compression=PACKBITS, block=HEIGHT),
    "tiles": Kind(compression=LZW, block=(16, 32)),
    "planes": Kind(planes=True, compression=DEFLATE), "big": Kind(big=True, block=(16, 16)),
    "floats": Kind(compression=DEFLATE, predictor=3),
}  # fmt: skip


def samples(folder: Path) -> list[Path]:
    """A picture of each kind."""
    found = [saved(folder, kind, WIDTH, HEIGHT) for kind in (*_VIEWED, *_PNGS, "ppm")]
    pixels = np.asarray(scene(WIDTH, HEIGHT))
    found.append(interlaced(folder / "interlaced.png", pixels))
    for name, kind in _TIFFS.items():
        values = pixels.astype(np.float32) if name == "floats" else pixels
        found.append(write_tiff(folder / f"{name}.tif", values, kind))
    saved_by_pillow = folder / "pillow.tif"
    scene(WIDTH, HEIGHT).save(saved_by_pillow, compression="tiff_lzw")
    (folder / "deep.pgm").write_bytes(b"P5 61 47 65535\n" + pixels[:, :, :2].tobytes())
    np.save(folder / "array.npy", pixels)
    return [*found, saved_by_pillow, folder / "deep.pgm", folder / "array.npy"]


def flipped(content: bytes, seed: int) -> bytes:
    """With one to eight bits the other way, half of the time among the first hundred bytes."""
    chance = np.random.default_rng(seed)
    damaged = bytearray(content)
    reach = min(100, len(content)) if chance.random() < 0.5 else len(content)
    for at in chance.integers(0, reach, int(chance.integers(1, 9))):
        damaged[at] ^= 1 << int(chance.integers(0, 8))
    return bytes(damaged)


def cuts(content: bytes) -> Iterator[bytes]:
    """What an interrupted copy leaves."""
    for part in (0, 1, 3, 8, 40, len(content) // 3, len(content) // 2, len(content) * 9 // 10):
        yield content[:part]


def claiming(folder: Path) -> list[Path]:
    """Small files whose headers claim 100,000 x 100,000 pixels, or expand a thousand times."""
    pixels = np.asarray(scene(WIDTH, HEIGHT))
    huge = {256: (4, (HUGE,)), 257: (4, (HUGE,))}
    found = [
        _written(folder / "huge.png", _png(HUGE, HUGE, zlib.compress(bytes(1000)))),
        _written(folder / "bomb.png", _png(HUGE, HUGE, zlib.compress(bytes(40_000_000)))),
        _written(folder / "wide.png", _png((1 << 31) - 1, 1, zlib.compress(bytes(1000)))),
        _written(folder / "huge.ppm", b"P6 100000 100000 255\n" + pixels.tobytes()),
        _written(folder / "wide.pgm", b"P5 1000000000 1 255\n" + bytes(10)),
        write_tiff(folder / "huge.tif", pixels, Kind(more=huge)),
        write_tiff(folder / "strip.tif", pixels, Kind(block=HUGE, more=huge)),
        write_tiff(folder / "packed.tif", pixels, Kind(compression=DEFLATE, block=HUGE, more=huge)),
        write_tiff(folder / "tile.tif", pixels, Kind(block=(16, 16), more={322: (4, (1 << 30,)),
                                                                          323: (4, (1 << 30,))})),
        write_tiff(folder / "bands.tif", pixels, Kind(more={277: (3, (65535,))})),
        write_tiff(folder / "lists.tif", pixels, Kind(big=True, more={257: (4, ((1 << 31) - 1,))})),
        _resized(saved(folder, "baseline", WIDTH, HEIGHT), b"\xff\xc0"),
        _resized(saved(folder, "progressive", WIDTH, HEIGHT), b"\xff\xc2"),
    ]  # fmt: skip
    header = {"descr": "|u1", "fortran_order": False, "shape": (HUGE, HUGE, 3)}
    with (folder / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(1000))
    return [*found, folder / "huge.npy"]


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _png(width: int, height: int, data: bytes) -> bytes:
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", data)
    content = b"\x89PNG\r\n\x1a\n"
    for name, part in (*parts, (b"IEND", b"")):
        check = zlib.crc32(part, zlib.crc32(name))
        content += struct.pack(">I", len(part)) + name + part + struct.pack(">I", check)
    return content


def _resized(path: Path, frame: bytes) -> Path:
    content = bytearray(path.read_bytes())
    at = content.index(frame) + 5
    content[at : at + 4] = b"\xff\xdc\xff\xdc"
    path.write_bytes(content)
    return path


def read_by_rows(path: Path, out: Path, most_bytes: int) -> str:
    """The line that refuses it, or "" where it was read; nothing else may come of it."""
    try:
        with closing(open_rows(path)) as source:
            shape: Shape = source.shape
            row = shape.width * shape.channels * source.dtype.itemsize
            rows = min(shape.height, ROWS_AT_ONCE)
            needed = rows * row + row_memory(source, out, shape, source.dtype)
            if needed > most_bytes:
                return f"{path}: {shape} needs {needed} bytes"
            _copy(source, out)
    except InputError as error:
        return str(error)
    return ""


def _copy(source: Any, out: Path) -> None:
    height = min(source.shape.height, MOST_ROWS)
    sink = create_rows(out, source.shape._replace(height=height), source.dtype, source)
    try:
        for top in range(0, height, ROWS_AT_ONCE):
            sink.write(source.rows(top, min(top + ROWS_AT_ONCE, height)))
        sink.finish()
    finally:
        sink.abandon(keep=False)
