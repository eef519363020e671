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
from numpy.typing import NDArray

from ftdist.errors import FtdistError, InputError
from ftdist.extras import needing
from ftdist.pictures.bands import Take, TakeSamples, decode, decode_samples
from ftdist.pictures.beginnings import PAM, PNG, TIFF
from ftdist.pictures.damage import reason_of
from ftdist.pictures.exif import TURNS, orientation
from ftdist.pictures.footprint import decoding_bytes
from ftdist.pictures.jpegheader import JpegHeader, read_header
from ftdist.pictures.lean import lean
from ftdist.pictures.picture import NO_BRIGHTNESS, Picture, PictureBytes, Size, Source
from ftdist.pictures.silence import silence
from ftdist.pictures.streaming import streams

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["Picture", "PictureBytes", "Size", "Source", "opened", "read_picture"]

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""What may be read; the common ones first, because Pillow loads the others' code on demand."""

_HEAD_BYTES, _INTERLACED_AT = 29, 28

_WIDTH_TAG, _HEIGHT_TAG, _BITS_TAG, _SAMPLE_FORMAT_TAG = 256, 257, 258, 339
_SIGNED = 2


@dataclass(slots=True)
class PillowPicture(Picture):
    """A picture that Pillow decodes."""

    image: ImageFile
    file: IO[bytes]
    full: Size
    orientation: int
    jpeg: JpegHeader | None

    @property
    def decoded(self) -> Size:
        return self.image.size if self.jpeg is not None else self.full

    @property
    def named(self) -> str:
        return f"a {self.image.format} of {self.size[0]}x{self.size[1]}"

    @property
    def decoding_bytes(self) -> int:
        return decoding_bytes(self.image, self.jpeg)

    def shown_bytes(self, beside: int = 0) -> int:
        return decoding_bytes(self.image, self.jpeg, shown=True, beside=beside)

    def draft(self, mode: str, needed: Size) -> None:
        if self.jpeg is not None:
            self.image.draft(mode, (max(1, needed[0]), max(1, needed[1])))

    def samples(self, mode: str, take: TakeSamples) -> None:
        if self.jpeg is not None and self.image.mode == mode and streams(self.image, self.jpeg):
            decode_samples(self.image, self.jpeg, take)
            return

        def sampled(first: int, band: Image) -> None:
            rows: NDArray[np.uint8] = np.asarray(band)
            take(first, rows if rows.ndim == 3 else rows[:, :, None])

        self.bands(mode, sampled)

    def bands(self, mode: str, take: Take) -> None:
        decode(self.image, self.jpeg, lambda first, band: take(first, opaque(band, mode)))

    def close(self) -> None:
        self.image.close()
        self.file.close()


@contextmanager
def opened(source: Source) -> Iterator[Picture]:
    """The picture with its header read; what Pillow says against it becomes one line of ours."""
    with told(source):
        picture = _opened(source)
        try:
            yield picture
        finally:
            picture.close()


def _opened(source: Source) -> Picture:
    """By our own readers, where they decode it; else by Pillow."""
    file = _file(source)
    with _closed_if_raised(file):
        kind = _read_by_rows(file.read(_HEAD_BYTES))
        if kind:
            from ftdist.pictures.rowpicture import by_rows  # code that a JPEG does without

            if (found := by_rows(source, kind)) is not None:
                file.close()
                return found
    return _viewed(file, source)


@contextmanager
def _closed_if_raised(each: IO[bytes] | ImageFile) -> Iterator[None]:
    """Closes it if what is within fails."""
    try:
        yield
    except BaseException:
        each.close()
        raise


def _read_by_rows(head: bytes) -> str:
    """The kind of picture that begins so, where Pillow is not needed for it."""
    if head.startswith(PNG):  # an interlaced one would need a place on the disk
        return "" if head[_INTERLACED_AT:] == b"\x01" else "PNG"
    if head[:4] in TIFF:
        return "TIFF"
    return "PAM" if head.startswith(PAM) else ""


def left_open(source: Source) -> PillowPicture:
    """The picture with its header read, within ``told``; closing it is the caller's."""
    return _viewed(_file(source), source)


def _viewed(file: IO[bytes], source: Source) -> PillowPicture:
    """The picture in a file, which is closed with it, or where there is none."""
    from PIL import Image, UnidentifiedImageError

    with _closed_if_raised(file):
        jpeg = read_header(file)
        whole, file = file, lean(file, jpeg)
        if file is not whole:
            jpeg = read_header(file)
        file.seek(0)
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError:
            raise InputError(_unidentified(source, file)) from None
        with _closed_if_raised(image):
            silence(image)
            return _examined(image, file, jpeg)


@contextmanager
def told(source: Source) -> Iterator[None]:
    """Makes one line of ours of whatever Pillow says against a picture.

    Its decoders raise nearly anything on damaged files (OSError, SyntaxError, struct.error,
    ValueError, ...), hence the breadth; running out of memory is not the file's fault.
    """
    with needing("reading pictures", "Pillow", "image"):
        from PIL import Image  # noqa: F401 - what is used within
    try:
        with _PATIENCE:
            yield
    except (MemoryError, FtdistError):
        raise
    except Exception as error:
        raise InputError(f"{source}: cannot read the picture: {reason_of(error)}") from error


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


def _unidentified(source: Source, file: IO[bytes]) -> str:
    """What a file is that Pillow cannot say anything of."""
    from ftdist.pictures.foreign import HEAD_BYTES, kind  # for the few that are such

    file.seek(0)
    found = kind(file.read(HEAD_BYTES))
    return f"{source}: not a picture ({', '.join(FORMATS)})" + (f": {found}" if found else "")


def _file(source: Source) -> IO[bytes]:
    """The picture's file, open; closing it is the caller's."""
    if isinstance(source, PictureBytes):
        return io.BytesIO(source.content)
    _refuse_no_file(Path(source))
    return open(source, "rb")


def _refuse_no_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: not a file" if path.exists() else f"{path}: no such file")


def _examined(image: ImageFile, file: IO[bytes], jpeg: JpegHeader | None) -> PillowPicture:
    if min(image.size) < 1:
        raise ValueError("it has no pixels")
    if image.mode == "F":
        raise ValueError(NO_BRIGHTNESS)
    if image.format == "TIFF" and image.mode.startswith("I") and _without_white(image):
        raise ValueError(NO_BRIGHTNESS)
    jpeg = jpeg if image.format in ("JPEG", "MPO") else None
    turned = orientation(image)
    if image.format == "TIFF" and turned != 1:  # load() turns it; some Pillows say so before
        tags: Any = image
        size = tags.tag_v2[_WIDTH_TAG], tags.tag_v2[_HEIGHT_TAG]
        return PillowPicture(image, file, size[::-1] if TURNS[turned].sideways else size, 1, None)
    return PillowPicture(image, file, image.size, turned, jpeg)


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
