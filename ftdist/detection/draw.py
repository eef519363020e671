"""Draws detections on the photo, in its own size.

What must be readable decides: lines and letters grow with the picture, a label stands on a plate of
its class's colour, lies inside the picture, and gives way to the labels of better detections (a car
and a truck often share one box). Hues of neighbouring class numbers are a golden angle apart, so
that any few classes differ.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.atomic import atomic_write
from ftdist.detection.decode import Box, Detection
from ftdist.detection.picture import Letterbox
from ftdist.detection.reading import opened, read_picture
from ftdist.errors import InputError

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

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

Colour = tuple[int, int, int]

_GOLDEN_ANGLE = 0.6180339887
_SMALLEST_LETTERS = 9
_LONGEST_NAME = 60
_OPTIONS = {"JPEG": {"quality": 92, "subsampling": 0}}
"""Colours in full resolution keep small letters on coloured plates legible."""

_DRAWING_BYTES = 6 << 20
"""Pillow's code for drawing and letters, and the encoder's buffers."""


class _Plate(NamedTuple):
    """A label that fits the picture: its text, the size of its letters, its pixels with margin."""

    text: str
    letters: int
    width: int
    height: int
    margin: int


def draw(
    path_in: str | Path,
    detections: Sequence[Detection],
    names: Sequence[str],
    path_out: str | Path,
    letterbox: Letterbox,
) -> None:
    """Writes the photo with a box and a label, name and score, for each detection.

    `letterbox` is what ``load_picture`` said of that photo; `path_out` ends in one of FORMATS.
    InputError for another ending, an unreadable photo, or a place that cannot be written.
    """
    file_format = output_format(path_out)
    image = read_picture(path_in)
    if image.size != (letterbox.picture_width, letterbox.picture_height):
        raise InputError(f"{path_in}: no longer the picture in which the objects were found")
    from PIL.ImageDraw import Draw

    canvas = Draw(image)
    best_first = sorted(detections, key=lambda each: -each.score)
    placed = [(each, letterbox.to_picture(each.box)) for each in best_first]
    visible = [(each, box) for each, box in placed if box.left < box.right and box.top < box.bottom]
    for detection, box in reversed(visible):
        _draw_outline(canvas, box, class_colour(detection.label))
    taken = np.empty((0, 4))
    for detection, box in visible:
        known = detection.label < len(names)
        name = names[detection.label] if known else f"class {detection.label}"
        plate = _fitting_plate(name, detection.score, image.size)
        if plate is not None:
            place = _free_place(plate, box, image.size, taken)
            taken = np.vstack([taken, place])
            _draw_label(canvas, plate, place, class_colour(detection.label))
    with atomic_write(path_out) as temporary:
        try:
            image.save(temporary, file_format, **_OPTIONS.get(file_format, {}))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot write {path_out}: {error}") from error


def drawing_bytes(path_in: str | Path) -> int:
    """What ``draw`` holds at most, beside what the process holds after this call."""
    with opened(path_in) as picture:
        width, height = picture.full
        return picture.decoding_bytes + 8 * width * height + _DRAWING_BYTES


def output_format(path: str | Path) -> str:
    """Pillow's name of the format that a file's extension asks for; InputError when unknown."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        raise InputError(f"cannot write {path}: a picture must end in {', '.join(FORMATS)}")
    return FORMATS[extension]


def class_colour(label: int) -> Colour:
    """The class's colour; strong enough for an outline, and another for each class."""
    hue = (0.02 + label * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.95, 0.7)[label // 2 % 2], (1.0, 0.85)[label % 2])
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_outline(canvas: ImageDraw, box: Box, colour: Colour) -> None:
    """A frame whose lines lie inside the box."""
    width = max(2, round(max(canvas.im.size) * 0.004))
    left, top = int(box.left), int(box.top)
    corner = (max(left, round(box.right) - 1), max(top, round(box.bottom) - 1))
    canvas.rectangle((left, top, *corner), outline=colour, width=width)


def _draw_label(canvas: ImageDraw, plate: _Plate, place: Box, colour: Colour) -> None:
    red, green, blue = colour
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    canvas.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), fill=colour)
    start = (place.left + plate.margin, place.top + plate.height / 2)
    ink = (255, 255, 255) if dark else (0, 0, 0)
    canvas.text(start, plate.text, fill=ink, font=_font(plate.letters), anchor="lm")


def _fitting_plate(name: str, score: float, picture: tuple[int, int]) -> _Plate | None:
    """The label in letters that suit the picture, smaller or cut where it would not fit.

    None when the picture is too small for any.
    """
    letters = max(13, round(max(picture) * 0.022))
    name = "".join(each if each.isprintable() else " " for each in name)[:_LONGEST_NAME]
    while True:
        plate = _plate(f"{name} {score:.2f}".strip(), letters)
        if plate.width <= picture[0] and plate.height <= picture[1]:
            return plate
        if letters > _SMALLEST_LETTERS:
            letters -= max(1, letters // 8)
        elif name:
            name = name[:-1]
        else:
            return None


def _plate(text: str, letters: int) -> _Plate:
    """The label in letters of that size, with a margin around; letters below the line included."""
    margin = max(2, letters // 4)
    width = int(_font(letters).getbbox(text)[2]) + 1 + 2 * margin
    return _Plate(text, letters, width, letters + 2 * (margin // 2), margin)


def _free_place(
    plate: _Plate, box: Box, picture: tuple[int, int], taken: NDArray[np.float64]
) -> Box:
    """Where the plate goes, in whole pixels inside the picture; `taken` are other plates, (n, 4).

    Above the box, inside it at the top, below it, or inside at the bottom: the first that is free
    of other plates; else down from the box's top edge by whole plates; else above in any case.
    """
    width, height = plate.width, plate.height
    left = min(max(0, int(box.left)), picture[0] - width)
    above, below = int(box.top) - height, round(box.bottom)
    ladder = range(int(box.top) + height, picture[1], height)
    tops = [above, int(box.top), below, below - height, *ladder]
    lowest = picture[1] - height
    for top in tops:
        place = Box(left, top, left + width, top + height)
        if 0 <= top <= lowest and not _covers_any(place, taken):
            return place
    top = min(max(0, above), lowest)
    return Box(left, top, left + width, top + height)


def _covers_any(place: Box, taken: NDArray[np.float64]) -> bool:
    """Whether a rectangle has a pixel in common with one of the others, (n, 4)."""
    across = (place.left < taken[:, 2]) & (taken[:, 0] < place.right)
    return bool((across & (place.top < taken[:, 3]) & (taken[:, 1] < place.bottom)).any())


@lru_cache(maxsize=16)
def _font(letters: int) -> FreeTypeFont | ImageFont:
    """Pillow's own font, letters about so many pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(size=letters)
