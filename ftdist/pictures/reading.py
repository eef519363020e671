"""Reads pictures: what a viewer would show, in 8 bits, by bands, or one line that says why not.

A picture file is not trusted. Only formats that Pillow decodes by itself are tried (others start
programs); damage becomes an InputError. Pillow's own limit of pixels is put aside, because memory
is counted: ``footprint`` says from the header alone what reading takes, and whoever has a budget
compares. What is shown: the rows turned as EXIF says, transparency on white, 16 bits brought to 8.

A JPEG whose end marker is missing is read if all of its rows are there, as webcams leave them out;
whatever lacks rows is refused.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ftdist.errors import FtdistError, InputError
from ftdist.extras import needing
from ftdist.pictures.bands import BAND_PIXELS, Take, decode
from ftdist.pictures.exif import TURNS, Turn, orientation
from ftdist.pictures.footprint import decoding_bytes
from ftdist.pictures.jpegheader import JpegHeader, read_header
from ftdist.pictures.silence import silence

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Size = tuple[int, int]
"""(width, height) in pixels."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""What may be read; the common ones first, because Pillow loads the others' code on demand."""

_WIDTH_TAG, _HEIGHT_TAG, _BITS_TAG, _SAMPLE_FORMAT_TAG = 256, 257, 258, 339
_SIGNED = 2
_TURNED_COPIES = 5


@dataclass(frozen=True, slots=True)
class PictureBytes:
    """A picture that came through a pipe, and what messages call it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


Source = str | Path | PictureBytes
"""Where a picture comes from."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An opened picture, not yet decoded; `full` is its size as stored, before any draft."""

    image: ImageFile
    full: Size
    orientation: int
    jpeg: JpegHeader | None

    @property
    def turn(self) -> Turn:
        return TURNS[self.orientation]

    @property
    def size(self) -> Size:
        """The picture's full size, upright."""
        return self.as_stored(self.full)

    def as_stored(self, size: Size) -> Size:
        """An upright size as it is stored, and the other way round."""
        return size[::-1] if self.turn.sideways else size

    @property
    def decoded(self) -> Size:
        """The size that its bands have together, as stored, after any draft."""
        return self.image.size if self.jpeg is not None else self.full

    @property
    def named(self) -> str:
        """What it is, as a message says it."""
        return f"a {self.image.format} of {self.size[0]}x{self.size[1]}"

    @property
    def decoding_bytes(self) -> int:
        """What ``bands`` holds at most, beside what the process holds now."""
        return decoding_bytes(self.image, self.jpeg)

    @property
    def showing_bytes(self) -> int:
        """The same where bands are shown, upright, and not sampled."""
        turned = _TURNED_COPIES * BAND_PIXELS if any(self.turn) else 0
        return decoding_bytes(self.image, self.jpeg, shown=True) + turned

    def draft(self, mode: str, needed: Size) -> None:
        """Lets a JPEG's decoder make it smaller, by 2, 4 or 8, yet no smaller than needed."""
        if self.jpeg is not None:
            self.image.draft(mode, (max(1, needed[0]), max(1, needed[1])))

    def bands(self, mode: str, take: Take) -> None:
        """Decodes the picture: bands of it as stored, in mode L or RGB, in order."""
        decode(self.image, self.jpeg, lambda first, band: take(first, opaque(band, mode)))


@contextmanager
def opened(source: Source) -> Iterator[Picture]:
    """The picture with its header read; what Pillow says against it becomes one line of ours."""
    with told(source):
        picture = left_open(source)
        with picture.image:
            yield picture


def left_open(source: Source) -> Picture:
    """The picture with its header read, within ``told``; closing its image is the caller's."""
    from PIL import Image

    image = Image.open(_file(source), formats=FORMATS)
    try:
        silence(image)
        return _examined(image)
    except BaseException:
        image.close()
        raise


@contextmanager
def told(source: Source) -> Iterator[None]:
    """Makes one line of ours of whatever Pillow says against a picture.

    Its decoders raise nearly anything on damaged files (OSError, SyntaxError, struct.error,
    ValueError, ...), hence the breadth; running out of memory is not the file's fault.
    """
    with needing("reading pictures", "Pillow", "image"):
        from PIL import Image, UnidentifiedImageError  # noqa: F401 - what is used within
    try:
        with _PATIENCE:
            yield
    except (MemoryError, FtdistError):
        raise
    except UnidentifiedImageError:
        raise InputError(_unidentified(source)) from None
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.errno else str(error)
        reason = " ".join(str(reason).split()) or type(error).__name__
        raise InputError(f"{source}: cannot read the picture: {reason}") from error


