"""Reads picture files: what a viewer would show, in 8 bits, or one line that says why not.

A picture file is not trusted. Only formats that Pillow decodes by itself are tried (others start
programs); damage and excessive sizes become an InputError. What is shown: the rows turned as EXIF
says, transparency on white, 16 bits brought to 8.

Memory is counted, for the process has a budget. A JPEG much larger than wanted is decoded at half,
a quarter or an eighth of its size; ``reading_bytes`` says beforehand what a file will take.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ftdist.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Size = tuple[int, int]
"""(width, height) in pixels."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""What may be read; the common ones first, because Pillow loads the others' code on demand."""

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""Pillow's name of the turn for each of EXIF's orientations; 1 is none."""

_SIDEWAYS = (5, 6, 7, 8)
"""Orientations whose rows are stored as columns."""

_PILLOW_BYTES = 9 << 20
"""Pillow's code with all of its formats, and its small buffers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What suffices: mode L or RGB, and for a picture of some size (turned), the size needed."""

    mode: str
    needed: Callable[[Size], Size]


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as its file holds it, mode L, RGB or RGBA, maybe decoded smaller.

    `orientation` is EXIF's 1..8, `size` the full one once turned.
    """

    image: Image
    orientation: int
    size: Size

    def turned_size(self, size: Size) -> Size:
        """The size as stored of what is to be `size` when turned, and the other way."""
        return size[::-1] if self.orientation in _SIDEWAYS else size


def read(path: str | Path, wanted: Wanted | None = None) -> Stored:
    """The file's picture, not yet turned; InputError when there is none.

    When something smaller is wanted a JPEG may be smaller, yet no smaller than needed.
    """
    return _opened(path, wanted, _decoded)


def read_picture(path: str | Path) -> Image:
    """The whole picture in its own size, RGB, four bytes a pixel; InputError when it is none."""
    stored = read(path)
    return turned(opaque(stored.image, "RGB"), stored.orientation)


def reading_bytes(path: str | Path, wanted: Wanted | None = None) -> tuple[int, bool]:
    """What reading holds at most while it works, from the file's header alone, Pillow included.

    Also whether the picture has the wanted size already, so that nobody need resize it.
    """

    def look(image: ImageFile, full: Size) -> tuple[int, bool]:
        exact = wanted is not None and image.size == full == wanted.needed(full)
        fits = exact and not _says_to_turn(image)
        return _footprint(image, full, wanted, fits), fits

    return _opened(path, wanted, look)


Made = TypeVar("Made")


def _opened(
    path: str | Path, wanted: Wanted | None, work: Callable[[ImageFile, Size], Made]
) -> Made:
    """Does the work on the opened file; whatever Pillow says against it becomes one line of ours.

    Its decoders raise nearly anything on damaged files (OSError, SyntaxError, struct.error,
    ValueError, ...), hence the breadth; running out of memory is not the file's fault.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise InputError("reading pictures needs Pillow: pip install 'ftdist[image]'") from None
    if not Path(path).is_file():
        raise InputError(f"{path}: not a file" if Path(path).exists() else f"{path}: no such file")
    Image.preinit()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                full = image.size
                _draft(image, wanted)
                return work(image, full)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a picture ({', '.join(FORMATS)})") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(f"{path}: too large a picture, make it smaller first") from None
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.errno else str(error)
        reason = " ".join(str(reason).split()) or type(error).__name__
        raise InputError(f"{path}: cannot read the picture: {reason}") from error


def _draft(image: ImageFile, wanted: Wanted | None) -> None:
    """Lets a JPEG's decoder make it smaller, yet no smaller than needed."""
    if min(image.size) < 1:
        raise ValueError("it has no pixels")
    if wanted is not None and image.format in ("JPEG", "MPO"):
        sideways = _orientation(image) in _SIDEWAYS
        needed = wanted.needed(image.size[::-1] if sideways else image.size)
        image.draft(wanted.mode, needed[::-1] if sideways else needed)


def _decoded(image: ImageFile, full: Size) -> Stored:
    image.load()
    orientation = _orientation(image)
    if image.format == "TIFF":  # load() has turned it, and it says 1 by now
        full = image.size
    return Stored(
        _eight_bits(image),
        orientation,
        full[::-1] if orientation in _SIDEWAYS else full,
    )


def _footprint(image: ImageFile, full: Size, wanted: Wanted | None, fits: bool) -> int:
    """Bytes held while a picture with this header is read, from above; the factors were measured.

    Pillow holds L in one byte a pixel, all else in four; a change of mode holds both, transparency
    also a mask or a copy, a compressed TIFF its strips, WebP's decoder a few copies.
    """
    pixels = image.size[0] * image.size[1]
    if image.format == "WEBP":
        each = 17
    elif image.mode.startswith("I"):
        each = 7 if image.mode.startswith("I;") else 13
    elif image.has_transparency_data:
        each = 9 if image.mode == "RGBA" else 10
    else:
        grey = 5 if wanted is None else 1
        each = {"RGB": 4, "L": grey, "1": grey + 1, "P": 5}.get(image.mode, 8)
    each += 4 if image.format == "TIFF" else 0
    if wanted is None:
        extra = 4 * pixels if _says_to_turn(image) else 0
    else:
        extra = 0 if fits else 4 * max(image.size) * max(wanted.needed(image.size))
    return each * pixels + extra + _coefficients_bytes(image, full) + _PILLOW_BYTES


def _says_to_turn(image: ImageFile) -> bool:
    """Whether the header says so; a PNG without EXIF there would be decoded to look at its end."""
    hidden = image.format == "PNG" and "exif" not in image.info
    return not hidden and _orientation(image) != 1


def _coefficients_bytes(image: ImageFile, full: Size) -> int:
    """What a progressive JPEG's decoder holds: two bytes a sample, however small it is decoded."""
    from PIL.JpegImagePlugin import JpegImageFile

    if not isinstance(image, JpegImageFile) or not image.info.get("progressive"):
        return 0
    across = max(layer[1] for layer in image.layer)
    down = max(layer[2] for layer in image.layer)
    samples = sum(layer[1] * layer[2] for layer in image.layer) / (across * down)
    return round(2.1 * samples * full[0] * full[1])


def _orientation(image: Image) -> int:
    """How the stored rows are to be turned: EXIF's 1..8, 1 for not at all."""
    found = image.getexif().get(_ORIENTATION_TAG)
    return found if found in _TURNS else 1


def turned(image: Image, orientation: int) -> Image:
    """The picture the way up that its EXIF says."""
    from PIL.Image import Transpose

    return image if orientation == 1 else image.transpose(Transpose[_TURNS[orientation]])


def _eight_bits(image: Image) -> Image:
    """The picture in mode L, RGB or RGBA."""
    from PIL.Image import fromarray

    if image.mode == "F":
        raise ValueError("fractions have no fixed brightness; use 8 or 16 bits")
    if image.mode.startswith("I"):
        samples = np.asarray(image).clip(0, 0xFFFF) >> 8
        return fromarray(samples.astype(np.uint8))
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def opaque(image: Image, mode: str) -> Image:
    """The picture in mode L or RGB, on white where it is transparent."""
    from PIL.Image import new

    if image.mode == "RGBA":
        ground = new("RGB", image.size, (255, 255, 255))
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    return image if image.mode == mode else image.convert(mode)
