"""Draws detections on the photo and writes it, in its own size where the budget allows.

The photo comes by in bands, is drawn on and written in bands. A JPEG that has to be decoded in one
piece (a progressive one) is drawn at a half, a quarter or an eighth where the whole would not fit,
and that is said. Photos that are stored turned lie on the disk for a moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from ftdist.answers.drawing.fonts import ASKING_BYTES
from ftdist.answers.drawing.formats import output_format
from ftdist.answers.drawing.labels import (
    MOST_DRAWN,
    OVERLAY_BYTES,
    Between,
    Names,
    Overlay,
    class_colour,
    label_memory,
)
from ftdist.atomic import atomic_write
from ftdist.errors import InputError
from ftdist.pictures.encoding import Writer, band_rows, encoding_memory, writer
from ftdist.pictures.fitting import Box, Letterbox
from ftdist.pictures.footprint import CODE_BYTES
from ftdist.pictures.reading import Picture, Size, Source, opened
from ftdist.pictures.turning import Turning, turned

if TYPE_CHECKING:
    from PIL.Image import Image

    from ftdist.answers.decode import Detection

__all__ = ["class_colour", "draw", "drawing_bytes"]

_CODE_BYTES = 4_000_000
"""Pillow's code for drawing and letters, FreeType, the encoder, and a font's tables."""

_RETURNING_BYTES = 2 << 20
"""Of code that was given back before, and is counted, what comes back only once bands are drawn,
not while a photo is decoded whole; 2.5 MiB and more beside 500 objects."""

_LAYING_BYTES = 7 << 18
"""What laying labels out takes before there are bands, however large the photo: 1.2 to 1.7 MiB
beside what is given back before."""

_SPARED_BYTES = 3 << 18
"""Of that code, what painting bands does not run again: what laid labels out has been given back by
then, and is counted apart."""

_CORNER = Box(0, 0, 1, 1)

_REDUCTIONS = (1, 2, 4, 8)
"""What a JPEG's decoder may divide its size by."""


class Painting(Protocol):
    """What paints on rows of a photo, in order; `first` is the first row's number."""

    def paint(self, band: Image, first: int) -> None: ...


Over = Callable[[Size], Painting]


@dataclass(frozen=True, slots=True)
class _Scale:
    """A photo drawn at a part of its size: what divides it, the bytes that takes, its size."""

    divisor: int
    bytes: int
    size: Size
    full: Size


def draw(
    source: Source,
    detections: Sequence[Detection],
    names: Sequence[str],
    path_out: str | Path,
    letterbox: Letterbox,
    most_bytes: int | None = None,
    between: Between | None = None,
    over: Over | None = None,
    *,
    listed: bool = False,
    drawing_bytes: int | None = None,
) -> list[str]:
    """Writes the photo with a box and a label, name and score, for each detection.

    `letterbox` is what ``load_picture`` said of that photo; `path_out` ends in one of FORMATS. The
    largest size is taken that takes no more than `drawing_bytes`, which the function of that name
    has said, else than `most_bytes`, else the smallest there is. Gives
    how it was drawn where that has to be said, a line each. `between` gives back what code is in
    memory; it is called where other code follows what was used, and only data count then. `over`
    makes what is painted on a photo of a size (width, height) instead of boxes; `listed`: labels
    alone, one below the other at the top left corner. InputError for another ending, an unreadable
    photo, or a place that cannot be written.
    """
    file_format = output_format(path_out)
    room = most_bytes if drawing_bytes is None else drawing_bytes
    scales = _scales(source, names, file_format, room, code=between is None)
    scale = scales[-1]
    known = Names(names, may_ask=most_bytes is None or most_bytes >= ASKING_BYTES)
    likeliest = sorted(
        (each for each in detections if listed or not letterbox.to_picture(each.box).is_empty),
        key=lambda each: -each.score,
    )

    def boxes(size: Size) -> Painting:
        placed = [
            (each, _CORNER if listed else _part(letterbox.to_picture(each.box), scale))
            for each in likeliest[:MOST_DRAWN]
        ]
        overlay = Overlay(size, placed, known, between or _nothing, outlined=not listed)
        if not any(each.points or each.outlines for each, _ in placed):
            return overlay
        from ftdist.answers.drawing.shapes import with_shapes  # few networks have any

        return with_shapes(overlay, placed, letterbox, size)

    with atomic_write(path_out) as temporary, temporary.open("wb") as file, opened(source) as photo:
        _check_same(photo, letterbox, source)
        _reduce(photo, scale.divisor)
        _paint(photo, (over or boxes)(scale.size), file, file_format, scale.size, Path(path_out))
    return _said(scales, known, len(likeliest))


def drawing_bytes(
    source: Source,
    names: Sequence[str],
    path_out: str | Path,
    most_bytes: int | None = None,
    *,
    code: bool = True,
) -> int:
    """What ``draw`` holds at most, beside what the process holds after this call.

    Without its `code` where that takes the place of what is given back before and `between`.
    """
    return _scales(source, names, output_format(path_out), most_bytes, code=code)[-1].bytes