class _Patience:
    """Within it Pillow neither warns nor has a limit of pixels, in whichever threads.

    Both are settings of the whole process: the first who comes changes them, and the last who goes
    puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._before: tuple[int | None, warnings.catch_warnings[Any]] | None = None

    def __enter__(self) -> None:
        from PIL import Image

        with self._lock:
            self._within += 1
            if self._before is None:
                Image.preinit()
                quiet = warnings.catch_warnings()
                quiet.__enter__()
                warnings.simplefilter("ignore")
                self._before = Image.MAX_IMAGE_PIXELS, quiet
                Image.MAX_IMAGE_PIXELS = None

    def __exit__(self, *_: object) -> None:
        from PIL import Image

        with self._lock:
            self._within -= 1
            if not self._within and self._before is not None:
                (Image.MAX_IMAGE_PIXELS, quiet), self._before = self._before, None
                quiet.__exit__(None, None, None)


_PATIENCE = _Patience()


def _unidentified(source: Source) -> str:
    """What Pillow cannot say of a file: a TIFF may be sound, and no picture as photos are."""
    from ftdist.pictures.rows.tiff.source import described

    found = None if isinstance(source, PictureBytes) else described(Path(source))
    return found or f"{source}: not a picture ({', '.join(FORMATS)})"


def _file(source: Source) -> Path | IO[bytes]:
    if isinstance(source, PictureBytes):
        return io.BytesIO(source.content)
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{path}: not a file" if path.exists() else f"{path}: no such file")
    return path


def _examined(image: ImageFile) -> Picture:
    if min(image.size) < 1:
        raise ValueError("it has no pixels")
    if image.mode == "F":
        raise ValueError("fractions have no fixed brightness; use 8 or 16 bits")
    if image.format == "TIFF" and image.mode.startswith("I") and _without_white(image):
        raise ValueError("its numbers have no fixed brightness; use 8 or 16 bits without sign")
    file: Any = image.fp
    jpeg = read_header(file) if image.format in ("JPEG", "MPO") else None
    turned = orientation(image)
    if image.format == "TIFF" and turned != 1:  # load() turns it; some Pillows say so before
        tags: Any = image
        size = tags.tag_v2[_WIDTH_TAG], tags.tag_v2[_HEIGHT_TAG]
        return Picture(image, size[::-1] if TURNS[turned].sideways else size, 1, None)
    return Picture(image, image.size, turned, jpeg)


def _without_white(image: Any) -> bool:
    """Whether a TIFF's numbers are signed, or have more than 16 bits."""
    tags: dict[int, Any] = image.tag_v2
    return max(tags.get(_BITS_TAG, (1,))) > 16 or _SIGNED in tags.get(_SAMPLE_FORMAT_TAG, (1,))


def opaque(image: Image, mode: str) -> Image:
    """The picture in mode L or RGB, in 8 bits, on white where it is transparent."""
    from PIL.Image import fromarray, new

    if image.mode.startswith("I"):
        samples = np.asarray(image).clip(0, 0xFFFF) >> 8
        image = fromarray(samples.astype(np.uint8))
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        ground = new("RGB", image.size, (255, 255, 255))
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def read_picture(source: Source) -> Image:
    """The whole picture in its own size, upright, RGB; InputError when it is none."""
    from PIL.Image import Transpose, new

    with opened(source) as picture:
        made: list[Image] = []

        def paste(first: int, band: Image) -> None:
            if not made:  # not before something comes: a header may claim any size
                made.append(new("RGB", picture.decoded))
            made[0].paste(band, (0, first))

        picture.bands("RGB", paste)
        (found,) = made
    if picture.turn.rows_reversed:
        found = found.transpose(Transpose.FLIP_TOP_BOTTOM)
    if picture.turn.columns_reversed:
        found = found.transpose(Transpose.FLIP_LEFT_RIGHT)
    return found.transpose(Transpose.TRANSPOSE) if picture.turn.sideways else found
