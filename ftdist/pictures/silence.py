"""Keeps Pillow's libraries from writing to standard error: what is wrong is said by us, once."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def silence(image: ImageFile) -> None:
    """Keeps libtiff from writing to standard error of damaged files: what is wrong is said by us.

    Its handlers are the whole process's, and Pillow sets none; they are found in whichever library
    it has loaded.
    """
    if image.format == "TIFF":
        for path in _loaded("libtiff"):
            library = ctypes.CDLL(path)
            for each in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                if hasattr(library, each):
                    getattr(library, each)(None)


@cache
def _loaded(name: str) -> tuple[str, ...]:
    """The files of the libraries of that name that are loaded; none where it cannot be seen."""
    try:
        with open("/proc/self/maps") as lines:
            paths = {line.split(None, 5)[5].strip() for line in lines if name in line}
    except OSError:
        return ()
    return tuple(sorted(path for path in paths if Path(path).name.startswith(name)))
