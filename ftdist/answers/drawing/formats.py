"""The picture files that can be written: asked before the code that writes them is loaded."""

from __future__ import annotations

from pathlib import Path

from ftdist.errors import InputError

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""What can be written, by extension in lower case."""


def output_format(path: str | Path) -> str:
    """Pillow's name of the format that a file's extension asks for; InputError when unknown."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        raise InputError(f"cannot write {path}: a picture must end in {', '.join(FORMATS)}")
    return FORMATS[extension]
