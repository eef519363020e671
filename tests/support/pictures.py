"""Pictures of every kind for the tests of reading and drawing, small and seeded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "baseline": ("RGB", "jpg", {}),
    "baseline-444": ("RGB", "jpg", {"subsampling": 0}),
    "restarts": ("RGB", "jpg", {"restart_marker_rows": 1}),
    "progressive": ("RGB", "jpg", {"progressive": True}),
    "grey-jpeg": ("L", "jpg", {}),
    "cmyk": ("CMYK", "jpg", {}),
    "png": ("RGB", "png", {}),
    "grey-png": ("L", "png", {}),
    "bits": ("1", "png", {}),
    "palette": ("P", "png", {}),
    "alpha": ("RGBA", "png", {}),
    "grey-alpha": ("LA", "png", {}),
    "16-bit": ("I;16", "png", {}),
    "bmp": ("RGB", "bmp", {}),
    "ppm": ("RGB", "ppm", {}),
    "tiff": ("RGB", "tif", {}),
    "tiff-lzw": ("RGB", "tif", {"compression": "tiff_lzw"}),
    "gif": ("P", "gif", {}),
    "webp": ("RGB", "webp", {}),
}
"""Pillow's mode, the extension, and options for saving."""


def scene(width: int, height: int, seed: int = 0) -> Any:
    """Soft colours with some noise, as photos have them."""
    from PIL import Image

    chance = np.random.default_rng(seed)
    small = chance.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def saved(folder: Path, kind: str, width: int, height: int, **more: Any) -> Path:
    """A scene as a file of one of KINDS."""
    from PIL import Image

    mode, extension, options = KINDS[kind]
    picture = scene(width, height)
    if mode == "I;16":
        grey: NDArray[np.uint16] = np.asarray(picture.convert("L")).astype(np.uint16)
        picture = Image.fromarray(grey * np.uint16(257))
    elif mode == "LA":
        picture = picture.convert("L").convert("LA")
    elif mode != "RGB":
        picture = picture.convert(mode)
    path = folder / f"{kind}.{extension}"
    picture.save(path, **options, **more)
    return path


def interlaced(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """An interlaced PNG, which Pillow does not write (Adam7)."""
    height, width, _ = pixels.shape
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4))
    rows = [
        b"\x00" + row.tobytes()
        for left, top, across, down in (*passes, (1, 0, 2, 2), (0, 1, 1, 2))
        for row in pixels[top::down, left::across]
        if row.size
    ]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    content = b"\x89PNG\r\n\x1a\n"
    for name, part in ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")):
        check = zlib.crc32(part, zlib.crc32(name))
        content += struct.pack(">I", len(part)) + name + part + struct.pack(">I", check)
    path.write_bytes(content)
    return path