def _scales(
    source: Source,
    names: Sequence[str],
    file_format: str,
    most_bytes: int | None,
    *,
    code: bool,
) -> list[_Scale]:
    """The full size, and smaller ones up to the first that takes no more than that, or the last."""
    found: list[_Scale] = []
    for divisor in _REDUCTIONS:
        with opened(source) as picture:
            if divisor > 1 and picture.jpeg is None:
                break
            _reduce(picture, divisor)
            size = picture.as_stored(picture.decoded)
            written, labels = encoding_memory(file_format, *size), label_memory(size, names)
            # A band's letters are gone when it is written.
            later = written.kept + labels.kept + max(written.at_work, labels.at_work)
            returning = 0 if code else _RETURNING_BYTES - _SPARED_BYTES
            taken = picture.showing_bytes(later + returning) + OVERLAY_BYTES
            taken += _CODE_BYTES if code else -CODE_BYTES - _RETURNING_BYTES
            taken = max(taken, _LAYING_BYTES)
            found.append(_Scale(divisor, taken, size, picture.size))
        if most_bytes is None or taken <= most_bytes:
            break
    return found


def _nothing() -> None:
    """For ``between``, where code stays."""


def _reduce(picture: Picture, divisor: int) -> None:
    if divisor > 1:
        picture.draft("RGB", (picture.full[0] // divisor, picture.full[1] // divisor))


def _part(box: Box, scale: _Scale) -> Box:
    across, down = scale.size[0] / scale.full[0], scale.size[1] / scale.full[1]
    return Box(box.left * across, box.top * down, box.right * across, box.bottom * down)


def _said(scales: list[_Scale], names: Names, found: int) -> list[str]:
    """What a user should know of the result, of so many objects."""
    lines = []
    full, drawn = scales[0], scales[-1]
    if drawn.divisor > 1:
        more = -(-(full.bytes - drawn.bytes) >> 20)
        width, height = drawn.size
        lines.append(f"at {width}x{height}: the full size would need {more}M more")
    if names.lacking:
        name = min(names.lacking)
        others = f" and {len(names.lacking) - 1} more" if len(names.lacking) > 1 else ""
        lines.append(
            f"by class number: no font here has the letters of {name}{others}; install one, "
            f"as the package fonts-noto-core or fonts-noto-cjk"
        )
    if found > MOST_DRAWN:
        lines.append(f"the {MOST_DRAWN} likeliest of {found} objects")
    return lines


class _Canvas:
    """Bands of the photo, drawn on, as high as they are written."""

    def __init__(self, sink: Writer, width: int, overlay: Painting) -> None:
        self._sink = sink
        self._width = width
        self._overlay = overlay
        self._band: Image | None = None
        self._filled = self._first = 0

    def take(self, _first: int, band: Image) -> None:
        from PIL.Image import new

        start, height = 0, band.size[1]
        while start < height:
            if self._band is None:
                self._band = new("RGB", (self._width, self._sink.rows))
            self._band.paste(band if start == 0 else _below(band, start), (0, self._filled))
            used = min(height - start, self._sink.rows - self._filled)
            start, self._filled = start + used, self._filled + used
            if self._filled == self._sink.rows:
                self._pass_on(self._band)

    def end(self) -> None:
        if self._band is not None and self._filled:
            self._pass_on(self._band.crop((0, 0, self._width, self._filled)))
        self._sink.end()

    def _pass_on(self, band: Image) -> None:
        self._overlay.paint(band, self._first)
        self._sink.take(band)
        self._first += self._filled
        self._filled = 0
        self._band = None


def _below(band: Image, start: int) -> Image:
    return band.crop((0, start, *band.size))


def _check_same(photo: Picture, letterbox: Letterbox, source: Source) -> None:
    if photo.size != (letterbox.picture_width, letterbox.picture_height):
        raise InputError(f"{source}: no longer the picture in which the objects were found")


def _paint(
    picture: Picture,
    painting: Painting,
    file: IO[bytes],
    file_format: str,
    size: Size,
    path_out: Path,
) -> None:
    """Writes the picture, upright and painted on."""
    with _writing(path_out):
        canvas = _Canvas(writer(file, file_format, *size), size[0], painting)
    _pass_on(picture, canvas, size, path_out)
    with _writing(path_out):
        canvas.end()
        file.flush()


def _pass_on(picture: Picture, canvas: _Canvas, size: Size, path_out: Path) -> None:
    """Gives the canvas the picture, upright."""
    turn = picture.turn

    def take(first: int, band: Image) -> None:
        with _writing(path_out):
            canvas.take(first, turned(band, turn))

    def put_aside(first: int, band: Image) -> None:
        with _writing(path_out):
            turning.take(first, band)

    if not (turn.sideways or turn.rows_reversed):
        picture.bands("RGB", take)
        return
    with _writing(path_out):
        turning = Turning(size, turn, Path(os.path.realpath(path_out)).parent)
    with turning:
        picture.bands("RGB", put_aside)
        with _writing(path_out):
            for first, band in turning.bands(band_rows(size[0])):
                canvas.take(first, band)


@contextmanager
def _writing(path: str | Path) -> Iterator[None]:
    """Failures within it are about the file that is written, not about the picture that is read."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.errno else str(error)
        raise InputError(f"cannot write {path}: {reason}") from error
